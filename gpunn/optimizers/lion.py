"""Lion: the sign of the momentum."""

from gpunn.checks import check_number
from gpunn.optimizers.optimizer import Optimizer


class Lion(Optimizer):
    """Steps of one size, by the sign of a momentum (Keras: `optimizers.Lion`).

    `w -= lr * sign(beta_1 * m + (1 - beta_1) * g); m = beta_2 * m + (1 - beta_2) * g`

    Its learning rate is typically 3 to 10 times smaller than Adam's, its weight decay as much
    larger.

    Args:
        learning_rate: a number, a schedule or a function without arguments.
        beta_1: the share of the momentum in the step, in (0, 1].
        beta_2: the decay of the momentum, in [0, 1].
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: Chen et al., 2023 (arXiv 2302.06675).

    >>> w = gpunn.Variable([1.0, 2.0])
    >>> gpunn.optimizers.Lion(learning_rate=0.1).apply([np.array([3.0, -4.0])], [w])
    >>> w.numpy()
    array([0.9, 2.1], dtype=float32)
    """

    scratch = 2
    slot_names = ("momentum",)
    hyperparameters = ("beta_1", "beta_2")

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.99, **options):
        super().__init__(learning_rate, **options)
        check_number("beta_1", beta_1, above=0, high=1)
        check_number("beta_2", beta_2, low=0, high=1)
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def numbers(self, t, lr):
        return lr, self.beta_1, 1 - self.beta_1, self.beta_2, 1 - self.beta_2

    def update(self, be, p, g, slots, h, scratch):
        xp = be.xp
        lr, beta_1, rest_1, beta_2, rest_2 = h
        (m,) = slots
        step, work = scratch
        xp.multiply(m, beta_1, out=step)
        xp.multiply(g, rest_1, out=work)
        xp.add(step, work, out=step)
        xp.sign(step, out=step)
        xp.multiply(step, lr, out=step)
        xp.subtract(p, step, out=p)
        xp.multiply(m, beta_2, out=m)
        xp.multiply(g, rest_2, out=work)
        xp.add(m, work, out=m)
