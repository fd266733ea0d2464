"""What a graph model is given, as a list of tensors of the dtypes and ranks of its inputs."""

import warnings

from gpunn import ops, tree
from gpunn.autograd import KerasTensor, convert, mask_of, with_mask
from gpunn.backend.dtypes import name_of
from gpunn.backend.words import is_words
from gpunn.errors import ArgumentError, DTypeError, ShapeError


def feed(given, inputs, model: str) -> list:
    """The tensors for a graph's inputs, in their order.

    Args:
        given: one tensor, or several nested like `inputs`; a dict by name suits a list as well.
        inputs: the graph's symbolic inputs in their nesting.
        model: name of the model, for errors.

    Raises:
        ArgumentError: if there are too few or too many.
        ShapeError: naming the input that does not fit.
    """
    flat = tree.flatten(inputs)
    if isinstance(given, dict):
        values = _by_name(given, inputs, flat, model)
    else:
        values = tree.flatten(given)
        unordered = isinstance(inputs, dict) and list(inputs) != sorted(inputs)
        if len(values) != len(flat) or unordered:
            raise ArgumentError(
                f"model {model!r} takes {_described(inputs)}, got {len(values)} without names"
            )
        if isinstance(inputs, dict):
            _warn(f"{len(values)} without names", inputs, model)
    return [_fit(x, like, model) for x, like in zip(values, flat, strict=True)]


def alone(outputs):
    """What a model has one or several of: one in a list comes without it, as in Keras."""
    return outputs[0] if isinstance(outputs, list | tuple) and len(outputs) == 1 else outputs


def _by_name(given: dict, inputs, flat: list, model: str) -> list:
    """The entries of a dict in the order of the inputs."""
    if isinstance(inputs, dict):
        missing = [key for key in inputs if key not in given]
        if not missing:
            if len(given) > len(inputs):
                _warn(", ".join(map(repr, given)), inputs, model)
            return tree.flatten({key: given[key] for key in inputs})
    else:
        missing = [x.name for x in flat if x.name not in given]
        if not missing:
            return [given[x.name] for x in flat]
    raise ArgumentError(
        f"model {model!r} takes {_described(inputs)}: {', '.join(map(repr, missing))} is missing "
        f"among {', '.join(map(repr, given))}"
    )


def _warn(got: str, inputs, model: str) -> None:
    message = (
        "The structure of `inputs` doesn't match the expected structure: "
        f"model {model!r} takes {_described(inputs)}, got {got}"
    )
    warnings.warn(message, stacklevel=2)


def _described(inputs) -> str:
    names = tree.map_structure(lambda x: x.name, inputs)
    n = len(tree.flatten(inputs))
    return f"{n} input{'s' if n != 1 else ''}, {names}"


def _fit(x, like: KerasTensor, model: str):
    """The tensor in the dtype of its input; an axis of size 1 at the end may be missing or more."""
    if x is None:
        if not getattr(like.made_by and like.made_by.operation, "optional", False):
            raise ArgumentError(f"input {like.name!r} of model {model!r} is not optional: got None")
        return None
    if not isinstance(x, KerasTensor):
        x = convert(x)
        if is_words(x.array) or is_words(like):
            if not (is_words(x.array) and is_words(like)):
                raise DTypeError(
                    f"input {like.name!r} of model {model!r} takes {name_of(like.dtype)}, got "
                    f"{name_of(x.dtype)}"
                )
        elif x.array.dtype != like.dtype:
            x = _masked_as(x, x.to(like.dtype))
    shape, wanted = x.shape, like.shape
    if len(shape) == len(wanted) + 1 and shape[-1] == 1:
        x = _masked_as(x, ops.squeeze(x, axis=-1))
    elif len(shape) == len(wanted) - 1 and wanted[-1] == 1:
        x = _masked_as(x, ops.expand_dims(x, axis=-1))
    shape = x.shape
    if len(shape) != len(wanted) or any(
        n != m and n is not None and m is not None
        for n, m in zip(shape[1:], wanted[1:], strict=True)
    ):
        raise ShapeError(
            f"input {like.name!r} of model {model!r} takes shape {wanted}, got {tuple(shape)}"
        )
    return x


def _masked_as(x, y):
    """The tensor y with the mask of x, if that has one."""
    mask = mask_of(x)
    return y if mask is None else with_mask(y, mask)
