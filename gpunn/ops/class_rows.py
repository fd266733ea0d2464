"""Rows of classes: what cross-entropies calculate with, classes along axis 1 of matrices."""

from gpunn.errors import ShapeError

EPSILON = 1e-7  # probabilities are kept that far from 0 and 1


def without(shape, axis, *instead):
    """A shape without the axis of classes, or with other sizes instead."""
    if not shape:
        raise ShapeError("predictions of shape () have no axis of classes")
    axis %= len(shape)
    return (*shape[:axis], *instead, *shape[axis + 1 :])


def as_rows(be, x, axis):
    """The array as a matrix with the classes along axis 1."""
    if x.ndim == 2 and axis in (-1, 1):
        return x
    if x.ndim == 0 or not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"predictions of shape {x.shape} have no axis {axis} of classes")
    return be.xp.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])


def from_rows(be, rows, shape, axis):
    """Such a matrix as an array of a shape, with the classes along an axis."""
    if len(shape) == 2 and axis in (-1, 1):
        return rows
    return be.xp.moveaxis(rows.reshape(*without(shape, axis), shape[axis]), -1, axis)


def one_a_row(y, output, axis):
    """One value for each row, in the shape and dtype of the predictions without their classes."""
    return y.reshape(without(output.shape, axis)).astype(output.dtype, copy=False)


def log_softmax_rows(be, x, wanted=True):
    """log p (if wanted), the largest logit, exp(x - largest) and its sum, per row."""
    top = _row_max(be, x)
    shifted = x - top[:, None]
    exp = be.xp.exp(shifted)
    total = be.dot(exp, be.ones(x.shape[1], x.dtype))
    return shifted - be.xp.log(total)[:, None] if wanted else None, top, exp, total


def _row_max(be, x):
    """The largest of each row: on the CPU, argmax is several times faster than max."""
    if be.kind != "cpu":
        return be.xp.max(x, 1)
    n, width = x.shape
    first = be.const(("row starts", n, width), lambda be: be.xp.arange(n) * width)
    return be.take(x.reshape(-1), first + be.xp.argmax(x, 1))


def probabilities(be, x, total):
    """x scaled by the rows' sums, and that kept away from 0 and 1."""
    q = x / (total[:, None] if x.ndim == 2 else total)
    return q, be.xp.maximum(be.xp.minimum(q, 1.0 - EPSILON), EPSILON)


def added_at(be, x, labels, chosen, values):
    """x with values[i] added to x[i, labels[i]]; x itself may be changed."""
    classes = x.shape[1]
    if classes > 64:
        flat = x.reshape(-1)  # a copy if x is not in C order
        be.scatter_add(flat, chosen, values)
        return flat.reshape(x.shape)
    # a row of the unit matrix is gathered faster than an element is scattered
    eye = be.const(("eye", classes, x.dtype.char), lambda be: be.xp.eye(classes, dtype=x.dtype))
    x += be.take(eye, labels) * values[:, None]
    return x
