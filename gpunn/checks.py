"""Checks of arguments: they say what was expected and what came."""

import math
import operator
import os
from numbers import Integral, Real
from pathlib import Path

from gpunn.errors import ArgumentError, ArgumentTypeError, ShapeError


def check_number(name: str, value, low=None, high=None, above=None, below=None) -> None:
    """Refuse what is not a finite number in [low, high], or (above, below)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ArgumentTypeError(f"{name} must be a number, got {value!r}")
    limits = {">=": low, "<=": high, ">": above, "<": below}
    fits = (
        math.isfinite(value)
        and (low is None or value >= low)
        and (high is None or value <= high)
        and (above is None or value > above)
        and (below is None or value < below)
    )
    if not fits:
        wanted = " and ".join(
            f"{sign} {limit}" for sign, limit in limits.items() if limit is not None
        )
        raise ArgumentError(
            f"{name} must be a finite number {wanted}".rstrip() + f", got {value!r}"
        )


def check_integer(name: str, value, low: int) -> None:
    """Refuse what is not an integer >= low."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ArgumentTypeError(f"{name} must be an integer >= {low}, got {value!r}")
    if value < low:
        raise ArgumentError(f"{name} must be an integer >= {low}, got {value!r}")


def check_flag(name: str, value) -> None:
    """Refuse what is not True or False."""
    if getattr(value, "shape", ()) != () or value not in (True, False):
        raise ArgumentTypeError(f"{name} must be True or False, got {value!r}")


def as_list(name: str, values, of: str) -> list:
    """The values of anything that can be iterated over; `of` says what they should be."""
    try:
        return list(values)
    except TypeError:
        raise ArgumentTypeError(f"{name} must be a list of {of}, got {values!r}") from None


def as_path(name: str, path) -> Path:
    """The path of a file's name."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ArgumentTypeError(f"{name} must be the name of a file, got {path!r}")
    return Path(path)


def check_writable(name: str, path) -> None:
    """Refuse the name of a file that could not be written: its folder cannot be had."""
    folder = Path(path).parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise ArgumentError(f"{name}: cannot write {path}: {folder} is not a folder")
    if not os.access(folder, os.W_OK):
        raise ArgumentError(f"{name}: cannot write {path}: the folder {folder} is read-only")


def as_shape(name: str, shape) -> tuple[int, ...]:
    """A shape that was given as a size or as sizes."""
    sizes = as_integers(name, shape)
    if any(n < 0 for n in sizes):
        raise ShapeError(f"{name}: sizes must not be negative, got {sizes}")
    return sizes


def known_sizes(name: str, shape) -> tuple[int | None, ...]:
    """A shape in which None stands for any size."""
    known = as_list(name, shape, "sizes")
    as_shape(name, [n for n in known if n is not None])
    return tuple(known)


def as_integers(name: str, values) -> tuple[int, ...]:
    """Integers that were given as one or as several."""
    try:
        return (operator.index(values),)
    except (TypeError, ValueError):
        pass
    try:
        return tuple(operator.index(n) for n in values)
    except TypeError:
        raise ArgumentTypeError(
            f"{name}: expected an integer or integers, got {values!r}"
        ) from None


def check_callable(name: str, value) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise ArgumentTypeError(f"{name} must be a function, got {value!r}")
