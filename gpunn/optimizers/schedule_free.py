"""ScheduleFreeAdamW: Adam on an average of iterates, without a learning rate schedule."""

from math import sqrt

from gpunn.checks import check_integer, check_number
from gpunn.optimizers.optimizer import Optimizer


class ScheduleFreeAdamW(Optimizer):
    """Adam whose gradients are taken between an iterate and the mean of all iterates (Keras:
    `optimizers.ScheduleFreeAdamW`).

    `v += (1 - beta_2) * (g**2 - v); x = (w - (1 - beta_1) * z) / beta_1;`
    `z -= lr * g / (sqrt(v / (1 - beta_2**t)) + epsilon); x += (z - x) / t;`
    `w = (1 - beta_1) * z + beta_1 * x`

    Args:
        learning_rate: a number, a schedule or a function without arguments.
        beta_1: the share of the mean x in w, in (0, 1].
        beta_2: the decay of the second moment, in [0, 1).
        epsilon: keeps the denominator away from zero.
        warmup_steps: the learning rate rises in a straight line over so many steps.
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: Defazio et al., The road less scheduled, 2024 (arXiv 2405.15682).

    >>> w = gpunn.Variable([1.0, 2.0])
    >>> gpunn.optimizers.ScheduleFreeAdamW(learning_rate=0.1).apply([np.array([3.0, -4.0])], [w])
    >>> w.numpy().round(4)
    array([0.9, 2.1], dtype=float32)
    """

    scratch = 2
    slot_names = ("momentum", "velocity")
    hyperparameters = ("beta_1", "beta_2", "epsilon", "warmup_steps")

    def __init__(
        self,
        learning_rate=0.0025,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        warmup_steps=0,
        **options,
    ):
        super().__init__(learning_rate, **options)
        check_number("beta_1", beta_1, above=0, high=1)
        check_number("beta_2", beta_2, low=0, below=1)
        check_number("epsilon", epsilon, low=0)
        check_integer("warmup_steps", warmup_steps, 0)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def build(self, variables):
        fresh = not self.built
        super().build(variables)
        if fresh:  # z starts where the variables are
            for part in self._parts:
                for v, z in zip(part.variables, part.views["momentum"], strict=True):
                    part.be.copyto(z, v.array)

    def numbers(self, t, lr):
        if self.warmup_steps:
            lr *= min(t / self.warmup_steps, 1.0)
        bias_2 = sqrt(1 - self.beta_2**t)
        return lr, self.beta_1, 1 - self.beta_1, 1 - self.beta_2, bias_2, self.epsilon, 1 / t

    def update(self, be, p, g, slots, h, scratch):
        xp = be.xp
        lr, beta_1, rest_1, rest_2, bias_2, epsilon, weight = h
        z, v = slots
        step, work = scratch
        xp.multiply(g, g, out=work)
        xp.subtract(work, v, out=work)
        xp.multiply(work, rest_2, out=work)
        xp.add(v, work, out=v)
        xp.multiply(z, rest_1, out=work)  # p becomes x, the mean of the iterates
        xp.subtract(p, work, out=p)
        xp.divide(p, beta_1, out=p)
        xp.sqrt(v, out=work)
        xp.divide(work, bias_2, out=work)
        xp.add(work, epsilon, out=work)
        xp.multiply(g, lr, out=step)
        xp.divide(step, work, out=step)
        xp.subtract(z, step, out=z)
        xp.subtract(z, p, out=work)
        xp.multiply(work, weight, out=work)
        xp.add(p, work, out=p)
        xp.multiply(p, beta_1, out=p)  # and w again
        xp.multiply(z, rest_1, out=work)
        xp.add(p, work, out=p)
