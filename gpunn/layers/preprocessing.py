"""Layers that prepare numbers: Rescaling, Normalization."""

import math

import numpy as np

from gpunn import ops
from gpunn.autograd import Tensor
from gpunn.backend import host_array
from gpunn.backend.conventions import channels_first
from gpunn.errors import ArgumentTypeError, DataError, ShapeError
from gpunn.layers.check import wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.layer import Layer
from gpunn.ops.constants import constant

EPSILON = 1e-7
CHUNK = 1 << 20  # elements that `adapt` widens to float64 at once


class Rescaling(Layer):
    """y = x scale + offset, such as 1/255 for images of bytes.

    Args:
        scale: a number, or values that broadcast to the inputs; one for each channel, where
            `image_data_format` says that channels are first.
        offset: the same. Default: 0.

    Shapes: the output has that of the input, in the layer's dtype.

    Source: keras.layers.Rescaling.

    >>> gpunn.layers.Rescaling(1 / 127.5, offset=-1)([0, 255]).numpy()
    array([-1.,  1.], dtype=float32)
    """

    supports_masking = True
    accepts_integers = True

    def __init__(self, scale, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset

    def call(self, inputs):
        """Rescale."""
        x = self._to_compute_dtype(inputs)
        scale = _on_device(self.scale, x)
        if isinstance(scale, Tensor) and scale.ndim in (1, 2) and channels_first(None, "Rescaling"):
            scale = scale.reshape(*scale.shape, *[1] * (3 - scale.ndim))
        return x * scale + _on_device(self.offset, x)

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """The arguments that make a layer like this one."""
        own = {name: _json(getattr(self, name)) for name in ("scale", "offset")}
        return {**super().get_config(), **own}


class Normalization(Layer):
    """y = (x - mean) / max(sqrt(variance), 1e-7), by statistics of the data, learned by `adapt`.

    Args:
        axis: the axis or axes that have statistics of their own; None: one pair for everything.
            Default: last.
        mean, variance: the statistics, where they are known; else call `adapt(data)`.
        invert: y = x max(sqrt(variance), 1e-7) + mean. Default: False.

    Shapes: the output has that of the input, in the layer's dtype. Weights, where mean and
    variance are not given: mean, variance, count, none of them trained.

    Raises:
        ArgumentError: if only one of mean and variance is given, or with more dimensions than axes.
        ShapeError: if an axis is out of range, or its size not known.

    Source: keras.layers.Normalization.

    >>> layer = gpunn.layers.Normalization()
    >>> layer.adapt(np.array([[1.0], [3.0]]))
    >>> layer([[5.0]]).numpy()
    array([[3.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis=-1, mean=None, variance=None, invert=False, **kwargs):
        super().__init__(**kwargs)
        if (mean is None) != (variance is None):
            raise wrong(self, "give both mean and variance, or neither")
        axes = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        if mean is not None:
            mean, variance = _float64(mean), _float64(variance)
            if not (variance >= 0).all():
                raise wrong(self, f"variance must not be negative, got {variance}")
            if mean.shape != variance.shape or mean.ndim > len(axes):
                raise wrong(
                    self,
                    f"mean and variance need one shape with at most {len(axes)} dimensions, "
                    f"got {mean.shape} and {variance.shape}",
                )
        self.axis = axes
        self.invert = invert
        self.input_mean = mean
        self.input_variance = variance

    def build(self, input_shape):
        """Find the axes; make the statistics, where they are not given."""
        ndim = len(input_shape)
        if not all(-ndim <= a < ndim for a in self.axis):
            raise wrong(
                self,
                f"axis {self.axis} is out of range for inputs of shape {tuple(input_shape)}",
                ShapeError,
            )
        kept = sorted({a % ndim for a in self.axis})
        shape = tuple(input_shape[a] for a in kept)
        if None in shape:
            raise wrong(
                self,
                f"the size along axis {self.axis} must be known, got {tuple(input_shape)}",
                ShapeError,
            )
        self._reduced = tuple(a for a in range(ndim) if a not in kept)
        self._broadcast = tuple(n if a in kept else 1 for a, n in enumerate(input_shape))
        self.input_spec = InputSpec(
            ndim=None if all(a < 0 for a in self.axis) else ndim,  # axes may come in front
            min_ndim=ndim,
            axes={a - ndim: n for a, n in zip(kept, shape, strict=True)},
        )
        if self.input_mean is None:
            state = {"trainable": False}
            self.adapt_mean = self.add_weight(shape, "zeros", name="mean", **state)
            self.adapt_variance = self.add_weight(shape, "ones", name="variance", **state)
            self.count = self.add_weight((), "zeros", dtype="int32", name="count", **state)
            return
        whole = (1,) * (ndim - len(kept)) + shape
        try:
            np.broadcast_to(self.input_mean, whole)
        except ValueError:
            raise wrong(
                self,
                f"mean of shape {self.input_mean.shape} does not fit the sizes {shape} of inputs "
                f"of shape {tuple(input_shape)} along axis {self.axis}",
                ShapeError,
            ) from None

    def adapt(self, data) -> None:
        """Learn mean and variance of data, anew at each call.

        Args:
            data: an array, or an iterable of batches (arrays, or tuples that start with one).

        Raises:
            DataError: if there is no data, or it holds NaN or infinity.
            ShapeError: if it does not fit what the layer was built for.
            ArgumentError: if the layer was given its statistics.
        """
        if self.input_mean is not None:
            raise wrong(self, "was given mean and variance: there is nothing to adapt")
        count, mean, variance = 0, 0.0, 0.0
        for x in self._batches(data):
            n = math.prod([x.shape[a] for a in self._reduced])
            new_mean, new_variance = x.mean(self._reduced), x.var(self._reduced)
            if not np.isfinite(new_variance).all():
                at = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
                raise wrong(self, f"adapt() got {x[at]} at row {count + at[0]}, {at}", DataError)
            count += n
            step = new_mean - mean
            mean = mean + step * (n / count)
            variance += (new_variance - variance) * (n / count)
            variance += step * step * (n / count) * (1 - n / count)
        if not count:
            raise wrong(self, "adapt() got no data", DataError)
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    def _batches(self, data):
        """The data in float64 pieces that fit the layer, which is built for the first."""
        if not hasattr(data, "shape") and not hasattr(data, "__iter__"):
            raise wrong(
                self,
                f"adapt() takes an array or an iterable of batches, got {type(data).__name__}",
                ArgumentTypeError,
            )
        numbers = isinstance(data, list) and not any(
            hasattr(b, "shape") or isinstance(b, tuple) for b in data
        )
        for batch in [data] if hasattr(data, "shape") or numbers else data:
            x = host_array(batch[0] if isinstance(batch, tuple) else batch)
            if not x.ndim:
                raise wrong(
                    self, f"adapt() takes batches, arrays of rows; got {x}", ArgumentTypeError
                )
            if not x.size:
                continue
            if not self.built:
                self.build((x.shape[0] if self._keeps_rows(x.ndim) else None, *x.shape[1:]))
            self.input_spec.check(x.shape, self.name)
            if x.ndim != len(self._broadcast):
                built = len(self._broadcast)
                raise wrong(self, f"was built for rank {built}, adapt() got {x.shape}", ShapeError)
            if self._keeps_rows(x.ndim):
                yield x.astype(np.float64)
                continue
            rows = max(CHUNK // math.prod(x.shape[1:]), 1)
            for start in range(0, len(x), rows):
                yield x[start : start + rows].astype(np.float64)

    def _keeps_rows(self, ndim: int) -> bool:
        return any(a % ndim == 0 for a in self.axis)

    @property
    def mean(self) -> Tensor:
        """The means, in a shape that broadcasts to the inputs."""
        return self._statistic("adapt_mean", self.input_mean)

    @property
    def variance(self) -> Tensor:
        """The variances, in a shape that broadcasts to the inputs."""
        return self._statistic("adapt_variance", self.input_variance)

    def _statistic(self, name, given, like=None):
        if given is None:
            return ops.reshape(getattr(self, name), newshape=self._broadcast)
        kept = [n for a, n in enumerate(self._broadcast) if a not in self._reduced]
        full = np.broadcast_to(given, kept).reshape(self._broadcast)
        return _on_device(full, like if like is not None else ops.zeros((), self.dtype))

    def call(self, inputs):
        """Normalize."""
        x = self._to_compute_dtype(inputs)
        mean = self._statistic("adapt_mean", self.input_mean, x)
        variance = self._statistic("adapt_variance", self.input_variance, x)
        deviation = ops.maximum(ops.sqrt(variance), EPSILON)
        return x * deviation + mean if self.invert else (x - mean) / deviation

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """The arguments that make a layer like this one."""
        own = {"mean": _json(self.input_mean), "variance": _json(self.input_variance)}
        return {**super().get_config(), "axis": list(self.axis) or None, **own}


def _on_device(values, like: Tensor):
    """Fixed values as a tensor of the dtype and device of `like`; numbers as they are."""
    return values if isinstance(values, int | float) else constant(host_array(values), like)


def _float64(values) -> np.ndarray:
    """Numbers, nested lists or an array of any device in float64, with all the digits they have."""
    listed = isinstance(values, list | tuple | int | float)
    return np.asarray(values if listed else host_array(values), np.float64)


def _json(values):
    """Numbers or an array as numbers or lists."""
    if values is None or isinstance(values, int | float):
        return values
    return host_array(values).tolist()
