"""Embeddings of language models: one that is also its own reverse, and tokens with positions."""

from gpunn import initializers, ops
from gpunn.autograd import KerasTensor, mask_of, with_mask
from gpunn.layers.check import positive_integer
from gpunn.layers.embedding import Embedding
from gpunn.layers.head_attention import cloned
from gpunn.layers.layer import Layer
from gpunn.layers.positions import PositionEmbedding


class ReversibleEmbedding(Embedding):
    """`Embedding` that can also go back, from vectors to scores of the indices.

    Args:
        input_dim, output_dim, embeddings_initializer, embeddings_regularizer,
        embeddings_constraint, mask_zero: see `Embedding`.
        tie_weights: whether the way back uses the embeddings, transposed, and not a weight of its
            own. Default: True.
        reverse_dtype: dtype to compute the way back in. Default: the layer's.
        logit_soft_cap: a number c that makes scores y of the way back c tanh(y / c).

    Call arguments:
        inputs: integers, or on the way back vectors (..., output_dim).
        reverse: whether to go back. Default: False.

    Shapes: (batch, ...) -> (batch, ..., output_dim), and back (batch, ..., output_dim) -> (batch,
    ..., input_dim). Weights: embeddings (input_dim, output_dim), and without tie_weights
    reverse_embeddings (output_dim, input_dim).

    Raises:
        ArgumentError, DataError: see `Embedding`.

    Source: keras.layers.ReversibleEmbedding; Press and Wolf, 2016, https://arxiv.org/abs/1608.05859

    >>> layer = gpunn.layers.ReversibleEmbedding(10, 4)
    >>> layer(layer(np.array([[1, 2, 3]])), reverse=True).shape
    (1, 3, 10)
    """

    def __init__(
        self,
        input_dim,
        output_dim,
        tie_weights=True,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        reverse_dtype=None,
        logit_soft_cap=None,
        **kwargs,
    ):
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
            mask_zero=mask_zero,
            **kwargs,
        )

    def build(self, input_shape=None):
        """Make the embeddings, and those of the way back."""
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                (self.output_dim, self.input_dim),
                cloned(self.embeddings_initializer),
                name="reverse_embeddings",
            )

    def call(self, inputs, reverse=False):
        """Look the vectors up, or compute the scores."""
        if not reverse:
            return with_mask(super().call(inputs), super().compute_mask(inputs))
        kernel = ops.transpose(self.embeddings) if self.tie_weights else self.reverse_embeddings
        dtype = self.reverse_dtype or self.compute_dtype
        y = ops.matmul(ops.cast(inputs, dtype), ops.cast(kernel, dtype))
        cap = self.logit_soft_cap
        return y if cap is None else ops.tanh(y / cap) * cap

    def compute_mask(self, inputs, mask=None):
        """None: `call` gives masks to what it looks up."""
        return None

    def compute_output_shape(self, input_shape, reverse=False):
        """The input's shape and output_dim; on the way back, with input_dim last."""
        if reverse:
            return (*input_shape[:-1], self.input_dim)
        return super().compute_output_shape(input_shape)

    def compute_output_spec(self, inputs, reverse=False):
        """Symbolic outputs, either way."""
        return KerasTensor(self.compute_output_shape(inputs.shape, reverse), self.compute_dtype)


class TokenAndPositionEmbedding(Layer):
    """The sum of a trained vector for each token and one for each position.

    Args:
        vocabulary_size: number of tokens.
        sequence_length: number of positions.
        embedding_dim: size of the vectors.
        tie_weights: see `ReversibleEmbedding`, which `token_embedding` is. Default: True.
        embeddings_initializer: default: "uniform".
        mask_zero: whether token 0 stands for padding. Default: False.

    Call arguments:
        inputs: integers (batch, length).
        start_index, positions: see `PositionEmbedding`.

    Shapes: (batch, length) -> (batch, length, embedding_dim). Weights: those of token_embedding
    and position_embedding.

    Raises:
        ArgumentError: if a size is not a positive integer.
        ShapeError: if the inputs are longer than sequence_length.

    Source: keras_hub.layers.TokenAndPositionEmbedding.

    >>> layer = gpunn.layers.TokenAndPositionEmbedding(100, 50, 8)
    >>> layer(np.ones((2, 5), "int32")).shape
    (2, 5, 8)
    """

    accepts_integers = True

    def __init__(
        self,
        vocabulary_size,
        sequence_length,
        embedding_dim,
        tie_weights=True,
        embeddings_initializer="uniform",
        mask_zero=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.autocast = False  # tokens of any dtype come as they are
        self.vocabulary_size = positive_integer(self, "vocabulary_size", vocabulary_size)
        self.sequence_length = positive_integer(self, "sequence_length", sequence_length)
        self.embedding_dim = positive_integer(self, "embedding_dim", embedding_dim)
        self.tie_weights = tie_weights
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.mask_zero = mask_zero
        self.token_embedding = ReversibleEmbedding(
            vocabulary_size,
            embedding_dim,
            tie_weights=tie_weights,
            embeddings_initializer=cloned(self.embeddings_initializer),
            mask_zero=mask_zero,
            dtype=self.dtype_policy,
            name="token_embedding",
        )
        self.position_embedding = PositionEmbedding(
            sequence_length,
            cloned(self.embeddings_initializer),
            dtype=self.dtype_policy,
            name="position_embedding",
        )

    def build(self, input_shape):
        """Make the vectors."""
        self.token_embedding.build(input_shape)
        self.position_embedding.build((*input_shape, self.embedding_dim))

    def call(self, inputs, start_index=0, positions=None):
        """Look the vectors up."""
        tokens = self.token_embedding(inputs)
        y = tokens + self.position_embedding(tokens, start_index=start_index, positions=positions)
        return with_mask(y, mask_of(tokens))

    def compute_output_shape(self, input_shape):
        """The input's shape and embedding_dim."""
        return (*input_shape, self.embedding_dim)
