"""VocabularyLayer: a vocabulary, given or learned, and looking up in it."""

import os
from collections import Counter

import numpy as np

from gpunn import ops
from gpunn.autograd import KerasTensor
from gpunn.autograd.symbolic import is_inferring
from gpunn.backend import floatx
from gpunn.errors import ArgumentTypeError, DataError, MissingFileError, NotBuiltError
from gpunn.layers.categories.hashes import bucket
from gpunn.layers.categories.hashing import as_bytes
from gpunn.layers.categories.host import (
    MODES,
    HostLayer,
    check_mode,
    check_salt,
    encoded,
    encoded_shape,
    host_values,
)
from gpunn.layers.check import wrong


class VocabularyLayer(HostLayer):
    """A layer with a vocabulary: first the mask token, then those for unknown tokens."""

    kinds: str  # what tokens are, by the kind of NumPy's dtypes
    tokens_are: str

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token=None,
        vocabulary=None,
        idf_weights=None,
        invert=False,
        output_mode="int",
        pad_to_max_tokens=False,
        sparse=False,
        salt=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if max_tokens is not None and (not isinstance(max_tokens, int) or max_tokens <= 1):
            raise wrong(self, f"max_tokens must be an integer above 1, got {max_tokens!r}")
        if pad_to_max_tokens and max_tokens is None:
            raise wrong(self, "pad_to_max_tokens needs max_tokens")
        if not isinstance(num_oov_indices, int) or num_oov_indices < 0:
            raise wrong(self, f"num_oov_indices must be an integer >= 0, got {num_oov_indices!r}")
        self.output_mode = check_mode(self, output_mode, (*MODES, "tf_idf"), sparse)
        if invert and self.output_mode != "int":
            raise wrong(self, f"invert goes with output_mode 'int', not {output_mode!r}")
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = invert
        self.pad_to_max_tokens = pad_to_max_tokens
        self.salt = check_salt(self, salt)
        self.idf_weights = None
        self._given = vocabulary is not None
        self._take([])
        self.built = True
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise wrong(self, "idf_weights go with a vocabulary")

    # --- the vocabulary ---

    @property
    def _first_oov(self) -> int:
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def _first_token(self) -> int:
        return self._first_oov + self.num_oov_indices

    def _take(self, tokens) -> None:
        self._tokens = list(tokens)
        self._index = {t: i for i, t in enumerate(self._tokens, self._first_token)}
        if self.mask_token is not None:
            self._index[self.mask_token] = 0 if self._first_oov else -1

    def get_vocabulary(self, include_special_tokens=True) -> list:
        """The tokens in the order of their indices.

        Args:
            include_special_tokens: whether those of mask and unknown tokens come first.
        """
        if not include_special_tokens:
            return list(self._tokens)
        return [*self._special(), *self._tokens]

    def _special(self) -> list:
        return [self.mask_token] * self._first_oov + [self.oov_token] * self.num_oov_indices

    def vocabulary_size(self) -> int:
        """How many indices there are, with those of mask and unknown tokens."""
        return self._first_token + len(self._tokens)

    def set_vocabulary(self, vocabulary, idf_weights=None) -> None:
        """Replace the vocabulary.

        Args:
            vocabulary: the tokens, each once, with or without the special ones in front; or the
                name of a text file with one token a line.
            idf_weights: the weight of each, for output_mode "tf_idf".

        Raises:
            MissingFileError: if there is no such file.
            ArgumentError: if it is empty, too large, or has a token twice or a special one within.
        """
        if isinstance(vocabulary, str):
            if not os.path.exists(vocabulary):
                raise wrong(self, f"there is no vocabulary file {vocabulary!r}", MissingFileError)
            with open(vocabulary, encoding="utf-8") as file:
                vocabulary = [self._parsed(line) for line in file.read().splitlines() if line]
        tokens = self._checked(host_values(vocabulary)).reshape(-1).tolist()
        if not tokens:
            raise wrong(self, "the vocabulary must not be empty")
        if (self.output_mode == "tf_idf") != (idf_weights is not None):
            raise wrong(self, "idf_weights must be given for output_mode 'tf_idf', and only for it")
        special = self._special()
        whole = tokens[: len(special)] == special
        weights = None
        if idf_weights is not None:
            weights = self._weights(host_values(idf_weights), len(tokens), whole)
        tokens = tokens[len(special) :] if whole else tokens
        twice = [t for t, n in Counter(tokens).items() if n > 1]
        if twice:
            raise wrong(self, f"the vocabulary has tokens twice: {twice[:5]}")
        reserved = {self.mask_token, self.oov_token if self.invert else None} - {None}
        if reserved & set(tokens):
            raise wrong(
                self,
                f"the vocabulary has the special token {sorted(reserved & set(tokens))[0]!r} "
                f"within: leave special tokens out, or begin with {special}",
            )
        if self.max_tokens is not None and self._first_token + len(tokens) > self.max_tokens:
            raise wrong(
                self,
                f"the vocabulary has {self._first_token + len(tokens)} tokens, with the special "
                f"ones; max_tokens is {self.max_tokens}",
            )
        self._take(tokens)
        self.idf_weights = weights

    def _weights(self, weights, count, whole):
        if weights.shape != (count,):
            raise wrong(self, f"expected {count} idf_weights, got shape {weights.shape}")
        front = [] if whole else [weights.mean()] * self._first_token
        return self._padded(np.concatenate([front, weights]))

    def _padded(self, weights):
        more = self.max_tokens - len(weights) if self.pad_to_max_tokens else 0
        return np.pad(weights, (0, more)).astype(floatx())

    # --- learning ---

    def adapt(self, data, steps=None) -> None:
        """Learn the vocabulary of data, anew at each call: the most frequent tokens first.

        Args:
            data: an array or list of tokens, or an iterable of batches.
            steps: how many batches at most. Default: all.

        Raises:
            ArgumentError: if the layer was given its vocabulary.
            DTypeError: if the data are of another kind.
        """
        self._learn(rows for batch in self.batches(data, steps) for rows in self._documents(batch))

    def _documents(self, batch):
        """The tokens of each row of a batch; a vector is one row."""
        batch = self._checked(batch)
        return batch.reshape(1 if batch.ndim < 2 else len(batch), -1).tolist()

    def _learn(self, documents) -> None:
        """Learn the vocabulary of lists of tokens."""
        if self._given:
            raise wrong(self, "was given its vocabulary: there is nothing to adapt")
        counts: Counter = Counter()
        appears: Counter = Counter()
        rows = 0
        for tokens in documents:
            counts.update(tokens)
            appears.update(set(tokens))
            rows += 1
        for special in (self.mask_token, self.oov_token):
            counts.pop(special, None)
        order = sorted(counts, key=lambda t: (counts[t], t), reverse=True)
        if self.max_tokens is not None:
            order = order[: max(self.max_tokens - self._first_token, 0)]
        self._take(order)
        if self.output_mode == "tf_idf" and order:
            idf = np.log(1 + rows / (1 + np.array([appears[t] for t in order])))
            self.idf_weights = self._padded(np.r_[[idf.mean()] * self._first_token, idf])

    # --- looking up ---

    def call(self, inputs):
        """The index of each token, or the token of each index."""
        values = host_values(inputs)
        if self.invert:
            return self._inverted(values)
        values = self._checked(values)
        flat = self._indices(values.reshape(-1).tolist())
        return self._encoded(np.array(flat, np.int64).reshape(values.shape))

    def _indices(self, tokens) -> list[int]:
        """The index of each token; one that is masked but has none is -1."""
        index = self._index
        unknown = {t: self._unknown(t) for t in set(tokens) - index.keys()}
        return [index[t] if t in index else unknown[t] for t in tokens]

    def _unknown(self, token) -> int:
        if not self.num_oov_indices and is_inferring():
            return 0
        if not self.num_oov_indices:
            raise wrong(
                self,
                f"{token!r} is not in the vocabulary; with num_oov_indices=1 it would be taken for "
                "an unknown token",
                DataError,
            )
        return self._first_oov + self._oov_bucket(token)

    def _oov_bucket(self, token) -> int:
        n = self.num_oov_indices
        return bucket(as_bytes(self, token), n, self.salt) if n > 1 else 0

    def _encoded(self, indices):
        mode = self.output_mode
        if mode == "int":
            return encoded(indices, mode, 0, "int64")
        kind = "count" if mode == "tf_idf" else mode
        return self._weighed(encoded(indices, kind, self._depth(), self.output_dtype))

    def _weighed(self, counts):
        if self.output_mode != "tf_idf":
            return counts
        if self.idf_weights is None:
            raise wrong(self, "has no weights yet: call adapt(data), or give idf_weights",
                        NotBuiltError)  # fmt: skip
        return counts * ops.convert_to_tensor(self.idf_weights)

    def _depth(self) -> int:
        if self.pad_to_max_tokens:
            return self.max_tokens
        if not self._tokens:
            raise wrong(self, "has no vocabulary yet: call adapt(data), or give one", NotBuiltError)
        return self.vocabulary_size()

    def _inverted(self, indices):
        if indices.dtype.kind not in "iu":
            raise wrong(self, f"expected indices, got {indices.dtype}", ArgumentTypeError)
        table = dict(enumerate(self._tokens, self._first_token))
        if self._first_oov:
            table[0] = self.mask_token
        flat = [table.get(i, self.oov_token) for i in indices.reshape(-1).tolist()]
        return np.array(flat).reshape(indices.shape)

    def _checked(self, values):
        """The values, if they can be tokens."""
        if values.size and values.dtype.kind not in self.kinds:
            raise wrong(
                self, f"expected {self.tokens_are}, got {values.dtype.name}", ArgumentTypeError
            )
        return values

    def _parsed(self, line: str):
        return line

    # --- shapes and configs ---

    @property
    def output_dtype(self) -> str:
        """What comes out: indices, vectors, or words."""
        return "string" if self.invert else floatx() if self.output_mode == "tf_idf" else "int64"

    def compute_output_spec(self, inputs):
        """A symbolic tensor like what a call gives."""
        return KerasTensor(self.compute_output_shape(inputs.shape), self.output_dtype)

    def compute_output_shape(self, input_shape):
        """The shape of the inputs, or of the vectors."""
        if self.output_mode == "int":
            return tuple(input_shape)
        depth = self.max_tokens if self.pad_to_max_tokens else self.vocabulary_size()
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        return encoded_shape(input_shape, mode, depth)

    def get_config(self):
        """The arguments that make a layer like this one, with the vocabulary that was learned."""
        weights = None if self.idf_weights is None else self.idf_weights.tolist()
        whole = weights is not None
        if whole and self.pad_to_max_tokens:
            weights = weights[: self.vocabulary_size()]
        tokens = self.get_vocabulary(include_special_tokens=whole)
        own = {"vocabulary": tokens or None, "idf_weights": weights, "has_input": self._given}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        """A new layer of a config made by `get_config`."""
        config = dict(config)
        given = config.pop("has_input", None)
        layer = super().from_config(config)
        if given is not None:
            layer._given = given
        return layer
