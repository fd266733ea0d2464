"""What the recurrent ops share: states with the features first, gates, masks, gradients.

A step's state is a matrix (units, batch): products with it are quicker than with (batch, units),
and the gates of a step are contiguous slices. A sequence of them is (steps, units, batch).
"""

import numpy as np

from gpunn.autograd import primitive
from gpunn.ops.reduction import narrow, wide

__all__ = []

SPAN = 1 << 18  # elements of the gates that are worked on at a time


@primitive
def steps(be, x, /):
    """The steps of sequences (batch, steps, ...), each a view of shape (batch, ...).

    >>> [x.numpy().tolist() for x in gpunn.ops.recurrence.steps([[[1.0], [2.0]]])]
    [[[1.0]], [[2.0]]]
    """
    if not x.shape[1]:
        raise ValueError(f"sequences of shape {x.shape} have no steps")

    def pullback(dy, needs):
        return (be.xp.stack(dy, 1),)

    return tuple([x[:, t] for t in range(x.shape[1])]), pullback


@primitive
def no_state(be, x, /, size):
    """Zeros (batch, size), or (batch, *size): a state before the first step of sequences.

    >>> gpunn.ops.recurrence.no_state(np.ones((2, 5, 3)), size=4).shape
    (2, 4)
    """
    shape = size if isinstance(size, tuple) else (size,)
    return be.zeros((len(x), *shape), x.dtype), None


def by_step(be, x):
    """(batch, steps, n) as a contiguous (steps, n, batch)."""
    return be.copy(wide(x).transpose(1, 2, 0))


def halved(be, w, rows: int):
    """A contiguous transposed copy, its first rows times 1/2: sigmoid(x) = tanh(x/2)/2 + 1/2."""
    w = be.copy(w.T)
    first = w[:rows]
    first *= 0.5
    return w


def spans_of(be, z) -> list[slice]:
    """The steps of an array (steps, n, batch) in spans that the cache holds; a GPU takes all."""
    count = len(z)
    length = count if be.kind != "cpu" else max(SPAN // max(z[0].size, 1), 1)
    return [slice(t, min(t + length, count)) for t in range(0, count, length)]


def with_bias(be, w, b):
    """The matrix w with the bias b, if there is one, as its last column."""
    if b is None:
        return w
    both = be.empty((len(w), w.shape[1] + 1), w.dtype)
    be.copyto(both[:, :-1], w)
    be.copyto(both[:, -1], b)
    return both


def projected(be, x, w, out):
    """Write to out (steps, rows of w, batch) the inputs' share of every step: w x_t, where a one
    follows the inputs if w has a bias."""
    batch, count, n = x.shape
    xs = be.empty((count, w.shape[1], batch), w.dtype)
    be.copyto(xs[:, :n], wide(x).transpose(1, 2, 0))
    if w.shape[1] > n:
        be.copyto(xs[:, n], 1)
    be.matmul(w, xs, out)


def squash(be, z, rows: int) -> None:
    """In place: tanh, and sigmoid in the first rows, which come halved."""
    be.xp.tanh(z, z)
    first = z[:rows]
    first *= 0.5
    first += 0.5


def slope(be, y, rows: int, out) -> None:
    """The derivative of what `squash` made, from its result: 1 - y^2, and y - y^2."""
    be.xp.multiply(y, y, out)
    be.xp.subtract(y[:rows], out[:rows], out[:rows])
    be.xp.subtract(1, out[rows:], out[rows:])


def states(be, first, shape, dtype):
    """A buffer for the states (1 + steps, units, batch), the first of which is given or zeros."""
    buffer = be.empty(shape, dtype)
    be.copyto(buffer[0], be.zeros(shape[1:], dtype) if first is None else wide(first).T)
    return buffer


def step_masks(mask):
    """A mask (batch, steps) as booleans (steps, batch): True where a step counts."""
    return None if mask is None else mask.T != 0


def kept(be, masks, span: slice, hs):
    """The masks of some steps as `hold` takes them; None of None.

    Of NumPy arrays they are integers of the states' shape and width: all bits where a step counts,
    none where it does not.
    """
    if masks is None or not isinstance(hs, np.ndarray):
        return None if masks is None else masks[span]
    bits = be.empty(hs[span].shape, f"int{8 * hs.itemsize}")
    be.copyto(bits, (-masks[span].astype(bits.dtype))[:, None])
    return bits


def hold(be, mask, new, old) -> None:
    """Put back what a masked step has changed; by bits in half the time of `where`."""
    if mask.dtype == bool:
        be.copyto(new, be.xp.where(mask, new, old))
        return
    now, before = new.view(mask.dtype), old.view(mask.dtype)
    change = now ^ before
    change &= mask
    be.xp.bitwise_xor(before, change, now)


def outputs(be, hs, sequences: bool, last, dtype) -> tuple:
    """The results of an op: the outputs of all steps if asked for, and the last states."""
    last = [narrow(be.copy(s[-1].T), dtype) for s in last]
    if not sequences:
        return tuple(last)
    return narrow(be.copy(hs[1:].transpose(2, 0, 1)), dtype), *last


def last_gradients(be, dy, states: int) -> list:
    """Copies of the gradients of the last states, (units, batch)."""
    return [be.copy(wide(d).T) for d in dy[-states:]]


def added(total, part):
    """The sum so far and another part of it, in place; None: nothing so far."""
    if total is not None:
        total += part
    return part if total is None else total


def divided(be, mask, d) -> tuple:
    """A gradient as what goes into the step and what passes by where the step is masked."""
    kept = d * mask  # a third of the time of `where`
    return kept, d - kept


def rows_of_states(be, xs):
    """(steps, n, batch) as a matrix (steps * batch, n)."""
    return be.copy(xs.transpose(0, 2, 1)).reshape(xs.shape[0] * xs.shape[2], xs.shape[1])


def rows_of_inputs(be, x):
    """x (batch, steps, n) as a matrix (steps * batch, n)."""
    return be.copy(x.transpose(1, 0, 2)).reshape(x.shape[0] * x.shape[1], x.shape[2])


def input_gradient(be, w, dz, out) -> None:
    """Write w dz to out (batch, steps, n), where w is (n, rows) and dz (rows, steps * batch)."""
    batch, count, n = out.shape
    be.copyto(out, be.dot(w, dz).reshape(n, count, batch).transpose(2, 1, 0))


def row_sums(be, dz):
    """The sum of each row, which is the gradient of a bias."""
    return be.dot(dz, be.ones(dz.shape[1], dz.dtype))
