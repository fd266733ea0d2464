"""EinsumDense: a dense layer whose product is an Einstein sum."""

import math
import re

from gpunn import activations, constraints, initializers, ops, regularizers
from gpunn.errors import ShapeError
from gpunn.initializers import VarianceScaling
from gpunn.layers.check import wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.lora import Lora, adaptable


class EinsumDense(Lora):
    """y = activation(einsum(equation, x, kernel) + bias).

    Args:
        equation: as "ab,bc->ac": the axes of the inputs, of the kernel, of the outputs; "..." at
            one end of the inputs and outputs stands for any axes.
        output_shape: the shape of the outputs without the batch and without what "..." stands for;
            None for sizes that the inputs have.
        activation: name or function; None: linear.
        bias_axes: the output's axes that the bias has, as "c"; None: no bias.
        kernel_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        kernel_regularizer, bias_regularizer, activity_regularizer: terms added to the loss.
        kernel_constraint, bias_constraint: projections applied after each step.
        lora_rank, lora_alpha: if given, a product of rank lora_rank is trained beside the kernel,
            which stays as it is; it counts lora_alpha / lora_rank times. See `enable_lora`.

    Raises:
        ArgumentError: if the equation or bias_axes cannot be understood.
        ShapeError: if inputs and output_shape do not fit the equation.

    Source: keras.layers.EinsumDense.

    >>> layer = gpunn.layers.EinsumDense("abc,cd->abd", output_shape=(None, 8), bias_axes="d")
    >>> layer(np.ones((2, 5, 3))).shape
    (2, 5, 8)
    """

    kernel = adaptable("kernel")

    def __init__(
        self,
        equation,
        output_shape,
        activation=None,
        bias_axes=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        lora_rank=None,
        lora_alpha=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.equation = equation
        self.output_shape = (output_shape,) if isinstance(output_shape, int) else (*output_shape,)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self._lora_arguments(lora_rank, lora_alpha)
        self.bias = None
        self._terms = self._parsed()

    def _parsed(self) -> tuple:
        """The axes of inputs, kernel and outputs, and the side on which "..." stands."""
        plain = self.equation.replace(" ", "")
        forms = (
            (r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)", ""),
            (r"\.\.\.([a-zA-Z]+),([a-zA-Z]+)->\.\.\.([a-zA-Z]+)", "left"),
            (r"([a-zA-Z]{2,})\.\.\.,([a-zA-Z]+)->([a-zA-Z]+)\.\.\.", "right"),
        )
        found = [(*m.groups(), side) for form, side in forms if (m := re.fullmatch(form, plain))]
        if not found:
            raise wrong(
                self,
                f"equation {self.equation!r} must be of the form 'ab,bc->ac', '...b,bc->...c' or "
                "'ab...,bc->ac...'",
            )
        x, w, y, side = found[0]
        strange = (set(y) - set(x) - set(w)) | (set(w) - set(x) - set(y))
        if strange:
            raise wrong(self, f"equation {self.equation!r}: {min(strange)!r} stands in one term")
        if set(self.bias_axes or "") - set(y):
            raise wrong(self, f"bias_axes {self.bias_axes!r} must be axes of the outputs, {y!r}")
        return x, w, y, side

    def build(self, input_shape):
        """Make kernel and bias."""
        x, w, y, _ = self._terms
        sizes = self._sizes(input_shape)
        self.kernel = self.add_weight(
            [sizes[axis] for axis in w],
            self._initializer(w, y),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.bias_axes is not None:
            self.bias = self.add_weight(
                self._bias_shape(sizes, len(input_shape) - len(x)),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self._adapt()
        self.input_spec = InputSpec(ndim=len(input_shape))

    def _initializer(self, w, y):
        """The kernel's initializer, told which axes are inputs and which outputs."""
        given = self.kernel_initializer
        if not isinstance(given, VarianceScaling) or given.input_axes is not None:
            return given
        config = {
            **given.get_config(),
            "input_axes": [i for i, axis in enumerate(w) if axis not in y],
            "output_axes": [i for i, axis in enumerate(w) if axis in y],
        }
        return type(given).from_config(config)

    def _bias_shape(self, sizes, elided: int) -> list:
        _, _, y, side = self._terms
        first = min(y.index(axis) for axis in self.bias_axes)
        shape = [sizes[axis] if axis in self.bias_axes else 1 for axis in y[first:]]
        return shape + [1] * elided if side == "right" else shape

    def _sizes(self, input_shape) -> dict:
        """The size of each axis by its letter."""
        x, _, y, side = self._terms
        elided = len(input_shape) - len(x)
        if elided < 0 or (elided and not side):
            raise wrong(
                self,
                f"inputs of shape {tuple(input_shape)} do not fit equation {self.equation!r}",
                ShapeError,
            )
        known = input_shape[elided:] if side == "left" else input_shape[: len(x)]
        sizes = dict(zip(x, known, strict=True))
        whole = self._whole_output(input_shape, elided)
        ends = whole[elided:] if side == "left" else whole[: len(whole) - elided]
        if len(ends) != len(y):
            raise wrong(
                self,
                f"output_shape {self.output_shape} does not fit the outputs {y!r} of equation "
                f"{self.equation!r}",
                ShapeError,
            )
        for axis, n in zip(y, ends, strict=True):
            if n is None or sizes.get(axis) is None:
                sizes[axis] = sizes.get(axis) if n is None else n
            elif sizes[axis] != n:
                raise wrong(
                    self,
                    f"axis {axis!r} is {sizes[axis]} in the inputs {tuple(input_shape)} and {n} in "
                    f"output_shape {self.output_shape}",
                    ShapeError,
                )
        return sizes

    def _whole_output(self, input_shape, elided: int) -> tuple:
        """The shape of the outputs, with the batch and what "..." stands for."""
        side = self._terms[3]
        if side == "left":
            return (*input_shape[: max(elided, 1)], *self.output_shape)
        rest = input_shape[len(input_shape) - elided :] if elided else ()
        return (input_shape[0], *self.output_shape, *rest)

    def call(self, inputs):
        """Compute the outputs."""
        summed, kernel = self._rows(), self.kernel
        if summed:
            y = self._product(inputs, kernel, summed)
        else:
            y = ops.einsum(self.equation, inputs, kernel)
            y = y if self.bias is None else y + self.bias
        return y if self.activation is None else self.activation(y)

    def _rows(self) -> int:
        """How many last axes of the inputs one product sums over; 0 if it is another sum.

        The kernel has them first, and the outputs' new axes last, in order.
        """
        x, w, y, side = self._terms
        n = sum(axis not in y for axis in w)
        fits = x[-n:] == w[:n] and y == x[:-n] + w[n:] and side != "right"
        return n if n and fits and self.bias_axes in (None, w[n:]) else 0

    def _product(self, inputs, kernel, n: int):
        """The outputs, by one product of matrices."""
        bias = self.bias
        summed, made = kernel.shape[:n], kernel.shape[n:]
        if inputs.shape[inputs.ndim - n :] != summed:
            raise wrong(
                self,
                f"inputs of shape {inputs.shape} must end in the axes {summed} of the kernel",
                ShapeError,
            )
        free = inputs.shape[: inputs.ndim - n]
        if n > 1:
            inputs = ops.reshape(inputs, (*free, math.prod(summed)))
        y = ops.linear(inputs, kernel, bias, axes=n)
        return y if len(made) == 1 else ops.reshape(y, (*free, *made))

    def compute_output_shape(self, input_shape):
        """The shape that the equation and output_shape give."""
        x, _, y, side = self._terms
        sizes, elided = self._sizes(input_shape), len(input_shape) - len(x)
        own = tuple([sizes[axis] for axis in y])
        if side == "left":
            return (*input_shape[:elided], *own)
        return (*own, *input_shape[len(x) :])
