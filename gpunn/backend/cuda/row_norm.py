"""Layer, RMS and group normalization: a launch for the result, and one for all gradients."""

from math import prod

import numpy as np

from gpunn.backend.cuda.sums import NOTHING, kept_in, placed, scale_dtype, sum_splits
from gpunn.backend.cupy_ import INDEX, THREADS, cuda_type, index_type, pack, packed, row_team, wide
from gpunn.backend.kernels import FLOATS, MOST_TERMS, Placing, kernel
from gpunn.backend.late import Late

TERM = np.dtype(  # `struct Term`
    [("x", "u8"), ("start", "u8"), ("numbers", "u8", 4), ("factor", "f8"), ("drops", "i8")]
)
ROWS_A_SPLIT = 4096  # of long columns, whose parts another launch then sums
FIELDS = ("rows", "n", "groups", "size")
LAYOUTS = {  # `struct Layout` of row_norm.cu
    index: np.dtype([(name, dtype) for name in FIELDS]) for index, dtype in INDEX.items()
}


def _takes(x, gamma=None, beta=None, axis=-1, epsilon=None, rms_scaling=False) -> bool:
    """The last axes, one or several."""
    axes = axis if isinstance(axis, list | tuple) else (axis,)
    first = x.ndim - len(axes)
    if rms_scaling or sorted(a + x.ndim * (a < 0) for a in axes) != list(range(first, x.ndim)):
        return False
    fits = all(v is None or v.shape == x.shape[first:] for v in (gamma, beta))
    return first < x.ndim and fits and scale_dtype(x, gamma, beta) is not None


@kernel("layer_normalization", "cuda", FLOATS, _takes, late=True)
def layer_normalization(be, x, gamma=None, beta=None, axis=-1, epsilon=None, rms_scaling=False):
    return _normalized(be, x, gamma, beta, epsilon, _count(axis))


@kernel("rms_normalization", "cuda", FLOATS, _takes, late=True)
def rms_normalization(be, x, scale=None, axis=-1, epsilon=None):
    y, placing = _normalized(be, x, scale, None, epsilon, _count(axis), centred=False)

    def pullback(dys, needs, places, so_far):
        return placing.function(dys, (*needs, False), (*places, None), so_far)[:2]

    return y, Placing(pullback, adds=True)


def _count(axis) -> int:
    return len(axis) if isinstance(axis, list | tuple) else 1


def _takes_groups(x, gamma=None, beta=None, groups=32, axis=-1, epsilon=1e-3) -> bool:
    """Channels that are the last axis, or the first after the batch."""
    if x.ndim < 2 or axis not in (1, 1 - x.ndim, x.ndim - 1, -1) or not x.shape[axis]:
        return False
    fits = all(v is None or v.shape == (x.shape[axis],) for v in (gamma, beta))
    return fits and x.shape[axis] % groups == 0 and scale_dtype(x, gamma, beta) is not None


@kernel("group_normalization", "cuda", FLOATS, _takes_groups)
def group_normalization(be, x, gamma=None, beta=None, groups=32, axis=-1, epsilon=1e-3):
    lies = "LAST" if axis % x.ndim == x.ndim - 1 else "FIRST"
    return _normalized(be, x, gamma, beta, epsilon, 1, True, groups, lies, x.shape[axis])


def _normalized(
    be, x, gamma, beta, epsilon, count, centred=True, groups=1, lies="ROWS", channels=None
):
    """Rows along the last `count` axes; or those of groups of channels, of all places."""
    late, terms = x, []
    if type(late) is Late:
        terms = [(packed(be, part), draw) for part, draw in late.terms()]
        x = be.empty(late.shape, late.dtype)
    x, dtype = packed(be, x), wide(x.dtype)
    scaled = x.shape[x.ndim - count :] if channels is None else (channels,)
    channels = prod(scaled)
    n = channels if lies == "ROWS" else prod(x.shape[1:]) // groups
    rows = x.size // max(n, 1)
    index = index_type(x.size)
    layout = np.array((rows, n, groups, channels // groups), LAYOUTS[index])[()]
    of_scale = scale_dtype(x, gamma, beta)
    beside = {"ROWS": n, "LAST": channels // groups, "FIRST": n // max(channels // groups, 1)}
    gamma_, beta = (NOTHING if v is None else be.xp.ascontiguousarray(v) for v in (gamma, beta))
    types, lying = (
        ", ".join(map(cuda_type, (x.dtype, dtype, of_scale))),
        f"{index}, {lies}, {pack(x.dtype, beside[lies])}",
    )
    team, centred = row_team(n), np.int32(centred)
    y = be.empty(x.shape, x.dtype)
    means, invs = be.empty(rows, dtype), be.empty(rows, dtype)
    epsilon = 1e-7 if epsilon is None else float(epsilon)
    args = (y, means, invs, x, gamma_, beta, layout, epsilon, centred, team)
    name = f"row_norm<{types}, {lying}, {len(terms)}>"
    be.launch("row_norm", name, rows * int(team), (*args, *_sum(terms)))
    if terms:
        late.fill(x)

    def pullback(dys, needs, places, so_far):
        while len(dys) > MOST_TERMS:
            dys = (dys[0] + dys[1], *dys[2:])
        # narrower where x was, before wider weights met it
        dys = [packed(be, dy.astype(x.dtype, copy=False)) for dy in dys]
        dys += [NOTHING] * (MOST_TERMS - len(dys))
        dx = be.empty(x.shape, x.dtype) if needs[0] else None
        kept = kept_in(places[1:], of_scale)
        sums = [placed(be, at, scaled, kept) if need else None
                for at, need in zip(places[1:], needs[1:], strict=True)]  # fmt: skip
        columns = x.size // max(channels, 1)
        splits = -(-columns // ROWS_A_SPLIT) or 1 if any(needs[1:]) else 0
        parts = sums
        if splits > 1:
            parts = [None if d is None else be.empty((splits, *scaled), dtype) for d in sums]
        into = [NOTHING if d is None else d for d in (dx, *parts)]
        args = (
            *into,
            *dys,
            NOTHING if so_far is None else packed(be, so_far.astype(x.dtype, copy=False)),
            x,
            means,
            invs,
            gamma_,
            layout,
            INDEX[index](splits),
            centred,
            team,
        )
        blocks = -(-rows * int(team) // THREADS) if needs[0] else 0
        blocks += -(-channels // 32) * splits
        summed = cuda_type(dtype if splits > 1 else kept)
        name = f"row_norm_back<{types}, {summed}, {lying}>"
        be.launch("row_norm", name, blocks * THREADS, args)
        for part, d in zip(parts, sums, strict=True):
            if splits > 1 and d is not None:
                sum_splits(be, part, d)
        return dx, *sums

    return y, Placing(pullback, adds=True)


def _sum(terms) -> list:
    """The terms of a late sum as kernels take them, two of them; none is a null pointer."""
    found = np.zeros(2, TERM)
    for at, (x, draw) in zip(found, terms, strict=False):
        at["x"] = x.data.ptr
        if draw is not None:
            start, *numbers = draw
            at["start"] = start if isinstance(start, np.generic) else start.data.ptr
            at["numbers"], at["factor"], at["drops"] = numbers[:-1], numbers[-1], 1
    return list(found)
