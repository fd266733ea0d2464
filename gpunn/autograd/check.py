"""Gradient checking against finite differences, in one random direction."""

import numpy as np

from gpunn.autograd.backward import backward
from gpunn.autograd.functional import gradients
from gpunn.autograd.mode import enable_grad, no_grad
from gpunn.autograd.tensor import Tensor, convert, wrap
from gpunn.backend import backend_of
from gpunn.backend.dtypes import is_float
from gpunn.errors import GradientError


def check_gradients(f, *args, eps=1e-6, rtol=1e-5, atol=1e-7, seed=0, order=1) -> None:
    """Check `f`'s gradients by central differences in float64.

    All float arguments move along one random direction v, and the result is projected on a random
    u: <u, (f(x + eps v) - f(x - eps v)) / 2 eps> must equal <pullback(u), v>. So a check costs two
    evaluations at any size.

    Args:
        f: takes tensors, returns a tensor or a tuple of them.
        *args: tensors or arrays; floats are widened to float64, the rest is passed on.
        eps: the step.
        rtol, atol: allowed relative and absolute difference.
        seed: of the random directions.
        order: 2 checks the gradients of the gradients too, made with `create_graph`, and so on.

    Raises:
        GradientError: if the two differ, with both values.

    >>> gpunn.autograd.check_gradients(lambda x: x * x, gpunn.Tensor([1.0, 2.0]))
    """
    rng = np.random.default_rng(seed)
    points = [convert(a).detach() for a in args]
    points = [p.to("float64") if is_float(p.dtype) else p for p in points]
    moves = [_draw(rng, p) if is_float(p.dtype) else None for p in points]
    leaves = [
        wrap(p.array).requires_grad_() if v is not None else p
        for p, v in zip(points, moves, strict=True)
    ]
    results = _tuple(f(*leaves))
    weights = [_draw(rng, y) if is_float(y.dtype) else None for y in results]
    sink: dict = {}
    for y, u in zip(results, weights, strict=True):
        if u is not None and y.requires_grad:
            backward(y.node or y, u, retain_graph=True, sink=sink)
    analytic = sum(
        _dot(sink[x], v) for x, v in zip(leaves, moves, strict=True) if v is not None and x in sink
    )
    sides = []
    with no_grad():
        for sign in (1, -1):
            at = [
                p if v is None else wrap(backend_of(p.array).wrap(p.array + sign * eps * v))
                for p, v in zip(points, moves, strict=True)
            ]
            ys = _tuple(f(*at))
            sides.append([y.array for y in ys])
    numeric = sum(
        _dot((plus - minus) / (2 * eps), u)
        for plus, minus, u in zip(*sides, weights, strict=True)
        if u is not None
    )
    if not np.isclose(analytic, numeric, rtol=rtol, atol=atol):
        raise GradientError(
            f"the gradient is wrong: along a random direction it gives {analytic!r}, "
            f"finite differences give {numeric!r}"
        )
    if order > 1:
        seeds = [u for u in weights if u is not None]
        check_gradients(
            _gradients_of(f, moves), *points, *seeds,
            eps=eps, rtol=rtol, atol=atol, seed=seed + 1, order=order - 1,
        )  # fmt: skip


def _gradients_of(f, moves):
    """The function of f's arguments and its results' gradients that gives the arguments' own."""

    def g(*args):
        points, seeds = args[: len(moves)], iter(args[len(moves) :])
        with enable_grad():
            points = [
                x if v is None or x.requires_grad else wrap(x.array).requires_grad_()
                for x, v in zip(points, moves, strict=True)
            ]
            results = [y for y in _tuple(f(*points)) if is_float(y.dtype)]
            terms = [(y * u).sum() for y, u in zip(results, seeds, strict=True) if y.requires_grad]
            variables = [x for x, v in zip(points, moves, strict=True) if v is not None]
            found = [None] * len(variables)
            if terms:
                found = gradients(sum(terms[1:], terms[0]), variables, create_graph=True)
            return tuple(
                [x * 0.0 if dx is None else dx for x, dx in zip(variables, found, strict=True)]
            )

    return g


def _tuple(y) -> tuple[Tensor, ...]:
    return tuple(y) if isinstance(y, tuple | list) else (y,)


def _draw(rng, x: Tensor):
    # away from zero, so that no direction hides an operand
    v = rng.uniform(0.5, 1.0, x.shape) * rng.choice([-1.0, 1.0], x.shape)
    return backend_of(x.array).asarray(np.asarray(v), "float64")


def _dot(a, b) -> float:
    return float((a.astype("float64") * b).sum())
