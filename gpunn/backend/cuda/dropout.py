"""What dropout multiplies by, drawn in one launch."""

from gpunn.backend.cupy_ import cuda_type, threshold
from gpunn.backend.kernels import kernel


@kernel("_kept", "cuda", ("float16", "float32", "float64"))
def _kept(be, x, rate, stream, shape, scale):
    shape = x.shape if shape is None else shape
    name = f"kept<{cuda_type(x.dtype)}>"
    return be.draw(name, stream, shape, x.dtype, threshold(rate), float(scale)), None
