"""A model's nested outputs: their names, and what is given for them brought into their nesting."""

from gpunn.errors import DataError
from gpunn.tree import flatten, flatten_with_path, is_nested, map_structure, pack


def names_of(y_pred, output_names):
    """The names of the outputs, nested like them; None for each where nobody gave names."""
    count = len(flatten(y_pred))
    return pack(y_pred, output_names if len(output_names) == count else [None] * count)


def aligned(given, y_pred, output_names, what="targets"):
    """Targets or weights, nested like the outputs.

    Lists and tuples stand for each other, and flat lists for nested outputs; a dict by the names of
    the outputs for a list of them.

    Raises:
        DataError: if they do not fit.
    """
    if isinstance(given, dict) and isinstance(y_pred, list | tuple):
        if set(given) == set(output_names):
            given = [given[name] for name in output_names]
    leaves = flatten_with_path(given)
    wanted = flatten_with_path(y_pred)
    flat = len(leaves) == 1 or (isinstance(given, list | tuple) and not any(map(is_nested, given)))
    same = [path for path, _ in leaves] == [path for path, _ in wanted]
    if len(leaves) != len(wanted) or not (same or flat):
        if isinstance(given, dict) and isinstance(y_pred, list | tuple):
            if len(output_names) == len(y_pred):
                y_pred = dict(zip(output_names, y_pred, strict=True))
        shown = [map_structure(lambda _: "*", x) for x in (y_pred, given)]
        raise DataError(f"{what} must be nested like the outputs, {shown[0]}, but are {shown[1]}")
    return pack(y_pred, [leaf for _, leaf in leaves])


def part(structure, path):
    """What lies at a path of keys."""
    for key in path:
        structure = structure[key]
    return structure
