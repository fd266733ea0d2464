"""Masks on their way through a layer: given to its `call`, and passed on with its outputs."""

import warnings

from gpunn.autograd import KerasTensor, Masked, mask_of, with_mask
from gpunn.autograd.symbolic import Operation, connect, infer
from gpunn.layers import tree
from gpunn.tree import flatten, pack


def has_mask(arguments) -> bool:
    """Whether a tensor among nested arguments carries a mask."""
    return any(type(x) is Masked for x in tree.leaves(arguments))


def masked_call(layer, names, args: list, kwargs: dict):
    """What a layer's `call` gives, with the masks that it declares, and those that it passes on.

    As in Keras: where there is one tensor argument its mask is given as `mask`, of several ones
    each as NAME_mask; the outputs' masks are what `compute_mask` makes of those of the first.
    """
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    tensors = [n for n, value in given.items() if next(tree.leaves(value), None) is not None]
    for source in tensors:
        name = "mask" if len(tensors) == 1 else f"{source}_mask"
        if name in names and given.get(name) is None:
            given[name] = tree.map(mask_of, given[source])
            if name in names[: len(args)]:
                args[names.index(name)] = given[name]
            else:
                kwargs[name] = given[name]
    inputs, mask = given.get(names[0]), given.get("mask")
    if mask is None:
        mask = tree.map(mask_of, inputs)
    return _passed_on(layer, inputs, layer._kept_call(*args, **kwargs), mask)


def _passed_on(layer, inputs, outputs, mask):
    """The outputs with the masks that the layer makes of those of its inputs."""
    if not layer.supports_masking:
        lost = _any(mask) and not has_mask(outputs)
        if lost and not layer.sublayers():  # layers inside it speak for themselves
            warnings.warn(
                f"layer {layer.name!r} ({type(layer).__name__}) got an input with a mask, but does "
                "not support masking: layers after it do not see the mask. Where it may pass on, "
                "set supports_masking = True or write compute_mask()",
                stacklevel=4,
            )
        return outputs
    if all(type(y) is Masked for y in tree.leaves(outputs)):  # `call` has made them
        return outputs
    masks = iter(flatten(layer.compute_mask(inputs, mask)))
    return pack(outputs, [_masked(y, next(masks, None)) for y in flatten(outputs)])


def note_masks(layer, names, args, kwargs, outputs) -> None:
    """Give a layer's symbolic outputs the masks that its calls will pass on."""
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    inputs, mask = given.get(names[0]), given.get("mask")
    if mask is None:
        mask = tree.map(mask_of, inputs)
    if not layer.supports_masking or not (layer._computes_mask or _any(mask)):
        return
    found = mask
    if layer._computes_mask:
        found = infer(layer.compute_mask, (inputs, mask), {})
        if all(isinstance(m, KerasTensor) for m in flatten(found)):
            making = Operation(layer.compute_mask, f"{layer.name}_mask")
            found = connect(making, (inputs, mask), {}, found)
    for y, m in zip(flatten(outputs), flatten(found)):
        if y._keras_mask is None:
            y._keras_mask = m


def _any(masks) -> bool:
    return any(m is not None for m in flatten(masks))


def _masked(y, mask):
    return y if mask is None or type(y) is Masked else with_mask(y, mask)
