"""Nested data: dicts, lists and tuples of arrays, for models of several inputs or outputs."""


def is_nested(x) -> bool:
    """Whether x holds arrays by name or position, and is not an array (or a list of rows) itself.

    >>> is_nested([np.zeros(3), np.ones(3)]), is_nested([[1, 2], [3, 4]])
    (True, False)
    """
    if isinstance(x, dict):
        return True
    if not isinstance(x, list | tuple) or not len(x):
        return False
    return any(_holds_array(v) for v in x) or all(v is None for v in x)


def _holds_array(x) -> bool:
    if isinstance(x, list | tuple):
        return any(_holds_array(v) for v in x)
    return isinstance(x, dict) or getattr(x, "shape", ()) != ()


def named_leaves(x, name: str):
    """Each array of x with its name: "x", or "x['age']", "x[0]" in nested data.

    >>> [name for name, _ in named_leaves({"a": 1, "b": [np.zeros(2), None]}, "x")]
    ["x['a']", "x['b'][0]"]
    """
    if isinstance(x, dict):
        for key, value in x.items():
            yield from named_leaves(value, f"{name}[{key!r}]")
    elif is_nested(x):
        for i, value in enumerate(x):
            yield from named_leaves(value, f"{name}[{i}]")
    elif x is not None:
        yield name, x


def unflatten(like, leaves):
    """The next leaves of an iterator, nested as `like` is."""
    if like is None:
        return None
    if isinstance(like, dict):
        return {key: unflatten(value, leaves) for key, value in like.items()}
    if is_nested(like):
        parts = [unflatten(value, leaves) for value in like]
        return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)
    return next(leaves)


def shape_of(x):
    """The nesting of x alone, with 0 for each array: what `unflatten` needs to know of it."""
    return unflatten(x, iter(lambda: LEAF, None))


class _Leaf:
    """Stands for an array."""

    shape = (0,)


LEAF = _Leaf()


def filler(nesting: tuple):
    """A function from a list of leaves to the tuple (x, y, sample_weight), nested as it was."""
    given = [part for part in nesting if part is not None]
    if all(part is LEAF for part in given) and (*given, None, None)[:3] == nesting:
        return lambda leaves: (*leaves, None, None)[
            :3
        ]  # the common case, in a fraction of the time

    def fill(leaves):
        rest = iter(leaves)
        return tuple([unflatten(part, rest) for part in nesting])

    return fill
