"""Muon: momentum made orthogonal, for matrices; AdamW for the rest."""

import re
from math import sqrt

from gpunn.checks import check_flag, check_integer, check_number
from gpunn.optimizers.lamb import squares
from gpunn.optimizers.optimizer import Optimizer


class Muon(Optimizer):
    """Momentum orthogonalized by Newton-Schulz iterations (Keras: `optimizers.Muon`).

    For matrices: `m = momentum * m + g; w -= lr * rms_rate * sqrt(max(shape)) * orthogonal(u)` with
    `u = g + momentum * m` (Nesterov) or `u = m`. One iteration is
    `x = a * x + (b * A + c * A @ A) @ x, A = x @ x.T`, from `x = u / |u|`. What is no matrix, has
    "embedding" in its path, or a path that matches one of `exclude_layers`, gets AdamW's update.

    Args:
        learning_rate: a number, a schedule or a function without arguments.
        adam_beta_1, adam_beta_2, epsilon: of AdamW.
        adam_weight_decay: weight decay of the variables that AdamW updates.
        weight_decay: weight decay of the others.
        exclude_layers: regular expressions; the output layer's name belongs here.
        exclude_embeddings: whether AdamW updates embeddings.
        muon_a, muon_b, muon_c: coefficients of the iteration.
        adam_lr_ratio: AdamW's learning rate over Muon's.
        momentum: in [0, 1].
        ns_steps: how many iterations.
        nesterov: look ahead along the momentum.
        rms_rate: makes steps as large as Adam's (arXiv 2502.16982); None to leave it out.
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: Jordan et al., 2024 (github.com/KellerJordan/Muon).

    >>> w = gpunn.Variable(np.eye(2, dtype="float32"))
    >>> optimizer = gpunn.optimizers.Muon(learning_rate=0.1, weight_decay=None)
    >>> optimizer.apply([np.array([[0.0, 1.0], [1.0, 0.0]])], [w])
    >>> w.numpy().round(2)
    array([[ 1.  , -0.03],
           [-0.03,  1.  ]], dtype=float32)
    """

    elementwise = False
    slot_names = ("momentum", "velocity")
    hyperparameters = (
        "adam_beta_1",
        "adam_beta_2",
        "epsilon",
        "exclude_layers",
        "muon_a",
        "muon_b",
        "muon_c",
        "adam_lr_ratio",
        "momentum",
        "ns_steps",
        "nesterov",
        "exclude_embeddings",
        "adam_weight_decay",
        "rms_rate",
    )

    def __init__(
        self,
        learning_rate=0.001,
        adam_beta_1=0.9,
        adam_beta_2=0.999,
        adam_weight_decay=0.004,
        epsilon=1e-7,
        weight_decay=0.004,
        exclude_layers=None,
        exclude_embeddings=True,
        muon_a=3.4445,
        muon_b=-4.7750,
        muon_c=2.0315,
        adam_lr_ratio=1,
        momentum=0.95,
        ns_steps=5,
        nesterov=True,
        rms_rate=0.2,
        **options,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        check_number("adam_beta_1", adam_beta_1, low=0, below=1)
        check_number("adam_beta_2", adam_beta_2, low=0, below=1)
        if adam_weight_decay is not None:
            check_number("adam_weight_decay", adam_weight_decay, low=0)
        check_number("epsilon", epsilon, low=0)
        check_flag("exclude_embeddings", exclude_embeddings)
        for name, value in (("muon_a", muon_a), ("muon_b", muon_b), ("muon_c", muon_c)):
            check_number(name, value)
        check_number("adam_lr_ratio", adam_lr_ratio, low=0)
        check_number("momentum", momentum, low=0, high=1)
        check_integer("ns_steps", ns_steps, 0)
        check_flag("nesterov", nesterov)
        if rms_rate is not None:
            check_number("rms_rate", rms_rate, low=0)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or [])
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def uses_adam(self, variable) -> bool:
        """Whether AdamW updates the variable."""
        path = variable.path
        return (
            len(variable.shape) != 2
            or (self.exclude_embeddings and "embedding" in path.lower())
            or any(re.search(word, path) for word in self.exclude_layers)
        )

    def slot_shape(self, name, variable):
        return variable.shape if name == "momentum" or self.uses_adam(variable) else None

    def decay_rate(self, variable):
        if not self.is_decayed(variable):
            return None
        return self.adam_weight_decay if self.uses_adam(variable) else self.weight_decay

    def numbers(self, t, lr):
        bias_1, bias_2 = 1 - self.adam_beta_1**t, 1 - self.adam_beta_2**t
        alpha = lr * self.adam_lr_ratio * sqrt(bias_2) / bias_1
        return lr, self.momentum, alpha, 1 - self.adam_beta_1, 1 - self.adam_beta_2, self.epsilon

    def update(self, be, p, g, slots, h, scratch):
        lr, momentum, alpha, rest_1, rest_2, epsilon = h
        m, v = slots
        if v is not None:
            be.in_one_launch(_adam, (p, m, v, g, alpha, rest_1, rest_2, epsilon))
            return
        u = be.empty(p.shape, p.dtype)
        be.in_one_launch(_direction, (u, m, g, momentum, self.nesterov))
        u = self._orthogonal(be, u)
        scale = 1.0 if self.rms_rate is None else sqrt(max(p.shape)) * self.rms_rate
        be.in_one_launch(_step, (p, u, lr, float(scale)))

    def _orthogonal(self, be, x):
        """Nearly the orthogonal factor of x, by Newton-Schulz iterations on its wide side."""
        tall = x.shape[0] > x.shape[1]
        if tall:
            x = x.T
        y = be.empty(x.shape, x.dtype)
        be.in_one_launch(_normalized, (y, x, squares(be, x)))
        for _ in range(self.ns_steps):
            a = be.matmul(y, y.T)
            b = be.matmul(a, a)
            be.in_one_launch(_sum, (b, a, float(self.muon_c), float(self.muon_b)))
            x, y = y, be.matmul(b, y)
            be.in_one_launch(_sum, (y, x, 1.0, float(self.muon_a)))
        return y.T if tall else y


def _adam(be, p, m, v, g, alpha, rest_1, rest_2, epsilon):
    m += (g - m) * rest_1
    v += (g * g - v) * rest_2
    p -= m * alpha / (be.xp.sqrt(v) + epsilon)


def _direction(be, u, m, g, momentum, nesterov):
    m *= momentum
    m += g
    be.copyto(u, g + m * momentum if nesterov else m)


def _step(be, p, u, lr, scale):
    p -= u * scale * lr


def _normalized(be, y, x, square):
    be.xp.divide(x, be.xp.sqrt(square) + 1e-7, out=y)


def _sum(be, y, x, of_y, of_x):
    """y = of_x * x + of_y * y"""
    y *= of_y
    y += x * of_x
