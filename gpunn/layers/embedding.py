"""Embedding: a trained vector for each of a number of indices."""

import numpy as np

from gpunn import constraints, initializers, ops, regularizers
from gpunn.backend import backend_of
from gpunn.backend.asker import asked_by
from gpunn.backend.dtypes import is_float
from gpunn.backend.words import is_words
from gpunn.errors import DataError
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.lora import Lora, adaptable


class Embedding(Lora):
    """Replace indices by trained vectors: y = embeddings[x].

    Args:
        input_dim: how many indices there are: 0 to input_dim - 1.
        output_dim: size of a vector.
        embeddings_initializer: default: "uniform".
        embeddings_regularizer: a term added to the loss.
        embeddings_constraint: a projection applied after each step.
        mask_zero: whether index 0 stands for padding, which layers after it shall skip.
            Default: False.
        weights: values for the embeddings. Default: drawn by the initializer.
        lora_rank, lora_alpha: if given, a product of rank lora_rank is trained beside the
            embeddings, which stay as they are; it counts lora_alpha / lora_rank times.

    Call arguments:
        inputs: integers; floats are cut to integers.

    Shapes: (batch, ...) -> (batch, ..., output_dim). Weights: embeddings (input_dim, output_dim).

    Raises:
        ArgumentError: if input_dim or output_dim is not a positive integer.
        DataError: if an index is out of range: by the call, with its position, on the CPU; on a
            GPU, which is not waited for, when values are read next.

    Source: keras.layers.Embedding.

    >>> gpunn.layers.Embedding(4, 2, embeddings_initializer="ones")([[0, 3, 1]]).shape
    (1, 3, 2)
    """

    accepts_integers = True
    lora_kernel = "embeddings"
    embeddings = adaptable("embeddings")

    def __init__(
        self,
        input_dim,
        output_dim,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        weights=None,
        lora_rank=None,
        lora_alpha=None,
        input_length=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.input_dim = positive_integer(self, "input_dim", input_dim)
        self.output_dim = positive_integer(self, "output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = self._computes_mask = bool(mask_zero)
        self.autocast = False  # indices of any dtype come as they are
        self._lora_arguments(lora_rank, lora_alpha)
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, list) else [weights])

    def build(self, input_shape=None):
        """Make the embeddings."""
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
            name="embeddings",
        )
        self._adapt()

    def call(self, inputs):
        """Look the vectors up."""
        if is_float(inputs.dtype) or is_words(inputs):
            inputs = inputs.to("int32")
        backend_of(inputs.array).look(self._check, inputs.array)
        with asked_by(f"layer {self.name!r} (Embedding)", wraps=False):
            y = ops.take(self._embeddings, inputs, axis=0)
            if not self.lora_enabled:
                return y
            return y + self._change_of(ops.take(self.lora_embeddings_a, inputs, axis=0))

    def _check(self, indices) -> None:
        n = self.input_dim
        if not indices.size or (indices.min() >= 0 and indices.max() < n):
            return
        at = tuple(int(i) for i in np.argwhere((indices < 0) | (indices >= n))[0])
        raise wrong(
            self,
            f"index {indices[at]} at {at} is out of range: expected 0 ... {n - 1} (input_dim={n})",
            DataError,
        )

    def compute_mask(self, inputs, mask=None):
        """True where an index is not padding; None without `mask_zero`."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape):
        """The input's shape and output_dim."""
        return (*input_shape, self.output_dim)

    def get_config(self):
        """The arguments that make a layer like this one, without the values of its weights."""
        config = super().get_config()
        del config["weights"], config["input_length"]
        return config
