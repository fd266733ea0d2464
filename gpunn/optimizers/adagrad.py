"""Adagrad: gradients over the root of the sum of their squares."""

from gpunn.checks import check_number
from gpunn.optimizers.optimizer import Optimizer


class Adagrad(Optimizer):
    """Divides by the root of the sum of all squared gradients (Keras: `optimizers.Adagrad`).

    `a += g**2; w -= lr * g / sqrt(a + epsilon)`

    Args:
        learning_rate: a number, a schedule or a function without arguments.
        initial_accumulator_value: what a starts with; not negative.
        epsilon: keeps the root away from zero.
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: Duchi et al., Adaptive subgradient methods, 2011.

    >>> w = gpunn.Variable([1.0])
    >>> gpunn.optimizers.Adagrad(learning_rate=0.1).apply([np.array([3.0])], [w])
    >>> w.numpy().round(4)
    array([0.9006], dtype=float32)
    """

    scratch = 2
    slot_names = ("accumulator",)
    hyperparameters = ("initial_accumulator_value", "epsilon")

    def __init__(self, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7, **options):
        super().__init__(learning_rate, **options)
        check_number("initial_accumulator_value", initial_accumulator_value, low=0)
        check_number("epsilon", epsilon, low=0)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def slot_initial(self, name):
        return self.initial_accumulator_value

    def numbers(self, t, lr):
        return lr, self.epsilon

    def update(self, be, p, g, slots, h, scratch):
        xp = be.xp
        lr, epsilon = h
        (total,) = slots
        step, work = scratch
        xp.multiply(g, g, out=work)
        xp.add(total, work, out=total)
        xp.add(total, epsilon, out=work)
        xp.sqrt(work, out=work)
        xp.multiply(g, lr, out=step)
        xp.divide(step, work, out=step)
        xp.subtract(p, step, out=p)
