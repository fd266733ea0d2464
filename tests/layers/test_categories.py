"""Layers of words and categories. Where Keras needs TensorFlow the numbers are its own tests'."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import ArgumentError, ArgumentTypeError, DataError, GpunnError, NotBuiltError
from gpunn.layers.categories.hashes import farmhash, siphash
from tests.golden.cases_categories import ENCODINGS, INPUTS, LEARNED, LIMITS, VALUES, WEIGHTS
from tests.harness import assert_close, golden

LETTERS = [["A"], ["B"], ["C"], ["D"], ["E"]]
NAMES = [["omar"], ["stringer"], ["marlo"], ["wire"], ["skywalker"]]


def again(layer):
    """A layer of the config of another one."""
    copy = layers.deserialize(layers.serialize(layer))
    assert copy.get_config() == layer.get_config()
    return copy


# --- CategoryEncoding and Discretization ---


@pytest.mark.parametrize("case", ENCODINGS)
def test_category_encoding(case, device):
    mode, name, weighted = ENCODINGS[case]
    layer = layers.CategoryEncoding(5, output_mode=mode)
    more = {"count_weights": WEIGHTS} if weighted else {}
    x = gpunn.Tensor(INPUTS[name])
    y = layer(x, **more)
    assert_close(y, golden("categories")[case])
    assert y.device.kind == device
    assert layer.compute_output_shape((None, *x.shape[1:]))[1:] == y.shape[1:]
    assert_close(again(layer)(x, **more), y.numpy())


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
def test_discretization(mode, device):
    layer = layers.Discretization(LIMITS, output_mode=mode)
    x = gpunn.Tensor(VALUES[:12].reshape(4, 3))
    y = layer(x)
    assert_close(y, golden("categories")[f"bins_{mode}"])
    assert y.device.kind == device and y.dtype == ("int32" if mode == "int" else "float32")
    assert layer.compute_output_shape((4, 3)) == y.shape
    assert_close(again(layer)(x), y.numpy())


@pytest.mark.parametrize("case", LEARNED)
def test_learned_bins(case):
    bins, epsilon, batches = LEARNED[case]
    layer = layers.Discretization(num_bins=bins, epsilon=epsilon)
    with pytest.raises(NotBuiltError, match="adapt"):
        layer([0.0])
    layer.adapt(batch for batch in batches)
    found = np.array(layer.bin_boundaries, "float32")
    assert_close(found, golden("categories")[case], rtol=1e-5)
    assert_close(again(layer)(VALUES), layer(VALUES).numpy())
    layer.adapt((batch, None) for batch in batches)
    assert (np.array(layer.bin_boundaries, "float32") == found).all()


# --- hashes ---


def test_symbolic_bins_are_integers():
    layer = layers.Discretization([0.0, 1.0])
    spec = layer.compute_output_spec(gpunn.KerasTensor((None, 3)))
    assert spec.dtype == layer(np.zeros((2, 3))).dtype == layer.output_dtype == "int32"


def test_known_hashes():
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    assert siphash(bytes(range(15)), key) == 0xA129CA6149BE45E5  # of the paper
    lengths = (0, 3, 7, 12, 16, 24, 40, 64, 65, 128, 200)
    text = bytes(i % 251 % 128 for i in range(200))
    assert [hex(farmhash(text[:n])) for n in lengths] == [
        "0x9ae16a3b2f90404f",
        "0x94a13d22e9eba49a",
        "0xa2e0bff20db0a6a1",
        "0x9fd5df33aefc3d7d",
        "0xefd25a0a34156d4",
        "0x3f3b313dcbd16ec7",
        "0x8f45b937b49468c",
        "0xf58504bb53decc4b",
        "0xc6a3282c3e793dbe",
        "0x1c484c95f0ea5dd3",
        "0xc8ce235cccc0c1e0",
    ]


@pytest.mark.parametrize(
    ("options", "inputs", "bins"),
    [
        ({"num_bins": 3}, LETTERS, [1, 0, 1, 1, 2]),
        ({"num_bins": 3, "mask_value": ""}, [["A"], ["B"], [""], ["C"], ["D"]], [1, 1, 0, 2, 2]),
        ({"num_bins": 3, "salt": [133, 137]}, LETTERS, [1, 2, 1, 0, 2]),
        ({"num_bins": 3, "salt": 133}, LETTERS, [0, 0, 2, 1, 0]),
        ({"num_bins": 1}, LETTERS, [0, 0, 0, 0, 0]),
        ({"num_bins": 2}, NAMES, [0, 0, 1, 0, 0]),
        ({"num_bins": 3, "mask_value": ""}, NAMES, [1, 1, 2, 1, 1]),
        ({"num_bins": 3, "mask_value": "omar"}, NAMES, [0, 1, 2, 1, 1]),
        ({"num_bins": 3}, [[0], [1], [2], [3], [4]], [1, 0, 1, 0, 2]),
        ({"num_bins": 2, "salt": [133, 137]}, NAMES, [0, 1, 0, 1, 0]),
        ({"num_bins": 2, "salt": [211, 137]}, NAMES, [1, 0, 1, 0, 1]),
        ({"num_bins": 3, "salt": [133, 137]}, [[0], [1], [2], [3], [4]], [1, 1, 2, 0, 1]),
    ],
)
def test_hashing(options, inputs, bins):
    layer = layers.Hashing(**options)
    y = layer(inputs)
    assert y.numpy().tolist() == [[b] for b in bins] and y.dtype == "int64"
    for other in (np.array(inputs), np.array(inputs, object)):
        if other.dtype != object or isinstance(inputs[0][0], str):
            assert (again(layer)(other).numpy() == y.numpy()).all()


def test_hashing_modes(device):
    x = np.array([0, 1, 2, 3, 4])
    one = layers.Hashing(3, output_mode="one_hot")(x)
    assert one.numpy().argmax(1).tolist() == [1, 0, 1, 0, 2] and one.dtype == "float32"
    assert layers.Hashing(3, output_mode="multi_hot")([x]).numpy().tolist() == [[1, 1, 1]]
    assert layers.Hashing(3, output_mode="count")([x]).numpy().tolist() == [[2, 2, 1]]
    assert layers.Hashing(3)(x).device.kind == device
    assert layers.Hashing(3, output_mode="one_hot").compute_output_shape((None, 1)) == (None, 3)


def test_hashed_crossing_of_symbols():
    y = layers.HashedCrossing(5)([gpunn.Input((), dtype="int64"), gpunn.Input((), dtype="int64")])
    assert (y.shape, y.dtype) == ((None,), "int64")


def test_hashed_crossing():
    letters, numbers = np.array(list("ABABA")), np.array([101, 101, 101, 102, 102])
    layer = layers.HashedCrossing(5)
    assert layer((letters, numbers)).numpy().tolist() == [1, 4, 1, 1, 3]
    assert layer((letters[:, None], numbers[:, None])).shape == (5, 1)
    assert layer(("A", 101)).numpy() == 1
    hot = layers.HashedCrossing(5, output_mode="one_hot")
    assert hot([letters, numbers]).numpy().argmax(1).tolist() == [1, 4, 1, 1, 3]
    assert (again(hot)([letters, numbers]).numpy() == hot([letters, numbers]).numpy()).all()


# --- lookups ---


def test_string_lookup(device):
    layer = layers.StringLookup()
    layer.adapt(["a", "a", "a", "b", "b", "c"])
    y = layer(["b", "c", "d"])
    assert y.numpy().tolist() == [2, 3, 0] and y.dtype == "int64" and y.device.kind == device
    assert layer.get_vocabulary() == ["[UNK]", "a", "b", "c"] and layer.vocabulary_size() == 4
    assert layer.get_vocabulary(include_special_tokens=False) == ["a", "b", "c"]
    assert layer(np.array([[b"b"], [b"c"]])).numpy().tolist() == [[2], [3]]
    assert again(layer)(["b", "c", "d"]).numpy().tolist() == [2, 3, 0]
    layer.adapt(iter([["cat", "dog"], ["bird", "cat"]]))
    assert layer.get_vocabulary() == ["[UNK]", "cat", "dog", "bird"]
    layer.set_vocabulary(["x"])
    assert layer(["x", "cat"]).numpy().tolist() == [1, 0]
    back = layers.StringLookup(vocabulary=["a", "b"], mask_token="", invert=True)
    assert back([[2, 3, 1, 0, 9]]).tolist() == [["a", "b", "[UNK]", "", "[UNK]"]]


def test_vocabulary_files(tmp_path):
    path = tmp_path / "words.txt"
    with pytest.raises(ValueError, match=r"no vocabulary file .*words\.txt"):
        layers.StringLookup(vocabulary=str(path))
    path.write_text("a\nb\nc\n")
    layer = layers.StringLookup(
        vocabulary=str(path), oov_token="[OOV]", mask_token="[MASK]", name="index"
    )
    assert layer.get_vocabulary() == ["[MASK]", "[OOV]", "a", "b", "c"]
    path.unlink()
    assert again(layer).get_vocabulary() == layer.get_vocabulary()
    path.write_text("12\n36\n")
    assert layers.IntegerLookup(vocabulary=str(path))([36]).numpy().tolist() == [2]


def test_integer_lookup():
    layer = layers.IntegerLookup(max_tokens=7, mask_token=0)
    layer.adapt([1, 1, 1, 2, 2, 3])
    assert layer.get_vocabulary() == [0, -1, 1, 2, 3]
    assert layer([1, 2, 4, 0]).numpy().tolist() == [2, 3, 1, 0]
    layer = layers.IntegerLookup(max_tokens=4, mask_token=0)
    layer.adapt(np.array([1, 1, 1, 2, 2, 3]))
    assert layer.get_vocabulary() == [0, -1, 1, 2]
    assert layer(gpunn.Tensor([1, 2, 3, 4])).numpy().tolist() == [2, 3, 1, 1]
    for vocabulary in ([1, 2, 3], [0, -1, 1, 2, 3]):
        layer = layers.IntegerLookup(vocabulary=vocabulary, mask_token=0)
        assert again(layer)([1, 2, 4]).numpy().tolist() == [2, 3, 1]
    layer = layers.IntegerLookup(vocabulary=[12, 36], num_oov_indices=3)
    assert layer([12, 36, 7, 8, 9]).numpy().tolist() == [3, 4, 1, 2, 0]
    with pytest.raises(DataError, match="7 is not in the vocabulary"):
        layers.IntegerLookup(vocabulary=[12], num_oov_indices=0)([12, 7])


def test_unknown_words_are_spread():
    spread = layers.Hashing(4)([["w"], ["x"], ["y"], ["z"]]).numpy().ravel()
    layer = layers.StringLookup(vocabulary=["a"], num_oov_indices=4, mask_token="")
    assert layer(["w", "x", "y", "z", "a", ""]).numpy().tolist() == [*(spread + 1), 5, 0]
    salted = layers.StringLookup(vocabulary=["a"], num_oov_indices=4, salt=[133, 137])
    wanted = layers.Hashing(4, salt=[133, 137])(["w", "x"]).numpy()
    assert (salted(["w", "x"]).numpy() == wanted).all()


@pytest.mark.parametrize(
    ("mode", "single", "batch"),
    [
        ("int", [2, 3, 1], [[2, 3, 1, 3]]),
        ("multi_hot", [1, 1, 1, 0], [[1, 1, 1, 0]]),
        ("binary", [1, 1, 1, 0], [[1, 1, 1, 0]]),
        ("count", [1, 1, 1, 0], [[1, 1, 2, 0]]),
        ("tf_idf", [0.2, 0.1, 0.2, 0.0], [[0.2, 0.1, 0.4, 0.0]]),
    ],
)
def test_lookup_modes(mode, single, batch):
    weights = {"idf_weights": [0.1, 0.2, 0.3]} if mode == "tf_idf" else {}
    layer = layers.StringLookup(
        7, vocabulary=["one", "two", "three"], mask_token="", output_mode=mode, **weights
    )
    assert_close(layer(["one", "two", "four"]), np.array(single), rtol=1e-6, atol=1e-6)
    data = [["one", "two", "four", "two"]]
    assert_close(layer(data), np.array(batch), rtol=1e-6, atol=1e-6)
    assert_close(again(layer)(data), layer(data).numpy())
    assert layer.compute_output_shape((None, 4)) == (None, 4)


def test_one_hot_and_padded_vectors():
    layer = layers.StringLookup(vocabulary=["one", "two", "three"], output_mode="one_hot")
    hot = layer(["one", "two", "four"]).numpy()
    assert hot.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]
    assert layer([["one"], ["two"]]).shape == (2, 4)
    layer = layers.IntegerLookup(
        5, mask_token=0, vocabulary=[1, 2], pad_to_max_tokens=True, output_mode="multi_hot"
    )
    assert layer([1, 2]).numpy().tolist() == [0, 1, 1, 0, 0]


def test_learned_tf_idf():
    texts = [["a", "b", "b"], ["a", "c", "c"], ["a", "a", "a"]]
    layer = layers.StringLookup(6, output_mode="tf_idf", pad_to_max_tokens=True)
    layer.adapt(texts)
    assert layer.get_vocabulary() == ["[UNK]", "a", "c", "b"]
    a, c = np.log(1 + 3 / 4), np.log(1 + 3 / 2)
    mean = (a + 2 * c) / 3
    wanted = [[0, a, 0, 2 * c, 0, 0], [mean, 0, 0, 0, 0, 0]]
    for same in (layer, again(layer)):
        assert_close(same([["a", "b", "b"], ["z", "", ""]])[0], np.array(wanted[0], "float32"))
        assert_close(same([["z"]])[0], np.array(wanted[1], "float32"))


# --- texts ---


def test_text_vectorization(device):
    layer = layers.TextVectorization(5000, output_sequence_length=4)
    layer.set_vocabulary(["baz", "bar", "foo"])
    data = [["foo qux bar"], ["qux baz"]]
    y = layer(data)
    assert y.numpy().tolist() == [[4, 1, 3, 0], [1, 2, 0, 0]] and y.device.kind == device
    for same in (again(layer), layers.TextVectorization(vocabulary=["baz", "bar", "foo"],
                                                        output_sequence_length=4)):  # fmt: skip
        assert (same(np.array(data)).numpy() == y.numpy()).all()
    assert layer("foo qux").numpy().tolist() == [4, 1, 0, 0]
    assert layer.compute_output_shape((None, 1)) == (None, 4)
    layer = layers.TextVectorization()
    layer.adapt(np.array(["Hello, world!", "hello  there\n"]))
    assert layer.get_vocabulary() == ["", "[UNK]", "hello", "world", "there"]
    assert layer(["There: hello WORLD...", "x"]).numpy().tolist() == [[4, 2, 3], [1, 0, 0]]


def test_ways_to_split():
    data = ["ab c!", "B a"]
    known = {"vocabulary": ["a", "b", "c", " ", "ab", "a b c", "b a"], "output_mode": "int"}

    def indices(**options):
        return layers.TextVectorization(**known, **options)(data).numpy().tolist()

    assert indices() == [[6, 4], [3, 2]]
    assert indices(split="character") == [[2, 3, 5, 4], [3, 5, 2, 0]]
    assert indices(standardize="lower") == [[6, 1], [3, 2]]
    assert indices(standardize="strip_punctuation") == [[6, 4], [1, 2]]
    assert indices(standardize=None) == [[6, 1], [1, 2]]
    assert indices(ngrams=2) == [[6, 4, 1], [3, 2, 8]]
    assert indices(ngrams=(2,)) == [[1], [8]]
    assert indices(split=None, standardize=lambda x: np.char.replace(x, "!", "")) == [[1], [1]]
    assert indices(split=lambda texts: [list(t)[:2] for t in texts]) == [[2, 3], [3, 5]]


@pytest.mark.parametrize(
    ("mode", "rows"),
    [
        ("multi_hot", [[1, 1, 0, 0], [0, 0, 1, 1]]),
        ("count", [[1, 2, 0, 0], [0, 0, 1, 1]]),
    ],
)
def test_bags_of_words(mode, rows):
    layer = layers.TextVectorization(output_mode=mode, vocabulary=["a", "b", "c"])
    data = ["a x a", "c b"]
    assert layer(data).numpy().tolist() == rows
    assert again(layer)(data).numpy().tolist() == rows
    assert layer("a x a").numpy().tolist() == rows[0]
    assert layer.compute_output_shape((None, 1)) == (None, 4)
    wide = layers.TextVectorization(6, output_mode=mode, pad_to_max_tokens=True)
    wide.adapt(["a b c a b a"])
    assert wide(data).shape == (2, 6)


def test_text_tf_idf():
    layer = layers.TextVectorization(output_mode="tf_idf")
    layer.adapt(["a b", "a c", "a"])
    y = layer(["a a b"])
    assert_close(y[0, 1:], np.array([2 * np.log(1.75), 0, np.log(2.5)], "float32"))
    assert_close(again(layer)(["a a b"]), y.numpy())


def test_in_models(device, tmp_path):
    """Words are looked up before a model; integers and numbers in one."""
    texts = layers.TextVectorization(output_sequence_length=3, vocabulary=["a", "b"])
    model = gpunn.Sequential(
        [
            gpunn.Input((3,), dtype="int64"),
            layers.IntegerLookup(vocabulary=[2, 3], name="lookup"),
            layers.Embedding(4, 2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    x = texts(["a b", "b"])
    y = model(x).numpy()
    model.save(tmp_path / "m.gpunn")
    loaded = gpunn.load_model(tmp_path / "m.gpunn")
    assert_close(loaded(x), y)
    assert loaded.get_layer("lookup").get_vocabulary() == [-1, 2, 3]
    bins = gpunn.Sequential([gpunn.Input((2,)), layers.Discretization(LIMITS), layers.Rescaling(2)])
    assert bins.predict(np.array([[-1.0, 5.0]], "float32"), verbose=0).tolist() == [[0, 6]]


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: layers.CategoryEncoding(), ArgumentError, "num_tokens must be given"),
        (lambda: layers.CategoryEncoding(3, output_mode="int"), ArgumentError, "output_mode"),
        (lambda: layers.CategoryEncoding(3, sparse=True), ArgumentError, "sparse"),
        (
            lambda: layers.CategoryEncoding(3)([[1]], count_weights=[[1.0]]),
            ArgumentError,
            "count_weights",
        ),
        (lambda: layers.Discretization(), ArgumentError, "give either bin_boundaries"),
        (lambda: layers.Discretization([0.0], 2), ArgumentError, "give either bin_boundaries"),
        (lambda: layers.Hashing(3, dtype="float32"), ArgumentError, "integer dtype"),
        (lambda: layers.Discretization([1.0, 0.0]), ArgumentError, "must rise"),
        (lambda: layers.Discretization([1.0]).adapt([1.0]), ArgumentError, "nothing to adapt"),
        (lambda: layers.Discretization(num_bins=2).adapt([]), DataError, "no data"),
        (lambda: layers.Discretization(num_bins=2).adapt([np.nan]), DataError, "NaN"),
        (lambda: layers.Hashing(0), ArgumentError, "num_bins must be"),
        (lambda: layers.Hashing(2, salt="a"), ArgumentError, "salt must be"),
        (lambda: layers.HashedCrossing(2)([["a"]]), ArgumentTypeError, "two features"),
        (lambda: layers.HashedCrossing(2)([["a"], ["a", "b"]]), GpunnError, "one shape"),
        (lambda: layers.StringLookup(1), ArgumentError, "max_tokens must be"),
        (lambda: layers.StringLookup(pad_to_max_tokens=True), ArgumentError, "needs max_tokens"),
        (lambda: layers.StringLookup(vocabulary=["a", "a"]), ArgumentError, "twice: ['a']"),
        (lambda: layers.StringLookup(vocabulary=[]), ArgumentError, "must not be empty"),
        (lambda: layers.StringLookup(2, vocabulary=["a", "b"]), ArgumentError, "max_tokens is 2"),
        (
            lambda: layers.StringLookup(vocabulary=["a", "m"], mask_token="m"),
            ArgumentError,
            "special token 'm'",
        ),
        (lambda: layers.StringLookup(vocabulary=["a"]).adapt(["b"]), ArgumentError, "nothing to"),
        (lambda: layers.StringLookup(vocabulary=["a"])([1]), ArgumentTypeError, "expected words"),
        (lambda: layers.StringLookup().adapt([1]), ArgumentTypeError, "expected words"),
        (lambda: layers.StringLookup().adapt(3), ArgumentTypeError, "iterable of batches"),
        (
            lambda: layers.StringLookup(output_mode="multi_hot")(["a"]),
            NotBuiltError,
            "no vocabulary yet",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a"], output_mode="tf_idf"),
            ArgumentError,
            "idf_weights must be given",
        ),
        (
            lambda: layers.StringLookup(invert=True, output_mode="count"),
            ArgumentError,
            "invert goes with",
        ),
        (lambda: layers.IntegerLookup(vocabulary=[1])(["a"]), ArgumentTypeError, "integers"),
        (lambda: layers.IntegerLookup(salt=3), ArgumentError, "farmhash"),
        (lambda: layers.IntegerLookup(oov_method="hash"), ArgumentError, "floormod"),
        (lambda: layers.IntegerLookup(vocabulary_dtype="int32"), ArgumentError, "int64"),
        (lambda: layers.TextVectorization(standardize="upper"), ArgumentError, "standardize"),
        (lambda: layers.TextVectorization(split="word"), ArgumentError, "split"),
        (lambda: layers.TextVectorization(ngrams="two"), ArgumentTypeError, "ngrams"),
        (lambda: layers.TextVectorization(ragged=True), ArgumentError, "ragged"),
        (
            lambda: layers.TextVectorization(output_mode="count", output_sequence_length=2),
            ArgumentError,
            "output_sequence_length",
        ),
        (
            lambda: layers.TextVectorization(vocabulary=["a"])([["a", "b"]]),
            GpunnError,
            "(batch, 1)",
        ),
        (lambda: layers.TextVectorization(vocabulary=["a"])([1]), ArgumentTypeError, "words"),
    ],
)
def test_wrong_arguments(call, error, said):
    with pytest.raises(error) as caught:
        call()
    assert said in str(caught.value) and isinstance(caught.value, GpunnError)
