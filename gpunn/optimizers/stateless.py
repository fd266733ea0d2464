"""stateless_apply: a step of an optimizer as a function of the values of all variables."""

from gpunn.autograd import convert, wrap
from gpunn.backend import backend_of
from gpunn.errors import ArgumentError, NotBuiltError, ShapeError


def stateless_apply(optimizer, trained, optimizer_variables, grads, trainable_variables):
    """The values that a step makes of given ones; the optimizer's and the variables' own stay.

    Args:
        optimizer: a built one.
        trained: the variables that it was built for.
        optimizer_variables, grads, trainable_variables: see `Optimizer.stateless_apply`.
    """
    if not optimizer.built:
        raise NotBuiltError(
            "stateless_apply() before build(): call optimizer.build(trainable_variables)"
        )
    pairs = _paired("trainable_variables", trained, trainable_variables)
    own = _paired("optimizer_variables", optimizer.variables, optimizer_variables)
    grads = list(grads)
    if len(grads) != len(trained):
        raise ArgumentError(f"got {len(grads)} gradients for {len(trained)} variables")
    kept = [(v, backend_of(v.array).copy(v.array)) for v, _ in pairs + own]
    try:
        for v, value in pairs + own:
            v.assign(value)
        optimizer._all_pending()
        optimizer.apply(grads, trained)
        made = [[wrap(backend_of(v.array).copy(v.array)) for v, _ in some] for some in (pairs, own)]
        return made[0], made[1]
    finally:
        for v, value in kept:
            v.assign(wrap(value))
        optimizer._all_pending()


def _paired(name: str, variables, values) -> list:
    values = list(values)
    if len(values) != len(variables):
        raise ArgumentError(f"{name}: got {len(values)} values for {len(variables)} variables")
    pairs = [(v, convert(x, v.dtype, v.device)) for v, x in zip(variables, values, strict=True)]
    for v, x in pairs:
        if v.shape != x.shape:
            raise ShapeError(f"{name}: {v.path} has shape {v.shape}, got {x.shape}")
    return pairs
