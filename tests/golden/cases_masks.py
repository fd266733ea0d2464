"""Chains of layers that masks go through, and merged inputs with masks, compared with Keras."""

import numpy as np

IDS = np.array([[3, 1, 2, 0, 0], [0, 0, 1, 4, 2], [0, 2, 0, 1, 3], [0, 0, 0, 0, 0]], np.int32)


def values(shape, seed, low=-1.0, high=1.0):
    """Uniform float32 values, no two of them alike in different seeds."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def sequences(seed=7, features=3):
    """Sequences with steps of zeros at the end, at the front, between, and altogether."""
    return values((*IDS.shape, features), seed, 0.1, 1.5) * (IDS != 0)[..., None]


def weights(layers):
    """Values for the weights of several layers, positive for statistics."""
    return [
        [values(v.shape, 20 + 7 * i + j, 0.1, 0.9) for j, v in enumerate(layer.weights)]
        for i, layer in enumerate(layers)
    ]


def embedded(*rest):
    """A chain that starts with indices."""
    return lambda k: [k.Embedding(5, 3, mask_zero=True), *[make(k) for make in rest]]


def masked(*rest):
    """A chain that starts with sequences."""
    return lambda k: [k.Masking(), *[make(k) for make in rest]]


ALL = {"return_sequences": True}

# name: (what makes the layers of the module `k`, whether they start with indices)
CHAINS = {
    "embedding": (embedded(), True),
    "masking": (masked(), False),
    "masking_value": (lambda k: [k.Masking(0.0), k.Masking(0.5)], False),
    "dense": (embedded(lambda k: k.Dense(2, "tanh")), True),
    "lstm": (embedded(lambda k: k.LSTM(3)), True),
    "lstm_all": (embedded(lambda k: k.LSTM(3, **ALL), lambda k: k.Dense(2)), True),
    "lstm_two": (masked(lambda k: k.LSTM(3, **ALL), lambda k: k.LSTM(2)), False),
    "lstm_back": (masked(lambda k: k.LSTM(3, go_backwards=True, **ALL)), False),
    "gru": (embedded(lambda k: k.GRU(3)), True),
    "gru_all": (masked(lambda k: k.GRU(3, **ALL), lambda k: k.GRU(2, **ALL)), False),
    "simple_rnn": (masked(lambda k: k.SimpleRNN(3, **ALL), lambda k: k.SimpleRNN(2)), False),
    "rnn_zero": (
        masked(lambda k: k.RNN(k.GRUCell(3), zero_output_for_mask=True, **ALL)), False
    ),
    "bidirectional": (embedded(lambda k: k.Bidirectional(k.LSTM(2))), True),
    "bidirectional_all": (
        embedded(lambda k: k.Bidirectional(k.GRU(2, **ALL)), lambda k: k.Dense(2)), True
    ),
    "time_distributed": (
        masked(lambda k: k.TimeDistributed(k.Dense(2)), lambda k: k.LSTM(3)), False
    ),
    "average": (embedded(lambda k: k.LSTM(3, **ALL), lambda k: k.GlobalAveragePooling1D()), True),
    "batch_norm": (masked(lambda k: k.BatchNormalization(), lambda k: k.Dense(2)), False),
    "layer_norm": (masked(lambda k: k.LayerNormalization(), lambda k: k.GRU(2)), False),
    "passed_on": (
        masked(
            lambda k: k.Activation("tanh"), lambda k: k.ReLU(), lambda k: k.LeakyReLU(),
            lambda k: k.ELU(), lambda k: k.PReLU(), lambda k: k.Dropout(0.0),
            lambda k: k.SpatialDropout1D(0.0), lambda k: k.GaussianNoise(0.0),
            lambda k: k.GaussianDropout(0.0), lambda k: k.AlphaDropout(0.0),
            lambda k: k.ActivityRegularization(), lambda k: k.Identity(),
            lambda k: k.Rescaling(2.0),
        ),
        False,
    ),
    "lambda": (masked(lambda k: k.Lambda(lambda x: x * 2, mask=lambda x, mask: mask)), False),
}  # fmt: skip


def inputs(case):
    """What a chain starts with; the mean of no step at all is left out."""
    count = 3 if case == "average" else 4
    return (IDS if CHAINS[case][1] else sequences())[:count]


def second():
    """Other sequences, masked at other steps."""
    return np.roll(sequences(8), 1, axis=1)


# name: (class, arguments, which inputs are masked)
MERGED = {
    f"{name.lower()}_{''.join('ny'[m] for m in which)}": (name, options, which)
    for name, options in (
        ("Add", {}), ("Subtract", {}), ("Multiply", {}), ("Average", {}), ("Maximum", {}),
        ("Minimum", {}), ("Concatenate", {}), ("Dot", {"axes": 2}),
    )
    for which in ((True, True), (True, False), (False, True))
}  # fmt: skip
MERGED["concatenate_steps"] = ("Concatenate", {"axis": 1}, (True, True))
MERGED["concatenate_steps_ny"] = ("Concatenate", {"axis": 1}, (False, True))
