"""Cases of initializers, regularizers and constraints: for make_weights.py (Keras) and the tests.

Only NumPy's legacy generator is used: its streams never change.
"""

import numpy as np

# Names and options; statistics are compared on these shapes.
DRAWN = [
    ("RandomNormal", {"mean": 0.5, "stddev": 2.0}),
    ("RandomUniform", {"minval": -1.0, "maxval": 3.0}),
    ("TruncatedNormal", {"mean": 0.5, "stddev": 2.0}),
    ("GlorotNormal", {}),
    ("GlorotUniform", {}),
    ("HeNormal", {}),
    ("HeUniform", {}),
    ("LecunNormal", {}),
    ("LecunUniform", {}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"scale": 0.5, "mode": "fan_avg", "distribution": "uniform"}),
    ("VarianceScaling", {"mode": "fan_in", "distribution": "normal"}),
    ("HeUniform", {"input_axes": [0, 1], "output_axes": [2]}),
    ("Orthogonal", {"gain": 2.0}),
]
SHAPES = [(200, 150), (3, 3, 40, 60), (20, 30, 40)]
FANS = [(), (5,), (4, 6), (3, 4, 6), (2, 3, 4, 6), (2, 2, 3, 4, 6)]

REGULARIZERS = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {}),
    ("L2", {"l2": 0.2}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.1}),
    ("L1L2", {"l2": 0.1}),
    ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]
CONSTRAINTS = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.5, "axis": 1}),
    ("MaxNorm", {"max_value": 1, "axis": [0, 1]}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": 1}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 1.5, "max_value": 2.0, "rate": 0.7, "axis": 1}),
]


def weight():
    """A matrix; a row and a column of it are zero."""
    w = np.random.RandomState(3).randn(6, 5).astype("float32")
    w[2] = w[:, 1] = 0
    return w


def full_weight():
    """A matrix without zeros."""
    return np.random.RandomState(4).randn(6, 5).astype("float32")
