"""GroupQueryAttention: heads of queries that share heads of keys and values."""

from gpunn import ops
from gpunn.errors import ShapeError
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.head_attention import HeadAttention, merged_mask, unmasked


class GroupQueryAttention(HeadAttention):
    """Attention in which groups of query heads share a head of keys and values.

    Args:
        head_dim: size of each head.
        num_query_heads: number of heads of queries.
        num_key_value_heads: number of heads of keys and values, which divides num_query_heads.
        dropout, use_bias, sliding_window, flash_attention: see `MultiHeadAttention`.
        kernel_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        kernel_regularizer, bias_regularizer, activity_regularizer: of each projection.
        kernel_constraint, bias_constraint: of each projection.
        use_gate, seed: see `MultiHeadAttention`.

    Call arguments: those of `MultiHeadAttention`.

    Shapes: (batch, T, n) -> (batch, T, n); scores (batch, num_query_heads, T, S). Weights: kernel
    and bias of query, key, (gate,) value and output: (n, heads, head_dim), (heads, head_dim), ...,
    (num_query_heads, head_dim, n), (n,).

    Raises:
        ArgumentError: if an argument has a value that is not allowed.
        ShapeError: if the shapes do not fit.

    Source: keras.layers.GroupQueryAttention; Ainslie et al., 2023, https://arxiv.org/abs/2305.13245

    >>> layer = gpunn.layers.GroupQueryAttention(3, num_query_heads=4, num_key_value_heads=2)
    >>> x = np.ones((2, 5, 8), "float32")
    >>> layer(x, x, use_causal_mask=True).shape, [w.shape for w in layer.weights[2:4]]
    ((2, 5, 8), [(8, 2, 3), (2, 3)])
    """

    def __init__(
        self,
        head_dim,
        num_query_heads,
        num_key_value_heads,
        dropout=0.0,
        use_bias=True,
        sliding_window=None,
        flash_attention=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        use_gate=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(
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
        )
        self.head_dim = positive_integer(self, "head_dim", head_dim)
        self.num_query_heads = positive_integer(self, "num_query_heads", num_query_heads)
        self.num_key_value_heads = positive_integer(
            self, "num_key_value_heads", num_key_value_heads
        )
        if num_query_heads % num_key_value_heads:
            raise wrong(
                self,
                f"num_key_value_heads must divide num_query_heads, got {num_key_value_heads} and "
                f"{num_query_heads}",
            )

    def build(self, query_shape, value_shape, key_shape=None):
        """Make the projections."""
        key_shape = value_shape if key_shape is None else key_shape
        self._check_lengths(value_shape, key_shape)
        if len(query_shape) != 3 or len(value_shape) != 3:
            raise wrong(
                self,
                f"expected queries and values of shape (batch, length, size), got shapes "
                f"{tuple(query_shape)} and {tuple(value_shape)}",
                ShapeError,
            )
        heads, shared = self.num_query_heads, self.num_key_value_heads
        self._query_dense = self._to_heads("query", query_shape, heads)
        self._key_dense = self._to_heads("key", key_shape, shared)
        if self.use_gate:
            self._gate_dense = self._to_heads("gate", query_shape, heads, "sigmoid")
        self._value_dense = self._to_heads("value", value_shape, shared)
        self._output_dense = self._projection(
            "attention_output", "bquh,uhm->bqm", (None, query_shape[-1]), "m"
        )
        self._output_dense.build((None, None, heads, self.head_dim))

    def _to_heads(self, name, shape, heads, activation=None):
        """A built projection of the last axis to heads."""
        output_shape = (None, heads, self.head_dim)
        dense = self._projection(name, "bkm,mvh->bkvh", output_shape, "vh", activation)
        dense.build(shape)
        return dense

    def call(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        """Attend."""
        mask = merged_mask(query_mask, value_mask, key_mask, attention_mask)
        query, value, key = unmasked(query, value, value if key is None else key)
        if mask is not None and mask.ndim == 3:
            mask = ops.expand_dims(mask, 1)
        gate = self._gate_dense(query) if self.use_gate else None
        y, scores = self._attend(
            self._query_dense(query),
            self._key_dense(key),
            self._value_dense(value),
            mask,
            training,
            return_attention_scores,
            use_causal_mask,
            # where all is hidden from a query, the two ways of Keras differ, and so do these
            zeros=bool(self.dropout or return_attention_scores),
        )
        y = self._output_dense(y if gate is None else y * gate)
        return (y, scores) if return_attention_scores else y

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        """The shape of the queries."""
        self._check_lengths(value_shape, value_shape if key_shape is None else key_shape)
        return tuple(query_shape)
