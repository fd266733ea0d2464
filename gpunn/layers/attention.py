"""Attention and AdditiveAttention: one head without projections, by Luong and by Bahdanau."""

import math

import numpy as np

from gpunn import ops
from gpunn.autograd import KerasTensor, Tensor
from gpunn.errors import ShapeError
from gpunn.layers.check import fraction, wrong
from gpunn.layers.layer import Layer
from gpunn.layers.regularization import random_stream
from gpunn.ops.attention import as_mask, attend, attend_with_scores, hide
from gpunn.ops.noise import dropout as drop


class Attention(Layer):
    """The mean of values, weighed by what the products of queries and keys are: Luong's attention.

        y = softmax(q k^T) v

    Args:
        use_scale: whether the scores are multiplied by a trained number.
        score_mode: "dot", or "concat" for scores weight * sum(tanh(scale * (q + k))).
        dropout: the fraction of the probabilities that is dropped in training. Default: 0.
        seed: of dropout, see `Dropout`.

    Call arguments:
        inputs: a list: queries (batch, T, n), values (batch, S, m), and keys (batch, S, n), which
            are the values where they are not given. Batches of one are broadcast.
        mask: a list: booleans (batch, T), where the output becomes 0, and (batch, S), what is not
            seen; either may be None.
        training: whether dropout is on.
        return_attention_scores: whether the probabilities (batch, T, S) are returned as well.
        use_causal_mask: whether later positions are hidden.

    Shapes: [(batch, T, n), (batch, S, m)] -> (batch, T, m). Weights: scale () if use_scale,
    concat_score_weight () of mode "concat".

    Raises:
        ArgumentError: if an argument has a value that is not allowed.
        ShapeError: if it is not called on a list of two or three tensors, or batches differ.

    Source: keras.layers.Attention; Luong et al., 2015, https://arxiv.org/abs/1508.04025

    >>> q, v = np.ones((1, 2, 3)), np.array([[[1.0, 0, 0], [3.0, 2.0, 2.0]]])
    >>> gpunn.layers.Attention()([q, v]).numpy().round(2)[0, 0]
    array([3., 2., 2.], dtype=float32)
    """

    supports_masking = True

    def __init__(self, use_scale=False, score_mode="dot", dropout=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise wrong(self, f"score_mode must be 'dot' or 'concat', got {score_mode!r}")
        self.use_scale = use_scale
        self.score_mode = score_mode
        self.dropout = fraction(self, "dropout", dropout)
        self.seed = seed
        self.seed_generator = random_stream(self, seed)
        self.scale = self.concat_score_weight = None

    def build(self, input_shape):
        """Make the scale and the weight."""
        self._check(input_shape)
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def _check(self, inputs, mask=None) -> None:
        listed = isinstance(inputs, list | tuple) and len(inputs) in (2, 3)
        if not listed or not isinstance(inputs[0], list | tuple | Tensor | KerasTensor):
            raise wrong(
                self, "call it on a list: [query, value] or [query, value, key]", ShapeError
            )
        if mask is not None and (not isinstance(mask, list | tuple) or len(mask) not in (2, 3)):
            raise wrong(self, "mask must be a list: [query_mask, value_mask]", ShapeError)

    def _added(self, query, key):
        """The scores of modes that add queries and keys, or None."""
        if self.score_mode == "dot":
            return None
        x = _sums(query, key)
        x = x if self.scale is None else x * self.scale
        return ops.sum(ops.tanh(x), axis=-1) * self.concat_score_weight

    def call(
        self,
        inputs,
        mask=None,
        training=False,
        return_attention_scores=False,
        use_causal_mask=False,
    ):
        """Attend."""
        self._check(inputs, mask)
        query, value = inputs[:2]
        key = inputs[2] if len(inputs) > 2 else value
        query_mask, value_mask = (mask[0], mask[1]) if mask is not None else (None, None)
        if value_mask is not None:
            value_mask = ops.expand_dims(as_mask(value_mask, value.device), -2)
        scores = self._added(query, key)
        if scores is None:
            if self.scale is not None:
                query = query * self.scale
            y, scores = self._by_products(
                query, key, value, value_mask, training, return_attention_scores, use_causal_mask
            )
        else:
            scores = ops.softmax(hide(scores, value_mask, causal=use_causal_mask))
            if training and self.dropout:
                scores = drop(scores, self.dropout, self.seed_generator)
            y = ops.matmul(scores, value)
        if query_mask is not None:
            y = ops.where(ops.expand_dims(as_mask(query_mask, y.device), -1), y, 0.0)
        return (y, scores) if return_attention_scores else y

    def _by_products(self, query, key, value, mask, training, with_scores, causal):
        """The result, and the probabilities or None, of products as scores."""
        rate = self.dropout if training else 0.0
        query, key, value = self._of_one_batch(query, key, value)
        batch = query.shape[:-2]
        if mask is not None:
            mask = ops.reshape(mask, (math.prod(batch), 1, 1, mask.shape[-1]))
        one_head = [ops.reshape(x, (math.prod(batch), x.shape[-2], 1, x.shape[-1]))
                    for x in (query, key, value)]  # fmt: skip
        if not with_scores:
            y = attend(*one_head, None, mask, causal=causal, rate=rate, stream=self.seed_generator)
            return ops.reshape(y, (*query.shape[:-1], value.shape[-1])), None
        y, p = attend_with_scores(*one_head, None, mask, causal=causal)
        p = ops.reshape(p, (*query.shape[:-1], value.shape[-2]))
        if rate:  # Keras gives the scores after dropout
            p = drop(p, rate, self.seed_generator)
            return ops.matmul(p, value), p
        return ops.reshape(y, (*query.shape[:-1], value.shape[-1])), p

    def _of_one_batch(self, *sequences):
        """Sequences whose batches may be broadcast, as one array of queries for every example."""
        batches = [x.shape[:-2] for x in sequences]
        if batches.count(batches[0]) == len(batches):
            return sequences
        try:
            batch = np.broadcast_shapes(*batches)
        except ValueError:
            shapes = [x.shape for x in sequences]
            raise wrong(self, f"the inputs differ in batch size: {shapes}", ShapeError) from None
        return [ops.broadcast_to(x, (*batch, *x.shape[-2:])) for x in sequences]

    def compute_mask(self, inputs, mask=None):
        """The mask of the queries."""
        return None if mask is None else mask[0]

    def compute_output_shape(self, input_shape):
        """The queries' shape with the values' last axis."""
        self._check(input_shape)
        return (*input_shape[0][:-1], input_shape[1][-1])

    def compute_output_spec(self, *args, return_attention_scores=False, **kwargs):
        """Symbolic outputs; with scores, of both."""
        if not return_attention_scores:
            return super().compute_output_spec(*args, **kwargs)
        return self._inferred(args, {**kwargs, "return_attention_scores": True})


class AdditiveAttention(Attention):
    """The mean of values, weighed by sums of tanh(query + key): Bahdanau's attention.

        y = softmax(sum(scale * tanh(q + k))) v

    Args:
        use_scale: whether each feature has a trained factor. Default: True.
        dropout, seed: see `Attention`.

    Call arguments: those of `Attention`.

    Shapes: [(batch, T, n), (batch, S, n)] -> (batch, T, n). Weights: scale (n,).

    Raises:
        ArgumentError: if an argument has a value that is not allowed.
        ShapeError: if it is not called on a list of two or three tensors, or batches differ.

    Source: keras.layers.AdditiveAttention; Bahdanau et al., 2014, https://arxiv.org/abs/1409.0473

    >>> q, v = np.ones((4, 2, 3)), np.ones((4, 5, 3))
    >>> gpunn.layers.AdditiveAttention()([q, v]).shape
    (4, 2, 3)
    """

    def __init__(self, use_scale=True, dropout=0.0, seed=None, **kwargs):
        super().__init__(use_scale=use_scale, dropout=dropout, seed=seed, **kwargs)

    def build(self, input_shape):
        """Make the scale."""
        self._check(input_shape)
        if self.use_scale:
            self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale")

    def _added(self, query, key):
        x = ops.tanh(_sums(query, key))
        return ops.sum(x if self.scale is None else x * self.scale, axis=-1)

    def get_config(self):
        """The arguments that make a layer like this one."""
        config = super().get_config()
        del config["score_mode"]
        return config


def _sums(query, key):
    """Every query and key added: (batch, T, S, n)."""
    return ops.expand_dims(query, -2) + ops.expand_dims(key, -3)
