"""Depthwise convolutions: a launch for the result, one for dx, one or two for the weights."""

from math import prod

from gpunn.backend.cuda.sums import NOTHING, kept_in, placed, sum_splits
from gpunn.backend.cuda.window import window_of
from gpunn.backend.cupy_ import INDEX, THREADS, cuda_type, index_type, wide
from gpunn.backend.kernels import FLOATS, Placing, kernel

BLOCKS, PLACES = 512, 256  # blocks that shall share the weights' gradient; places of one, at least


@kernel("_convolve_depthwise", "cuda", FLOATS)
def _convolve_depthwise(be, x, kernel, bias, win):
    x, kernel = be.xp.ascontiguousarray(x), be.xp.ascontiguousarray(kernel)
    each, filters, taps = kernel.shape[-1], prod(kernel.shape[-2:]), prod(win.taps)
    y = be.empty((len(x), *win.out, filters), x.dtype)
    places = len(x) * prod(win.out)
    index = index_type(x.size, y.size, (taps + 1) * filters)
    window, dtype = window_of(win, index), wide(x.dtype)

    def launch(name, n, arrays, counts, *more):
        kinds = ", ".join(map(cuda_type, (x.dtype, dtype, *more)))
        args = (*arrays, window, *[INDEX[index](c) for c in (filters, each, *counts)])
        be.launch("depthwise", f"{name}<{kinds}, {index}>", n, args)

    bias = NOTHING if bias is None else be.xp.ascontiguousarray(bias)
    launch("depthwise", y.size, (y, x, kernel, bias), (y.size,))

    def weights(dw, db, dy):
        blocks = -(-filters // 32) * (taps + 1)
        splits = max(min(-(-BLOCKS // blocks), places // PLACES), 1)
        into, kept = (dw, db), dw.dtype
        if splits > 1:
            kept = dtype
            into = be.empty((splits, taps + 1, filters), kept), NOTHING
        n = blocks * splits * THREADS
        launch("depthwise_weights", n, (*into, x, dy), (places, splits), kept)
        if splits > 1:
            sum_splits(be, into[0], dw, db)

    def pullback(dy, needs, places):
        dy, dx, dw, db = be.xp.ascontiguousarray(dy), None, None, None
        if needs[0]:
            dx = be.empty(x.shape, x.dtype)
            launch("depthwise_back", dx.size, (dx, dy, kernel), (dx.size,))
        if needs[1] or needs[2]:
            kept = kept_in(places[1:], x.dtype)
            dw = placed(be, places[1], kernel.shape, kept)
            db = placed(be, places[2], (filters,), kept)
            weights(dw, db, dy)
        return dx, dw, db

    return y, Placing(pullback)
