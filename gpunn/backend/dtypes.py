"""Dtypes: the default float, names to `numpy.dtype`, and Keras' promotion lattice."""

from functools import cache

import numpy as np

from gpunn.errors import ArgumentError, DTypeError

FLOATS = ("float16", "float32", "float64", "bfloat16")
INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
NAMES = (*FLOATS, *INTEGERS, "bool")

_floatx = np.dtype("float32")


def floatx() -> str:
    """The dtype of floats that have none of their own (Keras: `config.floatx`).

    >>> gpunn.backend.floatx()
    'float32'
    """
    return _floatx.name


def set_floatx(value: str) -> None:
    """Set the default float dtype, of weights and of what is computed.

    Args:
        value: "float16", "float32" or "float64".

    Raises:
        ArgumentError: for anything else.

    Source: keras.config.set_floatx.

    >>> gpunn.set_floatx("float64")
    >>> gpunn.ops.ones(2).dtype
    dtype('float64')
    >>> gpunn.set_floatx("float32")
    """
    global _floatx
    name = str(value)
    if name not in ("float16", "float32", "float64"):
        raise ArgumentError(f"floatx must be 'float16', 'float32' or 'float64', not {value!r}")
    _floatx = np.dtype(name)


def standardize(dtype) -> np.dtype:
    """The `numpy.dtype` a name, type or dtype stands for; None is `floatx`.

    >>> gpunn.backend.dtypes.standardize("float32")
    dtype('float32')
    """
    if type(dtype) is np.dtype:
        return dtype
    if dtype is None:
        return _floatx
    if dtype is float:
        return _floatx
    if dtype is int:
        return np.dtype("int32")
    if isinstance(dtype, str) and dtype == "bfloat16":
        return bfloat16()
    if isinstance(dtype, str) and dtype == "string":
        return np.dtype(str)
    try:
        return np.dtype(dtype)
    except TypeError as e:
        raise DTypeError(f"unknown dtype {dtype!r}; known: {', '.join(NAMES)}") from e


def name_of(dtype: np.dtype) -> str:
    """The name of a dtype in configs: "string" of words.

    >>> gpunn.backend.dtypes.name_of(np.dtype("<U7"))
    'string'
    """
    return "string" if dtype.kind == "U" else dtype.name


def bfloat16() -> np.dtype:
    """The bfloat16 dtype, from the optional package ml_dtypes."""
    try:
        import ml_dtypes
    except ImportError as e:
        from gpunn.errors import MissingDependencyError

        raise MissingDependencyError(
            "dtype 'bfloat16' needs the package ml_dtypes: pip install 'gpunn[bf16]'"
        ) from e
    return np.dtype(ml_dtypes.bfloat16)


@cache
def is_float(dtype: np.dtype) -> bool:
    """Whether values of this dtype can carry a gradient.

    >>> gpunn.backend.dtypes.is_float(np.dtype("int32"))
    False
    """
    return dtype.kind == "f" or dtype.name == "bfloat16"


def finfo(dtype: np.dtype):
    """`numpy.finfo`, of bfloat16 as well.

    >>> float(gpunn.backend.dtypes.finfo(np.dtype("float16")).max)
    65504.0
    """
    if dtype.kind == "f":
        return np.finfo(dtype)
    import ml_dtypes

    return ml_dtypes.finfo(dtype)


def result_type(*dtypes) -> np.dtype:
    """The common dtype by Keras' lattice: a float wins over any integer, and keeps its width.

    Args:
        *dtypes: dtypes, or `float` and `int` for Python scalars, which never widen.

    >>> gpunn.backend.dtypes.result_type("int32", "float32")
    dtype('float32')
    """
    # by identity: numpy.dtype("float64") == float, but only the Python type is weak
    weak_float, weak_int = any(d is float for d in dtypes), any(d is int for d in dtypes)
    strong = [standardize(d) for d in dtypes if d is not float and d is not int]
    if not strong:
        return standardize(float if weak_float else int)
    return _join(tuple(dict.fromkeys(strong)), weak_float, weak_int)


@cache
def _join(strong: tuple, weak_float: bool, weak_int: bool) -> np.dtype:
    if any(d.kind == "c" for d in strong):
        double = any(d in (np.dtype("complex128"), np.dtype("float64")) for d in strong)
        return np.dtype("complex128" if double else "complex64")
    floats = [d for d in strong if is_float(d)]
    if floats:
        joined = floats[0]
        for d in floats[1:]:
            # float16 and bfloat16 hold none of each other: their join is float32
            halves = d.itemsize == joined.itemsize == 2 and d != joined
            joined = np.dtype("float32") if halves else max(joined, d, key=lambda t: t.itemsize)
        return joined
    if weak_float:
        return _floatx
    joined = np.result_type(*strong)
    if joined.kind == "f":  # uint64 with a signed integer
        return _floatx
    return np.dtype("int32") if weak_int and joined.kind == "b" else joined
