"""Steps of recurrent layers, each in one launch beside its product."""

from gpunn.backend.cupy_ import cuda_type
from gpunn.backend.kernels import kernel

DTYPES = ("float32", "float64")


def _contiguous(*arrays) -> bool:
    return all(a.flags.c_contiguous for a in arrays)


@kernel("lstm_step", "cuda", DTYPES, _contiguous)
def lstm_step(be, gate, product, c, c_next, tanh_c, h_next):
    args = (gate, product, c, c_next, tanh_c, h_next, c.size)
    be.launch("recurrent", f"lstm_step<{cuda_type(c.dtype)}>", c.size, args)


@kernel("lstm_step_back", "cuda", DTYPES, _contiguous)
def lstm_step_back(be, gate, tanh_c, c, dh, dc, dz, slopes):
    args = (gate, tanh_c, c, dh, dc, dz, c.size)
    be.launch("recurrent", f"lstm_step_back<{cuda_type(c.dtype)}>", c.size, args)
