"""Whose code something is: gpunn's, or somebody else's, of which gpunn knows nothing."""


def from_gpunn(part) -> bool:
    """Whether a class or a function is defined in gpunn, or the class of an object is.

    >>> from gpunn.origin import from_gpunn
    >>> from_gpunn(gpunn.layers.Dense), from_gpunn(gpunn.layers.Dense(2)), from_gpunn(len)
    (True, True, False)
    """
    home = part if hasattr(part, "__qualname__") else type(part)
    return (home.__module__ or "").partition(".")[0] == "gpunn"  # None: made by exec
