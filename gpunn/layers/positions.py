"""What tells a sequence's positions apart: rotations, sines, and trained vectors."""

import numpy as np

from gpunn import initializers, ops
from gpunn.autograd import convert
from gpunn.errors import ShapeError
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.layer import Layer
from gpunn.ops.positions import rotate, waves


class RotaryEmbedding(Layer):
    """Turn pairs of features by angles that grow with the position (RoPE).

    Feature i is paired with feature i + n / 2; pair i of position p turns by
    p * max_wavelength^(-2 i / n) / scaling_factor.

    Args:
        max_wavelength: the longest wavelength, over 2 pi. Default: 10000.
        scaling_factor: what positions are divided by. Default: 1.
        rope_type: how: "linear" (default), "dynamic" (slow pairs more than quick ones), or "yarn".
        beta_fast, beta_slow, original_max_position_embeddings, truncate: of "yarn".
        sequence_axis, feature_axis: default: 1, -1.
        denominator_dim: what i is divided by in the formula. Default: the number of features.

    Call arguments:
        inputs: tensor with both axes; the number of features is even.
        start_index: position of the first step. Default: 0.
        positions: positions of all steps, (length,) or (batch, length). Default: consecutive.

    Shapes: the output has that of the input.

    Raises:
        ArgumentError: if rope_type is unknown.
        ShapeError: if the axes do not exist or are one, or the number of features is odd.

    Source: keras_hub.layers.RotaryEmbedding; Su et al., 2021, https://arxiv.org/abs/2104.09864;
    Peng et al., 2023 (YaRN), https://arxiv.org/abs/2309.00071

    >>> gpunn.layers.RotaryEmbedding()(np.array([[[1.0, 0.0], [1.0, 0.0]]])).numpy().round(2)
    array([[[1.  , 0.  ],
            [0.54, 0.84]]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        max_wavelength=10000,
        scaling_factor=1.0,
        rope_type="linear",
        beta_fast=32.0,
        beta_slow=1.0,
        original_max_position_embeddings=4096,
        truncate=True,
        sequence_axis=1,
        feature_axis=-1,
        denominator_dim=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if rope_type not in ("linear", "dynamic", "yarn"):
            raise wrong(self, f"rope_type must be 'linear', 'dynamic' or 'yarn', got {rope_type!r}")
        self.max_wavelength = max_wavelength
        self.scaling_factor = scaling_factor
        self.rope_type = rope_type
        self.beta_fast = beta_fast
        self.beta_slow = beta_slow
        self.original_max_position_embeddings = original_max_position_embeddings
        self.truncate = truncate
        self.sequence_axis = sequence_axis
        self.feature_axis = feature_axis
        self.denominator_dim = denominator_dim

    def call(self, inputs, start_index=0, positions=None):
        """Turn."""
        sequence, features = self._axes(inputs)
        x = ops.moveaxis(inputs, (features, sequence), (-1, 1))
        start, positions = _positions(x, start_index, positions)
        rates = tuple(self._rates(x.shape[-1]).tolist())
        found = waves(x, positions, rates=rates, length=x.shape[1], start=start)
        shape = (-1, x.shape[1], *[1] * (x.ndim - 3), len(rates))
        y = rotate(
            x, *[self._to_compute_dtype(ops.reshape(v * self._factor(), shape)) for v in found]
        )
        return ops.moveaxis(y, (-1, 1), (features, sequence))

    def _axes(self, inputs) -> tuple[int, int]:
        """The sequence's and the features' axis, from 0 on."""
        n = inputs.ndim
        axes = [a + n if a < 0 else a for a in (self.sequence_axis, self.feature_axis)]
        if not all(0 < a < n for a in axes) or axes[0] == axes[1]:
            raise wrong(
                self,
                f"sequence_axis {self.sequence_axis} and feature_axis {self.feature_axis} must be "
                f"two axes after the first of inputs of shape {inputs.shape}",
                ShapeError,
            )
        if inputs.shape[axes[1]] % 2:
            raise wrong(
                self, f"the number of features must be even, got shape {inputs.shape}", ShapeError
            )
        return axes[0], axes[1]

    def _factor(self) -> float:
        return 0.1 * float(np.log(self.scaling_factor)) + 1 if self.rope_type == "yarn" else 1.0

    def _rates(self, n: int) -> np.ndarray:
        """The angle of each pair at position 1."""
        f = np.float32
        if self.rope_type == "yarn":
            return self._yarn_rates(n)
        exponents = np.arange(0, n, 2, dtype=f) / f(self.denominator_dim or n)
        rates = np.power(f(self.max_wavelength), -exponents)
        if self.rope_type == "dynamic":
            return rates / np.power(f(self.scaling_factor), f(n) / f(max(1, n - 2)))
        return rates / f(self.scaling_factor)

    def _yarn_rates(self, n: int) -> np.ndarray:
        """Between those of "linear", for slow pairs, and those without scaling, for quick ones."""
        f = np.float32
        plain = 1 / np.power(f(self.max_wavelength), np.arange(0, n, 2, dtype=f) / f(n))

        def pair_of(rotations):
            turns = self.original_max_position_embeddings / (rotations * 2 * np.pi)
            return n * np.log(f(turns)) / (2 * np.log(f(self.max_wavelength)))

        low, high = pair_of(self.beta_fast), pair_of(self.beta_slow)
        if self.truncate:
            low, high = np.floor(low), np.ceil(high)
        low, high = max(low, 0), min(high, n - 1)
        slow = np.clip((np.arange(n // 2, dtype=f) - low) / max(high - low, 0.001), 0, 1)
        return (plain / f(self.scaling_factor) * slow + plain * (1 - slow)).astype(f)

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return tuple(input_shape)


class SinePositionEncoding(Layer):
    """Sines and cosines of the positions, in the shape of the inputs.

        y[p, 2 i] = sin(p w^(-2 i / n)),  y[p, 2 i + 1] = cos(p w^(-2 i / n)),  w = max_wavelength

    Args:
        max_wavelength: the longest wavelength, over 2 pi. Default: 10000.

    Call arguments:
        inputs: tensor (batch, length, n), of which only the shape is used.
        start_index: position of the first step. Default: 0.
        positions: positions of all steps, (length,) or (batch, length). Default: consecutive.

    Shapes: the output has that of the input.

    Source: keras_hub.layers.SinePositionEncoding; Vaswani et al., 2017,
    https://arxiv.org/abs/1706.03762

    >>> gpunn.layers.SinePositionEncoding()(np.zeros((1, 2, 2))).numpy().round(2)
    array([[[0.  , 1.  ],
            [0.84, 0.54]]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, max_wavelength=10000, **kwargs):
        super().__init__(**kwargs)
        self.max_wavelength = max_wavelength
        self.input_spec = InputSpec(min_ndim=2)

    def call(self, inputs, start_index=0, positions=None):
        """The encoding."""
        length, n = inputs.shape[-2:]
        start, positions = _positions(inputs, start_index, positions)
        exponents = np.arange(0, n, 2, dtype="float32") / np.float32(n)
        rates = tuple(np.power(np.float32(1 / self.max_wavelength), exponents).tolist())
        cosines, sines = waves(inputs, positions, rates=rates, length=length, start=start)
        y = ops.stack([sines, cosines], axis=-1)
        y = ops.reshape(y, (*y.shape[:2], 2 * y.shape[2]))
        return ops.broadcast_to(self._to_compute_dtype(y[..., :n]), inputs.shape)

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return tuple(input_shape)


class PositionEmbedding(Layer):
    """A trained vector for each position, in the shape of the inputs.

    Args:
        sequence_length: the number of positions.
        initializer: default: "glorot_uniform".

    Call arguments:
        inputs: tensor (batch, length, n), of which only the shape is used.
        start_index: position of the first step. Default: 0.
        positions: positions of all steps, (length,) or (batch, length). Default: consecutive.

    Shapes: the output has that of the input. Weights: embeddings (sequence_length, n).

    Raises:
        ArgumentError: if sequence_length is not a positive integer.
        ShapeError: if the inputs are longer than that.

    Source: keras_hub.layers.PositionEmbedding; Devlin et al., 2019,
    https://arxiv.org/abs/1810.04805

    >>> gpunn.layers.PositionEmbedding(10)(np.zeros((8, 5, 16))).shape
    (8, 5, 16)
    """

    supports_masking = True

    def __init__(self, sequence_length, initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.sequence_length = positive_integer(self, "sequence_length", sequence_length)
        self.input_spec = InputSpec(min_ndim=2)
        self.initializer = initializers.get(initializer)

    def build(self, inputs_shape):
        """Make the vectors."""
        shape = (self.sequence_length, inputs_shape[-1])
        self.position_embeddings = self.add_weight(shape, self.initializer, name="embeddings")

    def call(self, inputs, start_index=0, positions=None):
        """Look the vectors up."""
        length, n = inputs.shape[-2:]
        start, positions = _positions(inputs, start_index, positions)
        vectors = self._to_compute_dtype(self.position_embeddings)
        if positions is not None:
            return ops.broadcast_to(ops.take(vectors, positions, axis=0), inputs.shape)
        if start + length > self.sequence_length:
            raise wrong(
                self,
                f"positions {start} to {start + length - 1} of inputs of shape {inputs.shape}: "
                f"there are {self.sequence_length} (sequence_length)",
                ShapeError,
            )
        return ops.broadcast_to(ops.slice(vectors, (start, 0), (length, n)), inputs.shape)

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return tuple(input_shape)


def _positions(x, start_index, positions):
    """The first position, and the positions (batch, length) if there are any given."""
    if positions is None:
        return int(start_index), None
    positions = convert(positions, device=x.device)
    return 0, positions if positions.ndim > 1 else ops.expand_dims(positions, 0)
