"""Windows as kernels take them."""

from collections import namedtuple

import numpy as np

from gpunn.backend.cupy_ import INDEX

NEUTRAL = {"before": 0}  # what an axis that is not there has instead of 1
Windows = namedtuple("Windows", "size taps strides dilation before out")  # as `ops` have them
WINDOWS = {  # `struct Window` of window.cuh
    index: np.dtype([(name, dtype, 3) for name in Windows._fields])
    for index, dtype in INDEX.items()
}


def window_of(win, index: str):
    """A `Window` of one to three axes as `Window<index>`."""
    missing = 3 - len(win.size)
    window = np.zeros((), WINDOWS[index])
    for name in Windows._fields:
        window[name] = (NEUTRAL.get(name, 1),) * missing + tuple(getattr(win, name))
    return window[()]
