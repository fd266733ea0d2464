"""Rows of a table, such as an embedding's: their gradient is summed where the table keeps it."""

from gpunn.backend.cuda.sums import kept_in, placed
from gpunn.backend.kernels import FLOATS, Placing, kernel


def _takes(x, indices, axis) -> bool:
    return axis == 0 and x.ndim > 0 and indices.dtype.kind in "iu"


@kernel("_take", "cuda", FLOATS, _takes)
def _take(be, x, indices, axis):
    def pullback(dy, needs, places):
        dx = placed(be, places[0], x.shape, kept_in(places[:1], x.dtype))
        dx.fill(0)
        be.scatter_add(dx, indices, dy)
        return dx, None

    return be.take(x, indices, axis), Placing(pullback)
