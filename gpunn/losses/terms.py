"""Losses whose values are means, or sums, of terms: one op each, a launch each way on a GPU.

A term computes element by element, and is written as the body of an op: it gives its values and
their pullback.
"""

import math
from collections.abc import Callable

from gpunn.autograd import primitive
from gpunn.losses.loss import LossFunctionWrapper, pair, same_rank

EPSILON = 1e-7


@primitive(promote="float")
def reduced_terms(be, y_true, y_pred, /, term, options=(), total=False, whole=False):
    """The mean over the last axis of the values of a term.

    Args:
        y_true, y_pred: of one shape.
        term: `term(be, y_true, y_pred, *options) -> (values, pullback)`.
        options: a tuple of numbers.
        total: whether the sum over the last axis is wanted instead.
        whole: whether the mean of that over all rows is, one number.
    """
    values, pull = term(be, y_true, y_pred, *options)
    shape, rows = values.shape, values.shape[:-1]
    last = shape[-1] if shape else 1
    n = (1 if total else last) * (math.prod(rows) if whole else 1)
    if whole:
        y = be.dot(values.reshape(-1), be.ones(values.size, values.dtype)) / n
    elif last == 1:
        y = values.reshape(rows)
    else:
        y = be.dot(values, be.ones(last, values.dtype))
        y = y if total else y / n

    def pullback(dy, needs):
        if not whole and shape:
            dy = dy.reshape(*rows, 1)
        return pull(dy if n == 1 else dy / n, needs)

    return y, pullback


class MeanOfTerms(LossFunctionWrapper):
    """A loss of a function that is the mean of a term; subclasses name the term.

    Args:
        fn, reduction, name, dtype, **options: as for `LossFunctionWrapper`; the options are the
            term's.
    """

    _term: Callable
    _total = False  # whether it is a sum over the last axis

    def _mean(self, y_true, y_pred):
        if type(self).call is not LossFunctionWrapper.call or not y_pred.size or not y_pred.ndim:
            return None
        operands = pair(self.fn.__name__, *same_rank(y_true, y_pred), spread=True)
        options = tuple(map(float, self.options.values()))
        return reduced_terms(*operands, self._term, options, self._total, whole=True)


def squares(be, y_true, y_pred):
    """(y_pred - y_true)²"""
    error = y_pred - y_true

    def pullback(d, needs):
        dx = error * (d * 2.0)
        return -dx if needs[0] else None, dx if needs[1] else None

    return error * error, pullback


def distances(be, y_true, y_pred):
    """|y_pred - y_true|"""
    error = y_pred - y_true

    def pullback(d, needs):
        dx = be.xp.sign(error) * d
        return -dx if needs[0] else None, dx if needs[1] else None

    return be.xp.absolute(error), pullback


def percents(be, y_true, y_pred):
    """100 |y_pred - y_true| / max(|y_true|, 1e-7)"""
    xp, size = be.xp, be.xp.absolute(y_true)
    scale = xp.maximum(size, EPSILON)
    error = (y_pred - y_true) / scale

    def pullback(d, needs):
        dx = xp.sign(error) * (d * 100.0) / scale
        dt = None
        if needs[0]:
            dt = -dx - dx * error * xp.where(size > EPSILON, xp.sign(y_true), 0.0)
        return dt, dx if needs[1] else None

    return xp.absolute(error) * 100.0, pullback


def squared_logarithms(be, y_true, y_pred):
    """(log(y_pred + 1) - log(y_true + 1))², of values kept above 1e-7"""
    xp = be.xp
    t, p = xp.maximum(y_true, EPSILON) + 1.0, xp.maximum(y_pred, EPSILON) + 1.0
    error = xp.log(p) - xp.log(t)

    def pullback(d, needs):
        dx = error * (d * 2.0)
        dt = xp.where(y_true > EPSILON, -dx / t, 0.0) if needs[0] else None
        return dt, xp.where(y_pred > EPSILON, dx / p, 0.0) if needs[1] else None

    return error * error, pullback


def huber_terms(be, y_true, y_pred, delta):
    """e²/2 where |e| <= delta, and delta (|e| - delta/2) beyond, for e = y_pred - y_true"""
    xp, error = be.xp, y_pred - y_true
    size = xp.absolute(error)
    square = xp.minimum(size, delta)  # e where the square counts, delta beyond

    def pullback(d, needs):
        dx = xp.sign(error) * square * d
        return -dx if needs[0] else None, dx if needs[1] else None

    return square * square * 0.5 + (size - square) * delta, pullback


def log_cosh_terms(be, y_true, y_pred):
    """log(cosh(e)) = |e| + log(1 + exp(-2|e|)) - log 2, for e = y_pred - y_true"""
    xp, error = be.xp, y_pred - y_true
    size = xp.absolute(error)

    def pullback(d, needs):
        dx = xp.tanh(error) * d
        return -dx if needs[0] else None, dx if needs[1] else None

    return size + xp.log1p(xp.exp(size * -2.0)) - math.log(2.0), pullback


def poisson_terms(be, y_true, y_pred):
    """y_pred - y_true log(y_pred + 1e-7)"""
    rate = y_pred + EPSILON

    def pullback(d, needs):
        dt = -be.xp.log(rate) * d if needs[0] else None
        return dt, (1.0 - y_true / rate) * d if needs[1] else None

    return y_pred - y_true * be.xp.log(rate), pullback


def divergences(be, y_true, y_pred):
    """t log(t / p), of values kept within [1e-7, 1]"""
    xp = be.xp
    t, p = (xp.minimum(xp.maximum(x, EPSILON), 1.0) for x in (y_true, y_pred))
    ratio = xp.log(t / p)

    def pullback(d, needs):
        dt = xp.where(t == y_true, (ratio + 1.0) * d, 0.0) if needs[0] else None
        return dt, xp.where(p == y_pred, -(t / p) * d, 0.0) if needs[1] else None

    return t * ratio, pullback


def margins(be, signs, y_pred):
    """max(1 - signs y_pred, 0)"""
    margin = 1.0 - signs * y_pred

    def pullback(d, needs):
        d = be.xp.where(margin > 0, d, 0.0)
        return -(y_pred * d) if needs[0] else None, -(signs * d) if needs[1] else None

    return be.xp.maximum(margin, 0.0), pullback


def squared_margins(be, signs, y_pred):
    """max(1 - signs y_pred, 0)²"""
    margin = be.xp.maximum(1.0 - signs * y_pred, 0.0)

    def pullback(d, needs):
        d = margin * (d * 2.0)
        return -(y_pred * d) if needs[0] else None, -(signs * d) if needs[1] else None

    return margin * margin, pullback
