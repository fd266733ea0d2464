"""Labels of sequences whose alignment is not known: ctc_loss, ctc_decode."""

import math

import numpy as np

from gpunn.autograd import convert, primitive, wrap
from gpunn.backend import get_backend
from gpunn.backend.dtypes import result_type
from gpunn.errors import ArgumentError, ShapeError, unknown
from gpunn.ops.core import cast
from gpunn.ops.reduction import wide

__all__ = ["ctc_decode", "ctc_loss"]

LEAST = -1e5  # the logarithm of what is impossible, finite as in Keras


def ctc_loss(target, output, target_length, output_length, mask_index=0):
    """-log of the probability of labels, summed over all their alignments to the steps.

    An alignment has a label or a blank at each step; repeated labels, then blanks, are taken out.

    Args:
        target: integers of shape (batch, labels).
        output: logits of shape (batch, steps, classes).
        target_length: how many labels there are in each row: (batch,).
        output_length: how many steps: (batch,).
        mask_index: the class that is the blank. Default: 0.

    Returns:
        A tensor of shape (batch,); about 1e5 where there are too few steps.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Graves et al., 2006; `keras.ops.ctc_loss`.

    >>> loss = gpunn.ops.ctc_loss([[1]], np.zeros((1, 2, 2), "float32"), [1], [2])
    >>> loss.numpy().round(4).tolist()
    [0.28769999742507935]
    """
    output = convert(output)
    ints = [cast(convert(v, device=output.device), "int32")
            for v in (target, target_length, output_length)]  # fmt: skip
    target, target_length, output_length = ints
    batch = output.shape[:1]
    if output.ndim != 3 or target.ndim != 2 or target.shape[:1] != batch:
        raise ShapeError(
            "ctc_loss: expected a target of shape (batch, labels) and an output of shape "
            f"(batch, steps, classes), got {target.shape} and {output.shape}"
        )
    if target_length.shape != batch or output_length.shape != batch:
        raise ShapeError(
            f"ctc_loss: expected lengths of shape {batch}, got {target_length.shape} and "
            f"{output_length.shape}"
        )
    output = cast(output, result_type(output.dtype, np.float32))
    return _ctc_loss(target, output, target_length, output_length, blank=mask_index)


@primitive
def _ctc_loss(be, target, output, target_length, output_length, /, blank):
    """The sums over alignments forwards, and for the gradient backwards too, in logarithms.

    The states are the labels with blanks around; from each a step leads to itself, to the next, and
    past a blank between two different labels.
    """
    xp = be.xp
    (batch, steps, classes), labels = output.shape, target.shape[1]
    count = 2 * labels + 1
    shifted = output - output.max(-1, keepdims=True)
    log_p = shifted - xp.log(xp.exp(shifted).sum(-1, keepdims=True))
    states = be.full((batch, count), blank, np.int64)
    be.copyto(states[:, 1::2], target.astype(np.int64))
    first = be.const(("steps", batch, steps, classes), lambda be: be.asarray(
        (np.arange(batch * steps) * classes).reshape(batch, steps, 1)))  # fmt: skip
    where = first + states[:, None, :]
    emitted = be.take(log_p.reshape(-1), where, 0)
    jump = be.full((batch, count), LEAST, output.dtype)
    if labels > 1:
        different = states[:, 3::2] != states[:, 1:-2:2]
        be.copyto(jump[:, 3::2], xp.where(different, 0.0, LEAST).astype(output.dtype))
    places = be.const(("arange", count), lambda be: be.xp.arange(count))
    last = 2 * target_length.astype(np.int64)[:, None]
    at_end = (places == last) | (places == last - 1)
    ends = xp.where(at_end, 0.0, LEAST).astype(output.dtype)
    lasting = [(output_length > t)[:, None] for t in range(steps)]

    alpha = be.full((batch, count), LEAST, output.dtype)
    be.copyto(alpha[:, :2], emitted[:, 0, :2])
    alphas = [alpha]
    for t in range(1, steps):
        reached = xp.logaddexp(alpha, _moved(be, alpha, 1))
        reached = xp.logaddexp(reached, _moved(be, alpha, 2) + jump)
        alpha = xp.where(lasting[t], reached + emitted[:, t], alpha)
        alphas.append(alpha)
    total = _log_sum(xp, alpha + ends)
    loss = -total[:, 0]

    def pullback(dy, needs):
        beta, shares = ends, [None] * steps
        for t in reversed(range(steps)):
            shares[t] = xp.exp(alphas[t] + beta - total)
            if t:
                ahead = beta + emitted[:, t]
                back = xp.logaddexp(ahead, _moved(be, ahead, -1))
                back = xp.logaddexp(back, _moved(be, ahead + jump, -2))
                beta = xp.where(lasting[t], back, beta)
        used = be.zeros((batch * steps * classes,), output.dtype)
        be.scatter_add(used, where.reshape(-1), xp.stack(shares, 1).reshape(-1))
        dx = xp.exp(log_p) - used.reshape(output.shape)
        dx = dx * xp.stack(lasting, 1) * dy.reshape(-1, 1, 1)
        return None, dx, None, None

    return loss, pullback


def _moved(be, x, by):
    """The columns moved to the right, with what is impossible where none comes from."""
    y = be.full(x.shape, LEAST, x.dtype)
    if abs(by) >= x.shape[1]:
        return y
    if by > 0:
        be.copyto(y[:, by:], x[:, :-by])
    else:
        be.copyto(y[:, :by], x[:, -by:])
    return y


def _log_sum(xp, x):
    """log(sum(exp(x))) of each row, as a column."""
    most = x.max(1, keepdims=True)
    return most + xp.log(xp.exp(x - most).sum(1, keepdims=True))


# --- decoding ---


def ctc_decode(
    inputs,
    sequence_lengths,
    strategy="greedy",
    beam_width=100,
    top_paths=1,
    merge_repeated=True,
    mask_index=0,
):
    """The most probable labels of sequences, computed on the host.

    Args:
        inputs: logits of shape (batch, steps, classes).
        sequence_lengths: how many steps there are: (batch,).
        strategy: "greedy" (default): the most probable class of each step; "beam_search": sums over
            alignments, of the best beginnings.
        beam_width: how many beginnings are kept. Default: 100.
        top_paths: how many labelings are given. Default: 1.
        merge_repeated: whether "greedy" takes repeated labels for one. Default: True.
        mask_index: the class that is the blank; None: the last. Default: 0.

    Returns:
        Labels of shape (top_paths, batch, steps), int32, -1 behind them, and scores: of "greedy"
        minus the sum of the largest logits, (batch, 1); of "beam_search" the logarithms of the
        probabilities, (batch, top_paths).

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if another argument is not allowed.

    Source: Graves et al., 2006; `keras.ops.ctc_decode`.

    >>> logits = np.log([[[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]])
    >>> labels, scores = gpunn.ops.ctc_decode(logits, [3])
    >>> labels.numpy().tolist()
    [[[1, 1, -1]]]
    """
    inputs = convert(inputs)
    be = get_backend(inputs.device)
    lengths = np.asarray(convert(sequence_lengths, device=inputs.device).numpy()).astype(np.int64)
    x = inputs.numpy()
    if x.ndim != 3 or lengths.shape != x.shape[:1]:
        raise ShapeError(
            "ctc_decode: expected inputs of shape (batch, steps, classes) and one length for each, "
            f"got {x.shape} and {lengths.shape}"
        )
    if strategy not in ("greedy", "beam_search"):
        raise unknown("strategy of ctc_decode", strategy, ("greedy", "beam_search"))
    x = wide(x) if x.dtype.kind == "f" else x.astype(np.float32)
    blank = x.shape[2] - 1 if mask_index is None else mask_index
    if strategy == "greedy":
        paths, scores = _greedy(x, lengths, merge_repeated, blank)
    else:
        if beam_width < 1 or not 1 <= top_paths <= beam_width:
            raise ArgumentError(
                f"ctc_decode: expected 1 <= top_paths <= beam_width, got {top_paths}, {beam_width}"
            )
        paths, scores = _beam_search(x, lengths, beam_width, top_paths, blank)
    return wrap(be.asarray(paths.astype(np.int32))), wrap(be.asarray(scores.astype(x.dtype)))


def _greedy(x, lengths, merge, blank):
    over = np.arange(x.shape[1]) >= lengths[:, None]
    best = np.where(over, blank, x.argmax(-1))
    scores = -np.where(over, 0, x.max(-1)).sum(1, keepdims=True)
    keep = best != blank
    if merge:
        keep[:, 1:] &= best[:, 1:] != best[:, :-1]
    paths = np.full(best.shape, -1)
    for row, labels, kept in zip(paths, best, keep, strict=True):
        row[: kept.sum()] = labels[kept]
    return paths[None], scores


def _beam_search(x, lengths, width, top, blank):
    most = x.max(-1, keepdims=True)
    log_p = x - most - np.log(np.exp(x - most).sum(-1, keepdims=True))
    paths = np.full((top, *x.shape[:2]), -1)
    scores = np.full((len(x), top), -np.inf)
    for b, steps in enumerate(log_p):
        found = _beams(steps[: max(lengths[b], 1)].astype(np.float64), width, blank)
        for i, (path, score) in enumerate(found[:top]):
            paths[i, b, : len(path)] = path
            scores[b, i] = score
    return paths, scores


def _beams(steps, width, blank):
    """The best beginnings with their scores, the best first.

    Each has two: of alignments that end with its last label, and of those that end with a blank.
    """
    beams = {(): (-math.inf, 0.0)}
    for step in steps.tolist():
        grown: dict[tuple, list[float]] = {}
        for path, (label_end, blank_end) in beams.items():
            both = _log_add(label_end, blank_end)
            for c, p in enumerate(step):
                if c == blank:
                    _add(grown, path, 1, both + p)
                elif path and path[-1] == c:
                    _add(grown, path, 0, label_end + p)
                    _add(grown, (*path, c), 0, blank_end + p)
                else:
                    _add(grown, (*path, c), 0, both + p)
        ranked = sorted(grown.items(), key=lambda kv: -_log_add(*kv[1]))
        beams = {path: tuple(ends) for path, ends in ranked[:width]}
    return [(path, _log_add(*ends)) for path, ends in beams.items()]


def _add(grown, path, end, score):
    ends = grown.setdefault(path, [-math.inf, -math.inf])
    ends[end] = _log_add(ends[end], score)


def _log_add(a: float, b: float) -> float:
    """log(exp(a) + exp(b)), several times quicker than NumPy's for single numbers."""
    if a < b:
        a, b = b, a
    return a if b == -math.inf else a + math.log1p(math.exp(b - a))
