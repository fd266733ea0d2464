"""Masked: a tensor with the mask of its steps, which layers pass on and ops drop."""

from gpunn.autograd.tensor import Tensor, convert, derive


class Masked(Tensor):
    """A tensor with a mask; made by `with_mask`.

    The engine takes it for any tensor, and what an op makes of it has no mask: as in Keras, only
    layers pass masks on.
    """

    __slots__ = ("_keras_mask",)


def with_mask(x, mask) -> Tensor:
    """The same tensor with a mask, booleans that are False where a step does not count.

    Args:
        x: tensor or array.
        mask: of the shape of the leading axes of x; None: no mask.

    >>> x = gpunn.autograd.with_mask([[1.0], [2.0]], [True, False])
    >>> x._keras_mask.numpy()
    array([ True, False])
    """
    x = convert(x)
    if mask is None:
        return x if type(x) is not Masked else derive(x, x.array, "with_mask", _same)
    if x.requires_grad and x.node is None:  # a leaf's gradient belongs to the leaf
        x = derive(x, x.array, "with_mask", _same)
    y = object.__new__(Masked)
    y.array, y.node, y.requires_grad, y._grad = x.array, x.node, x.requires_grad, None
    y._keras_mask = convert(mask, device=x.device)
    return y


def mask_of(x):
    """The mask of a tensor, or None.

    >>> gpunn.autograd.mask_of(gpunn.Tensor([1.0])) is None
    True
    """
    return getattr(x, "_keras_mask", None)


def _same(dy, needs):
    return (dy,)
