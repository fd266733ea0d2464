"""Nadam: Adam with Nesterov momentum."""

from math import sqrt

from gpunn.checks import check_number
from gpunn.optimizers.optimizer import Optimizer


class Nadam(Optimizer):
    """Adam that looks ahead along its momentum (Keras: `optimizers.Nadam`).

    With the momentum schedule `u_t = beta_1 * (1 - 0.96**t / 2)` and `U_t = u_1 * ... * u_t`:
    `m += (1 - beta_1) * (g - m); v += (1 - beta_2) * (g**2 - v);`
    `m_hat = u_(t+1) * m / (1 - U_(t+1)) + (1 - u_t) * g / (1 - U_t);`
    `w -= lr * m_hat / (sqrt(v / (1 - beta_2**t)) + epsilon)`

    Args:
        learning_rate: a number, a schedule or a function without arguments.
        beta_1: the decay of the first moment, in [0, 1).
        beta_2: the decay of the second moment, in [0, 1).
        epsilon: keeps the denominator away from zero.
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: Dozat, Incorporating Nesterov momentum into Adam, 2016.

    >>> w = gpunn.Variable([1.0, 2.0])
    >>> gpunn.optimizers.Nadam(learning_rate=0.1).apply([np.array([3.0, -4.0])], [w])
    >>> w.numpy().round(4)
    array([0.8937, 2.1063], dtype=float32)
    """

    scratch = 2
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
        self._product = (0, 1.0)  # (t, u_1 * ... * u_t)

    def _momentum(self, t: int) -> float:
        return self.beta_1 * (1 - 0.5 * 0.96**t)

    def _momentum_product(self, t: int) -> float:
        """u_1 * ... * u_t: one more factor each step, all of them after a restored state."""
        done, product = self._product
        if done > t:
            done, product = 0, 1.0
        while done < t and product:
            done += 1
            product *= self._momentum(done)
        self._product = (t, product)
        return product

    def numbers(self, t, lr):
        now, following = self._momentum(t), self._momentum(t + 1)
        product = self._momentum_product(t)
        return (
            lr * following / (1 - product * following),
            lr * (1 - now) / (1 - product),
            1 - self.beta_1,
            1 - self.beta_2,
            sqrt(1 - self.beta_2**t),
            self.epsilon,
        )

    def update(self, be, p, g, slots, h, scratch):
        xp = be.xp
        ahead, here, rest_1, rest_2, bias_2, epsilon = h
        m, v = slots
        step, work = scratch
        xp.subtract(g, m, out=work)
        xp.multiply(work, rest_1, out=work)
        xp.add(m, work, out=m)
        xp.multiply(g, g, out=work)
        xp.subtract(work, v, out=work)
        xp.multiply(work, rest_2, out=work)
        xp.add(v, work, out=v)
        xp.multiply(m, ahead, out=step)
        xp.multiply(g, here, out=work)
        xp.add(step, work, out=step)
        xp.sqrt(v, out=work)
        xp.divide(work, bias_2, out=work)
        xp.add(work, epsilon, out=work)
        xp.divide(step, work, out=step)
        xp.subtract(p, step, out=p)
