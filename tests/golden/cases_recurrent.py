"""The recurrent layers that are compared with Keras, and what they are given."""

import numpy as np
from numpy.random import default_rng

BATCH, STEPS, FEATURES = 3, 5, 2
MASK = np.array([[1, 1, 1, 1, 0], [0, 1, 1, 0, 1], [0, 0, 0, 0, 0]], bool)


def values(shape, seed, low=-1.0, high=1.0):
    """Uniform float32 values, no two of them alike in different seeds."""
    return default_rng(seed).uniform(low, high, shape).astype(np.float32)


def weights(layer):
    """Values for the weights; positive ones for statistics."""
    return [
        values(v.shape, 20 + i, 0.1 if "norm" in v.path else -0.9, 0.9)
        for i, v in enumerate(layer.weights)
    ]


def sequences():
    """The inputs of every case."""
    return values((BATCH, STEPS, FEATURES), 7, -1.5, 1.5)


def first_states(sizes):
    """Initial states of the sizes."""
    return [values((BATCH, n), 40 + i) for i, n in enumerate(sizes)]


ALL = {"return_sequences": True, "return_state": True}
OTHER = {"activation": "relu", "recurrent_activation": "hard_sigmoid"}

# name: (what makes the layer of the module `k`, whether there is a mask, sizes of initial states)
CASES = {
    "simple_rnn": (lambda k: k.SimpleRNN(4), False, None),
    "simple_rnn_relu": (lambda k: k.SimpleRNN(4, "relu", use_bias=False, **ALL), True, [4]),
    "simple_rnn_linear": (lambda k: k.SimpleRNN(4, activation=None, **ALL), True, [4]),
    "simple_rnn_back": (lambda k: k.SimpleRNN(4, go_backwards=True, **ALL), True, [4]),
    "lstm": (lambda k: k.LSTM(4), False, None),
    "lstm_all": (lambda k: k.LSTM(4, **ALL), False, [4, 4]),
    "lstm_states": (lambda k: k.LSTM(3, return_state=True), True, [3, 3]),
    "lstm_mask": (lambda k: k.LSTM(4, **ALL), True, None),
    "lstm_back": (lambda k: k.LSTM(4, go_backwards=True, **ALL), True, [4, 4]),
    "lstm_plain": (
        lambda k: k.LSTM(1, use_bias=False, unroll=True, return_sequences=True), False, None
    ),
    "lstm_other": (lambda k: k.LSTM(3, **OTHER, **ALL), True, [3, 3]),
    "lstm_linear": (lambda k: k.LSTM(3, None, None, unit_forget_bias=False), False, None),
    "gru": (lambda k: k.GRU(4), False, None),
    "gru_all": (lambda k: k.GRU(4, **ALL), True, [4]),
    "gru_back": (lambda k: k.GRU(4, go_backwards=True, return_state=True), True, None),
    "gru_plain": (lambda k: k.GRU(3, use_bias=False, **ALL), False, [3]),
    "gru_other": (lambda k: k.GRU(3, **OTHER, **ALL), True, [3]),
    "gru_before": (lambda k: k.GRU(4, reset_after=False, **ALL), True, [4]),
    "gru_before_plain": (lambda k: k.GRU(3, reset_after=False, use_bias=False), False, None),
    "gru_before_other": (lambda k: k.GRU(3, reset_after=False, **OTHER, **ALL), True, [3]),
    "rnn": (lambda k: k.RNN(k.LSTMCell(3), **ALL), True, [3, 3]),
    "rnn_zero": (lambda k: k.RNN(k.GRUCell(3), zero_output_for_mask=True, **ALL), True, [3]),
    "rnn_last": (lambda k: k.RNN(k.SimpleRNNCell(3), go_backwards=True), True, None),
    "stacked": (
        lambda k: k.RNN([k.LSTMCell(3), k.GRUCell(2), k.SimpleRNNCell(4)], return_sequences=True),
        True,
        None,
    ),
    "stacked_last": (
        lambda k: k.RNN(k.StackedRNNCells([k.LSTMCell(3), k.LSTMCell(2)])), False, None
    ),
    "bidirectional": (lambda k: k.Bidirectional(k.LSTM(3)), False, None),
    "bidirectional_all": (lambda k: k.Bidirectional(k.LSTM(3, **ALL)), True, [3, 3, 3, 3]),
    "bidirectional_sum": (lambda k: k.Bidirectional(k.GRU(3), merge_mode="sum"), True, None),
    "bidirectional_mul": (
        lambda k: k.Bidirectional(k.SimpleRNN(3, return_sequences=True), merge_mode="mul"),
        True,
        None,
    ),
    "bidirectional_ave": (
        lambda k: k.Bidirectional(k.GRU(3, return_sequences=True), merge_mode="ave"), False, None
    ),
    "bidirectional_none": (
        lambda k: k.Bidirectional(
            k.GRU(3, **ALL), merge_mode=None, backward_layer=k.LSTM(2, go_backwards=True, **ALL)
        ),
        True,
        None,
    ),
    "time_distributed": (lambda k: k.TimeDistributed(k.Dense(3, "tanh")), False, None),
    "time_distributed_norm": (lambda k: k.TimeDistributed(k.BatchNormalization()), False, None),
}  # fmt: skip
