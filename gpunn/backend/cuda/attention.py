"""Attention by tiles: a launch for the result, one for its gradients; no matrix of scores."""

import numpy as np

from gpunn.backend.cupy_ import cuda_type, threshold, wide
from gpunn.backend.kernels import FLOATS, kernel

SIDE, LANES, THREADS = 32, 16, 256  # of attention.cu
LARGEST = 256  # features of a head
NUMBERS = ("batch", "heads", "key_heads", "t", "s", "n", "m", "causal", "window", "zeros")
ATTENTION = np.dtype(  # `struct Attention`
    [(name, "i8") for name in NUMBERS]
    + [(name, "i8", 4) for name in ("bias", "mask")]
    + [(name, "f8") for name in ("scale", "keep")]
    + [(name, "u8") for name in ("threshold", "draw", "key0", "key1")]
)


def _takes(q, k, v, bias=None, mask=None, **static) -> bool:
    """Heads of a size that fits; what does not broadcast is left to the reference to refuse."""
    pairs = (q.shape[0], q.shape[2], q.shape[1], k.shape[1])
    sizes = 0 < q.shape[3] <= LARGEST and 0 < v.shape[3] <= LARGEST and k.shape[1]
    return bool(sizes) and all(x is None or _broadcasts(x.shape, pairs) for x in (bias, mask))


def _broadcasts(shape, to) -> bool:
    return len(shape) <= 4 and all(
        n in (1, m) for n, m in zip(reversed(shape), reversed(to), strict=False)
    )


@kernel("attend", "cuda", FLOATS, _takes)
def attend(
    be, q, k, v, bias=None, mask=None,
    scale=1.0, causal=False, window=None, zeros=False, rate=0.0, stream=None, tiles=None,
):  # fmt: skip
    xp, nothing, dtype = be.xp, np.uint64(0), wide(q.dtype)
    q, k, v = (xp.ascontiguousarray(x) for x in (q, k, v))
    start, call = nothing, np.zeros((), ATTENTION)
    call["batch"], call["t"], call["heads"], call["n"] = q.shape
    _, call["s"], call["key_heads"], call["m"] = v.shape
    call["causal"], call["zeros"], call["scale"] = causal, zeros, scale
    call["window"] = -1 if window is None else window
    call["bias"], call["mask"] = _steps(bias), _steps(mask)
    if rate:
        start, *numbers = be.next_draw(stream)
        call["draw"], call["key0"], call["key1"] = numbers
        call["threshold"] = threshold(rate)
        call["keep"] = 1 / (1 - rate) if rate < 1 else 0
    given = [nothing if x is None else xp.ascontiguousarray(x) for x in (q, k, v, bias, mask)]
    given += [start, call[()]]
    columns = 2
    while columns * LANES < max(q.shape[3], v.shape[3]):
        columns *= 2
    types = f"<{columns}, {cuda_type(q.dtype)}, {cuda_type(dtype)}>"
    rows = (q.shape[0], q.shape[2], q.shape[1])
    y = be.empty((*q.shape[:3], v.shape[3]), q.dtype)
    tops, inverses = be.empty(rows, dtype), be.empty(rows, dtype)
    by_queries = rows[0] * rows[1] * -(-rows[2] // SIDE)
    args = (y, tops, inverses, *given)
    be.launch("attention", "attention" + types, by_queries * THREADS, args, THREADS)

    def pullback(dy, needs):
        if all(needs[:3]) and q.shape == k.shape == v.shape:
            dq, dk, dv = be.empty((3, *q.shape), q.dtype)  # so that a projection takes all at once
        else:
            dq, dk, dv = (
                be.empty(x.shape, x.dtype) if need else None
                for x, need in zip((q, k, v), needs, strict=False)
            )
        ds = be.zeros((*rows, k.shape[1]), dtype) if needs[3] else None
        jobs = k.shape[0] * k.shape[2] * -(-k.shape[1] // SIDE) if needs[1] or needs[2] else 0
        jobs += by_queries if needs[0] or needs[3] else 0
        wanted = [nothing if x is None else x for x in (dq, dk, dv, ds)]
        args = (*wanted, xp.ascontiguousarray(dy), y, tops, inverses, *given)
        be.launch("attention", "attention_back" + types, jobs * THREADS, args, THREADS)
        return dq, dk, dv, ds, None

    return y, pullback


def _steps(x) -> tuple:
    """Steps along (batch, heads, queries, keys), 0 where a contiguous array is broadcast."""
    if x is None:
        return (0,) * 4
    steps, step = [], 1
    for n in reversed(x.shape):
        steps.insert(0, step if n > 1 else 0)
        step *= n
    return (0,) * (4 - len(steps)) + tuple(steps)
