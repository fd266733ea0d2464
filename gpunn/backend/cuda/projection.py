"""Several dense products of one input as one, where their weights lie at equal distances."""

from math import prod

import cupy

from gpunn.backend.cuda.sums import kept_in
from gpunn.backend.kernels import FLOATS, Placing, kernel
from gpunn.backend.products import with_epilogue


def _stacked(arrays):
    """Arrays of one shape, each as far from the one before, seen as one; else None."""
    first = arrays[0]
    step = arrays[1].data.ptr - first.data.ptr
    alike = all(
        a.shape == first.shape and a.flags.c_contiguous
        and a.data.mem is first.data.mem  # what lies so by chance does not always
        and a.data.ptr == first.data.ptr + i * step
        for i, a in enumerate(arrays)
    )  # fmt: skip
    if not alike or step < first.nbytes or step % first.itemsize:
        return None
    shape, strides = (len(arrays), *first.shape), (step, *first.strides)
    return cupy.ndarray(shape, first.dtype, first.data, strides)


def _split(operands) -> tuple:
    """x, the weights, and the biases, of which there may be none."""
    x, *rest = operands
    count = len(rest) // 2 if rest[-1].ndim < rest[0].ndim else len(rest)
    return x, rest[:count], rest[count:]


def _places(be, places, like) -> list:
    """Where gradients of arrays of one shape go: to where they are kept, if these lie alike too."""
    if any(p is None for p in places) or _stacked(places) is None:
        return list(be.empty((len(like), *like[0].shape), kept_in(places, like[0].dtype)))
    return places


def _takes(*operands) -> bool:
    x, ws, bs = _split(operands)
    shape = x.shape[-1:] + ws[0].shape[1:]
    fits = ws[0].shape == shape and all(b.shape == shape[1:] for b in bs) and prod(shape) and x.size
    return bool(fits) and len(ws) > 1 and all(_stacked(xs) is not None for xs in (ws, bs) if xs)


@kernel("projections", "cuda", FLOATS, _takes)
def projections(be, *operands):
    x, ws, bs = _split(operands)
    count, n, m = len(ws), x.shape[-1], prod(ws[0].shape[1:])
    rows = x.reshape(prod(x.shape[:-1]), n)
    weights = _stacked(ws).reshape(count, n, m)
    biases = _stacked(bs).reshape(count, m) if bs else None
    ys = None if biases is None else with_epilogue(be, "bias", rows, weights, biases)
    if ys is None:
        ys = be.matmul(rows, weights)
        if bs:
            ys += biases[:, None]

    def pullback(dys, needs, places):
        lying = _stacked(dys)
        dys = (be.xp.stack(dys) if lying is None else lying).reshape(count, len(rows), m)
        dx, dws, dbs = None, [None] * count, [None] * len(bs)
        of_ws, of_bs = needs[1 : 1 + count], needs[1 + count :]
        if needs[0]:
            # of each product: the engine adds them up, or who takes them does
            dx = be.matmul(dys, weights.swapaxes(1, 2)).reshape(count, *x.shape)
        dw = db = done = None
        if any(of_ws):
            dws = _places(be, places[1 : 1 + count], ws)
            dw = _stacked(dws).reshape(count, n, m)
        if any(of_bs):
            dbs = _places(be, places[1 + count :], bs)
            db = _stacked(dbs).reshape(count, m)
        if dw is not None and db is not None:
            done = with_epilogue(be, "sums", rows.T, dys, db, dw)
        if done is None and dw is not None:
            be.matmul(rows.T, dys, dw)
        if done is None and db is not None:
            be.matmul(be.ones(len(rows), x.dtype), dys, db)
        return dx, *dws, *dbs

    return tuple(ys.reshape(count, *x.shape[:-1], *ws[0].shape[1:])), Placing(pullback)
