"""RMSprop: gradients over the root of their mean square."""

from gpunn.checks import check_flag, check_number
from gpunn.optimizers.optimizer import Optimizer


class RMSprop(Optimizer):
    """Divides by the root of a moving mean of squared gradients (Keras: `optimizers.RMSprop`).

    `v = rho * v + (1 - rho) * g**2; w -= lr * g / sqrt(v + epsilon)`; centered, the square of a
    moving mean of g is taken from v; with momentum `m = momentum * m + (that step); w -= m`.

    Args:
        learning_rate: a number, a schedule or a function without arguments.
        rho: the decay of the mean square, in [0, 1).
        momentum: in [0, 1].
        epsilon: keeps the root away from zero.
        centered: divide by the estimated deviation instead.
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: Hinton, Neural networks for machine learning, lecture 6, 2012.

    >>> w = gpunn.Variable([10.0])
    >>> gpunn.optimizers.RMSprop(learning_rate=0.1).apply([np.array([10.0])], [w])
    >>> w.numpy().round(4)
    array([9.6838], dtype=float32)
    """

    scratch = 2
    hyperparameters = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, **options
    ):
        super().__init__(learning_rate, **options)
        check_number("rho", rho, low=0, below=1)
        check_number("momentum", momentum, low=0, high=1)
        check_number("epsilon", epsilon, low=0)
        check_flag("centered", centered)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered
        self.slot_names = ("velocity",)
        self.slot_names += ("momentum",) if momentum else ()
        self.slot_names += ("average_gradient",) if centered else ()

    def numbers(self, t, lr):
        return lr, self.rho, 1 - self.rho, self.momentum, self.epsilon

    def update(self, be, p, g, slots, h, scratch):
        xp = be.xp
        lr, rho, rest, momentum, epsilon = h
        v, *others = slots
        root, step = scratch
        xp.multiply(v, rho, out=v)
        xp.multiply(g, g, out=step)
        xp.multiply(step, rest, out=step)
        xp.add(v, step, out=v)
        if self.centered:
            mean = others[-1]
            xp.multiply(mean, rho, out=mean)
            xp.multiply(g, rest, out=step)
            xp.add(mean, step, out=mean)
            xp.multiply(mean, mean, out=root)
            xp.subtract(v, root, out=root)
            xp.add(root, epsilon, out=root)
        else:
            xp.add(v, epsilon, out=root)
        xp.sqrt(root, out=root)
        xp.multiply(g, lr, out=step)
        xp.divide(step, root, out=step)
        if self.momentum:
            m = others[0]
            xp.multiply(m, momentum, out=m)
            xp.add(m, step, out=m)
            step = m
        xp.subtract(p, step, out=p)
