"""Max pooling, in one launch for each direction."""

from math import prod

import numpy as np

from gpunn.backend.cuda.window import window_of
from gpunn.backend.cupy_ import INDEX, cuda_type, index_type, wide
from gpunn.backend.kernels import FLOATS, kernel


def _takes(x, win) -> bool:
    return x.ndim <= 5 and all(d == 1 for d in win.dilation)


@kernel("_max_pool", "cuda", FLOATS, _takes)
def _max_pool(be, x, win):
    x = be.xp.ascontiguousarray(x)
    y = be.empty((len(x), *win.out, x.shape[-1]), x.dtype)
    chosen = be.empty(y.shape, np.uint8 if prod(win.taps) < 255 else np.int32)
    shape, channels = x.shape, x.shape[-1]
    index = index_type(x.size, y.size)
    kinds = (x.dtype, wide(x.dtype), chosen.dtype)
    types = f"<{', '.join(map(cuda_type, kinds))}, {index}>"
    window, count = window_of(win, index), INDEX[index]
    args = (y, chosen, x, window, count(channels), count(y.size))
    be.launch("pooling", "max_pool" + types, y.size, args)

    def pullback(dy, needs):
        dx = be.empty(shape, dy.dtype)
        dy = be.xp.ascontiguousarray(dy)
        args = (dx, dy, chosen, window, count(channels), count(dx.size))
        be.launch("pooling", "max_pool_back" + types, dx.size, args)
        return (dx,)

    return y, pullback
