"""The arithmetic of attention on raw arrays: a matrix of scores, whole or tile by tile.

Arrays are seen as (batch, key heads, group, length, size): the heads of a group share a key head.
With `p = exp(s - top)`, `l` its sums over the keys and `u = dy / l`:

    y  = p v / l          ds = p (u v^T - (dy y) / l)
    dv = p^T u            dq = ds k            dk = ds^T q

so that no matrix is divided by its sums. Tiles keep `top` and `l` as they go, and make their scores
again for the gradient.
"""

import math
from typing import NamedTuple

from gpunn.errors import ShapeError
from gpunn.ops.noise import kept
from gpunn.ops.reduction import narrow, total, wide

HIDDEN = -1e30  # added to a score it takes its place: what is hidden is all alike
TILE = {"cpu": 1 << 21, "cuda": 1 << 26}  # bytes of a tile of all heads, about
SHORTEST, LONGEST = 32, 1024  # sides of a tile


class Rules(NamedTuple):
    """What scores are multiplied by, and what is hidden; see `gpunn.ops.attention.attend`."""

    scale: float
    causal: bool = False
    window: int | None = None
    zeros: bool = False


class AttentionCall:
    """One call: `forward`, and then `backward`.

    Args:
        be: the backend.
        q, k, v: floats of (batch, T, heads, n), (batch, S, key heads, n), (batch, S, key heads, m).
        bias, mask: floats that broadcast to (batch, heads, T, S), or None; a mask is 0 or 1.
        rules: see there.
        tiles: whether to go by tiles.
    """

    def __init__(self, be, q, k, v, bias, mask, rules: Rules, tiles: bool):
        self.be, self.rules, self.tiles, self.dtype = be, rules, tiles, q.dtype
        self.groups = (k.shape[2], q.shape[2] // k.shape[2])
        self.t, self.s = q.shape[1], k.shape[1]
        q, k, v = wide(q), wide(k), wide(v)
        self.y = be.empty((*q.shape[:3], v.shape[3]), q.dtype)
        self.q, self.k, self.v = self._heads(q) * rules.scale, self._heads(k), self._heads(v)
        self.bias, self.mask = self._pairs("bias", bias), self._pairs("mask", mask)
        rows, cols = _sides(be, q, self.s) if tiles else (self.t, self.s)
        self.rows, self.cols = _parts(self.t, rows), _parts(self.s, cols)
        # whether everything may be hidden from a query
        self.blank = mask is not None or (rules.window is not None and self.t > self.s)
        self.p = self.keep = None
        self.tops: list = []
        self.inverses: list = []

    # --- how arrays are seen ---

    def _heads(self, x):
        """(batch, length, heads, size) with the heads in groups and before the length."""
        b, n, heads, size = x.shape
        keys = self.groups[0]
        return x.reshape(b, n, keys, heads // keys, size).transpose(0, 2, 3, 1, 4)

    def _pairs(self, name, x):
        """What broadcasts to (batch, heads, T, S), with the heads in groups."""
        if x is None:
            return None
        wanted = (self.y.shape[0], self.y.shape[2], self.t, self.s)
        sizes = (1,) * (4 - x.ndim) + x.shape
        if x.ndim > 4 or any(n not in (1, m) for n, m in zip(sizes, wanted)):  # tiles would crop it
            raise ShapeError(
                f"attention: a {name} of shape {x.shape} does not broadcast to {wanted}, (batch, "
                "heads, queries, keys)"
            )
        b, heads, t, s = sizes
        return wide(x).reshape(b, *((1, 1) if heads == 1 else self.groups), t, s)

    # --- what is seen of what ---

    def _visible(self, rows) -> list:
        """The parts of the keys that rows may see something of."""
        causal, window = self.rules.causal, self.rules.window
        if self.blank:  # a row from which all is hidden sees all alike
            return self.cols
        return [
            cols
            for cols in self.cols
            if not (causal and cols.start >= rows.stop)
            and not (window is not None and cols.stop - 1 <= rows.start - window)
            and not (window is not None and cols.start >= rows.stop - 1 + window)
        ]

    def _hidden(self, rows, cols):
        """What is added to the scores of a tile to hide some, or None."""
        n, m = rows.stop - rows.start, cols.stop - cols.start
        _, causal, window, _ = self.rules
        hidden = band(self.be, rows.start - cols.start, n, m, causal, window, self.y.dtype)
        if self.mask is None:
            return hidden
        own = (1 - _part(self.mask, rows, cols)) * HIDDEN
        return own if hidden is None else self.be.xp.minimum(own, hidden)

    def _scores(self, rows, cols):
        """The scores of a tile, and what was added to hide some."""
        s = self.be.matmul(self.q[..., rows, :], self.k[..., cols, :].swapaxes(-1, -2))
        if self.bias is not None:
            s += _part(self.bias, rows, cols)
        hidden = self._hidden(rows, cols)
        if hidden is not None and self.blank:
            # the sum, as HIDDEN is so low; a hidden score counts for nothing, also where all are
            s = self.be.xp.where(hidden == 0, s, hidden)
        elif hidden is not None:
            s += hidden
        return s, hidden

    # --- forward ---

    def forward(self, rate=0.0, stream=None):
        """The result (batch, T, heads, m)."""
        be, xp, y = self.be, self.be.xp, self._heads(self.y)
        for rows in self.rows:
            out, top, sums = y[..., rows, :], None, None
            for cols in self._visible(rows):
                p, hidden = self._scores(rows, cols)
                highest = p.max(-1, keepdims=True)
                if top is not None:
                    highest = xp.maximum(highest, top)
                p -= highest
                p = xp.exp(p, p)
                part = total(be, p, -1, keepdims=True)
                if hidden is not None and self.blank and self.rules.zeros:
                    p *= hidden == 0
                given = self._dropped(p, rate, stream)
                if not self.tiles:
                    self.p = p
                if top is None:
                    sums = part
                    be.matmul(given, self.v[..., cols, :], out)
                else:
                    shrink = xp.exp(top - highest)
                    sums = sums * shrink + part
                    out *= shrink
                    out += be.matmul(given, self.v[..., cols, :])
                top = highest
            inverse = 1 / sums
            out *= inverse
            self.tops.append(top)
            self.inverses.append(inverse)
        return narrow(self.y, self.dtype)

    def _dropped(self, p, rate, stream):
        """The probabilities after dropout."""
        if not rate:
            return p
        self.keep = kept(self.be, p, rate, stream)
        self.keep *= 1 / (1 - rate) if rate < 1 else 0
        return p * self.keep

    def probabilities(self):
        """The whole matrix (batch, heads, T, S), before dropout."""
        p = self.p * self.inverses[0]
        return narrow(p.reshape(len(p), math.prod(self.groups), self.t, self.s), self.dtype)

    # --- backward ---

    def backward(self, dy, needs, dscores=None):
        """The gradients of q, k, v, bias and mask; `dscores` is that of the probabilities."""
        be, v = self.be, self.v
        dy = wide(dy)
        dots = self._heads(total(be, dy * self.y, -1, keepdims=True))
        dy = self._heads(dy)
        dq, dk, dv = (
            _Products(self, *x) for x in ((self.q, self.rows), (self.k, self.cols), (v, self.cols))
        )
        dbias = be.zeros(self.bias.shape, dy.dtype) if needs[3] else None
        for rows, top, inverse in zip(self.rows, self.tops, self.inverses, strict=True):
            u, dot = dy[..., rows, :] * inverse, dots[..., rows, :] * inverse
            for cols in self._visible(rows):
                p, hidden = self._again(rows, cols, top)
                if needs[2]:
                    given = p if self.keep is None else p * self.keep
                    dv.add(cols, given.swapaxes(-1, -2), u)
                if not (needs[0] or needs[1] or needs[3]):
                    continue
                ds = be.matmul(u, v[..., cols, :].swapaxes(-1, -2))
                if self.keep is not None:
                    ds *= self.keep
                if dscores is not None:
                    direct = wide(dscores).reshape(p.shape) * inverse
                    dot = dot + total(be, p * direct, -1, keepdims=True) * inverse
                    ds += direct
                ds -= dot
                ds *= p
                if hidden is not None and self.blank and not self.rules.zeros:
                    ds *= hidden == 0
                if needs[0]:
                    dq.add(rows, ds, self.k[..., cols, :])
                if needs[1]:
                    dk.add(cols, ds.swapaxes(-1, -2), self.q[..., rows, :])
                if needs[3]:
                    part = _part(dbias, rows, cols)
                    part += _summed(ds, part.shape)
        return (
            dq.result(self.rules.scale) if needs[0] else None,
            dk.result() if needs[1] else None,
            dv.result() if needs[2] else None,
            _ungrouped(dbias) if needs[3] else None,
            None,
        )

    def _again(self, rows, cols, top):
        """p of a tile, as it was in the forward pass, and what was added to hide some."""
        if not self.tiles:
            return self.p, self._hidden(rows, cols) if self.blank else None
        p, hidden = self._scores(rows, cols)
        p -= top
        p = self.be.xp.exp(p, p)
        if hidden is not None and self.blank and self.rules.zeros:
            p *= hidden == 0
        return p, hidden


class _Products:
    """Sums of products, part by part: the gradient of an array (batch, ..., length, size)."""

    def __init__(self, work: AttentionCall, x, parts: list):
        self.be, self._parts = work.be, parts
        b, keys, group, n, size = x.shape
        self.shape = (b, n, keys * group, size)
        self._work, self._array, self._seen = work, None, set()

    def add(self, part, a, b) -> None:
        """Add the product of two arrays to a part; heads that share are summed."""
        if self._array is None:
            self._array = self.be.empty(self.shape, a.dtype)
        out = self._work._heads(self._array)[..., part, :]
        first = part.start not in self._seen
        self._seen.add(part.start)
        if max(a.shape[2], b.shape[2]) > out.shape[2]:
            y = self.be.matmul(a, b).sum(2, keepdims=True)
        elif first:
            self.be.matmul(a, b, out)
            return
        else:
            y = self.be.matmul(a, b)
        if first:
            self.be.copyto(out, y)
        else:
            out += y

    def result(self, scale=1.0):
        """The array, with zeros where nothing was added."""
        if self._array is None:
            return self.be.zeros(self.shape, self._work.y.dtype)
        for part in self._parts:
            if part.start not in self._seen:
                self._work._heads(self._array)[..., part, :] = 0
        if scale != 1:
            self._array *= scale
        return self._array


def band(be, offset: int, n: int, m: int, causal: bool, window: int | None, dtype):
    """What causality and a window hide in n rows that start `offset` after m columns, or None."""
    near = window is None or (offset + n - 1 < window and m - 1 - offset < window)
    if near and (not causal or offset >= m - 1):
        return None

    def make(be):
        xp = be.xp
        ahead = xp.arange(m)[None, :] - xp.arange(n)[:, None] - offset
        far = xp.zeros((n, m), bool) if window is None else xp.absolute(ahead) >= window
        return (far | (ahead > 0) if causal else far) * xp.asarray(HIDDEN, wide_dtype)

    wide_dtype = "float64" if dtype == "float64" else "float32"
    return be.const(("band", offset, n, m, causal, window, wide_dtype), make)


def _sides(be, q, s: int) -> tuple[int, int]:
    """Rows and columns of a tile."""
    b, t, heads, _ = q.shape
    area = TILE[be.kind] // max(b * heads * q.dtype.itemsize, 1)
    rows = max(min(t, LONGEST, math.isqrt(area)), min(t, SHORTEST), 1)
    return rows, max(min(s, LONGEST, area // rows), min(s, SHORTEST))


def _parts(n: int, size: int) -> list[slice]:
    return [slice(i, min(i + size, n)) for i in range(0, max(n, 1), max(size, 1))]


def _part(x, rows, cols):
    """A tile of what broadcasts to all pairs."""
    every = slice(None)
    return x[..., rows if x.shape[-2] > 1 else every, cols if x.shape[-1] > 1 else every]


def _summed(x, shape):
    """The sum over axes that are 1 in a shape."""
    axes = tuple([i for i, (n, m) in enumerate(zip(x.shape, shape, strict=True)) if m == 1 < n])
    return x.sum(axes, keepdims=True) if axes else x


def _ungrouped(x):
    b, keys, group, t, s = x.shape
    return x.reshape(b, keys * group, t, s)
