"""Means of terms: computed and summed in one launch, their gradients in another."""

from functools import cache

import numpy as np

from gpunn.backend.cuda.sums import sum_splits
from gpunn.backend.cupy_ import THREADS, cuda_type, wide
from gpunn.backend.elementwise import PREAMBLE
from gpunn.backend.expressions import TYPES, Trace, statements
from gpunn.backend.fusing import elementwise_kernel
from gpunn.backend.kernels import FLOATS, kernel

VALUES = 8 * THREADS  # that a block sums
ROUNDS = 16  # one block sums up to so many times VALUES; for more, a second launch is worth it
MOST_BLOCKS = 256


def _takes(y_true, y_pred, term, options=(), total=False, whole=False) -> bool:
    same = y_true.shape == y_pred.shape and y_true.dtype == y_pred.dtype
    return same and y_pred.ndim > 0 and y_pred.size > 0


@kernel("reduced_terms", "cuda", FLOATS, _takes)
def reduced_terms(be, y_true, y_pred, term, options=(), total=False, whole=False):
    y, p = (be.xp.ascontiguousarray(x) for x in (y_true, y_pred))
    last, rows = p.shape[-1], p.size // p.shape[-1]
    scale = 1 / ((1 if total else last) * (rows if whole else 1))
    out = be.empty(() if whole else p.shape[:-1], p.dtype)
    if not whole:
        _sum(be, term, options, out, y, p, rows, last, scale)
    elif p.size <= ROUNDS * VALUES:
        _sum(be, term, options, out, y, p, 1, p.size, scale)
    else:
        blocks = min(-(-p.size // VALUES), MOST_BLOCKS)
        partial = be.empty((blocks,), wide(p.dtype))
        _sum(be, term, options, partial, y, p, blocks, -(-p.size // blocks), scale)
        sum_splits(be, partial, out)

    def pullback(dy, needs):
        run = _pullback(term, options, p.dtype, needs)
        dxs = [be.empty(p.shape, p.dtype) if need else None for need in needs]
        if not whole:
            dy = dy.reshape(*p.shape[:-1], 1)
        run(y, p, dy, float(scale), *[dx for dx in dxs if dx is not None])
        return tuple(dxs)

    return out, pullback


def _sum(be, term, options, out, y, p, rows: int, n: int, scale: float) -> None:
    """A sum for each of some rows of n values."""
    dtype, lanes = wide(p.dtype), 1
    while lanes < min(n, 32):
        lanes *= 2
    if n > 1024:
        lanes = THREADS
    types = ", ".join(map(cuda_type, (p.dtype, dtype, out.dtype)))
    args = (out, y, p, rows, n, p.size, np.int32(lanes), scale)
    text = _text(term, options, dtype)
    be.launch("terms", f"term_sums<{types}>", rows * lanes, args, THREADS, text)


@cache
def _text(term, options, dtype) -> str:
    """The term as CUDA text."""
    trace, kind = Trace(), TYPES[dtype.name]
    y, p = trace.leaf("y", dtype), trace.leaf("p", dtype)
    value, _ = term(trace, y, p, *options)
    lines, _ = statements([value.now])
    head = f"static __device__ {kind} value({kind} y, {kind} p) {{"
    return "\n".join(
        [PREAMBLE, "struct Term {", head, *lines, f"return {value.now.name};", "}", "};\n"]
    )


@cache
def _pullback(term, options, dtype, needs):
    """The kernel for the gradients that are needed."""
    trace = Trace()
    y, p, d = (trace.leaf(name, dtype) for name in ("y", "p", "d"))
    _, pull = term(trace, y, p, *options)
    dxs = pull(d * trace.number("scale"), needs)
    wanted = {f"dx{i}": dx.astype(dtype) for i, dx in enumerate(dxs) if dx is not None}
    reads = {"y": dtype, "p": dtype, "d": dtype, "scale": float}
    return elementwise_kernel(f"{term.__name__}_pullback", reads, wanted)
