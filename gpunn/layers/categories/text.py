"""TextVectorization: texts as indices of their words."""

import re
import string
from collections.abc import Callable

import numpy as np

from gpunn.backend import floatx
from gpunn.errors import ArgumentTypeError, ShapeError, unknown
from gpunn.layers.categories.host import HostLayer, encoded, host_values
from gpunn.layers.categories.lookup import StringLookup
from gpunn.layers.check import wrong
from gpunn.serialization import deserialize_value

LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
BARE = str.maketrans("", "", string.punctuation)
STEPS = {
    "lower": (LOWER,),
    "strip_punctuation": (BARE,),
    "lower_and_strip_punctuation": (LOWER, BARE),
    None: (),
}
WORDS = re.compile(r"[^ \t\n\r\f\v]+")
SPLITS: dict[str, Callable] = {"whitespace": WORDS.findall, "character": list}


class TextVectorization(HostLayer):
    """Texts as indices of their words, by a vocabulary that is given or learned by `adapt`.

    Args:
        max_tokens: how many indices there are at most. Default: no limit.
        standardize: what is done to texts first: "lower_and_strip_punctuation" (default), "lower"
            (ASCII letters), "strip_punctuation", None, or a function of an array of texts.
        split: what the tokens are: "whitespace" (default): words; "character"; None: the texts; or
            a function from an array of texts to lists of tokens.
        ngrams: also (an integer n: up to n; a tuple: these lengths alone) neighbours joined by a
            space. Default: none.
        output_mode: "int" (default): indices in the order of the text, 0 after its end and 1 for
            unknown tokens; "multi_hot", "count", "tf_idf": see `StringLookup`.
        output_sequence_length: in mode "int" how many indices each text gets. Default: as many as
            the longest of the call.
        pad_to_max_tokens, vocabulary, idf_weights: see `StringLookup`.
        sparse, ragged: must be False.
        encoding: of texts that are bytes: "utf-8".

    Call arguments:
        inputs: an array or list of texts of shape (batch,), (batch, 1), or one text.

    Shapes: "int": (batch, length), as int64; else (batch, vocabulary).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the texts have another shape.

    Source: keras.layers.TextVectorization: the same indices.

    >>> layer = gpunn.layers.TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["The cat sat.", "The dog!"])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'the', 'sat', 'dog', 'cat']
    >>> layer(["the dog ate"]).numpy().tolist()
    [[2, 4, 1, 0]]
    """

    def __init__(
        self,
        max_tokens=None,
        standardize="lower_and_strip_punctuation",
        split="whitespace",
        ngrams=None,
        output_mode="int",
        output_sequence_length=None,
        pad_to_max_tokens=False,
        vocabulary=None,
        idf_weights=None,
        sparse=False,
        ragged=False,
        encoding="utf-8",
        name=None,
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if not callable(standardize) and standardize not in STEPS:
            raise unknown(f"standardize of {self.name!r}", standardize, [s for s in STEPS if s])
        if not callable(split) and split is not None and split not in SPLITS:
            raise unknown(f"split of {self.name!r}", split, SPLITS)
        many = isinstance(ngrams, list | tuple) and all(isinstance(n, int) for n in ngrams)
        if ngrams is not None and not isinstance(ngrams, int) and not many:
            raise wrong(
                self, f"ngrams must be an integer or several, got {ngrams!r}", ArgumentTypeError
            )
        if ragged:
            raise wrong(self, "ragged tensors are not supported: leave ragged out")
        self.standardize = standardize
        self.split = split
        self.ngrams = tuple(ngrams) if many else ngrams
        self.output_sequence_length = output_sequence_length
        self.encoding = encoding
        self.lookup = StringLookup(
            max_tokens=max_tokens,
            mask_token="",
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            name=f"{self.name}_lookup",
        )
        self.output_mode = self.lookup.output_mode
        length = output_sequence_length
        if length is not None and (self.output_mode != "int" or not isinstance(length, int)):
            raise wrong(
                self,
                "output_sequence_length must be an integer, and goes with output_mode 'int', got "
                f"{length!r} with {output_mode!r}",
            )
        self.built = True

    # --- the vocabulary ---

    def adapt(self, data, batch_size=None, steps=None) -> None:
        """Learn the vocabulary of texts, anew at each call: the most frequent tokens first.

        Args:
            data: an array or list of texts, or an iterable of batches of them.
            batch_size: accepted as in Keras; it changes nothing.
            steps: how many batches at most. Default: all.
        """
        batches = self.batches(data, steps)
        self.lookup._learn(tokens for batch in batches for tokens in self._tokens(batch))

    def get_vocabulary(self, include_special_tokens=True) -> list[str]:
        """The tokens in the order of their indices."""
        return self.lookup.get_vocabulary(include_special_tokens)

    def set_vocabulary(self, vocabulary, idf_weights=None) -> None:
        """Replace the vocabulary; see `StringLookup.set_vocabulary`."""
        self.lookup.set_vocabulary(vocabulary, idf_weights)

    def vocabulary_size(self) -> int:
        """How many indices there are, with those of padding and unknown tokens."""
        return self.lookup.vocabulary_size()

    # --- texts to tokens ---

    def _tokens(self, texts) -> list[list[str]]:
        """The tokens of each text."""
        texts = self.lookup._checked(texts)
        if callable(self.standardize):
            texts = host_values(self.standardize(texts))
        if self.split is None:
            rows = texts.reshape(len(texts) if texts.ndim else 1, -1).tolist()
        else:
            if texts.ndim > 1 and texts.shape[1:] != (1,):
                raise wrong(
                    self, f"expected texts of shape (batch,) or (batch, 1), got {texts.shape}",
                    ShapeError,
                )  # fmt: skip
            rows = texts.reshape(-1)
        if not callable(self.standardize):
            for table in STEPS[self.standardize]:
                rows = [_translated(row, table) for row in rows]
        if self.split is not None:
            rows = self.split(rows) if callable(self.split) else map(SPLITS[self.split], rows)
            rows = [list(map(str, row)) for row in rows]
        return rows if self.ngrams is None else [self._joined(row) for row in rows]

    def _joined(self, tokens):
        widths = self.ngrams if isinstance(self.ngrams, tuple) else range(1, self.ngrams + 1)
        return [
            " ".join(tokens[i : i + width])
            for width in widths
            for i in range(len(tokens) - width + 1)
        ]

    def call(self, inputs):
        """Turn texts into indices, or vectors."""
        texts = host_values(inputs)
        tokens = self._tokens(texts)
        flat = self.lookup._indices([token for row in tokens for token in row])
        ends = np.cumsum([len(row) for row in tokens]).tolist()
        rows = [flat[end - len(row) : end] for row, end in zip(tokens, ends, strict=True)]
        mode, lookup = self.output_mode, self.lookup
        if mode == "int":
            length = self.output_sequence_length
            if length is None:
                length = max(map(len, rows), default=0)
            return encoded(self._box(rows, length, 0, texts.ndim), "int", 0, "int64")
        indices = self._box(rows, max(map(len, rows), default=0), -1, texts.ndim)
        dtype = floatx() if mode == "tf_idf" else "int64"
        vectors = encoded(indices, "count" if mode == "tf_idf" else mode, lookup._depth(), dtype)
        return lookup._weighed(vectors)

    def _box(self, rows, length, fill, ndim):
        """The indices of each text as a row of one length."""
        box = np.full((len(rows), length), fill, np.int64)
        for row, indices in zip(box, rows, strict=True):
            row[: len(indices)] = indices[:length]
        return box if ndim else box[0]

    # --- shapes and configs ---

    def compute_output_shape(self, input_shape):
        """(batch, length) or (batch, vocabulary)."""
        if self.output_mode == "int":
            return (input_shape[0], self.output_sequence_length)
        return self.lookup.compute_output_shape((input_shape[0], None))

    def get_config(self):
        """The arguments that make a layer like this one, with the vocabulary that was learned."""
        own = self.lookup.get_config()
        names = ("max_tokens", "pad_to_max_tokens", "vocabulary", "idf_weights", "has_input")
        config = {**super().get_config(), **{n: own[n] for n in names}, "sparse": False}
        return {**config, "ragged": False}

    @classmethod
    def from_config(cls, config):
        """A new layer of a config made by `get_config`."""
        config = dict(config)
        given = config.pop("has_input", None)
        functions = {n: deserialize_value(config.get(n)) for n in ("standardize", "split")}
        layer = super().from_config({**config, **functions})
        if given is not None:
            layer.lookup._given = given
        return layer


def _translated(row, table):
    return row.translate(table) if isinstance(row, str) else [text.translate(table) for text in row]
