"""Models that are given words: an Input(dtype="string") and layers that look them up."""

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops
from gpunn.errors import CaptureError, DataError, DTypeError

COLORS = ["red", "green", "blue", "grey"]


def table(rows=60):
    rng = np.random.default_rng(3)
    numbers = rng.integers(0, 4, rows)
    size = rng.normal(size=rows).astype("float32")
    y = ((numbers == 0) | (size > 0)).astype("float32")
    return numbers, {"color": np.array(COLORS)[numbers], "size": size}, y


def head(color, size, embedded):
    if embedded:
        color = layers.Embedding(4, 3)(color)
    h = layers.concatenate([color, ops.expand_dims(size, -1)])
    h = layers.Dense(8, "relu", kernel_initializer=gpunn.initializers.GlorotUniform(1))(h)
    return layers.Dense(1, "sigmoid", kernel_initializer=gpunn.initializers.GlorotUniform(2))(h)


def model_of_words(mode="one_hot"):
    color = gpunn.Input((), dtype="string", name="color")
    inputs = {"color": color, "size": gpunn.Input((), name="size")}
    lookup = layers.StringLookup(
        vocabulary=COLORS, mask_token=None, num_oov_indices=0, output_mode=mode
    )
    color = color if mode == "int" else ops.expand_dims(color, -1)
    return gpunn.Model(inputs, head(lookup(color), inputs["size"], mode == "int"))


def test_training_is_that_of_looked_up_numbers(device):
    numbers, x, y = table()
    words = model_of_words()
    inputs = {"color": gpunn.Input((4,)), "size": gpunn.Input(())}
    plain = gpunn.Model(inputs, head(inputs["color"], inputs["size"], False))
    hot = {"color": np.eye(4, dtype="float32")[numbers], "size": x["size"]}
    results = []
    for model, data in ((words, x), (plain, hot)):
        model.to(device)  # which need not be the current device
        model.compile(gpunn.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
        gpunn.set_seed(5)
        h = model.fit(data, y, batch_size=16, epochs=3, validation_split=0.2, verbose=0)
        few = {name: a[:3] for name, a in data.items()}
        results.append([
            *h.history["loss"], *h.history["val_accuracy"], *model.evaluate(data, y, verbose=0),
            model.train_on_batch(few, y[:3])[0],
            *model.predict(data, verbose=0).ravel(), *model.predict(few, verbose=0).ravel(),
            *model(few).numpy().ravel(), *model.predict_on_batch(few).ravel(),
        ])  # fmt: skip
    np.testing.assert_allclose(results[0], results[1], rtol=2e-6, atol=2e-6)


def test_a_mode_of_indices_feeds_an_embedding():
    _, x, y = table()
    model = model_of_words("int")
    model.compile("adam", "binary_crossentropy")
    first = model.fit(x, y, epochs=1, verbose=0).history["loss"][0]
    last = model.fit(x, y, epochs=20, verbose=0).history["loss"][-1]
    assert last < first
    assert model._captured.refused == "words are looked up on the host"


def test_a_saved_model_takes_words_again(tmp_path):
    _, x, _ = table(4)
    model = model_of_words()
    assert model.get_config()["layers"][0]["config"]["dtype"] == "string"
    model.save(tmp_path / "model.keras")
    again = gpunn.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def vectorizer():
    return layers.TextVectorization(vocabulary=["a", "b", "c"], output_sequence_length=3)


TEXTS = (["a b", "c"], np.array([["a b"], ["c"]]), np.array(["a b", "c"], object), [b"a b", b"c"])


@pytest.mark.parametrize("texts", TEXTS, ids=["list", "array", "objects", "bytes"])
def test_a_numeric_model_after_its_vectorizer(texts):
    core = gpunn.Sequential([layers.Embedding(5, 4), layers.GlobalAveragePooling1D()])
    expected = core(np.array([[2, 3, 0], [4, 0, 0]])).numpy()
    text = gpunn.Input((1,), dtype="string")
    end_to_end = gpunn.Model(text, core(vectorizer()(text)))
    np.testing.assert_array_equal(end_to_end.predict(texts, verbose=0), expected)
    np.testing.assert_array_equal(end_to_end(texts).numpy(), expected)
    chain = gpunn.Sequential([gpunn.Input((1,), dtype="string"), vectorizer(), core])
    np.testing.assert_array_equal(chain.predict(texts, verbose=0), expected)
    np.testing.assert_array_equal(gpunn.Sequential([vectorizer(), core])(texts).numpy(), expected)


def test_batches_of_words():
    core = gpunn.Sequential([layers.Embedding(5, 4), layers.GlobalAveragePooling1D()])
    model = gpunn.Sequential([gpunn.Input((1,), dtype="string"), vectorizer(), core])
    model.compile("sgd", "mse")
    texts, y = np.array(["a b", "c", "b"]), np.zeros((3, 4))
    whole = model.evaluate(texts, y, verbose=0)
    data = gpunn.data.Dataset(texts, y).batch(2)
    assert model.evaluate(data, verbose=0) == pytest.approx(whole)
    assert model.evaluate(iter([(texts, y)]), verbose=0) == pytest.approx(whole)


class Own(gpunn.Model):
    def __init__(self):
        super().__init__()
        self.words, self.table = vectorizer(), layers.Embedding(5, 2)

    def call(self, texts):
        return self.table(self.words(texts))


def test_a_model_of_ones_own():
    model = Own()
    assert model(np.array(["a"])).shape == (1, 3, 2)
    assert model.predict(np.array(["a", "b"]), verbose=0).shape == (2, 3, 2)


def test_what_is_refused():
    _, x, y = table()
    model = model_of_words()
    model.compile("sgd", "mse")
    with pytest.raises(DTypeError, match=r"'color' .* takes string, got float32"):
        model.predict({"color": x["size"], "size": x["size"]})
    with pytest.raises(DTypeError, match=r"'size' .* takes float32, got string"):
        model({"color": x["color"], "size": x["color"]})
    with pytest.raises(DTypeError, match="y: expected numbers"):
        model.fit(x, x["color"])
    with pytest.raises(DTypeError, match="expected numbers"):
        gpunn.Sequential([layers.Dense(1)]).predict(np.array(["a"]))
    with pytest.raises(CaptureError, match="words are looked up on the host"):
        model.compile("sgd", "mse", jit_compile=True)
        model.fit(x, y, epochs=3, verbose=0)


def test_the_symbolic_tensor():
    words = gpunn.Input((2,), dtype="string", name="text")
    assert repr(words) == "<KerasTensor shape=(None, 2), dtype=string, name=text>"
    lookup = layers.StringLookup(vocabulary=["a"], num_oov_indices=0)
    assert lookup(words).dtype == "int64" and lookup(words).shape == (None, 2)
    back = layers.StringLookup(vocabulary=["a"], invert=True)(gpunn.Input((2,), dtype="int64"))
    assert back.dtype == words.dtype


def test_tensors_of_words(device):
    _, x, _ = table(5)
    model = model_of_words()
    model.to(device)
    expected = model.predict(x, verbose=0)
    tensors = {"color": ops.convert_to_tensor(list(x["color"])), "size": x["size"]}
    assert tensors["color"].tolist() == x["color"].tolist()
    np.testing.assert_array_equal(model.predict(tensors, verbose=0), expected)
    np.testing.assert_array_equal(model(tensors).numpy(), expected)
    with gpunn.device(device):
        assert ops.expand_dims(ops.convert_to_tensor([b"a"]), 1).tolist() == [["a"]]
    with pytest.raises(DTypeError, match="numbers"):
        ops.convert_to_tensor(["a"], dtype="float32")
    with pytest.raises(DTypeError):
        ops.convert_to_tensor(["a"]) + 1


def test_words_that_come_out():
    numbers = gpunn.Input((1,), dtype="int64")
    model = gpunn.Model(numbers, layers.StringLookup(vocabulary=["a", "b"], invert=True)(numbers))
    few = np.array([[1], [2], [0]])
    assert model.predict(few, verbose=0).tolist() == [["a"], ["b"], ["[UNK]"]]
    assert model.predict(few, batch_size=2, verbose=0).tolist() == [["a"], ["b"], ["[UNK]"]]


@pytest.mark.parametrize("layer", [layers.Dense(3), layers.Embedding(3, 2), layers.ReLU()])
def test_layers_of_numbers_refuse_words(layer):
    with pytest.raises(DTypeError):
        layer(gpunn.Input((1,), dtype="string"))
    with pytest.raises(DTypeError, match="expected numbers"):
        layer(np.array([["a"]]))


class Hashed(layers.Layer):
    """Looks words up that may not be unknown."""

    def __init__(self):
        super().__init__()
        self.lookup = layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=0)
        self.embedding = layers.Embedding(2, 3)

    def call(self, words):
        return self.embedding(self.lookup(words))


def test_a_lookup_without_unknown_words_inside_a_layer_of_a_graph():
    words = gpunn.Input((), dtype="string")
    hashed = Hashed()
    model = gpunn.Model(words, hashed(words))
    assert model.output_shape == (None, 3)
    y = model.predict(np.array(["b", "a"]), verbose=0)
    np.testing.assert_array_equal(y, hashed.embedding.embeddings.numpy()[[1, 0]])
    with pytest.raises(DataError, match="'c' is not in the vocabulary"):
        model.predict(np.array(["c"]), verbose=0)
