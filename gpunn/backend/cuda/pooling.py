"""Max pooling, in one launch for each direction."""

import numpy as np

from gpunn.backend.cupy_ import cuda_type, wide
from gpunn.backend.kernels import kernel

FIELDS = ("size", "taps", "strides", "before", "out")
WINDOW = np.dtype([(name, np.int64, 3) for name in FIELDS])  # `struct Window` of pooling.cu
NEUTRAL = {"before": 0}  # what an axis that is not there has instead of 1


def _takes(x, win) -> bool:
    return x.ndim <= 5 and all(d == 1 for d in win.dilation)


@kernel("_max_pool", "cuda", ("float16", "float32", "float64"), _takes)
def _max_pool(be, x, win):
    missing = 3 - len(win.size)
    window = np.zeros((), WINDOW)
    for name in FIELDS:
        window[name] = (NEUTRAL.get(name, 1),) * missing + tuple(getattr(win, name))
    window, channels = window[()], x.shape[-1]
    types = f"<{cuda_type(x.dtype)}, {cuda_type(wide(x.dtype))}>"
    x = be.xp.ascontiguousarray(x)
    y = be.empty((len(x), *win.out, channels), x.dtype)
    chosen = be.empty(y.shape, np.int32)
    be.launch("pooling", "max_pool" + types, y.size, (y, chosen, x, window, channels, y.size))

    def pullback(dy, needs):
        dx = be.empty(x.shape, dy.dtype)
        args = (dx, be.xp.ascontiguousarray(dy), chosen, window, channels, dx.size)
        be.launch("pooling", "max_pool_back" + types, dx.size, args)
        return (dx,)

    return y, pullback
