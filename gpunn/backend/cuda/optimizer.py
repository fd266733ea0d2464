"""Adam over a whole buffer in one launch."""

from gpunn.backend.cupy_ import cuda_type
from gpunn.backend.kernels import kernel


def _takes(p, g, slots, h, scratch) -> bool:
    return all(a.flags.c_contiguous and a.dtype == p.dtype for a in (p, g, *slots))


@kernel("adam_update", "cuda", ("float32", "float64"), _takes)
def adam_update(be, p, g, slots, h, scratch):
    m, v, *v_hat = slots
    kind = cuda_type(p.dtype)
    arrays = (p, g, m, v, v_hat[0] if v_hat else v)
    be.launch(
        "optimizer",
        f"adam<{kind}>",
        p.size,
        (*arrays, be.xp.int32(len(v_hat)), *map(float, h), p.size),
    )
