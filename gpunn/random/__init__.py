"""Random tensors, as `keras.random`: the same numbers on every device.

A `seed` is an int (the same numbers at every call), a `SeedGenerator` (the next ones at every
call), a `gpunn.backend.Stream`, or None (the next ones of `gpunn.set_seed`'s). The numbers are not
those that Keras draws.
"""

from gpunn.backend import set_seed
from gpunn.guard import guard_functions
from gpunn.random.distributions import (
    beta,
    binomial,
    categorical,
    gamma,
    normal,
    randint,
    truncated_normal,
    uniform,
)
from gpunn.random.seed_generator import SeedGenerator
from gpunn.random.tensors import dropout, shuffle

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "set_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]

guard_functions(globals())
