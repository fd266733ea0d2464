"""Initializers whose scale follows from the layer's width: Glorot, He, Lecun."""

import math

from gpunn.checks import check_number
from gpunn.errors import ArgumentError
from gpunn.initializers.drawn import (
    TRUNCATED_DEVIATION,
    RandomInitializer,
    normal,
    truncated_normal,
    uniform,
)

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


def compute_fans(shape, input_axes=None, output_axes=None) -> tuple[int, int]:
    """How many inputs an output has and the other way round, of a kernel (..., inputs, outputs).

    Args:
        shape: the kernel's shape; leading axes are the receptive field of a convolution.
        input_axes, output_axes: instead, the axes that make up inputs and outputs (give both).

    >>> gpunn.initializers.compute_fans((3, 3, 16, 32))
    (144, 288)
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


class VarianceScaling(RandomInitializer):
    """Random values of mean 0 and variance scale / n.

    Args:
        scale: positive.
        mode: what n is: "fan_in", "fan_out", or "fan_avg", their mean.
        distribution: "truncated_normal" (or "normal"), "untruncated_normal" or "uniform", which is
            within sqrt(3 * scale / n).
        seed: see `RandomInitializer`.
        input_axes, output_axes: see `compute_fans`.

    Raises:
        ArgumentError: for a value that is not allowed.

    Source: `keras.initializers.VarianceScaling`.

    >>> gpunn.initializers.VarianceScaling(2.0, "fan_out", "uniform", seed=1)((4, 3)).shape
    (4, 3)
    """

    def __init__(
        self,
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        seed=None,
        input_axes=None,
        output_axes=None,
    ):
        check_number("scale", scale, above=0)
        if mode not in MODES:
            raise ArgumentError(f"mode must be one of {MODES}, got {mode!r}")
        distribution = str(distribution).lower()
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in DISTRIBUTIONS:
            raise ArgumentError(
                f"distribution must be one of {DISTRIBUTIONS}, got {distribution!r}"
            )
        super().__init__(seed)
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def draw(self, stream, shape):
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "truncated_normal":
            return truncated_normal(stream, shape, 0.0, math.sqrt(variance) / TRUNCATED_DEVIATION)
        if self.distribution == "untruncated_normal":
            return normal(stream, shape, 0.0, math.sqrt(variance))
        limit = math.sqrt(3.0 * variance)
        return uniform(stream, shape, -limit, limit)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class NamedScaling(VarianceScaling):
    """A `VarianceScaling` with fixed settings: what the six named ones share."""

    settings: tuple[float, str, str]

    def __init__(self, seed=None, input_axes=None, output_axes=None):
        super().__init__(*self.settings, seed, input_axes, output_axes)

    def get_config(self) -> dict:
        config = super().get_config()
        return {name: config[name] for name in ("seed", "input_axes", "output_axes")}


class GlorotUniform(NamedScaling):
    """Uniform within sqrt(6 / (fan_in + fan_out)); also called Xavier uniform.

    Args:
        seed: see `RandomInitializer`.
        input_axes, output_axes: see `compute_fans`.

    Source: Glorot and Bengio, 2010.

    >>> values = gpunn.initializers.GlorotUniform(seed=1)((4, 2)).numpy()
    >>> bool(abs(values).max() <= 1)
    True
    """

    settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(NamedScaling):
    """Truncated normal of variance 2 / (fan_in + fan_out); also called Xavier normal.

    Args:
        seed: see `RandomInitializer`.
        input_axes, output_axes: see `compute_fans`.

    Source: Glorot and Bengio, 2010.

    >>> gpunn.initializers.GlorotNormal(seed=1)((4, 2)).shape
    (4, 2)
    """

    settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(NamedScaling):
    """Uniform within sqrt(6 / fan_in), for layers before a relu.

    Args:
        seed: see `RandomInitializer`.
        input_axes, output_axes: see `compute_fans`.

    Source: He et al., 2015 (arXiv 1502.01852).

    >>> values = gpunn.initializers.HeUniform(seed=1)((6, 2)).numpy()
    >>> bool(abs(values).max() <= 1)
    True
    """

    settings = (2.0, "fan_in", "uniform")


class HeNormal(NamedScaling):
    """Truncated normal of variance 2 / fan_in, for layers before a relu.

    Args:
        seed: see `RandomInitializer`.
        input_axes, output_axes: see `compute_fans`.

    Source: He et al., 2015 (arXiv 1502.01852).

    >>> gpunn.initializers.HeNormal(seed=1)((4, 2)).shape
    (4, 2)
    """

    settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(NamedScaling):
    """Uniform within sqrt(3 / fan_in), for layers before a selu.

    Args:
        seed: see `RandomInitializer`.
        input_axes, output_axes: see `compute_fans`.

    Source: Klambauer et al., 2017 (arXiv 1706.02515).

    >>> values = gpunn.initializers.LecunUniform(seed=1)((3, 2)).numpy()
    >>> bool(abs(values).max() <= 1)
    True
    """

    settings = (1.0, "fan_in", "uniform")


class LecunNormal(NamedScaling):
    """Truncated normal of variance 1 / fan_in, for layers before a selu.

    Args:
        seed: see `RandomInitializer`.
        input_axes, output_axes: see `compute_fans`.

    Source: Klambauer et al., 2017 (arXiv 1706.02515).

    >>> gpunn.initializers.LecunNormal(seed=1)((4, 2)).shape
    (4, 2)
    """

    settings = (1.0, "fan_in", "truncated_normal")
