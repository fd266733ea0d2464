"""Layers that make categories of numbers: CategoryEncoding, Discretization."""

import numpy as np

from gpunn import ops
from gpunn.autograd import KerasTensor, Tensor
from gpunn.errors import DataError, NotBuiltError
from gpunn.layers.categories.host import HostLayer, check_mode, encoded, encoded_shape, host_values
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.layer import Layer
from gpunn.ops.constants import constant


class CategoryEncoding(Layer):
    """Category numbers as vectors.

    Args:
        num_tokens: how many categories there are.
        output_mode: "multi_hot" (default): each row as one vector, 1 for categories that are in it;
            "one_hot": each number as a vector; "count": each row as a vector of how often.
        sparse: must be False.

    Call arguments:
        inputs: integers of shape (n,) or (batch, n) from 0 to num_tokens - 1; others count for
            nothing.
        count_weights: what each number counts in mode "count". Default: 1.

    Shapes: (batch, n) -> (batch, num_tokens); one_hot: (batch, n, num_tokens), or without n = 1.

    Raises:
        ArgumentError: if an argument is not allowed.

    Source: keras.layers.CategoryEncoding.

    >>> gpunn.layers.CategoryEncoding(4)([[0, 1], [3, 3]]).numpy().tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """

    accepts_integers = True

    def __init__(self, num_tokens=None, output_mode="multi_hot", sparse=False, **kwargs):
        super().__init__(**kwargs)
        if num_tokens is None:
            raise wrong(self, "num_tokens must be given; IntegerLookup learns its vocabulary")
        self.num_tokens = positive_integer(self, "num_tokens", num_tokens)
        known = ("multi_hot", "one_hot", "count")
        self.output_mode = check_mode(self, output_mode, known, sparse)

    def call(self, inputs, count_weights=None):
        """Encode."""
        if count_weights is not None and self.output_mode != "count":
            raise wrong(self, f"count_weights go with mode 'count', not {self.output_mode!r}")
        numbers = ops.cast(inputs, "int32")
        weights = None if count_weights is None else ops.convert_to_tensor(count_weights)
        return encoded(numbers, self.output_mode, self.num_tokens, self.compute_dtype, weights)

    def compute_output_shape(self, input_shape):
        """The shape of the vectors."""
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)


class Discretization(HostLayer):
    """Numbers as the bins that they lie in.

    Args:
        bin_boundaries: the limits of the bins, rising: n limits make n + 1 bins.
        num_bins: how many bins, whose limits `adapt` learns, so that they hold as many values each.
        epsilon: how exactly: as a fraction of the values. Default: 0.01.
        output_mode: "int" (default), "one_hot", "multi_hot" or "count", see `CategoryEncoding`.
        sparse: must be False.

    Call arguments:
        inputs: numbers of any shape.

    Shapes: "int": that of the inputs, as int32; else see `CategoryEncoding`.

    Raises:
        ArgumentError: if not one of bin_boundaries and num_bins is given.
        NotBuiltError: if it is called before `adapt`.

    Source: keras.layers.Discretization.

    >>> layer = gpunn.layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])
    >>> layer([[-1.5, 1.0, 3.4, 0.5]]).numpy().tolist()
    [[0, 2, 3, 1]]
    """

    def __init__(
        self,
        bin_boundaries=None,
        num_bins=None,
        epsilon=0.01,
        output_mode="int",
        sparse=False,
        dtype=None,
        name=None,
    ):
        super().__init__(name=name, dtype=dtype)
        if (num_bins is None) == (bin_boundaries is None):
            raise wrong(self, "give either bin_boundaries, or num_bins and call adapt()")
        self.num_bins = None if num_bins is None else positive_integer(self, "num_bins", num_bins)
        self.bin_boundaries = None
        if bin_boundaries is not None:
            self.bin_boundaries = [float(b) for b in bin_boundaries]
            if sorted(self.bin_boundaries) != self.bin_boundaries:
                raise wrong(self, f"bin_boundaries must rise, got {bin_boundaries}")
        self.epsilon = epsilon
        self.output_mode = check_mode(self, output_mode, sparse=sparse)
        self.built = True

    def adapt(self, data, steps=None) -> None:
        """Learn the limits of data, anew at each call.

        Args:
            data: an array, or an iterable of batches (arrays, or tuples that start with one).
            steps: how many batches at most. Default: all.

        Raises:
            DataError: if there is no data, or a value is NaN.
            ArgumentError: if the layer was given its limits.
        """
        if self.num_bins is None:
            raise wrong(self, "was given bin_boundaries: there is nothing to adapt")
        summary = np.zeros((2, 0), np.float32)
        for batch in self.batches(data, steps):
            values = batch.astype(np.float32)
            if np.isnan(values).any():
                raise wrong(self, "adapt() got NaN", DataError)
            if values.size:
                found = _summary(values, self.epsilon)
                summary = np.concatenate([found, summary], axis=1)
                summary = _compressed(summary[:, np.argsort(summary[0])], self.epsilon)
        if not summary.size:
            raise wrong(self, "adapt() got no data", DataError)
        self.bin_boundaries = _compressed(summary, 1 / self.num_bins)[0, :-1].tolist()

    def call(self, inputs):
        """The number of limits that are not above each value."""
        if self.bin_boundaries is None:
            raise wrong(self, "has no limits yet: call adapt(data), or give bin_boundaries",
                        NotBuiltError)  # fmt: skip
        x = inputs if isinstance(inputs, Tensor) else ops.convert_to_tensor(host_values(inputs))
        bins = ops.digitize(x, constant(self.bin_boundaries, x, "float32"))
        depth = len(self.bin_boundaries) + 1
        return encoded(bins, self.output_mode, depth, self.output_dtype)

    @property
    def output_dtype(self) -> str:
        """int32 of bins, the layer's own dtype of vectors."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    def compute_output_spec(self, inputs):
        """A symbolic tensor like what a call gives."""
        return KerasTensor(self.compute_output_shape(inputs.shape), self.output_dtype)

    def compute_output_shape(self, input_shape):
        """The shape of the inputs, or of the vectors."""
        limits = self.bin_boundaries
        depth = self.num_bins if limits is None else len(limits) + 1
        return encoded_shape(input_shape, self.output_mode, depth)

    @classmethod
    def from_config(cls, config):
        """A new layer of a config made by `get_config`, with the limits that were learned."""
        learned = None
        if config.get("num_bins") is not None:
            learned = config.get("bin_boundaries")
            config = {**config, "bin_boundaries": None}
        layer = super().from_config(config)
        if learned is not None:
            layer.bin_boundaries = list(learned)
        return layer


# A summary of values: some of them, rising, and how many values each stands for.


def _summary(values, epsilon):
    values = np.sort(values.reshape(-1))
    step = max(values.size * epsilon, 1)
    some = values[int(step - 1) :: int(step)]
    return np.stack([some, np.full_like(some, step)])


def _compressed(summary, epsilon):
    """A summary of 1 / epsilon values, which stand for equally many."""
    if summary.shape[1] * epsilon < 1:
        return summary
    wanted = epsilon + np.arange(0.0, 1.0, epsilon)
    below = summary[1].cumsum()
    share = below / below[-1]
    values, below = np.interp(wanted, share, summary[0]), np.interp(wanted, share, below)
    weights = below - np.concatenate([[0], below[:-1]])
    return np.stack([values, weights]).astype(np.float32)
