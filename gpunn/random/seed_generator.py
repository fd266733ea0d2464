"""SeedGenerator: a source of random numbers that moves on with every draw."""

from gpunn.backend import Stream, current_seed
from gpunn.serialization import Registry


class SeedGenerator:
    """A source of seeds: each function it is given to draws the next numbers.

    Args:
        seed: an integer. Default: drawn from `gpunn.set_seed`'s.
        name: a name for `get_config`.

    Raises:
        ArgumentError: if the seed is not an integer.

    Source: `keras.random.SeedGenerator`.

    >>> seed = gpunn.random.SeedGenerator(42)
    >>> a, b = gpunn.random.normal((2,), seed=seed), gpunn.random.normal((2,), seed=seed)
    >>> bool((a == b).any())
    False
    """

    def __init__(self, seed=None, name=None):
        self.name = name or "seed_generator"
        self._initial_seed = seed
        self.stream = current_seed().stream() if seed is None else Stream(seed)

    def next(self) -> Stream:
        """The stream of the next draw alone; the generator moves on."""
        stream = self.stream
        return Stream(stream.seed, stream.name, stream.next_position())

    def get_config(self) -> dict:
        """What `from_config` needs."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict) -> "SeedGenerator":
        """The generator of a configuration."""
        return cls(**config)


Registry("seed generator", SeedGenerator, [SeedGenerator], module="gpunn.random")
