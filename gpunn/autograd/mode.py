"""Gradient mode, per thread and context, and the observers that see every op as it runs."""

from contextvars import ContextVar
from functools import wraps

grad_enabled: ContextVar[bool] = ContextVar("gpunn_grad", default=True)


class Observer:
    """Sees every op while it is in `observers`; a base class whose methods do nothing."""

    def forward(self, op, be, operands, results) -> None:
        """After an op's body: its name, backend, raw operands and raw results."""

    def recorded(self, node) -> None:
        """After an op was recorded in the graph."""

    def before_pull(self, node) -> None:
        """Before a node's gradient goes back to its operands."""

    def after_pull(self, node, dy, dxs) -> None:
        """After it did, with the gradients of the result and of the operands."""


observers: list[Observer] = []  # empty in normal use


class _Mode:
    """Sets the gradient mode inside a `with` block or a decorated function; restores it after."""

    enabled = True

    def __init__(self):
        self._tokens = []

    def __enter__(self):
        self._tokens.append(grad_enabled.set(self.enabled))

    def __exit__(self, *exc):
        grad_enabled.reset(self._tokens.pop())

    def __call__(self, function):
        @wraps(function)
        def wrapped(*args, **kwargs):
            with type(self)():
                return function(*args, **kwargs)

        return wrapped


class no_grad(_Mode):
    """Record nothing inside: ops give results that need no gradient. Also a decorator.

    >>> x = gpunn.Tensor([2.0], requires_grad=True)
    >>> with gpunn.no_grad():
    ...     (x * x).requires_grad
    False
    """

    enabled = False


class enable_grad(_Mode):
    """Record again inside a `no_grad` block. Also a decorator.

    >>> x = gpunn.Tensor([2.0], requires_grad=True)
    >>> with gpunn.no_grad(), gpunn.enable_grad():
    ...     (x * x).requires_grad
    True
    """

    enabled = True


def is_grad_enabled() -> bool:
    """Whether ops record what a gradient needs, in this thread and context.

    >>> gpunn.autograd.is_grad_enabled()
    True
    """
    return grad_enabled.get()
