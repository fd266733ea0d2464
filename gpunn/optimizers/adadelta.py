"""Adadelta: steps as large as past steps, relative to past gradients."""

from gpunn.checks import check_number
from gpunn.optimizers.optimizer import Optimizer


class Adadelta(Optimizer):
    """Scales gradients by the ratio of past steps to past gradients (`optimizers.Adadelta`).

    `a = rho * a + (1 - rho) * g**2; d = g * sqrt(b + epsilon) / sqrt(a + epsilon);`
    `b = rho * b + (1 - rho) * d**2; w -= lr * d`

    Args:
        learning_rate: a number, a schedule or a function without arguments; the paper has 1.0.
        rho: the decay of both means, in [0, 1].
        epsilon: keeps the roots away from zero.
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: Zeiler, 2012 (arXiv 1212.5701).

    >>> w = gpunn.Variable([1.0])
    >>> gpunn.optimizers.Adadelta(learning_rate=1.0).apply([np.array([3.0])], [w])
    >>> w.numpy().round(4)
    array([0.9986], dtype=float32)
    """

    scratch = 2
    slot_names = ("accumulated_grad", "accumulated_delta_var")
    hyperparameters = ("rho", "epsilon")

    def __init__(self, learning_rate=0.001, rho=0.95, epsilon=1e-7, **options):
        super().__init__(learning_rate, **options)
        check_number("rho", rho, low=0, high=1)
        check_number("epsilon", epsilon, low=0)
        self.rho = rho
        self.epsilon = epsilon

    def numbers(self, t, lr):
        return lr, self.rho, 1 - self.rho, self.epsilon

    def update(self, be, p, g, slots, h, scratch):
        xp = be.xp
        lr, rho, rest, epsilon = h
        grads, deltas = slots
        step, work = scratch
        xp.multiply(grads, rho, out=grads)
        xp.multiply(g, g, out=work)
        xp.multiply(work, rest, out=work)
        xp.add(grads, work, out=grads)
        xp.add(deltas, epsilon, out=step)
        xp.sqrt(step, out=step)
        xp.multiply(step, g, out=step)
        xp.add(grads, epsilon, out=work)
        xp.sqrt(work, out=work)
        xp.divide(step, work, out=step)
        xp.multiply(deltas, rho, out=deltas)
        xp.multiply(step, step, out=work)
        xp.multiply(work, rest, out=work)
        xp.add(deltas, work, out=deltas)
        xp.multiply(step, lr, out=step)
        xp.subtract(p, step, out=p)
