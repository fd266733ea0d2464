"""Layers that make categories by hashing: Hashing, HashedCrossing."""

import numpy as np

from gpunn.errors import ArgumentTypeError, DTypeError, ShapeError
from gpunn.layers.categories.hashes import bucket, crossed, farmhash
from gpunn.layers.categories.host import (
    HostLayer,
    check_mode,
    check_output_dtype,
    check_salt,
    encoded,
    encoded_shape,
    host_values,
)
from gpunn.layers.check import positive_integer, wrong


class Hashing(HostLayer):
    """Words or integers as one of a number of bins, by a hash that never changes.

    Args:
        num_bins: how many bins.
        mask_value: a value that gets bin 0 for itself. Default: none.
        salt: an integer or two, for another hash (SipHash in place of FarmHash). Default: none.
        output_mode: "int" (default), "one_hot", "multi_hot" or "count", see `CategoryEncoding`.
        sparse: must be False.

    Call arguments:
        inputs: an array or nested lists of words, or of integers, which are hashed as their digits.

    Shapes: "int": that of the inputs, as int64; else see `CategoryEncoding`.

    Raises:
        ArgumentError: if an argument is not allowed.

    Source: keras.layers.Hashing: the same bins.

    >>> gpunn.layers.Hashing(3)([["A"], ["B"], ["C"]]).numpy().tolist()
    [[1], [0], [1]]
    """

    def __init__(
        self,
        num_bins,
        mask_value=None,
        salt=None,
        output_mode="int",
        sparse=False,
        dtype=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_bins = positive_integer(self, "num_bins", num_bins)
        self.mask_value = mask_value
        self.salt = check_salt(self, salt)
        self.output_mode = check_mode(self, output_mode, sparse=sparse)
        self.output_dtype = check_output_dtype(self, dtype, self.output_mode)
        self.built = True

    def call(self, inputs):
        """Hash, and encode."""
        values = host_values(inputs)
        masked = self.mask_value is not None and self.num_bins > 1
        bins = self.num_bins - masked
        found = {}
        for value in np.unique(values).tolist():
            number = bucket(as_bytes(self, value), bins, self.salt)
            hidden = masked and value == self.mask_value
            found[value] = 0 if hidden else number + masked
        flat = [found[v] for v in values.reshape(-1).tolist()]
        indices = np.array(flat, np.int64).reshape(values.shape)
        return encoded(indices, self.output_mode, self.num_bins, self.output_dtype)

    def compute_output_shape(self, input_shape):
        """The shape of the inputs, or of the vectors."""
        return encoded_shape(input_shape, self.output_mode, self.num_bins)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "dtype": self.output_dtype}


class HashedCrossing(HostLayer):
    """Several features together as one of a number of bins, by a hash that never changes.

    Args:
        num_bins: how many bins.
        output_mode: "int" (default) or "one_hot".
        sparse: must be False.

    Call arguments:
        inputs: a list of arrays of words or integers, each of shape (batch,), (batch, 1) or ().

    Shapes: "int": that of an input, as int64; "one_hot": (batch, num_bins).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the shapes differ, or are others.

    Source: keras.layers.HashedCrossing: the same bins.

    >>> layer = gpunn.layers.HashedCrossing(5)
    >>> layer((["A", "B", "A"], [101, 101, 102])).numpy().tolist()
    [1, 4, 3]
    """

    def __init__(self, num_bins, output_mode="int", sparse=False, name=None, dtype=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.num_bins = positive_integer(self, "num_bins", num_bins)
        self.output_mode = check_mode(self, output_mode, ("int", "one_hot"), sparse)
        self.output_dtype = check_output_dtype(self, dtype, self.output_mode)
        self.built = True

    def call(self, inputs):
        """Hash, and encode."""
        if not isinstance(inputs, list | tuple) or len(inputs) < 2:
            raise wrong(self, "expected a list of at least two features", ArgumentTypeError)
        features = [host_values(x) for x in inputs]
        shape = features[0].shape
        if any(x.shape != shape for x in features) or len(shape) > 2 or shape[1:] not in ((), (1,)):
            raise wrong(
                self,
                "expected features of one shape, (batch,), (batch, 1) or (), got "
                f"{', '.join(str(x.shape) for x in features)}",
                ShapeError,
            )
        rows = zip(*[x.reshape(-1).tolist() for x in features], strict=True)
        bins = [crossed([self._hash(v) for v in row], self.num_bins) for row in rows]
        indices = np.array(bins, np.int64).reshape(shape)
        return encoded(indices, self.output_mode, self.num_bins, self.output_dtype)

    def _hash(self, value) -> int:
        if isinstance(value, float):
            raise wrong(self, f"expected words or integers, got {value!r}", DTypeError)
        return farmhash(value.encode()) if isinstance(value, str) else value % (1 << 64)

    def compute_output_shape(self, input_shape):
        """The shape of one input, or of the vectors."""
        return encoded_shape(input_shape[0], self.output_mode, self.num_bins)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "dtype": self.output_dtype}


def as_bytes(layer, value) -> bytes:
    """What is hashed of a word, or of a number: its whole part in digits."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(layer, f"expected words or numbers, got {value!r}", DTypeError)
    return str(int(value)).encode()
