"""Layers that turn words and integers into indices by a vocabulary: StringLookup, IntegerLookup."""

from gpunn.layers.categories.vocabulary import VocabularyLayer
from gpunn.layers.check import wrong


class StringLookup(VocabularyLayer):
    """Words as indices by a vocabulary, which is given or learned by `adapt`.

    Args:
        max_tokens: how many indices there are at most. Default: no limit.
        num_oov_indices: how many indices unknown words are spread over, by a hash; with 0 one is an
            error. Default: 1.
        mask_token: a word that gets index 0 (in other modes than "int": none). Default: none.
        oov_token: what unknown words are shown as. Default: "[UNK]".
        vocabulary: the words, or the name of a text file with one a line. Default: learn them.
        idf_weights: the weight of each, with a vocabulary and "tf_idf".
        invert: whether indices are turned into words, a NumPy array of them. Default: False.
        output_mode: "int" (default), "one_hot", "multi_hot", "count" (see `CategoryEncoding`), or
            "tf_idf": counts times log(1 + documents / (1 + those with the word)).
        pad_to_max_tokens: whether vectors have length max_tokens anyhow. Default: False.
        sparse: must be False.
        encoding: of words that are bytes: "utf-8".
        salt: an integer or two for another hash of unknown words. Default: none.

    Call arguments:
        inputs: an array or nested lists of words.

    Shapes: "int": that of the inputs, as int64; else see `CategoryEncoding`.

    Raises:
        ArgumentError: if an argument is not allowed.
        DataError: if a word is unknown, with num_oov_indices=0.

    Source: keras.layers.StringLookup: the same indices.

    >>> layer = gpunn.layers.StringLookup(vocabulary=["a", "b", "c"])
    >>> layer([["a", "c", "d"]]).numpy().tolist()
    [[1, 3, 0]]
    """

    kinds, tokens_are = "U", "words"

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token="[UNK]",
        vocabulary=None,
        idf_weights=None,
        invert=False,
        output_mode="int",
        pad_to_max_tokens=False,
        sparse=False,
        encoding="utf-8",
        name=None,
        salt=None,
        **kwargs,
    ):
        self.encoding = encoding
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert,
            output_mode, pad_to_max_tokens, sparse, salt, name=name, **kwargs,
        )  # fmt: skip


class IntegerLookup(VocabularyLayer):
    """Integers as indices by a vocabulary, which is given or learned by `adapt`.

    Args:
        max_tokens, num_oov_indices, vocabulary, idf_weights, invert, output_mode,
            pad_to_max_tokens, sparse: see `StringLookup`.
        mask_token: an integer that gets index 0. Default: none.
        oov_token: what unknown integers are shown as. Default: -1.
        vocabulary_dtype: "int64".
        oov_method: how unknown integers are spread over several indices: "floormod" (default): the
            rest of a division; "farmhash": a hash.
        salt: an integer or two for another hash. Default: none.

    Call arguments:
        inputs: an array or nested lists of integers.

    Shapes: "int": that of the inputs, as int64; else see `CategoryEncoding`.

    Raises:
        ArgumentError: if an argument is not allowed.
        DataError: if an integer is unknown, with num_oov_indices=0.

    Source: keras.layers.IntegerLookup: the same indices.

    >>> layer = gpunn.layers.IntegerLookup(vocabulary=[12, 36, 1138, 42])
    >>> layer([[12, 1138, 7]]).numpy().tolist()
    [[1, 3, 0]]
    """

    kinds, tokens_are = "iu", "integers"

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token=-1,
        vocabulary=None,
        vocabulary_dtype="int64",
        idf_weights=None,
        invert=False,
        output_mode="int",
        sparse=False,
        pad_to_max_tokens=False,
        oov_method="floormod",
        salt=None,
        name=None,
        **kwargs,
    ):
        self.vocabulary_dtype = vocabulary_dtype
        self.oov_method = oov_method
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert,
            output_mode, pad_to_max_tokens, sparse, salt, name=name, **kwargs,
        )  # fmt: skip
        if vocabulary_dtype != "int64":
            raise wrong(self, f"vocabulary_dtype must be 'int64', got {vocabulary_dtype!r}")
        if oov_method not in ("floormod", "farmhash"):
            raise wrong(self, f"oov_method must be 'floormod' or 'farmhash', got {oov_method!r}")
        if salt is not None and oov_method != "farmhash":
            raise wrong(self, "salt goes with oov_method 'farmhash'")

    def _oov_bucket(self, token):
        if self.oov_method == "farmhash":
            return super()._oov_bucket(token)
        return token % self.num_oov_indices

    def _parsed(self, line):
        return int(line)
