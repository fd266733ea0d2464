"""Dense layers: bias and activation with the product by cuBLASLt, or in one launch after it.

A layer of few units, such as a classifier's last one, is one launch as a whole: cuBLAS has little
to win there.
"""

from math import prod
from typing import Any

import numpy as np

from gpunn.backend.cuda.sums import NOTHING, kept_in, placed, sum_splits
from gpunn.backend.cupy_ import INDEX, THREADS, cuda_type, index_type, pack, wide
from gpunn.backend.fusing import activation as text_of
from gpunn.backend.kernels import FLOATS, LATER, Placing, kernel
from gpunn.backend.late import Late, made
from gpunn.backend.products import relu_mask, with_epilogue

UNITS, INPUTS, ROWS = 16, 4096, 4096  # at most, of a layer that is narrow
MOST_MASKED = 1 << 23  # values of a ReLU; more come of products too large for such an epilogue
ROWS_A_SPLIT, MOST_SPLITS = 1024, 64  # of what blocks share


def _takes(x, w, b=None, activation=None, axes=1) -> bool:
    fits = x.ndim > 0 and w.ndim > 1 and x.shape[-1] == prod(w.shape[:axes])
    return fits and (b is None or b.shape == w.shape[axes:])


@kernel("linear", "cuda", FLOATS, _takes)
def linear(be, x, w, b=None, activation=None, axes=1):
    shape, shape_w, dtype = x.shape, w.shape, wide(x.dtype)
    n, units, shape_b = prod(shape_w[:axes]), prod(shape_w[axes:]), shape_w[axes:]
    w, b = w.reshape(n, units), None if b is None else b.reshape(units)
    rows = x.reshape(prod(shape[:-1]), n)
    finish = Finish(be, x.dtype, activation)
    narrow = 0 < units <= UNITS and n <= INPUTS and len(rows) <= ROWS
    types = f"{cuda_type(x.dtype)}, {cuda_type(dtype)}, {units}"
    if narrow:
        rows, w = be.xp.ascontiguousarray(rows), be.xp.ascontiguousarray(w)
        y = be.empty((len(rows), units), x.dtype)
        saved = y if finish.reads_result else be.empty(y.shape, x.dtype)
        bias = NOTHING if b is None else be.xp.ascontiguousarray(b)
        args = (y, NOTHING if saved is y else saved, rows, w, bias, len(rows), np.int32(n))
        be.launch("linear", f"narrow<{types}>", len(rows) * 32, args, before=finish.text)
    else:
        y, saved = finish.product(rows, w, b)
    kept = None if activation is None else saved

    def pullback(dy, needs, places):
        dx, dtype_kept = None, kept_in(places[1:], x.dtype)
        grads = [
            placed(be, at, shape, dtype_kept) if need else None
            for at, shape, need in zip(places[1:], (shape_w, shape_b), needs[1:], strict=True)
        ]
        dw = grads[0].reshape(n, units) if needs[1] else None
        db = grads[1].reshape(units) if needs[2] else None
        dz = finish.back_at_once(dy, db, y) if type(dy) is Late else None
        dy = be.xp.ascontiguousarray(made(dy)).reshape(len(rows), units) if dz is None else dz
        if narrow and activation is None and (needs[1] or needs[2]):
            into = [NOTHING if d is None else d for d in (dw, db)]
            args = (*into, rows, dy, np.int32(len(rows)), np.int32(n))
            blocks = n // 32 + 1
            name = f"narrow_back<{cuda_type(dtype_kept)}, {types}>"
            be.launch("linear", name, blocks * THREADS, args, before=finish.text)
        else:
            done = None
            if activation is None and needs[1] and needs[2]:
                done = with_epilogue(be, "sums", rows.T, dy, db, dw)
            if done is None:
                if dz is None:
                    dy, _ = finish.back(kept, dy, needs[2], db)
                if needs[1]:
                    be.dot(rows.T, dy, dw)
        if needs[0]:
            later = places[0] is LATER
            dx = Late(towards_x, dy, w.T, shape=shape) if later else towards_x(dy, w.T)
        return dx, *grads

    def towards_x(dz, w):
        return be.dot(dz, w).reshape(shape)

    placing = Placing(pullback, takes_late=finish.mask is not None, gives_late=True)
    return y.reshape(*shape[:-1], units), placing


def _relu(be, x):
    """What cuBLASLt calls so; an activation is it if its code is the same."""
    y = be.xp.maximum(x, 0)
    return y, lambda dy, needs: (dy * (y > 0),)


class Finish:
    """What follows a product, of arrays whose last axis are units: bias and activation."""

    def __init__(self, be, dtype, activation):
        self.be, self.dtype, self.activation = be, np.dtype(dtype), activation
        body = None if activation is None else activation.body
        self.text, self.reads_result = text_of(body, wide(dtype))
        is_relu = self.text == text_of(_relu, wide(dtype))[0]
        self._epilogue = "bias" if body is None else "relu_bias" if is_relu else None
        self.mask = None  # where y is positive, if it was noted

    def product(self, a, w, b):
        """f(a w + b), and what the gradient reads: in one launch where cuBLASLt can."""
        y = None
        if b is not None and self._epilogue:
            b = self.be.xp.ascontiguousarray(b)
            masked = self._epilogue == "relu_bias" and self.dtype == np.float32
            if masked and len(a) * len(b) <= MOST_MASKED:
                mask = relu_mask(len(a), len(b))
                y = with_epilogue(self.be, "relu_mask", a, w, b, mask=mask)
                self.mask = None if y is None else mask
            if y is None:
                y = with_epilogue(self.be, self._epilogue, a, w, b)
        return self(self.be.dot(a, w), b) if y is None else (y, y)

    def back_at_once(self, dy: Late, db, y):
        """The gradient of z, and that of b in db, in the launch of the product that dy is to be.

        None, and nothing is done, where that cannot be. y is the layer's result.
        """
        if db is None or not dy.parts:
            return None
        a, b = dy.parts
        if (len(a), b.shape[1]) != y.shape:
            return None
        return with_epilogue(self.be, "relu_back", a, b, db, mask=self.mask)

    def __call__(self, z, b):
        """f(z + b), and what the gradient reads; z itself is changed."""
        be = self.be
        if b is None and self.activation is None:
            return z, z
        y = z if self.reads_result else be.empty(z.shape, z.dtype)
        index = index_type(z.size)
        at_once = pack(z.dtype, z.shape[-1], y, z)
        types = f"{cuda_type(z.dtype)}, {cuda_type(wide(z.dtype))}, {index}, {at_once}"
        bias = NOTHING if b is None else be.xp.ascontiguousarray(b)
        args = (y, z, bias, *_counts(index, z.size, z.shape[-1]))
        be.launch("linear", f"finish<{types}>", z.size // at_once, args, before=self.text)
        return y, z

    def back(self, saved, dy, sums_wanted: bool, place=None):
        """The gradients of z and of b (None if it is not wanted), of rows of units.

        Args:
            saved: what was kept of the forward pass; None if there is no activation.
            dy: of y.
            sums_wanted: whether that of b is.
            place: where to put that of b, of any dtype, or None.
        """
        be, (rows, units) = self.be, dy.shape
        if self.activation is None and not sums_wanted:
            return dy, None
        dz = dy if self.activation is None else be.empty(dy.shape, self.dtype)
        kept = kept_in((place,), self.dtype)
        db = placed(be, place, (units,), kept) if sums_wanted else None
        splits = min(max(rows // ROWS_A_SPLIT, 1), MOST_SPLITS)
        sums: Any = NOTHING if db is None else db
        if splits > 1 and sums_wanted:
            kept = wide(self.dtype)
            sums = be.empty((splits, units), kept)
        index = index_type(dy.size)
        types = ", ".join(map(cuda_type, (self.dtype, wide(self.dtype), kept)))
        saved = dy if saved is None else saved
        args = (NOTHING if dz is dy else dz, sums, saved, dy, *_counts(index, rows, units, splits))
        blocks = -(-units // 32) * splits
        name = f"finish_back<{types}, {index}>"
        be.launch("linear", name, blocks * THREADS, args, before=self.text)
        if sums is not db and sums_wanted:
            sum_splits(be, sums, db)
        return dz, db


def _counts(index: str, *numbers: int) -> tuple:
    """Numbers as the type that kernels count elements in."""
    return tuple([INDEX[index](n) for n in numbers])
