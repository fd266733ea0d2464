"""Images moved by affine transforms, in one launch."""

import numpy as np

from gpunn.backend.cupy_ import cuda_type, wide
from gpunn.backend.kernels import FLOATS, kernel

MODES = ("constant", "nearest", "wrap", "mirror", "reflect")  # `enum Mode` of affine.cu


def _takes(x, transforms, order, mode, fill) -> bool:
    return transforms.dtype.name in FLOATS and transforms.shape[-1] == 8


@kernel("affine_pixels", "cuda", FLOATS, _takes)
def affine_pixels(be, x, transforms, order, mode, fill):
    y = be.empty(x.shape, x.dtype)
    transforms = transforms.astype(wide(transforms.dtype), copy=False)
    types = (x.dtype, transforms.dtype, np.result_type(wide(x.dtype), transforms.dtype))
    flags = [np.int32(n) for n in (len(transforms) == 1, order, MODES.index(mode))]
    be.launch(
        "affine",
        f"affine_pixels<{', '.join(map(cuda_type, types))}>",
        x.size,
        (
            y,
            be.xp.ascontiguousarray(x),
            be.xp.ascontiguousarray(transforms),
            *x.shape,
            *flags,
            float(fill),
        ),
    )
    return y, None
