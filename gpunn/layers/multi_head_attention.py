"""MultiHeadAttention, and the one that keeps keys and values of earlier steps."""

import math
import string

from gpunn import ops
from gpunn.autograd import mask_of
from gpunn.errors import ShapeError
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.head_attention import HeadAttention, merged_mask, unmasked


class MultiHeadAttention(HeadAttention):
    """Attention of several heads: each with projections of its own of queries, keys and values.

        y = concatenate(softmax(q_i k_i^T / sqrt(key_dim)) v_i) kernel + bias

    Args:
        num_heads: number of heads.
        key_dim: size of each head's queries and keys.
        value_dim: size of each head's values. Default: key_dim.
        dropout: the fraction of the probabilities that is dropped in training. Default: 0.
        use_bias: whether the projections have biases. Default: True.
        output_shape: size, or sizes, of the outputs' last axes. Default: that of the queries.
        attention_axes: the axes that are attended over, the batch being 0. Default: all between the
            first and the last.
        sliding_window: see only positions nearer than that. Default: None, all.
        flash_attention: True: never make the whole matrix of scores; False: always. Default: by
            its size.
        kernel_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        kernel_regularizer, bias_regularizer, activity_regularizer: of each projection.
        kernel_constraint, bias_constraint: of each projection.
        use_gate: whether the heads' outputs are multiplied by a sigmoid of the queries.
        seed: of dropout, see `Dropout`.

    Call arguments:
        query: tensor (batch, T, n).
        value: tensor (batch, S, m).
        key: tensor (batch, S, k). Default: the values.
        query_mask: not looked at, as in Keras: the mask that the query carries is used.
        value_mask, key_mask: booleans (batch, S); default: those that the tensors carry.
        attention_mask: booleans (batch, T, S), False where a query must not see a key.
        return_attention_scores: whether the probabilities are returned as well. Default: False.
        training: whether dropout is on.
        use_causal_mask: whether later positions are hidden. Default: False.

    Shapes: (batch, T, n) -> (batch, T, n or output_shape); scores (batch, num_heads, T, S).
    Weights: kernel and bias of query, key, (gate,) value and output: (n, num_heads, key_dim),
    (num_heads, key_dim), ..., (num_heads, value_dim, n), (n,).

    Raises:
        ArgumentError: if an argument has a value that is not allowed.
        ShapeError: if the shapes do not fit.

    Source: keras.layers.MultiHeadAttention; Vaswani et al., 2017, https://arxiv.org/abs/1706.03762

    >>> layer = gpunn.layers.MultiHeadAttention(num_heads=2, key_dim=3)
    >>> x = np.ones((4, 5, 8), "float32")
    >>> y, scores = layer(x, x, return_attention_scores=True)
    >>> y.shape, scores.shape
    ((4, 5, 8), (4, 2, 5, 5))
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_shape=None,
        attention_axes=None,
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
        self.num_heads = positive_integer(self, "num_heads", num_heads)
        self.key_dim = positive_integer(self, "key_dim", key_dim)
        self.value_dim = (
            self.key_dim if value_dim is None else positive_integer(self, "value_dim", value_dim)
        )
        self._output_shape = self._integers("output_shape", output_shape, 1)
        self.attention_axes = self._integers("attention_axes", attention_axes)

    def _integers(self, argument, value, least=None):
        """An integer or several as a tuple; None stays."""
        if value is None:
            return None
        value = (value,) if isinstance(value, int) else value
        if not isinstance(value, tuple | list) or not all(
            type(n) is int and (least is None or n >= least) for n in value
        ):
            raise wrong(self, f"{argument} must be an integer or several, got {value!r}")
        return tuple(value) or None

    def build(self, query_shape, value_shape, key_shape=None):
        """Make the projections."""
        key_shape = value_shape if key_shape is None else key_shape
        self._check_lengths(value_shape, key_shape)
        rank = len(query_shape)
        if rank < 3 or len(value_shape) != rank:
            raise wrong(
                self,
                "expected queries and values of one rank, at least (batch, length, size), got "
                f"shapes {tuple(query_shape)} and {tuple(value_shape)}",
                ShapeError,
            )
        keys, values = (self.num_heads, self.key_dim), (self.num_heads, self.value_dim)
        self._query_dense = self._to_heads("query", query_shape, keys)
        self._key_dense = self._to_heads("key", key_shape, keys)
        if self.use_gate:
            self._gate_dense = self._to_heads("gate", query_shape, values, "sigmoid")
        self._value_dense = self._to_heads("value", value_shape, values)
        sizes = self._output_shape or (query_shape[-1],)
        equation, bias = projection(rank - 1, 2, len(sizes))
        shape = (*[None] * (rank - 2), *sizes)
        self._output_dense = self._projection("attention_output", equation, shape, bias)
        self._output_dense.build((*query_shape[:-1], *values))
        self._axes = self._attended(rank)

    def _to_heads(self, name, shape, sizes, activation=None):
        """A built projection of the last axis to heads."""
        equation, bias = projection(len(shape) - 1, 1, 2)
        output_shape = (*[None] * (len(shape) - 2), *sizes)
        dense = self._projection(name, equation, output_shape, bias, activation)
        dense.build(shape)
        return dense

    def _attended(self, rank: int) -> tuple[int, ...]:
        """The attended axes of inputs of a rank."""
        axes = self.attention_axes or range(1, rank - 1)
        found = tuple([a if a >= 0 else rank + a for a in axes])
        if len(set(found)) < len(found) or not all(0 < a < rank - 1 for a in found):
            raise wrong(
                self,
                f"attention_axes {self.attention_axes} must be different axes of inputs of rank "
                f"{rank}, and neither the first nor the last",
            )
        return found

    @property
    def query_dense(self):
        """The projection of the queries."""
        return self._query_dense

    @property
    def key_dense(self):
        """The projection of the keys."""
        return self._key_dense

    @property
    def value_dense(self):
        """The projection of the values."""
        return self._value_dense

    @property
    def output_dense(self):
        """The projection of what the heads give."""
        return self._output_dense

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
        query_mask = mask_of(query)  # as in Keras, whatever was given
        mask = merged_mask(query_mask, value_mask, key_mask, attention_mask)
        same = query is value and (key is None or key is value)
        query, value, key = unmasked(query, value, value if key is None else key)
        gate = self._gate_dense(query) if self.use_gate else None
        y, scores = self._compute_attention(
            *self._heads(query, key, value, same),
            mask,
            training,
            return_attention_scores,
            use_causal_mask,
        )
        y = self._output_dense(y if gate is None else y * gate)
        return (y, scores) if return_attention_scores else y

    def _heads(self, query, key, value, same):
        """The heads' queries, keys and values; `same`: of one tensor."""
        denses = self._query_dense, self._key_dense, self._value_dense
        if same:
            return self._projected(query, *denses)
        return [dense(x) for dense, x in zip(denses, (query, key, value), strict=True)]

    def _compute_attention(
        self,
        query,
        key,
        value,
        attention_mask=None,
        training=None,
        return_attention_scores=False,
        use_causal_mask=False,
    ):
        """The outputs of the heads, and their scores or None, of projected tensors."""
        axes = self._axes
        plain = query.ndim == 4  # one attended axis, and no other
        if len(axes) > 1 and (use_causal_mask or self.sliding_window is not None):
            raise wrong(self, "use_causal_mask and sliding_window need a single attention axis")
        if attention_mask is not None:
            attention_mask = self._mask_of_heads(attention_mask, query, key, plain)
        shape = query.shape
        if not plain:
            batch = [i for i in range(query.ndim - 2) if i not in axes]
            lengths = [[x.shape[a] for a in axes] for x in (query, key)]
            query, key, value = (_flat(x, batch, axes) for x in (query, key, value))
        # where all is hidden from a query, the two ways of Keras differ, and so do these
        zeros = bool(self.dropout or return_attention_scores or not plain)
        y, scores = self._attend(
            query, key, value, attention_mask, training, return_attention_scores, use_causal_mask,
            zeros,
        )  # fmt: skip
        if not plain:
            sizes = [shape[a] for a in batch]
            order = [*batch, *axes]
            y = ops.reshape(y, (*sizes, *lengths[0], *y.shape[2:]))
            y = ops.transpose(y, [*map(order.index, range(len(order))), y.ndim - 2, y.ndim - 1])
            if scores is not None:
                scores = ops.reshape(scores, (*sizes, self.num_heads, *lengths[0], *lengths[1]))
        return y, scores

    def _mask_of_heads(self, mask, query, key, plain):
        """A mask (..., T, S) as one of (batch, heads, T, S), all attended axes being one."""
        n, axes = len(self._axes), self._axes
        batch = [i for i in range(query.ndim - 2) if i not in axes]
        missing = len(batch) + 1 + 2 * n - mask.ndim
        if mask.ndim < 2 * n or missing < 0:
            raise wrong(self, f"an attention mask of shape {mask.shape} does not fit", ShapeError)
        lead, pairs = mask.shape[: -2 * n], mask.shape[-2 * n :]
        mask = ops.reshape(mask, (*lead, *[1] * missing, *pairs))
        if plain:
            return mask
        sizes = [query.shape[a] for a in batch]
        pairs = [x.shape[a] for x in (query, key) for a in axes]
        heads = mask.shape[-2 * n - 1]
        mask = ops.broadcast_to(mask, (*sizes, heads, *pairs))
        t, s = math.prod(pairs[:n]), math.prod(pairs[n:])
        return ops.reshape(mask, (math.prod(sizes), heads, t, s))

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        """The queries' shape, or its first axes and output_shape."""
        self._check_lengths(value_shape, value_shape if key_shape is None else key_shape)
        return (*query_shape[:-1], *(self._output_shape or (query_shape[-1],)))

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "output_shape": self._output_shape}


def projection(free: int, bound: int, made: int) -> tuple[str, str]:
    """The equation of a projection of the last `bound` axes to `made` ones, and the bias's axes.

    >>> from gpunn.layers.multi_head_attention import projection
    >>> projection(2, 1, 2)
    ('abc,cde->abde', 'de')
    """
    letters = string.ascii_lowercase
    x, k = letters[: free + bound], letters[free : free + bound + made]
    new = letters[free + bound : free + bound + made]
    return f"{x},{k}->{x[:free]}{new}", new


def _flat(x, batch, axes):
    """(..., heads, size) as (batch, length, heads, size): batch axes as one, attended ones too."""
    x = ops.transpose(x, [*batch, *axes, x.ndim - 2, x.ndim - 1])
    at = len(batch)
    sizes = math.prod(x.shape[:at]), math.prod(x.shape[at : at + len(axes)])
    return ops.reshape(x, (*sizes, *x.shape[-2:]))
