"""stateless_call: a layer as a function of the values of its variables."""

from contextlib import contextmanager

from gpunn import ops
from gpunn.autograd import Tensor, convert, wrap
from gpunn.backend import backend_of
from gpunn.errors import ArgumentError, ShapeError


def stateless_call(
    layer, trainable_variables, non_trainable_variables, *args, return_losses=False, **kwargs
):
    """Call the layer with other values for its variables; its own stay what they are.

    Args:
        trainable_variables, non_trainable_variables: tensors in the order of the attributes of
            these names; gradients go to those that require them.
        *args, **kwargs: of the call.
        return_losses: whether `losses` of the call are returned as well.

    Returns:
        The outputs and the new values of the non-trainable variables (and the losses).

    Raises:
        ArgumentError, ShapeError: if values do not fit the variables.

    Source: keras.layers.Layer.stateless_call.

    >>> layer = gpunn.layers.Dense(1)
    >>> layer.build((None, 2))
    >>> y, state = layer.stateless_call([np.ones((2, 1)), np.ones(1)], [], np.ones((1, 2)))
    >>> y.numpy()
    array([[3.]], dtype=float32)
    """
    state = layer.non_trainable_variables
    pairs = [*_paired("trainable", layer.trainable_variables, trainable_variables)]
    pairs += _paired("non_trainable", state, non_trainable_variables)
    with _values_of(pairs):
        outputs = layer(*args, **kwargs)
        losses = layer.losses if return_losses else None
        updated = [wrap(v.array) for v in state]
    return (outputs, updated, losses) if return_losses else (outputs, updated)


def _paired(kind: str, variables, values) -> list:
    if len(variables) != len(values):
        raise ArgumentError(
            f"{kind}_variables must be {len(variables)} values, one for each, got {len(values)}"
        )
    pairs = []
    for variable, value in zip(variables, values, strict=True):
        given = convert(value, variable.dtype, variable.device)
        if given.shape != variable.shape:
            raise ShapeError(f"{variable.path} has shape {variable.shape}, got {given.shape}")
        pairs.append((variable, given))
    return pairs


@contextmanager
def _values_of(pairs):
    """Inside, variables are what the given tensors are; gradients go to those."""
    places = [(v, v.array, v.node, v.requires_grad) for v, _ in pairs]
    stand_ins = [_like(given) for _, given in pairs]
    try:
        for (v, _), (array, node) in zip(pairs, stand_ins, strict=True):
            v.array, v.node, v.requires_grad = array, node, node is not None
        yield
    finally:
        for v, array, node, requires_grad in places:
            v.array, v.node, v.requires_grad = array, node, requires_grad


def _like(given: Tensor) -> tuple:
    """An array of its own, and the node through which a gradient comes to the given tensor."""
    if given.requires_grad:
        result = ops.multiply(given, 1)
        return result.array, result.node
    return backend_of(given.array).copy(given.array), None
