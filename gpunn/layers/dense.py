"""Dense: the fully connected layer."""

from gpunn import activations, constraints, initializers, ops, regularizers
from gpunn.errors import ShapeError
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.lora import Lora, adaptable


class Dense(Lora):
    """y = activation(x kernel + bias), over the last axis.

    Args:
        units: size of the output's last axis.
        activation: name or function; None: linear.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        kernel_regularizer, bias_regularizer, activity_regularizer: terms added to the loss.
        kernel_constraint, bias_constraint: projections applied after each step.
        lora_rank, lora_alpha: if given, a product of rank lora_rank is trained beside the kernel,
            which stays as it is; it counts lora_alpha / lora_rank times. See `enable_lora`.

    Shapes: (batch, ..., n) -> (batch, ..., units). Weights: kernel (n, units), bias (units,).

    Raises:
        ArgumentError: if units is not a positive integer, or a name is unknown.
        ShapeError: if the inputs have fewer than two axes, or another last one than at first.

    Source: keras.layers.Dense.

    >>> gpunn.layers.Dense(2, kernel_initializer="ones")([[1.0, 2.0, 3.0]]).numpy()
    array([[6., 6.]], dtype=float32)
    """

    supports_masking = True
    kernel = adaptable("kernel")

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        lora_rank=None,
        lora_alpha=None,
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive_integer(self, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self._lora_arguments(lora_rank, lora_alpha)
        self.bias = None

    def build(self, input_shape) -> None:
        """Make kernel and bias."""
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise wrong(
                self,
                f"expected inputs of shape (batch, ..., n) with known n, got {tuple(input_shape)}",
                ShapeError,
            )
        n = input_shape[-1]
        self.kernel = self.add_weight(
            (n, self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self._adapt()
        self.input_spec = InputSpec(min_ndim=2, axes={-1: n})

    def call(self, inputs):
        """Compute the outputs."""
        return activations.after(self.activation, ops.linear, inputs, self.kernel, self.bias)

    def compute_output_shape(self, input_shape):
        """The input's shape with `units` last."""
        return (*input_shape[:-1], self.units)
