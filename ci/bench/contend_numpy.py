"""NumPy by hand: the training step that an expert would write for one net and nothing else.

All memory is made once, every call has its `out`, a step is a function without a loop over layers.
Weights and gradients lie in one vector each, in which the products put them. What a step wants of
its batch beside the numbers (labels as ones and zeros, a column of ones) is prepared beforehand.
"""

from by_hand_dense import autoencoder, beginner, digits, neuron, small
from by_hand_gpt import gpt
from by_hand_recurrent import gru, lstm
from workloads import batches

ROWS = {
    "7x3": neuron,
    "2-8-8-1": small,
    "20-64-1": beginner,
    "784-512-256-10": digits,
    "784-128-32-128-784": autoencoder,
    "GRU 256": gru,
    "LSTM 256": lstm,
    "GPT": gpt,
}  # by what their titles begin with


def by_hand(workload):
    """The function that makes a row's step; None if there is none."""
    found = (make for name, make in ROWS.items() if workload.title.startswith(name))
    return next(found, None) if workload.kind == "step" else None


class Contender:
    def __init__(self, workload, x, y, weights, threads, variant=""):
        given = batches(x, y, workload.batch)
        self.train, self.batches = by_hand(workload)(weights, workload, given)

    def losses(self, steps):
        given = self.batches
        return [float(self.train(*given[i % len(given)]).sum()) for i in range(steps)]

    def step(self, times):
        train, given = self.train, self.batches
        for i in range(times):
            train(*given[i % len(given)])
