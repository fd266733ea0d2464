"""Lamb: Adam's step, scaled layer by layer to the weights' norm."""

from math import sqrt

from gpunn.checks import check_number
from gpunn.optimizers.optimizer import Optimizer


class Lamb(Optimizer):
    """Layer-wise adaptive moments, for large batches (Keras: `optimizers.Lamb`).

    With Adam's m and v: `u = m_hat / (sqrt(v_hat) + epsilon); w -= lr * |w| / |u| * u`, where the
    ratio of the norms is 1 if one of them is 0.

    Args:
        learning_rate: a number, a schedule or a function without arguments.
        beta_1: the decay of the first moment, in [0, 1).
        beta_2: the decay of the second moment, in [0, 1).
        epsilon: keeps the denominator away from zero.
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: You et al., 2019 (arXiv 1904.00962).

    >>> w = gpunn.Variable([1.0, 2.0])
    >>> gpunn.optimizers.Lamb(learning_rate=0.1).apply([np.array([3.0, -4.0])], [w])
    >>> w.numpy().round(4)
    array([0.8419, 2.1581], dtype=float32)
    """

    elementwise = False
    slot_names = ("momentum", "velocity")
    hyperparameters = ("beta_1", "beta_2", "epsilon")

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **options):
        super().__init__(learning_rate, **options)
        check_number("beta_1", beta_1, low=0, below=1)
        check_number("beta_2", beta_2, low=0, below=1)
        check_number("epsilon", epsilon, low=0)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def numbers(self, t, lr):
        rest_1, rest_2 = 1 - self.beta_1, 1 - self.beta_2
        return lr, rest_1, rest_2, 1 - self.beta_1**t, sqrt(1 - self.beta_2**t), self.epsilon

    def update(self, be, p, g, slots, h, scratch):
        lr, *others = h
        u = be.empty(p.shape, p.dtype)
        be.in_one_launch(_direction, (u, *slots, g, *others))
        be.in_one_launch(_step, (p, u, lr, squares(be, p), squares(be, u)))


def _direction(be, u, m, v, g, rest_1, rest_2, bias_1, bias_2, epsilon):
    m += (g - m) * rest_1
    v += (g * g - v) * rest_2
    be.xp.divide(m / bias_1, be.xp.sqrt(v) / bias_2 + epsilon, out=u)


def _step(be, p, u, lr, w_square, u_square):
    xp = be.xp
    w_norm, u_norm = xp.sqrt(w_square), xp.sqrt(u_square)
    both = (w_norm > 0) & (u_norm > 0)
    # 1 where a norm is 0: never 0 / 0
    ratio = xp.where(both, w_norm, 1) / xp.where(both, u_norm, 1)
    p -= ratio * lr * u


def squares(be, x):
    """The sum of squares of all elements, on the device."""
    flat = x.reshape(-1)
    return be.dot(flat, flat)
