"""What metrics do with raw arrays: fitting labels and weights to predictions, adding to state."""

from gpunn.autograd import Tensor, Variable, convert
from gpunn.backend import backend_of
from gpunn.errors import ArgumentError, ShapeError


def add(variable: Variable, x) -> None:
    """Add a raw array to state, in place."""
    array = variable.array
    array += x


def parts(array) -> list:
    """The parts of an array along its first axis, which a recording may not iterate over."""
    return [array[i] for i in range(len(array))]


def add_all(be, states, sums) -> None:
    """Add the parts of an array to states, in place and in one launch."""
    be.in_one_launch(_add_all, (*[state.array for state in states], *parts(sums)))


def _add_all(be, *arrays):
    states = arrays[: len(arrays) // 2]
    for state, x in zip(states, arrays[len(states) :], strict=True):
        state += x


def raw(x, dtype=None, beside=None):
    """The raw array of anything array-like; host data goes to where `beside` lies."""
    if not isinstance(x, Tensor):
        x = convert(x, device=None if beside is None else backend_of(beside).device)
    x = x.array
    return x if dtype is None or x.dtype == dtype else x.astype(dtype)


def ratio(xp, a, b):
    """a / b, and 0 where b is 0."""
    zero = b == 0
    return xp.where(zero, 0.0, a / xp.where(zero, 1.0, b))


def raw_pair(name, y_true, y_pred, dtype):
    """Labels and predictions as raw arrays of one dtype and one shape, as `losses` fit them."""
    p = raw(y_pred, dtype)
    y = raw(y_true, dtype, beside=p)
    if y.shape != p.shape:
        shapes = y.shape, p.shape
        if y.ndim + 1 == p.ndim and p.shape[-1] == 1:
            y = y.reshape(p.shape)
        elif p.ndim + 1 == y.ndim and y.shape[-1] == 1:
            p = p.reshape(y.shape)
        if y.shape != p.shape:
            raise ShapeError(
                f"{name}: labels of shape {shapes[0]} do not fit predictions of shape {shapes[1]}"
            )
    return y, p


def raw_weights(name, weights, values):
    """Weights that multiply values of some shape: fewer axes count for all that a sample has."""
    w = weights
    if w.ndim == values.ndim + 1 and w.shape[-1] == 1:
        w = w.reshape(w.shape[:-1])
    elif w.ndim < values.ndim:
        w = w.reshape(w.shape + (1,) * (values.ndim - w.ndim))
    if w.ndim != values.ndim or any(a not in (1, b) for a, b in zip(w.shape, values.shape)):
        raise ShapeError(
            f"{name}: sample_weight of shape {weights.shape} does not fit values of shape "
            f"{values.shape}"
        )
    return w


def checked(name: str, value, allowed):
    """The value of an argument that is one of a few.

    Raises:
        ArgumentError: if it is not.
    """
    if value not in allowed:
        raise ArgumentError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")
    return value
