"""FeatureSpace: columns encoded by layers, in a graph and outside, and saved."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.data import Dataset
from gpunn.errors import ArgumentError, ArgumentTypeError, NotBuiltError
from gpunn.utils import FeatureSpace

KINDS = {
    "float_1": "float",
    "float_2": "float_normalized",
    "float_3": "float_discretized",
    "string_1": "string_categorical",
    "string_2": "string_hashed",
    "int_1": "integer_categorical",
    "int_2": "integer_hashed",
    "int_3": "integer_categorical",
}
CROSSES = [("float_3", "string_1"), ("string_2", "int_2")]


def table() -> dict:
    """As in Keras' own tests."""
    numbers = {f"float_{k}": [i / 10 for i in range(10)] for k in (1, 2, 3)}
    integers = {f"int_{k}": list(range(10)) for k in (1, 2, 3)}
    words = {f"string_{k}": [str(i) for i in range(10)] for k in (1, 2)}
    return numbers | integers | words


def space(**options) -> FeatureSpace:
    made = FeatureSpace(KINDS, crosses=CROSSES, **options)
    made.adapt(table())
    return made


def test_a_vector_a_row_of_the_sizes_of_keras():
    fs = space()
    x = fs(table())
    # 1 + 1 + 32 bins, 11 tokens twice and once of words, 32 hashes twice, crosses of 32
    assert x.shape == (10, 1 + 1 + 32 + 3 * 11 + 2 * 32 + 2 * 32) == (10, 195)
    one = fs({name: column[3] for name, column in table().items()})
    np.testing.assert_array_equal(one.numpy(), x.numpy()[3])
    columns = {name: np.array(column)[:, None] for name, column in table().items()}
    np.testing.assert_array_equal(fs(columns).numpy(), x.numpy())


def test_each_part_is_what_its_layer_gives():
    fs = space(output_mode="dict")
    data = table()
    parts = fs(data)
    assert list(parts) == [*sorted(KINDS), "float_3_X_string_1", "string_2_X_int_2"]
    np.testing.assert_array_equal(parts["float_1"].numpy()[:, 0], np.float32(data["float_1"]))
    x = np.array(data["float_2"])
    np.testing.assert_allclose(parts["float_2"].numpy()[:, 0], (x - x.mean()) / x.std(), rtol=1e-5)
    lookup = layers.StringLookup()
    lookup.adapt(data["string_1"])
    hot = np.eye(11)[lookup(data["string_1"]).numpy()]
    np.testing.assert_array_equal(parts["string_1"].numpy(), hot)
    hashed = layers.Hashing(32)(data["string_2"]).numpy()
    np.testing.assert_array_equal(parts["string_2"].numpy(), np.eye(32)[hashed])
    crossed = layers.HashedCrossing(32)([hashed, layers.Hashing(32)(data["int_2"]).numpy()])
    np.testing.assert_array_equal(parts["string_2_X_int_2"].numpy(), np.eye(32)[crossed.numpy()])


def test_adapted_to_batches_and_rows():
    wanted = space()(table()).numpy()
    for batch_size in (4, None):
        fs = FeatureSpace(KINDS, crosses=CROSSES)
        fs.adapt(Dataset(table()).batch(batch_size))
        # the limits of bins are of a summary that depends on batches
        float_3 = slice(2, 34)
        np.testing.assert_allclose(
            np.delete(fs(table()).numpy(), float_3, 1)[:, :-64],
            np.delete(wanted, float_3, 1)[:, :-64],
            atol=1e-6,
        )


def test_in_a_model_and_before_it(device):
    with gpunn.device(device):
        fs = space()
        features = fs.get_encoded_features()
        outputs = layers.Dense(1)(features)
        whole = gpunn.Model(fs.get_inputs(), outputs)
        inner = gpunn.Model(features, outputs)
    inner.compile("adam", "mse")
    y = np.arange(10.0)
    before = inner.get_weights()
    inner.fit(Dataset(table(), y).batch(4).map(lambda x, y: (fs(x), y)), verbose=0)
    assert (before[0] != inner.get_weights()[0]).any()
    np.testing.assert_allclose(
        whole.predict(Dataset(table()).batch(4), verbose=0),
        inner.predict(fs(table()).numpy(), verbose=0),
        rtol=1e-5,
        atol=1e-6,
    )


def test_it_is_saved(tmp_path):
    fs = space(name="columns")
    path = tmp_path / "columns.keras"
    fs.save(path)
    again = gpunn.load_model(path)
    assert type(again) is FeatureSpace and again.name == "columns"
    np.testing.assert_array_equal(again(table()).numpy(), fs(table()).numpy())
    with pytest.raises(FileExistsError):
        fs.save(path, overwrite=False)
    model = gpunn.Model(fs.get_inputs(), layers.Dense(1)(fs.get_encoded_features()))
    model.save(tmp_path / "model")
    data = Dataset(table()).batch(10)
    np.testing.assert_array_equal(
        gpunn.load_model(tmp_path / "model").predict(data, verbose=0),
        model.predict(data, verbose=0),
    )


def test_features_and_crosses_of_ones_own():
    text = layers.TextVectorization(output_mode="tf_idf")
    fs = FeatureSpace(
        {
            "text": FeatureSpace.feature("string", text, "float"),
            "kind": FeatureSpace.string_categorical(num_oov_indices=0, max_tokens=3),
            "size": FeatureSpace.float_discretized(None, bin_boundaries=[0.0, 1.0]),
            "rate": FeatureSpace.float_rescaled(2.0, offset=1.0),
            "code": FeatureSpace.integer_hashed(5),
        },
        crosses=[FeatureSpace.cross(("kind", "code"), crossing_dim=7)],
    )
    data = {
        "text": ["a b", "b c"],
        "kind": ["x", "y"],
        "size": [0.5, 2.0],
        "rate": [1, 2],
        "code": [4, 9],
    }
    fs.adapt(data)
    x = fs(data).numpy()  # code, kind, rate, size, text, and the cross
    assert x.shape == (2, 5 + 2 + 1 + 3 + text.vocabulary_size() + 7)
    np.testing.assert_array_equal(x[:, 7], [3.0, 5.0])
    np.testing.assert_array_equal(x[:, 8:11], [[0, 1, 0], [0, 0, 1]])
    integers = FeatureSpace(
        {name: FeatureSpace.integer_hashed(5, output_mode="int") for name in "ab"},
        crosses=[FeatureSpace.cross(("a", "b"), 7, output_mode="int")],
        output_mode="dict",
    )
    parts = integers({"a": 3, "b": 4})
    assert {name: v.shape for name, v in parts.items()} == dict.fromkeys(("a", "b", "a_X_b"), (1,))
    assert all("int" in str(v.dtype) for v in parts.values())


@pytest.mark.parametrize(
    "call, error, said",
    [
        (lambda: FeatureSpace({}), ArgumentError, "must be a dict"),
        (lambda: FeatureSpace({"a": "flot"}), ArgumentError, "did you mean 'float'"),
        (lambda: FeatureSpace({"a": "float"}, "list"), ArgumentError, "output_mode"),
        (lambda: FeatureSpace({"a": "float"}, crosses=[("a", "b")]), ArgumentError, r"\['b'\]"),
        (lambda: FeatureSpace.cross("ab", 2, "float"), ArgumentError, "output_mode"),
        (lambda: FeatureSpace.integer_hashed(2, "one-hot"), ArgumentError, "output_mode"),
        (lambda: FeatureSpace({"a": "float_normalized"})({"a": [1.0]}), NotBuiltError, "adapt"),
        (lambda: FeatureSpace({"a": "float"})([1.0]), ArgumentTypeError, "with a dict"),
        (lambda: FeatureSpace({"a": "float"})({"b": [1.0]}), ArgumentError, "lacks .* 'a'"),
        (
            lambda: FeatureSpace({"a": FeatureSpace.integer_hashed(2, "int")})({"a": [1]}),
            ArgumentError,
            "not encoded",
        ),
        (
            lambda: FeatureSpace({"a": "float_normalized"}).adapt(Dataset({"a": [1.0]}, [1.0])),
            ArgumentTypeError,
            "labels are left out",
        ),
        (
            lambda: FeatureSpace({"a": "float_normalized"}).adapt(iter([{"a": [1.0]}])),
            ArgumentTypeError,
            "iterated over again",
        ),
    ],
)
def test_what_cannot_be(call, error, said):
    with pytest.raises(error, match=said):
        call()
