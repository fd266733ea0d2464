"""Adam and AdamW: moving means of the gradient and of its square."""

from math import sqrt

from gpunn.checks import check_flag, check_number
from gpunn.errors import ArgumentError
from gpunn.optimizers.optimizer import Optimizer


class Adam(Optimizer):
    """Adaptive moments (Keras: `optimizers.Adam`).

    `m = beta_1 * m + (1 - beta_1) * g; v = beta_2 * v + (1 - beta_2) * g**2;`
    `w -= alpha * m / (sqrt(v) + epsilon)` with
    `alpha = lr * sqrt(1 - beta_2**t) / (1 - beta_1**t)`.

    Args:
        learning_rate: a number, a schedule or a function without arguments.
        beta_1: the decay of the first moment, in [0, 1).
        beta_2: the decay of the second moment, in [0, 1).
        epsilon: keeps the denominator away from zero ("epsilon hat" of the paper).
        amsgrad: divide by the largest v so far.
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: Kingma and Ba, 2014 (arXiv 1412.6980); AMSGrad: Reddi et al., 2018.

    >>> w = gpunn.Variable([1.0, 2.0])
    >>> gpunn.optimizers.Adam(learning_rate=0.1).apply([np.array([3.0, -4.0])], [w])
    >>> w.numpy().round(4)
    array([0.9, 2.1], dtype=float32)
    """

    scratch = 1
    hyperparameters = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        amsgrad=False,
        **options,
    ):
        super().__init__(learning_rate, **options)
        check_number("beta_1", beta_1, low=0, below=1)
        check_number("beta_2", beta_2, low=0, below=1)
        check_number("epsilon", epsilon, low=0)
        check_flag("amsgrad", amsgrad)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad
        self.slot_names = ("momentum", "velocity") + (("velocity_hat",) if amsgrad else ())

    def numbers(self, t, lr):
        alpha = lr * sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        return alpha, self.beta_1, 1 - self.beta_1, self.beta_2, 1 - self.beta_2, self.epsilon

    def update(self, be, p, g, slots, h, scratch):
        xp = be.xp
        alpha, beta_1, rest_1, beta_2, rest_2, epsilon = h
        m, v, *v_hat = slots
        (work,) = scratch
        xp.multiply(g, rest_1, out=work)  # passes that read one array: less waits for memory
        xp.multiply(m, beta_1, out=m)
        xp.add(m, work, out=m)
        xp.multiply(g, g, out=work)
        xp.multiply(work, rest_2, out=work)
        xp.multiply(v, beta_2, out=v)
        xp.add(v, work, out=v)
        if v_hat:
            xp.maximum(v_hat[0], v, out=v_hat[0])
            v = v_hat[0]
        xp.sqrt(v, out=work)
        xp.add(work, epsilon, out=work)
        xp.divide(m, work, out=work)
        xp.multiply(work, alpha, out=work)
        xp.subtract(p, work, out=p)


class AdamW(Adam):
    """Adam with decoupled weight decay (Keras: `optimizers.AdamW`).

    `w -= w * weight_decay * lr`, then Adam's update.

    Args:
        learning_rate: a number, a schedule or a function without arguments.
        weight_decay: the rate of decay.
        **options: what `Adam` and all optimizers take.

    Raises:
        ArgumentError: for a value out of range, or without a weight decay.

    Source: Loshchilov and Hutter, 2017 (arXiv 1711.05101).

    >>> w = gpunn.Variable([1.0, 2.0])
    >>> optimizer = gpunn.optimizers.AdamW(learning_rate=0.1, weight_decay=0.5)
    >>> optimizer.apply([np.array([3.0, -4.0])], [w])
    >>> w.numpy().round(4)
    array([0.85, 2.  ], dtype=float32)
    """

    def __init__(
        self,
        learning_rate=0.001,
        weight_decay=0.004,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        amsgrad=False,
        **options,
    ):
        if weight_decay is None:
            raise ArgumentError("AdamW needs a number as weight_decay, got None: Adam goes without")
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options
        )
