"""Control flow as plain Python: cond, switch, loops, scans and maps.

Conditions are read on the host. Everything is recorded as it runs, so gradients flow through.
"""

import numpy as np

from gpunn import tree
from gpunn.autograd import KerasTensor, Tensor, convert
from gpunn.checks import check_callable
from gpunn.errors import ArgumentError, ShapeError
from gpunn.ops.flipping import flip
from gpunn.ops.indexing import get_item, take
from gpunn.ops.joining import concatenate, stack
from gpunn.ops.shaping import broadcast_to, normalize_axis, reshape

__all__ = [
    "associative_scan",
    "cond",
    "fori_loop",
    "map",
    "scan",
    "switch",
    "vectorize",
    "vectorized_map",
    "while_loop",
]


def cond(pred, true_fn, false_fn):
    """The result of one of two functions.

    Args:
        pred: a bool or a scalar tensor.
        true_fn: called without arguments if it holds.
        false_fn: called without arguments if not.

    Returns:
        What the function returns.

    Source: `keras.ops.cond`.

    >>> gpunn.ops.cond(True, lambda: 1, lambda: 2)
    1
    """
    return true_fn() if bool(pred) else false_fn()


def switch(index, branches, *operands):
    """The result of one of several functions.

    Args:
        index: which: an int or a scalar tensor; beyond the ends, the nearest.
        branches: the functions.
        *operands: what they are called with.

    Returns:
        What the function returns.

    Raises:
        ArgumentError: if there are no branches.

    Source: `keras.ops.switch`.

    >>> gpunn.ops.switch(1, [lambda x: x + 1, lambda x: x * 2], 5)
    10
    """
    if not branches:
        raise ArgumentError("switch: expected at least one branch, got none")
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


def while_loop(cond, body, loop_vars, maximum_iterations=None):
    """Calls `body` as long as a condition holds.

    Args:
        cond: takes the loop variables, returns a bool or a scalar tensor.
        body: takes the loop variables, returns the next ones.
        loop_vars: the first ones: a value, or a tuple or list of them.
        maximum_iterations: at most so often. Default: no limit.

    Returns:
        The last loop variables: a tuple, or the value if one was given.

    Source: `keras.ops.while_loop`.

    >>> gpunn.ops.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s + i), (0, 0))
    (4, 6)
    """
    several = isinstance(loop_vars, (tuple, list))
    values = tuple(loop_vars) if several else (loop_vars,)
    count = 0
    while (maximum_iterations is None or count < maximum_iterations) and bool(cond(*values)):
        new = body(*values)
        values = tuple(new) if several else (new,)
        count += 1
    return values if several else values[0]


def _loop_spec(cond, body, loop_vars, maximum_iterations=None):
    """What a loop gives of symbolic tensors: the same shapes, however often it will run."""

    def like(x):
        x = x if isinstance(x, KerasTensor) else convert(x)
        return KerasTensor(x.shape, x.dtype)

    return tree.map_structure(like, tuple(loop_vars) if isinstance(loop_vars, list) else loop_vars)


setattr(while_loop, "output_spec", _loop_spec)  # noqa: B010 - for mypy


def fori_loop(lower, upper, body_fun, init_val):
    """Calls `body_fun(i, value)` for i from `lower` up to, not including, `upper`.

    Args:
        lower: first i.
        upper: the end.
        body_fun: takes i and the value, returns the next value.
        init_val: the first value.

    Returns:
        The last value.

    Source: `keras.ops.fori_loop`.

    >>> gpunn.ops.fori_loop(0, 4, lambda i, s: s + i, 0)
    6
    """
    value = init_val
    for i in range(int(lower), int(upper)):
        value = body_fun(i, value)
    return value


def map(f, xs):
    """`f` of every slice along the first axis, the results stacked.

    Args:
        f: takes a slice (or a structure of slices), returns a tensor or a structure of them.
        xs: tensor, or a structure of tensors of one length.

    Returns:
        The stacked results.

    Raises:
        ShapeError: if the lengths differ.
        ArgumentError: if there are no slices.

    Source: `keras.ops.map`.

    >>> gpunn.ops.map(lambda x: x * x, np.arange(4)).numpy().tolist()
    [0, 1, 4, 9]
    """
    check_callable("map: f", f)
    xs, n = _steps("map", xs, None)
    return _stacked("map", [f(_slice(xs, i)) for i in range(n)])


def vectorized_map(function, elements):
    """`function` of every slice along the first axis, the results stacked; the same as `map`.

    Args:
        function: takes a slice (or a structure of slices), returns a tensor or a structure.
        elements: tensor, or a structure of tensors of one length.

    Returns:
        The stacked results.

    Raises:
        ShapeError: if the lengths differ.
        ArgumentError: if there are no slices.

    Source: `keras.ops.vectorized_map`.

    >>> gpunn.ops.vectorized_map(lambda x: x.sum(), np.ones((2, 3))).numpy().tolist()
    [3.0, 3.0]
    """
    return map(function, elements)


def scan(f, init, xs=None, length=None, reverse=False, unroll=1):
    """Calls `f(carry, x)` along the first axis, carrying a value on.

    Args:
        f: takes the carried value and a slice, returns the next carried value and a result.
        init: the first carried value.
        xs: tensor, or a structure of tensors of one length. Default: None, slices are None.
        length: how many steps; needed without `xs`.
        reverse: whether to go from the last slice to the first. Default: False.
        unroll: accepted as in Keras; it changes nothing here.

    Returns:
        The last carried value and the stacked results (None if they are None).

    Raises:
        ArgumentError: if neither `xs` nor `length` is given, or `unroll` is not positive.
        ShapeError: if the lengths differ.

    Source: `keras.ops.scan`.

    >>> carry, sums = gpunn.ops.scan(lambda c, x: (c + x, c + x), 0, np.arange(1, 5))
    >>> int(carry), sums.numpy().tolist()
    (10, [1, 3, 6, 10])
    """
    if not isinstance(unroll, bool) and not (isinstance(unroll, int) and unroll > 0):
        raise ArgumentError(f"scan: unroll must be a bool or a positive integer, not {unroll!r}")
    check_callable("scan: f", f)
    xs, n = _steps("scan", xs, length)
    carry, results = init, [None] * n
    for i in reversed(range(n)) if reverse else range(n):
        carry, results[i] = f(carry, _slice(xs, i))
    if not any(y is not None for y in tree.flatten(results)):
        return carry, None
    return carry, _stacked("scan", results)


def associative_scan(f, elems, reverse=False, axis=0):
    """The running results of an associative function: a, f(a, b), f(f(a, b), c), ...

    Takes about 2 log2(n) calls on halves, quarters, ... of the elements.

    Args:
        f: takes two structures of tensors like `elems`, joins them element by element.
        elems: tensor, or a structure of tensors of one length along `axis`.
        reverse: whether to start at the end. Default: False.
        axis: Default: the first.

    Returns:
        The structure with the running results.

    Raises:
        ShapeError: if the lengths differ.

    Source: G. E. Blelloch, "Prefix sums and their applications" (1990);
        `keras.ops.associative_scan`.

    >>> gpunn.ops.associative_scan(lambda a, b: a + b, np.arange(5)).numpy().tolist()
    [0, 1, 3, 6, 10]
    """
    leaves = [x if isinstance(x, Tensor) else convert(x) for x in tree.flatten(elems)]
    axis = normalize_axis("associative_scan", axis, leaves[0].ndim)
    if len({x.shape[axis] for x in leaves}) != 1:
        raise ShapeError(
            f"associative_scan: shapes {[x.shape for x in leaves]} differ along {axis}"
        )
    before = (slice(None),) * axis

    def part(xs, *bounds):
        return [get_item(x, (*before, slice(*bounds))) for x in xs]

    def join(a, b):
        return tree.flatten(f(tree.pack(elems, a), tree.pack(elems, b)))

    def running(xs):
        n = xs[0].shape[axis]
        if n < 2:
            return xs
        odd = running(join(part(xs, None, n - 1, 2), part(xs, 1, None, 2)))
        even = part(xs, 0, 1)
        if n > 2:
            rest = join(part(odd, None, (n - 1) // 2), part(xs, 2, None, 2))
            even = [concatenate([a, b], axis) for a, b in zip(even, rest, strict=True)]
        order = np.argsort(np.r_[0:n:2, 1:n:2])
        both = zip(even, odd, strict=True)
        return [take(concatenate([a, b], axis), order, axis) for a, b in both]

    if reverse:
        leaves = [flip(x, axis) for x in leaves]
    results = running(leaves)
    return tree.pack(elems, [flip(x, axis) for x in results] if reverse else results)


def vectorize(pyfunc, *, excluded=None, signature=None):
    """A function of single values as one of tensors: it is called for every element.

    Args:
        pyfunc: takes scalar tensors, returns a scalar tensor.
        excluded: positions or names of arguments that are passed on as they are.
        signature: not supported; must be None.

    Returns:
        A function that broadcasts its arguments.

    Raises:
        ArgumentError: if a signature is given.

    Source: `keras.ops.vectorize`.

    >>> larger = gpunn.ops.vectorize(lambda a, b: a if a > b else b)
    >>> larger([1, 5], 3).numpy().tolist()
    [3, 5]
    """
    if signature is not None:
        raise ArgumentError("vectorize: a signature is not supported; use vectorized_map")
    excluded = excluded or ()

    def vectorized(*args, **kwargs):
        chosen = [i for i in range(len(args)) if i not in excluded]
        given = [convert(args[i]) for i in chosen]
        shape = np.broadcast_shapes(*(x.shape for x in given))
        flat = [reshape(broadcast_to(x, shape), newshape=-1) for x in given]
        args, results = list(args), []
        for k in range(int(np.prod(shape))):
            for i, x in zip(chosen, flat, strict=True):
                args[i] = x[k]
            results.append(pyfunc(*args, **kwargs))
        return reshape(_stacked("vectorize", results), newshape=shape)

    return vectorized


def _steps(op, xs, length):
    """The structure with tensors as leaves, and how many slices it has along the first axis."""
    if xs is None:
        if length is None:
            raise ArgumentError(f"{op}: give xs or length")
        return None, int(length)
    leaves = [x if isinstance(x, Tensor) else convert(x) for x in _leaves(xs)]
    lengths = {x.shape[0] if x.ndim else None for x in leaves}
    if length is not None:
        lengths.add(int(length))
    if len(lengths) != 1 or None in lengths:
        raise ShapeError(f"{op}: expected one length along the first axis, got {lengths}")
    packed = tree.pack(xs, leaves) if _nested(xs) else leaves[0]
    return packed, lengths.pop()


def _nested(xs) -> bool:
    """Whether xs is a structure of array-likes, not one nested list of numbers."""
    return isinstance(xs, dict) or (
        isinstance(xs, (list, tuple)) and any(not np.isscalar(x) for x in tree.flatten(xs))
    )


def _leaves(xs):
    return tree.flatten(xs) if _nested(xs) else [xs]


def _slice(xs, i):
    return None if xs is None else tree.map_structure(lambda x: get_item(x, i), xs)


def _stacked(op, results):
    if not results:
        raise ArgumentError(f"{op}: there are no slices, so the result has no shape")
    return tree.map_structure(lambda *ys: stack(ys), *results)
