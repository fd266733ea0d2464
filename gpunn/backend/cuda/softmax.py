"""Softmax and its logarithm over the last axis, in one launch for each direction."""

from gpunn.backend.cupy_ import cuda_type, pack, packed, row_team, wide
from gpunn.backend.kernels import FLOATS, kernel


def _takes(x, axis=-1) -> bool:
    return x.ndim > 0 and x.shape[-1] > 0 and axis in (-1, x.ndim - 1)


@kernel("softmax", "cuda", FLOATS, _takes)
def softmax(be, x, axis=-1):
    return _of_rows(be, x, "false")


@kernel("log_softmax", "cuda", FLOATS, _takes)
def log_softmax(be, x, axis=-1):
    return _of_rows(be, x, "true")


def _of_rows(be, x, log: str):
    n = x.shape[-1]
    rows, team = x.size // n, row_team(n)
    types = f"<{cuda_type(x.dtype)}, {cuda_type(wide(x.dtype))}, {log}, {pack(x.dtype, n)}>"
    y = be.empty(x.shape, x.dtype)
    args = (y, packed(be, x), rows, n, team)
    be.launch("softmax", "softmax" + types, rows * int(team), args)

    def pullback(dy, needs):
        dx = be.empty(x.shape, x.dtype)
        args = (dx, packed(be, dy), y, rows, n, team)
        be.launch("softmax", "softmax_back" + types, rows * int(team), args)
        return (dx,)

    return y, pullback
