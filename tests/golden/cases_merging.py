"""The merging and core layers that are compared with Keras, and the shapes of their inputs."""

import numpy as np


def values(shape, seed):
    """Uniform float32 values, no two of them alike in different seeds."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


# name: (class, arguments, shapes of a list of inputs, or one shape)
CASES = {
    "add": ("Add", {}, [(3, 4), (3, 4), (3, 4)]),
    "add_broadcast": ("Add", {}, [(2, 3, 4), (2, 4), (2, 1, 1)]),
    "subtract": ("Subtract", {}, [(3, 4), (3, 1)]),
    "multiply": ("Multiply", {}, [(3, 4), (3, 4), (3, 1)]),
    "average": ("Average", {}, [(3, 4), (3, 4), (3, 4)]),
    "maximum": ("Maximum", {}, [(3, 4), (3, 4), (3, 4)]),
    "minimum": ("Minimum", {}, [(2, 3, 4), (2, 4)]),
    "concatenate": ("Concatenate", {}, [(3, 4), (3, 2), (3, 1)]),
    "concatenate_axis": ("Concatenate", {"axis": 1}, [(2, 3, 4), (2, 1, 4)]),
    "dot": ("Dot", {"axes": 1}, [(3, 4), (3, 4)]),
    "dot_normalize": ("Dot", {"axes": -1, "normalize": True}, [(3, 4), (3, 4)]),
    "dot_axes": ("Dot", {"axes": [1, 2]}, [(2, 3, 5), (2, 4, 3)]),
    "dot_ranks": ("Dot", {"axes": [2, 1]}, [(2, 3, 5), (2, 5)]),
    "dot_vector": ("Dot", {"axes": [1, 2]}, [(2, 5), (2, 3, 5)]),
    "dot_rank4": ("Dot", {"axes": [3, 1]}, [(2, 3, 2, 4), (2, 4, 3, 2)]),
    "identity": ("Identity", {}, (3, 4)),
    "einsum": (
        "EinsumDense",
        {"equation": "abc,cd->abd", "output_shape": [None, 5], "bias_axes": "d"},
        (2, 3, 4),
    ),
    "einsum_relu": (
        "EinsumDense", {"equation": "ab,bc->ac", "output_shape": 5, "activation": "relu"}, (3, 4)
    ),
    "einsum_left": (
        "EinsumDense",
        {"equation": "...x,xy->...y", "output_shape": 5, "bias_axes": "y"},
        (2, 3, 4),
    ),
    "einsum_right": (
        "EinsumDense",
        {"equation": "ab...,bc->ac...", "output_shape": 5, "bias_axes": "c"},
        (2, 3, 4, 2),
    ),
    "einsum_heads": (
        "EinsumDense",
        {"equation": "abc,cde->abde", "output_shape": [None, 2, 3], "bias_axes": "de"},
        (2, 3, 4),
    ),
    "einsum_middle": (
        "EinsumDense",
        {"equation": "abc,bde->acde", "output_shape": [4, 2, 3], "bias_axes": "d"},
        (2, 3, 4),
    ),
}  # fmt: skip


def inputs(case) -> list:
    """The inputs of a case, one or several."""
    shapes = CASES[case][2]
    shapes = shapes if isinstance(shapes, list) else [shapes]
    return [values(shape, 60 + i) for i, shape in enumerate(shapes)]


def weights(layer) -> list:
    """Values for the weights."""
    return [values(v.shape, 20 + i) for i, v in enumerate(layer.weights)]
