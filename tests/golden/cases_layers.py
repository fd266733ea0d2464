"""The layers that are compared with Keras, and what they are given."""

import numpy as np


def values(shape, seed, low=-1.0, high=1.0):
    """Uniform float32 values, no two of them alike in different seeds."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def inputs(kind):
    """The inputs of a case: a shape for floats, or ("int", shape, n)."""
    if kind[0] == "int":
        return np.random.default_rng(7).integers(0, kind[2], kind[1]).astype(np.int32)
    return values(kind, 7, -2.0, 2.0)


def weights(layer):
    """Values for the weights: positive ones, so that they can be variances; integers stay 0."""
    return [
        values(v.shape, 20 + i, 0.1, 1.5) if "float" in str(v.dtype) else np.zeros(v.shape, "int32")
        for i, v in enumerate(layer.weights)
    ]


L1, L2 = {"l1": 0.1}, {"l2": 0.2}

# name: (class, arguments, inputs); arguments that end in _regularizer are of L1L2
CASES = {
    "dense": ("Dense", {"units": 4}, (3, 5)),
    "dense_relu": ("Dense", {"units": 4, "activation": "relu"}, (3, 5)),
    "dense_no_bias": ("Dense", {"units": 4, "use_bias": False, "activation": "tanh"}, (3, 5)),
    "dense_rank3": ("Dense", {"units": 2, "activation": "softmax"}, (2, 3, 4)),
    "dense_regularized": (
        "Dense",
        {"units": 2, "kernel_regularizer": L1, "bias_regularizer": L2, "activity_regularizer": L2},
        (3, 4),
    ),
    "activation": ("Activation", {"activation": "gelu"}, (3, 4)),
    "relu": ("ReLU", {}, (3, 4)),
    "relu_all": ("ReLU", {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.5}, (3, 4)),
    "leaky_relu": ("LeakyReLU", {}, (3, 4)),
    "elu": ("ELU", {"alpha": 0.7}, (3, 4)),
    "prelu": ("PReLU", {}, (2, 3, 4)),
    "prelu_shared": ("PReLU", {"shared_axes": [1]}, (2, 3, 4)),
    "prelu_two_shared": ("PReLU", {"shared_axes": [1, 2]}, (2, 3, 4, 2)),
    "softmax": ("Softmax", {}, (3, 4)),
    "softmax_axis": ("Softmax", {"axis": 1}, (2, 3, 4)),
    "softmax_axes": ("Softmax", {"axis": [1, 2]}, (2, 3, 4)),
    "flatten": ("Flatten", {}, (2, 3, 4)),
    "flatten_first": ("Flatten", {"data_format": "channels_first"}, (2, 3, 4, 2)),
    "flatten_rank1": ("Flatten", {}, (3,)),
    "reshape": ("Reshape", {"target_shape": [2, -1]}, (3, 4, 3)),
    "reshape_whole": ("Reshape", {"target_shape": [12]}, (3, 4, 3)),
    "permute": ("Permute", {"dims": [3, 1, 2]}, (2, 3, 4, 5)),
    "repeat_vector": ("RepeatVector", {"n": 3}, (2, 4)),
    "dropout": ("Dropout", {"rate": 0.0}, (3, 4)),
    "spatial_dropout": ("SpatialDropout2D", {"rate": 0.0}, (2, 3, 3, 2)),
    "gaussian_noise": ("GaussianNoise", {"stddev": 0.0}, (3, 4)),
    "activity_regularization": ("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, (3, 4)),
    "batch_norm": ("BatchNormalization", {}, (6, 4)),
    "batch_norm_images": ("BatchNormalization", {"momentum": 0.9}, (2, 3, 3, 4)),
    "batch_norm_axis1": ("BatchNormalization", {"axis": 1, "epsilon": 0.1}, (2, 4, 3, 3)),
    "batch_norm_no_scale": ("BatchNormalization", {"scale": False}, (6, 4)),
    "batch_norm_no_center": ("BatchNormalization", {"center": False}, (6, 4)),
    "batch_norm_plain": ("BatchNormalization", {"center": False, "scale": False}, (6, 4)),
    "batch_norm_frozen": ("BatchNormalization", {"trainable": False}, (6, 4)),
    "batch_norm_one_row": ("BatchNormalization", {}, (1, 4)),
    "layer_norm": ("LayerNormalization", {}, (3, 5)),
    "layer_norm_axis1": ("LayerNormalization", {"axis": 1}, (2, 3, 4)),
    "layer_norm_axes": ("LayerNormalization", {"axis": [1, 2], "epsilon": 0.01}, (2, 3, 4)),
    "layer_norm_negative": ("LayerNormalization", {"axis": [-2, -1]}, (2, 3, 4)),
    "layer_norm_no_scale": ("LayerNormalization", {"scale": False}, (3, 5)),
    "layer_norm_no_center": ("LayerNormalization", {"center": False}, (3, 5)),
    "layer_norm_rms": ("LayerNormalization", {"rms_scaling": True}, (3, 5)),
    "embedding": ("Embedding", {"input_dim": 5, "output_dim": 3}, ("int", (4, 6), 5)),
    "embedding_vector": ("Embedding", {"input_dim": 9, "output_dim": 2}, ("int", (5,), 9)),
    "rescaling": ("Rescaling", {"scale": 0.5, "offset": -1.0}, (3, 4)),
    "rescaling_ints": ("Rescaling", {"scale": 1 / 255}, ("int", (3, 4), 255)),
    "rescaling_lists": (
        "Rescaling", {"scale": [1.0, 2.0, 3.0], "offset": [0.0, 0.5, 1.0]}, (2, 4, 3)
    ),
    "normalization": ("Normalization", {"mean": 3.0, "variance": 2.0}, (3, 4)),
    "normalization_lists": (
        "Normalization", {"mean": [1.0, 2.0], "variance": [0.0, 0.5]}, (3, 4, 2)
    ),
    "normalization_axes": (
        "Normalization",
        {"axis": [1, 2], "mean": [1.0, 2.0], "variance": [4.0, 0.5]},
        (3, 4, 2),
    ),
    "normalization_invert": (
        "Normalization", {"mean": 3.0, "variance": 2.0, "invert": True}, (3, 4)
    ),
}  # fmt: skip

# name: arguments of Normalization, shape of the data it is adapted to
ADAPT = {
    "adapt": ({}, (20, 3)),
    "adapt_images": ({"axis": -1}, (4, 3, 3, 2)),
    "adapt_none": ({"axis": None}, (5, 3)),
    "adapt_axes": ({"axis": [1, 2]}, (6, 3, 2)),
    "adapt_rows": ({"axis": 0}, (3, 5)),
}


def arguments(options, l1l2):
    """A case's arguments, with regularizers made by `l1l2`."""
    return {
        name: l1l2(**value) if name.endswith("_regularizer") else value
        for name, value in options.items()
    }
