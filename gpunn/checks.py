"""Checks of hyperparameters: they say what was expected and what came."""

import math
from numbers import Integral, Real

from gpunn.errors import ArgumentError, ArgumentTypeError


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


def check_steps(name: str, value, low: int) -> None:
    """Refuse what is not an integer >= low."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ArgumentTypeError(f"{name} must be an integer >= {low}, got {value!r}")
    if value < low:
        raise ArgumentError(f"{name} must be an integer >= {low}, got {value!r}")


def check_flag(name: str, value) -> None:
    """Refuse what is not True or False."""
    if value not in (True, False):
        raise ArgumentTypeError(f"{name} must be True or False, got {value!r}")
