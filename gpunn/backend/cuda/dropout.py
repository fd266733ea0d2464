"""Dropout: one launch for each direction, both of which draw the same numbers, so none are kept."""

from gpunn.backend.cupy_ import cuda_type, threshold, wide
from gpunn.backend.kernels import FLOATS, Drawn, kernel
from gpunn.backend.late import Late


@kernel("_kept", "cuda", FLOATS)
def _kept(be, x, rate, stream, shape, scale):
    shape = x.shape if shape is None else shape
    name = f"kept<{cuda_type(x.dtype)}>"
    return be.draw(name, stream, shape, x.dtype, threshold(rate), float(scale)), None


def _takes(x, factors=None, **static) -> bool:
    return factors is None


@kernel("_dropped", "cuda", FLOATS, _takes)
def _dropped(be, x, factors=None, *, rate, stream, scale):
    draw = (*be.next_draw(stream), threshold(rate), float(scale))
    types = f"{cuda_type(x.dtype)}, {cuda_type(wide(x.dtype))}"

    def dropped(values):
        values, y = be.xp.ascontiguousarray(values), be.empty(values.shape, values.dtype)
        be.launch("philox", f"dropped<{types}>", (y.size + 7) // 8, (y, values, y.size, *draw))
        return y

    def factors_again():
        found = be.empty(x.shape, x.dtype)
        name = f"kept<{cuda_type(x.dtype)}>"
        be.launch("philox", name, (found.size + 7) // 8, (found, found.size, *draw))
        return (found,)

    def pullback(dy, needs):
        return dropped(dy), None

    return Late(dropped, x, draw=draw), Drawn(pullback, factors_again)
