"""HeadAttention: what the layers share whose attention has several heads."""

from gpunn import constraints, initializers, ops, regularizers
from gpunn.activations import linear
from gpunn.autograd import mask_of, with_mask
from gpunn.initializers.initializer import Initializer
from gpunn.layers.check import fraction, positive_integer, wrong
from gpunn.layers.einsum_dense import EinsumDense
from gpunn.layers.layer import Layer
from gpunn.layers.regularization import random_stream
from gpunn.ops.attention import as_mask, attend, attend_with_scores
from gpunn.ops.projection import projections
from gpunn.serialization import serialize_value


class HeadAttention(Layer):
    """Settings, projections and masks; subclasses make `_query_dense` and the like in `build`."""

    supports_masking = True

    def __init__(
        self,
        dropout,
        use_bias,
        sliding_window,
        flash_attention,
        kernel_initializer,
        bias_initializer,
        kernel_regularizer,
        bias_regularizer,
        activity_regularizer,
        kernel_constraint,
        bias_constraint,
        use_gate,
        seed,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dropout = fraction(self, "dropout", dropout)
        self.use_bias = use_bias
        self.sliding_window = sliding_window
        if sliding_window is not None:
            positive_integer(self, "sliding_window", sliding_window)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.use_gate = use_gate
        self.seed = seed
        self.seed_generator = random_stream(self, seed)
        self.flash_attention = flash_attention
        # of each projection, as in Keras; not of this layer's own outputs
        self._projections_regularizer = regularizers.get(activity_regularizer)
        if flash_attention and self.dropout > 0:
            raise wrong(self, "flash_attention=True goes without dropout: set dropout to 0")

    def _projection(self, name, equation, output_shape, bias_axes, activation=None):
        """A dense layer of this layer's settings."""
        return EinsumDense(
            equation,
            output_shape=output_shape,
            activation=activation,
            bias_axes=bias_axes if self.use_bias else None,
            kernel_initializer=cloned(self.kernel_initializer),
            bias_initializer=cloned(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            activity_regularizer=self._projections_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            dtype=self.dtype_policy,
            name=name,
        )

    def _projected(self, x, *denses):
        """What dense layers make of one input, in one op if they are plain."""
        if any(type(d) is not EinsumDense for d in denses):  # one is a layer of somebody's own
            return [d(x) for d in denses]
        plain = [
            d.activation is linear and d.activity_regularizer is None and d._rows() == 1
            and (d.bias is None) == (denses[0].bias is None)
            for d in denses
        ]  # fmt: skip
        if not all(plain):
            return [d(x) for d in denses]
        biases = [d.bias for d in denses if d.bias is not None]
        return projections(x, *[d.kernel for d in denses], *biases)

    def _check_lengths(self, value_shape, key_shape) -> None:
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise wrong(
                self,
                f"values of shape {tuple(value_shape)} and keys of shape {tuple(key_shape)} must "
                "be alike but for the last axis",
            )

    def _attend(self, query, key, value, mask, training, with_scores, causal, zeros):
        """The outputs of the heads, and their scores or None, of (batch, length, heads, size)."""
        if with_scores and self.flash_attention:
            raise wrong(self, "flash_attention=True gives no scores: set it to None or False")
        options = {
            "scale": query.shape[-1] ** -0.5,
            "causal": bool(causal),
            "window": self.sliding_window,
            "zeros": zeros,
        }
        if training and self.dropout:
            options.update(rate=self.dropout, stream=self.seed_generator)
        if with_scores:
            return attend_with_scores(query, key, value, None, mask, **options)
        y = attend(query, key, value, None, mask, tiles=self.flash_attention, **options)
        return y, None

    def compute_output_spec(self, *args, return_attention_scores=False, **kwargs):
        """Symbolic outputs; with scores, of both."""
        if not return_attention_scores:
            return super().compute_output_spec(*args, **kwargs)
        return self._inferred(args, {**kwargs, "return_attention_scores": True})

    def get_config(self):
        """The arguments that make a layer like this one."""
        config = super().get_config()
        del config["flash_attention"]
        config["activity_regularizer"] = serialize_value(
            self._projections_regularizer, "activity_regularizer"
        )
        return config


def merged_mask(query_mask=None, value_mask=None, key_mask=None, attention_mask=None):
    """The masks of steps, of (batch, length), and that of pairs as one of pairs, or None."""
    found = None
    for mask, axis in ((query_mask, -1), (value_mask, -2), (key_mask, -2)):
        if mask is not None:
            mask = ops.expand_dims(as_mask(mask, mask.device), axis)
            found = mask if found is None else ops.logical_and(found, mask)
    if attention_mask is None:
        return found
    attention_mask = as_mask(attention_mask, attention_mask.device)
    return attention_mask if found is None else ops.logical_and(attention_mask, found)


def unmasked(*tensors):
    """The tensors without the masks they carry, which attention uses up."""
    return [x if mask_of(x) is None else with_mask(x, None) for x in tensors]


def cloned(initializer):
    """An initializer like one, that draws values of its own."""
    return initializer.clone() if isinstance(initializer, Initializer) else initializer
