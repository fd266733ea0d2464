"""Products: linear (dense layers), matmul, dot, tensordot, inner, outer, vdot, kron, cross."""

import math

from gpunn.autograd import Tensor, convert, primitive
from gpunn.errors import ShapeError
from gpunn.ops.arithmetic import multiply, subtract
from gpunn.ops.indexing import get_item
from gpunn.ops.joining import stack
from gpunn.ops.shaping import moveaxis, normalize_axes, reshape, transpose

__all__ = ["cross", "dot", "inner", "kron", "linear", "matmul", "outer", "tensordot", "vdot"]


@primitive(promote="same")
def linear(be, x, w, b=None, /, activation=None, axes=1):
    """A dense layer, y = activation(x w + b), in one op.

    Args:
        x: tensor of shape (..., n).
        w: matrix of shape (n, m), or with more axes, the first `axes` of which are n together.
        b: the m values of a vector, or None.
        activation: an op of one tensor that computes element by element, such as `ops.relu`, or
            None.
        axes: how many axes of w are summed over. Default: 1.

    Returns:
        A tensor of shape (..., m).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: `keras.layers.Dense`.

    >>> gpunn.ops.linear([[1.0, 2.0]], [[3.0], [4.0]], [0.5]).numpy()
    array([[11.5]], dtype=float32)
    """
    shape, shape_w, shape_b = x.shape, w.shape, None if b is None else b.shape
    if len(shape_w) > 2:
        w = w.reshape(math.prod(shape_w[:axes]), math.prod(shape_w[axes:]))
    if b is not None and len(shape_b) > 1:
        b = b.reshape(-1)
    rows = x if len(shape) == 2 else x.reshape(math.prod(shape[:-1]), shape[-1])
    y = be.dot(rows, w)
    if b is not None:
        y += b
    if activation is not None:
        y, pull = activation.body(be, y)

    def pullback(dy, needs):
        if len(shape) != 2:
            dy = dy.reshape(len(rows), dy.shape[-1])
        if activation is not None:
            (dy,) = pull(dy, (True,))
        dx = dw = db = None
        if needs[1]:  # first: nobody needs x any more when dx is made
            dw = be.dot(rows.T, dy)
            if len(shape_w) > 2:
                dw = dw.reshape(shape_w)
        if needs[0]:
            dx = be.dot(dy, w.T)
            if len(shape) != 2:
                dx = dx.reshape(shape)
        if needs[2]:
            db = be.dot(be.ones(len(dy), dy.dtype), dy)
            if len(shape_b) > 1:
                db = db.reshape(shape_b)
        return dx, dw, db

    return y if len(shape) == 2 else y.reshape(*shape[:-1], y.shape[-1]), pullback


@primitive(promote="same")
def matmul(be, x1, x2, /):
    """Matrix product over the last two axes; leading axes are broadcast.

    A vector is a row on the left and a column on the right, and its axis disappears.

    Args:
        x1: tensor of shape (..., n, k) or (k,).
        x2: tensor of shape (..., k, m) or (k,).

    Returns:
        A tensor of shape (..., n, m), in the common dtype (int32 for int8).

    Raises:
        ShapeError: if an operand is a scalar or the sizes do not fit.

    Source: `keras.ops.matmul`.

    >>> gpunn.ops.matmul([[1, 2], [3, 4]], [1, 1]).numpy().tolist()
    [3, 7]
    """
    if not hasattr(x1, "ndim") or not hasattr(x2, "ndim"):
        raise ValueError("scalars are not matrices: use multiply")
    if x1.dtype.char == "b":  # products of int8 are int32, as in Keras
        x1, x2 = x1.astype("int32"), x2.astype("int32")
    if x1.ndim == x2.ndim == 2:

        def pullback(dy, needs):
            return (
                be.dot(dy, x2.T) if needs[0] else None,
                be.dot(x1.T, dy) if needs[1] else None,
            )

        return be.dot(x1, x2), pullback
    if x2.ndim <= 2 and x1.ndim >= 2 and x1.shape[-1] == x2.shape[0]:
        return _rows_times(be, x1, x2)
    return _batched(be, x1, x2)


def _rows_times(be, x1, x2):
    """(..., n, k) times (k, m) or (k,): one product of all rows."""
    shape, rest = x1.shape, x2.shape[1:]
    rows = x1.reshape(math.prod(shape[:-1]), shape[-1])
    y = be.dot(rows, x2).reshape(shape[:-1] + rest)

    def pullback(dy, needs):
        dy = dy.reshape(len(rows), *rest)
        dx1 = dx2 = None
        if needs[0]:
            dx1 = (be.dot(dy, x2.T) if rest else dy[:, None] * x2).reshape(shape)
        if needs[1]:
            dx2 = be.dot(rows.T, dy)
        return dx1, dx2

    return y, pullback


def _batched(be, x1, x2):
    """Any other product, with vectors as matrices and the batch axes broadcast."""
    if not x1.ndim or not x2.ndim:
        raise ValueError("scalars are not matrices: use multiply")
    a = x1 if x1.ndim > 1 else x1[None, :]
    b = x2 if x2.ndim > 1 else x2[:, None]
    y = be.matmul(a, b)
    shape = y.shape
    kept = shape[:-2] + shape[-2:-1] * (x1.ndim > 1) + shape[-1:] * (x2.ndim > 1)

    def pullback(dy, needs):
        dy = dy.reshape(shape)
        dx1 = dx2 = None
        if needs[0]:
            dx1 = be.matmul(dy, b.swapaxes(-1, -2))
            dx1 = dx1 if x1.ndim > 1 else dx1[..., 0, :]
        if needs[1]:
            dx2 = be.matmul(a.swapaxes(-1, -2), dy)
            dx2 = dx2 if x2.ndim > 1 else dx2[..., 0]
        return dx1, dx2

    return y.reshape(kept), pullback


def dot(x1, x2):
    """The product over the last axis of x1 and the last but one of x2 (the only one of a vector).

    Args:
        x1: tensor or scalar.
        x2: tensor or scalar.

    Returns:
        A tensor of shape `x1.shape[:-1] + x2.shape[:-2] + x2.shape[-1:]`; with a scalar, the
        product.

    Raises:
        ShapeError: if the sizes do not fit.

    Source: `keras.ops.dot`.

    >>> gpunn.ops.dot([[1, 2], [3, 4]], [[1, 0], [0, 2]]).numpy().tolist()
    [[1, 4], [3, 8]]
    """
    x1, x2 = together(x1, x2)
    if x1.ndim == 0 or x2.ndim == 0:
        return multiply(x1, x2)
    if x2.ndim <= 2:
        return matmul(x1, x2)
    return tensordot(x1, x2, axes=([-1], [-2]))


def tensordot(x1, x2, axes=2):
    """The product summed over axes of both tensors.

    Args:
        x1: tensor.
        x2: tensor.
        axes: how many last axes of x1 meet the first of x2, or two sequences of axes. Default: 2.

    Returns:
        A tensor with the other axes of x1, then those of x2.

    Raises:
        ShapeError: if the sizes of the axes differ.

    Source: `keras.ops.tensordot`.

    >>> gpunn.ops.tensordot(np.ones((2, 3)), np.ones((3, 4)), axes=1).shape
    (2, 4)
    """
    x1, x2 = together(x1, x2)
    if isinstance(axes, int):
        if axes < 0 or axes > min(x1.ndim, x2.ndim):
            raise ShapeError(f"tensordot: {axes} axes of shapes {x1.shape} and {x2.shape}")
        axes = range(x1.ndim - axes, x1.ndim), range(axes)
    first, second = (tuple(a) if not isinstance(a, int) else (a,) for a in axes)
    first = normalize_axes("tensordot", first, x1.ndim)
    second = normalize_axes("tensordot", second, x2.ndim)
    if [x1.shape[a] for a in first] != [x2.shape[a] for a in second]:
        raise ShapeError(
            f"tensordot: axes {first} of shape {x1.shape} do not fit axes {second} of {x2.shape}"
        )
    rest1 = [a for a in range(x1.ndim) if a not in first]
    rest2 = [a for a in range(x2.ndim) if a not in second]
    summed = math.prod(x1.shape[a] for a in first)
    shape1, shape2 = [x1.shape[a] for a in rest1], [x2.shape[a] for a in rest2]
    left = reshape(_in_order(x1, [*rest1, *first]), newshape=(math.prod(shape1), summed))
    right = reshape(_in_order(x2, [*second, *rest2]), newshape=(summed, math.prod(shape2)))
    return reshape(matmul(left, right), newshape=(*shape1, *shape2))


def _in_order(x, axes):
    return x if axes == list(range(x.ndim)) else transpose(x, axes=axes)


def inner(x1, x2):
    """The product summed over the last axis of both tensors.

    Args:
        x1: tensor or scalar.
        x2: tensor or scalar.

    Returns:
        A tensor of shape `x1.shape[:-1] + x2.shape[:-1]`; with a scalar, the product.

    Raises:
        ShapeError: if the last axes differ.

    Source: `keras.ops.inner`.

    >>> gpunn.ops.inner([1, 2], [[3, 4], [5, 6]]).numpy().tolist()
    [11, 17]
    """
    x1, x2 = together(x1, x2)
    if x1.ndim == 0 or x2.ndim == 0:
        return multiply(x1, x2)
    return tensordot(x1, x2, axes=([-1], [-1]))


def outer(x1, x2):
    """Every product of a value of x1 and one of x2, both made flat.

    Args:
        x1: tensor of n values.
        x2: tensor of m values.

    Returns:
        A matrix of shape (n, m).

    Source: `keras.ops.outer`.

    >>> gpunn.ops.outer([1, 2], [3, 4]).numpy().tolist()
    [[3, 4], [6, 8]]
    """
    return multiply(reshape(x1, newshape=(-1, 1)), reshape(x2, newshape=(1, -1)))


def vdot(x1, x2):
    """The sum of products of two tensors made flat.

    Args:
        x1: tensor of n values.
        x2: tensor of n values.

    Returns:
        A scalar tensor.

    Raises:
        ShapeError: if the sizes differ.

    Source: `keras.ops.vdot`.

    >>> gpunn.ops.vdot([[1, 2], [3, 4]], [[1, 1], [1, 1]]).numpy().tolist()
    10
    """
    return matmul(reshape(x1, newshape=-1), reshape(x2, newshape=-1))


def kron(x1, x2):
    """The Kronecker product: x2 scaled by every value of x1, block by block.

    Args:
        x1: tensor.
        x2: tensor.

    Returns:
        A tensor whose sizes are the products of both tensors' sizes, aligned from the right.

    Source: `keras.ops.kron`.

    >>> gpunn.ops.kron([1, 10], [1, 2, 3]).numpy().tolist()
    [1, 2, 3, 10, 20, 30]
    """
    x1, x2 = together(x1, x2)
    ndim = max(x1.ndim, x2.ndim)
    size1 = (1,) * (ndim - x1.ndim) + x1.shape
    size2 = (1,) * (ndim - x2.ndim) + x2.shape
    blocks = multiply(
        reshape(x1, newshape=tuple(n for size in size1 for n in (size, 1))),
        reshape(x2, newshape=tuple(n for size in size2 for n in (1, size))),
    )
    return reshape(blocks, newshape=tuple(a * b for a, b in zip(size1, size2, strict=True)))


def cross(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """The cross product of vectors of two or three components.

    Args:
        x1: tensor of vectors.
        x2: tensor of vectors, broadcast with x1.
        axisa: the axis of the components of x1. Default: last.
        axisb: that of x2. Default: last.
        axisc: that of the result, if its vectors have three components. Default: last.
        axis: one axis instead of all three.

    Returns:
        A tensor of vectors of three components, or, of two vectors of two components, of the
        third component alone.

    Raises:
        ShapeError: if the vectors have other sizes than 2 and 3.

    Source: `keras.ops.cross`.

    >>> gpunn.ops.cross([1, 0, 0], [0, 1, 0]).numpy().tolist()
    [0, 0, 1]
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    x1, x2 = together(x1, x2)
    a, b = moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ShapeError(
            f"cross: expected vectors of 2 or 3 components, got {a.shape[-1]} and {b.shape[-1]}"
        )
    a0, a1, *a2 = (get_item(a, (..., i)) for i in range(a.shape[-1]))
    b0, b1, *b2 = (get_item(b, (..., i)) for i in range(b.shape[-1]))
    third = subtract(multiply(a0, b1), multiply(a1, b0))
    if not a2 and not b2:
        return third
    zero = multiply(a0, 0)
    a2, b2 = a2[0] if a2 else zero, b2[0] if b2 else multiply(b0, 0)
    first = subtract(multiply(a1, b2), multiply(a2, b1))
    second = subtract(multiply(a2, b0), multiply(a0, b2))
    return moveaxis(stack([first, second, third], -1), -1, axisc)


def together(*xs):
    """Array-likes as tensors on one device: host data joins the tensors where they are."""
    device = next((x.device for x in xs if isinstance(x, Tensor)), None)
    return [x if isinstance(x, Tensor) else convert(x, device=device) for x in xs]
