"""Adafactor: second moments kept as row and column means."""

from math import sqrt

from gpunn.checks import check_flag, check_number
from gpunn.optimizers.lamb import squares
from gpunn.optimizers.optimizer import Optimizer


class Adafactor(Optimizer):
    """Adam's second moment in little memory (Keras: `optimizers.Adafactor`).

    For arrays of rank 2 or more only the means over the last axis (r) and over the one before (c)
    of `g**2 + epsilon_1` are kept, and `v = r / mean(r) * c`; for others v itself. Then
    `u = g / sqrt(v); w -= alpha * u / max(1, rms(u) / clip_threshold)` with
    `alpha = max(epsilon_2, rms(w)) * min(lr, 1 / sqrt(t))`; the decay is `1 - t**beta_2_decay`.

    Args:
        learning_rate: a number, a schedule or a function without arguments.
        beta_2_decay: how the decay of the second moment nears 1; at most 0.
        epsilon_1: added to squared gradients.
        epsilon_2: the least rms(w) that counts.
        clip_threshold: steps of a larger rms are scaled down to it.
        relative_step: kept for Keras' configs; as in Keras, alpha is the same with and without.
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: Shazeer and Stern, 2018 (arXiv 1804.04235).

    >>> w = gpunn.Variable([[1.0, 2.0], [3.0, 4.0]])
    >>> gpunn.optimizers.Adafactor(learning_rate=0.1).apply([np.ones((2, 2))], [w])
    >>> w.numpy().round(4)
    array([[0.7261, 1.7261],
           [2.7261, 3.7261]], dtype=float32)
    """

    elementwise = False
    slot_names = ("row", "column", "velocity")
    hyperparameters = (
        "beta_2_decay",
        "epsilon_1",
        "epsilon_2",
        "clip_threshold",
        "relative_step",
    )

    def __init__(
        self,
        learning_rate=0.001,
        beta_2_decay=-0.8,
        epsilon_1=1e-30,
        epsilon_2=1e-3,
        clip_threshold=1.0,
        relative_step=True,
        **options,
    ):
        super().__init__(learning_rate, **options)
        check_number("beta_2_decay", beta_2_decay, high=0)
        check_number("epsilon_1", epsilon_1, low=0)
        check_number("epsilon_2", epsilon_2, low=0)
        check_number("clip_threshold", clip_threshold, above=0)
        check_flag("relative_step", relative_step)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def slot_shape(self, name, variable):
        shape = variable.shape
        if name == "velocity":
            return shape if len(shape) < 2 else None
        if len(shape) < 2:
            return None
        return shape[:-1] if name == "row" else (*shape[:-2], shape[-1])

    def numbers(self, t, lr):
        beta_2 = 1 - t**self.beta_2_decay
        return min(lr, 1 / sqrt(t)), beta_2, 1 - beta_2, self.epsilon_1, self.epsilon_2

    def update(self, be, p, g, slots, h, scratch):
        rate, beta_2, rest_2, epsilon_1, epsilon_2 = h
        row, column, v = slots
        u = be.empty(p.shape, p.dtype)
        if v is None:
            be.in_one_launch(_square, (u, g, epsilon_1))
            be.in_one_launch(_follow, (row, u.mean(axis=-1), beta_2, rest_2))
            be.in_one_launch(_follow, (column, u.mean(axis=-2), beta_2, rest_2))
            mean = row.mean(axis=-1, keepdims=True)
            be.in_one_launch(_scaled, (u, g, row[..., None], mean[..., None], column[..., None, :]))
        else:
            be.in_one_launch(_scaled_by_own, (u, v, g, beta_2, rest_2, epsilon_1))
        root = sqrt(max(p.size, 1))
        norms = (squares(be, p), squares(be, u), float(root), float(self.clip_threshold))
        be.in_one_launch(_step, (p, u, rate, epsilon_2, *norms))


def _square(be, u, g, epsilon):
    be.xp.add(g * g, epsilon, out=u)


def _follow(be, average, value, kept, rest):
    average *= kept
    average += value * rest


def _scaled(be, u, g, row, mean, column):
    be.xp.divide(g, be.xp.sqrt(row / mean * column), out=u)


def _scaled_by_own(be, u, v, g, beta_2, rest_2, epsilon):
    _follow(be, v, g * g + epsilon, beta_2, rest_2)
    be.xp.divide(g, be.xp.sqrt(v), out=u)


def _step(be, p, u, rate, epsilon, p_square, u_square, root, limit):
    xp = be.xp
    alpha = xp.maximum(xp.sqrt(p_square) / root, epsilon) * rate
    p -= alpha * u / xp.maximum(xp.sqrt(u_square) / root / limit, 1)
