"""SGD: gradient descent, with momentum."""

from gpunn.checks import check_flag, check_number
from gpunn.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum and Nesterov momentum (Keras: `optimizers.SGD`).

    `w -= lr * g`; with momentum `m = momentum * m - lr * g; w += m`; with Nesterov momentum
    `w += momentum * m - lr * g`.

    Args:
        learning_rate: a number, a schedule or a function without arguments.
        momentum: in [0, 1].
        nesterov: look ahead along the momentum.
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: Sutskever et al., On the importance of initialization and momentum, 2013.

    >>> w = gpunn.Variable([1.0, 2.0])
    >>> optimizer = gpunn.optimizers.SGD(learning_rate=0.5)
    >>> optimizer.apply([np.array([1.0, 2.0])], [w])
    >>> w.numpy()
    array([0.5, 1. ], dtype=float32)
    """

    scratch = 2
    hyperparameters = ("momentum", "nesterov")

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, **options):
        super().__init__(learning_rate, **options)
        check_number("momentum", momentum, low=0, high=1)
        check_flag("nesterov", nesterov)
        self.momentum = momentum
        self.nesterov = nesterov
        self.slot_names = ("momentum",) if momentum else ()

    def numbers(self, t, lr):
        return lr, self.momentum

    def update(self, be, p, g, slots, h, scratch):
        xp = be.xp
        lr, momentum = h
        step, ahead = scratch
        xp.multiply(g, lr, out=step)
        if not slots:
            xp.subtract(p, step, out=p)
            return
        (m,) = slots
        xp.multiply(m, momentum, out=m)
        xp.subtract(m, step, out=m)
        if self.nesterov:
            xp.multiply(m, momentum, out=ahead)
            xp.subtract(ahead, step, out=ahead)
            xp.add(p, ahead, out=p)
        else:
            xp.add(p, m, out=p)
