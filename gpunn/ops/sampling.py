"""Values of images at places between their pixels, and beyond their borders."""

import itertools
import math

import numpy as np

from gpunn.autograd import primitive
from gpunn.backend.dtypes import is_float
from gpunn.errors import DTypeError
from gpunn.ops.reduction import wide


@primitive
def affine_pixels(be, x, transforms, /, order, mode, fill):
    """Images (batch, rows, columns, channels) moved by transforms (batch or 1, 8), to no gradient.

    See `affine_transform`; a GPU does it in one launch. Places are computed in float32: few whole
    numbers are halves.
    """
    xp, (rows, columns), transforms = be.xp, x.shape[1:3], wide(transforms)
    dtype = transforms.dtype
    across = be.const(("places", columns, dtype.char), lambda be: xp.arange(columns, dtype=dtype))
    down = be.const(("places", rows, dtype.char), lambda be: xp.arange(rows, dtype=dtype))
    u, v = across.reshape(1, 1, -1), down.reshape(1, -1, 1)
    a0, a1, a2, b0, b1, b2 = (transforms[:, i, None, None] for i in range(6))
    places = xp.stack([v * b1 + u * b0 + b2, v * a1 + u * a0 + a2], 1)
    places = xp.broadcast_to(places, (len(x), *places.shape[1:]))
    return _values_at(be, x, places, order, mode, fill)[0], None


@primitive
def sample(be, x, at, /, order, mode, fill):
    return _values_at(be, x, at, order, mode, fill)


def _values_at(be, x, at, order, mode, fill):
    """Values of x (batch, *spatial, channels) at places (batch, axes, ...): (batch, ..., channels).

    A pixel is the sum of the corners around it, each with the product of its weights along the
    axes.
    """
    if not is_float(at.dtype):
        raise DTypeError(f"coordinates must be floats, got {at.dtype.name}")
    xp, sizes = be.xp, x.shape[1:-1]
    values = x if is_float(x.dtype) else x.astype(at.dtype)
    batch, channels, count = x.shape[0], x.shape[-1], math.prod(sizes)
    rows = values.reshape(batch * count, channels)
    first = be.const(("firsts", batch, count), lambda be: be.xp.arange(batch) * count)
    first = first.reshape((batch,) + (1,) * (at.ndim - 2))
    corners = []  # along each axis: index, what lies inside, weight, slope of the weight
    for axis, n in enumerate(sizes):
        c = at[:, axis]
        if order == 0:
            corners.append([(*_index(xp, _nearest(xp, c), n, mode), None, 0)])
        else:
            low = xp.floor(c)
            high = c - low
            corners.append(
                [
                    (*_index(xp, low, n, mode), 1 - high, -1),
                    (*_index(xp, low + 1, n, mode), high, 1),
                ]
            )
    taken = []
    y = None
    for corner in itertools.product(*corners):
        index, inside = first, None
        for (i, good, _, _), stride in zip(corner, _strides(sizes), strict=True):
            index = index + i * stride
            if good is not None:
                inside = good if inside is None else inside & good
        found = be.take(rows, index, 0)
        if inside is not None:
            found = xp.where(inside[..., None], found, fill)
        weight = _product([w for _, _, w, _ in corner if w is not None])
        taken.append((index, inside, found, corner, weight))
        term = found if weight is None else found * weight[..., None]
        y = term if y is None else y + term
    dtype = x.dtype
    if not is_float(dtype):
        y = _nearest(xp, y)
    y = y.astype(dtype, copy=False)

    def pullback(dy, needs):
        dx = dat = None
        if needs[0]:
            dx = be.zeros(rows.shape, dy.dtype)
            for index, inside, _, _, weight in taken:
                part = dy if weight is None else dy * weight[..., None]
                if inside is not None:
                    part = part * inside[..., None]
                be.scatter_add(dx, index, part)
            dx = dx.reshape(x.shape)
        if needs[1]:
            slopes = []
            for axis in range(len(sizes)):
                slope = be.zeros(dy.shape[:-1], dy.dtype)
                for _, _, found, corner, _ in taken:
                    if order:
                        others = [c[2] for k, c in enumerate(corner) if k != axis]
                        weight = _product([(found * dy).sum(-1), *others])
                        slope = slope + weight * corner[axis][3]
                slopes.append(slope)
            dat = xp.stack(slopes, 1)
        return dx, dat

    return y, pullback


def _nearest(xp, x):
    """The nearest whole numbers; a half goes away from zero."""
    whole = xp.trunc(x)
    return whole + xp.trunc((x - whole) * 2)


def _index(xp, place, n, mode):
    """The index of a whole place along an axis of n values, and where it lies inside (or None)."""
    i = place.astype(np.int64)
    if mode == "constant":
        return xp.clip(i, 0, n - 1), (i >= 0) & (i < n)
    if mode == "nearest":
        return xp.clip(i, 0, n - 1), None
    if mode == "wrap":
        return i % n, None
    if mode == "mirror":
        last = max(n - 1, 1)
        return abs((i + last) % (2 * last) - last) if n > 1 else i * 0, None
    return (abs((2 * i + 1 + 2 * n) % (4 * n) - 2 * n) - 1) // 2, None


def _strides(sizes):
    return [math.prod(sizes[k + 1 :]) for k in range(len(sizes))]


def _product(factors):
    found = None
    for factor in factors:
        found = factor if found is None else found * factor
    return found
