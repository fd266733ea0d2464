"""The convolutional recurrent layers that are compared with Keras, and what they are given."""

from tests.golden.cases_recurrent import values

ALL = {"return_sequences": True, "return_state": True}
FIRST = {"data_format": "channels_first"}

# name: (class, arguments, shape of the sequences, shape of the states); Keras on JAX has no masks
CASES = {
    "1d": ("ConvLSTM1D", {"filters": 3, "kernel_size": 2}, (2, 3, 5, 2), None),
    "1d_all": (
        "ConvLSTM1D",
        {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", **ALL},
        (2, 3, 5, 2),
        (2, 3, 3),
    ),
    "2d": ("ConvLSTM2D", {"filters": 2, "kernel_size": [2, 3]}, (2, 3, 4, 5, 2), None),
    "2d_all": (
        "ConvLSTM2D",
        {"filters": 2, "kernel_size": 2, "go_backwards": True, **ALL},
        (2, 3, 4, 4, 1),
        (2, 3, 3, 2),
    ),
    "2d_first": (
        "ConvLSTM2D",
        {"filters": 2, "kernel_size": 2, "padding": "same", "use_bias": False, **FIRST, **ALL},
        (2, 3, 1, 4, 3),
        None,
    ),
    "2d_dilated": (
        "ConvLSTM2D",
        {
            "filters": 2,
            "kernel_size": 2,
            "dilation_rate": 2,
            "activation": "relu",
            "recurrent_activation": "hard_sigmoid",
            **FIRST,
        },
        (2, 3, 2, 4, 5),
        None,
    ),
    "3d": (
        "ConvLSTM3D",
        {"filters": 2, "kernel_size": 2, "return_sequences": True},
        (2, 3, 3, 3, 2, 1),
        None,
    ),
}


def sequences(case):
    """The inputs of a case."""
    return values(CASES[case][2], 7, -1.5, 1.5)


def first_states(case):
    """The initial states of a case."""
    shape = CASES[case][3]
    return [] if shape is None else [values(shape, 40 + i) for i in range(2)]
