"""Adamax: Adam with the infinity norm."""

from gpunn.checks import check_number
from gpunn.optimizers.optimizer import Optimizer


class Adamax(Optimizer):
    """Adam with a decaying maximum of |g| in place of the second moment (`optimizers.Adamax`).

    `m += (1 - beta_1) * (g - m); u = max(beta_2 * u, |g|);`
    `w -= lr * m / ((1 - beta_1**t) * (u + epsilon))`

    Args:
        learning_rate: a number, a schedule or a function without arguments.
        beta_1: the decay of the first moment, in [0, 1).
        beta_2: the decay of the maximum, in [0, 1).
        epsilon: keeps the denominator away from zero.
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: Kingma and Ba, 2014, section 7.1 (arXiv 1412.6980).

    >>> w = gpunn.Variable([1.0, 2.0])
    >>> gpunn.optimizers.Adamax(learning_rate=0.1).apply([np.array([3.0, -4.0])], [w])
    >>> w.numpy()
    array([0.9, 2.1], dtype=float32)
    """

    scratch = 2
    slot_names = ("momentum", "norm")
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
        return lr / (1 - self.beta_1**t), 1 - self.beta_1, self.beta_2, self.epsilon

    def update(self, be, p, g, slots, h, scratch):
        xp = be.xp
        alpha, rest_1, beta_2, epsilon = h
        m, u = slots
        step, work = scratch
        xp.subtract(g, m, out=work)
        xp.multiply(work, rest_1, out=work)
        xp.add(m, work, out=m)
        xp.multiply(u, beta_2, out=u)
        xp.absolute(g, out=work)
        xp.maximum(u, work, out=u)
        xp.add(u, epsilon, out=work)
        xp.multiply(m, alpha, out=step)
        xp.divide(step, work, out=step)
        xp.subtract(p, step, out=p)
