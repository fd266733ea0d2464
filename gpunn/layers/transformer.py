"""TransformerEncoder and TransformerDecoder: attention and two dense layers, with residuals."""

from gpunn import activations, initializers, ops
from gpunn.autograd import mask_of
from gpunn.errors import ArgumentError, ShapeError
from gpunn.layers.cached_attention import CachedMultiHeadAttention
from gpunn.layers.check import fraction, not_negative, positive_integer, wrong
from gpunn.layers.dense import Dense
from gpunn.layers.head_attention import cloned, merged_mask
from gpunn.layers.layer import Layer
from gpunn.layers.multi_head_attention import MultiHeadAttention
from gpunn.layers.normalization import LayerNormalization
from gpunn.layers.regularization import Dropout
from gpunn.ops.attention import as_mask, causal_mask


class _Transformer(Layer):
    """What both share: their arguments, and blocks of residual, normalization and dropout."""

    supports_masking = True

    def __init__(
        self,
        intermediate_dim,
        num_heads,
        dropout=0,
        activation="relu",
        layer_norm_epsilon=1e-5,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        normalize_first=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.intermediate_dim = positive_integer(self, "intermediate_dim", intermediate_dim)
        self.num_heads = positive_integer(self, "num_heads", num_heads)
        self.dropout = fraction(self, "dropout", dropout)
        self.activation = activations.get(activation)
        self.layer_norm_epsilon = not_negative(self, "layer_norm_epsilon", layer_norm_epsilon)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.normalize_first = normalize_first

    def _initializers(self) -> dict:
        return {
            "kernel_initializer": cloned(self.kernel_initializer),
            "bias_initializer": cloned(self.bias_initializer),
        }

    def _attention(self, cls, name, query_shape, value_shape):
        """A built attention layer."""
        size = query_shape[-1] // self.num_heads
        if not size:
            raise wrong(
                self,
                f"inputs of shape {tuple(query_shape)} have fewer features than there are heads, "
                f"{self.num_heads}",
                ShapeError,
            )
        layer = cls(
            self.num_heads,
            size,
            dropout=self.dropout,
            dtype=self.dtype_policy,
            name=name,
            **self._initializers(),
        )
        layer.build(query_shape, value_shape)
        return layer

    def _norm(self, name, shape):
        layer = LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )
        layer.build(shape)
        return layer

    def _drop(self, name):
        return Dropout(self.dropout, dtype=self.dtype_policy, name=name)

    def _dense(self, name, units, shape, activation=None):
        layer = Dense(units, activation, dtype=self.dtype_policy, name=name, **self._initializers())
        layer.build(shape)
        return layer

    def _build_dense(self, shape) -> None:
        """Make the two dense layers."""
        inner = (*shape[:-1], self.intermediate_dim)
        self._feedforward_intermediate_dense = self._dense(
            "feedforward_intermediate_dense", self.intermediate_dim, shape, self.activation
        )
        self._feedforward_output_dense = self._dense("feedforward_output_dense", shape[-1], inner)

    def _residual(self, x, run, norm, dropout):
        """x plus what a function makes of it, normalized before or after."""
        y = run(norm(x) if self.normalize_first else x)
        y, more = y if isinstance(y, tuple) else (y, None)
        y = dropout(y) + x
        return (y if self.normalize_first else norm(y)), more

    def _feedforward(self, x):
        y, _ = self._residual(
            x,
            lambda x: self._feedforward_output_dense(self._feedforward_intermediate_dense(x)),
            self._feedforward_layer_norm,
            self._feedforward_dropout,
        )
        return y


class TransformerEncoder(_Transformer):
    """A transformer's encoder block: attention of a sequence to itself, then two dense layers.

    Args:
        intermediate_dim: size of the first dense layer.
        num_heads: number of heads; each has the number of features / num_heads.
        dropout: of the probabilities of attention and of both blocks' outputs. Default: 0.
        activation: of the first dense layer. Default: "relu".
        layer_norm_epsilon: of the normalizations. Default: 1e-5.
        kernel_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        normalize_first: whether each block's input is normalized (as in GPT-2), and not its output
            (as in BERT). Default: False.

    Call arguments:
        inputs: tensor (batch, length, n).
        padding_mask: booleans (batch, length), False for padding. Default: that of the inputs.
        attention_mask: booleans (batch, length, length), False where a step must not see another.
        training: whether dropout is on.
        return_attention_scores: whether the probabilities are returned as well. Default: False.

    Shapes: the output has that of the input.

    Raises:
        ArgumentError: if an argument has a value that is not allowed.
        ShapeError: if there are fewer features than heads, or a mask has another rank.

    Source: keras_hub.layers.TransformerEncoder; Vaswani et al., 2017,
    https://arxiv.org/abs/1706.03762

    >>> layer = gpunn.layers.TransformerEncoder(intermediate_dim=16, num_heads=2)
    >>> layer(np.ones((2, 5, 8), "float32")).shape
    (2, 5, 8)
    """

    def build(self, inputs_shape):
        """Make the layers."""
        self._self_attention_layer = self._attention(
            MultiHeadAttention, "self_attention_layer", inputs_shape, inputs_shape
        )
        self._self_attention_layer_norm = self._norm("self_attention_layer_norm", inputs_shape)
        self._self_attention_dropout = self._drop("self_attention_dropout")
        self._feedforward_layer_norm = self._norm("feedforward_layer_norm", inputs_shape)
        self._build_dense(inputs_shape)
        self._feedforward_dropout = self._drop("feedforward_dropout")

    def call(
        self,
        inputs,
        padding_mask=None,
        attention_mask=None,
        training=None,
        return_attention_scores=False,
    ):
        """Attend, then transform."""
        mask = _merged(self, inputs, padding_mask, attention_mask)
        x, scores = self._residual(
            inputs,
            lambda x: self._self_attention_layer(
                x, x, attention_mask=mask, return_attention_scores=return_attention_scores
            ),
            self._self_attention_layer_norm,
            self._self_attention_dropout,
        )
        x = self._feedforward(x)
        return (x, scores) if return_attention_scores else x

    def compute_output_shape(self, inputs_shape):
        """The shape of the input."""
        return tuple(inputs_shape)

    def compute_output_spec(self, *args, return_attention_scores=False, **kwargs):
        """Symbolic outputs; with scores, of both."""
        if not return_attention_scores:
            return super().compute_output_spec(*args, **kwargs)
        return self._inferred(args, {**kwargs, "return_attention_scores": True})


class TransformerDecoder(_Transformer):
    """A transformer's decoder block: attention to earlier steps, and to an encoder's outputs.

    Args:
        intermediate_dim, num_heads, dropout, activation, layer_norm_epsilon, kernel_initializer,
        bias_initializer, normalize_first: see `TransformerEncoder`.

    Call arguments:
        decoder_sequence: tensor (batch, T, n).
        encoder_sequence: tensor (batch, S, m), to attend to as well; always, or never.
        decoder_padding_mask, encoder_padding_mask: booleans (batch, T) and (batch, S), False for
            padding. Default: those of the sequences.
        decoder_attention_mask, encoder_attention_mask: booleans (batch, T, T) and (batch, T, S),
            False where a step must not see another.
        self_attention_cache: tensor (batch, 2, length, num_heads, n // num_heads): the keys and
            values of all steps, to generate step by step.
        self_attention_cache_update_index: the position of the first step of this call; from there
            on the cache is filled. Default: None, the cache stays as it is.
        cross_attention_cache: the same of the encoder's outputs, of length S.
        cross_attention_cache_update_index: 0 to fill it; None to use it as it is.
        use_causal_mask: whether later positions are hidden. Default: True.
        training: whether dropout is on.

    Returns:
        The outputs; then the caches that were given, filled.

    Shapes: the output has that of decoder_sequence.

    Raises:
        ArgumentError: if the encoder's outputs are missing or too many, or only one of two caches
            is given.
        ShapeError: if there are fewer features than heads, or a mask has another rank.

    Source: keras_hub.layers.TransformerDecoder; Vaswani et al., 2017,
    https://arxiv.org/abs/1706.03762

    >>> layer = gpunn.layers.TransformerDecoder(intermediate_dim=16, num_heads=2)
    >>> layer(np.ones((2, 5, 8), "float32")).shape
    (2, 5, 8)
    >>> cache = np.zeros((2, 2, 5, 2, 4), "float32")
    >>> y, cache = layer(np.ones((2, 1, 8), "float32"), self_attention_cache=cache,
    ...                  self_attention_cache_update_index=0)
    >>> y.shape, cache.shape
    ((2, 1, 8), (2, 2, 5, 2, 4))
    """

    def __init__(
        self,
        intermediate_dim,
        num_heads,
        dropout=0,
        activation="relu",
        layer_norm_epsilon=1e-5,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        normalize_first=False,
        decoder_sequence_shape=None,
        encoder_sequence_shape=None,
        **kwargs,
    ):
        super().__init__(
            intermediate_dim,
            num_heads,
            dropout,
            activation,
            layer_norm_epsilon,
            kernel_initializer,
            bias_initializer,
            normalize_first,
            **kwargs,
        )
        self.decoder_sequence_shape = self.encoder_sequence_shape = None
        if decoder_sequence_shape is not None:  # of a config: it says whether to cross
            self.build(decoder_sequence_shape, encoder_sequence_shape)

    def build(self, decoder_sequence_shape, encoder_sequence_shape=None):
        """Make the layers, with those for an encoder's outputs if there are any."""
        shape = self.decoder_sequence_shape = tuple(decoder_sequence_shape)
        self._self_attention_layer = self._attention(
            CachedMultiHeadAttention, "self_attention", shape, shape
        )
        self._self_attention_layer_norm = self._norm("self_attention_layer_norm", shape)
        self._self_attention_dropout = self._drop("self_attention_dropout")
        self._cross_attention_layer = None
        if encoder_sequence_shape is not None:
            self.encoder_sequence_shape = tuple(encoder_sequence_shape)
            self._cross_attention_layer = self._attention(
                CachedMultiHeadAttention, "cross_attention", shape, self.encoder_sequence_shape
            )
            self._cross_attention_layer_norm = self._norm("cross_attention_layer_norm", shape)
            self._cross_attention_dropout = self._drop("cross_attention_dropout")
        self._build_dense(shape)
        self._feedforward_layer_norm = self._norm("feedforward_layer_norm", shape)
        self._feedforward_dropout = self._drop("feedforward_dropout")

    def call(
        self,
        decoder_sequence,
        encoder_sequence=None,
        decoder_padding_mask=None,
        decoder_attention_mask=None,
        encoder_padding_mask=None,
        encoder_attention_mask=None,
        self_attention_cache=None,
        self_attention_cache_update_index=None,
        cross_attention_cache=None,
        cross_attention_cache_update_index=None,
        use_causal_mask=True,
        training=None,
    ):
        """Attend to the sequence, then to the encoder's, then transform."""
        self._check(encoder_sequence, self_attention_cache, cross_attention_cache)
        mask = _merged(self, decoder_sequence, decoder_padding_mask, decoder_attention_mask)
        cached = self_attention_cache is not None
        if use_causal_mask and cached:
            seen = causal_mask(
                decoder_sequence,
                rows=decoder_sequence.shape[1],
                cols=self_attention_cache.shape[2],
                start=int(self_attention_cache_update_index or 0),
            )
            mask = seen if mask is None else ops.logical_and(mask, seen)
        x, self_attention_cache = self._residual(
            decoder_sequence,
            lambda x: self._self_attention_layer(
                x,
                x,
                attention_mask=mask,
                cache=self_attention_cache,
                cache_update_index=self_attention_cache_update_index,
                use_causal_mask=use_causal_mask and not cached,
            ),
            self._self_attention_layer_norm,
            self._self_attention_dropout,
        )
        if encoder_sequence is not None:
            cross_mask = _merged(
                self, encoder_sequence, encoder_padding_mask, encoder_attention_mask
            )
            x, cross_attention_cache = self._residual(
                x,
                lambda x: self._cross_attention_layer(
                    x,
                    encoder_sequence,
                    attention_mask=cross_mask,
                    cache=cross_attention_cache,
                    cache_update_index=cross_attention_cache_update_index,
                ),
                self._cross_attention_layer_norm,
                self._cross_attention_dropout,
            )
        x = self._feedforward(x)
        if not cached:
            return x
        if encoder_sequence is None:
            return x, self_attention_cache
        return x, self_attention_cache, cross_attention_cache

    def _check(self, encoder_sequence, self_cache, cross_cache) -> None:
        crosses = self._cross_attention_layer is not None
        if crosses != (encoder_sequence is not None):
            raise wrong(
                self,
                f"it was built {'with' if crosses else 'without'} an encoder_sequence: call it "
                f"{'with' if crosses else 'without'} one, always",
                ArgumentError,
            )
        if crosses and (self_cache is None) != (cross_cache is None):
            raise wrong(
                self, "give both self_attention_cache and cross_attention_cache, or neither"
            )

    def compute_output_shape(self, decoder_sequence_shape):
        """The shape of decoder_sequence."""
        return tuple(decoder_sequence_shape)


def _merged(layer, x, padding_mask, attention_mask):
    """The mask of the steps of x, its own by default, and one of pairs as one of pairs, or None."""
    padding_mask = mask_of(x) if padding_mask is None else padding_mask
    for name, mask, rank in (("padding", padding_mask, 2), ("attention", attention_mask, 3)):
        if mask is not None and len(mask.shape) != rank:
            raise wrong(
                layer, f"the {name} mask must have {rank} axes, got shape {mask.shape}", ShapeError
            )
    if padding_mask is not None:
        padding_mask = as_mask(padding_mask, x.device)
    return merged_mask(value_mask=padding_mask, attention_mask=attention_mask)
