"""Mixed precision: policies, layers and models in half with weights in float32."""

import numpy as np
import pytest

import gpunn
from gpunn import dtype_policies, layers, mixed_precision
from gpunn.errors import ArgumentError, MissingDependencyError
from tests.golden.cases_mixed import CASES, POLICIES, cotangent, inputs, values
from tests.harness import assert_close, golden, rand

# how far halves may be off, as a share of the largest element: Keras rounds in other places
OFF = {"mixed_float16": 4e-3, "mixed_bfloat16": 3e-2}


@pytest.fixture(autouse=True)
def own_policy():
    """The global policy, as it was."""
    yield
    gpunn.set_dtype_policy(None)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("policy", POLICIES)
def test_layers_are_those_of_keras(policy, name, device):
    if policy == "mixed_bfloat16":
        pytest.importorskip("ml_dtypes")
        if device == "cuda":
            pytest.skip("a quick check of one half dtype will do there")
    kind, options, _ = CASES[name]
    x = gpunn.Tensor(inputs(name), device=device, requires_grad=True)
    layer = getattr(layers, kind)(**options, dtype=policy)
    layer.build(x.shape)
    layer.set_weights([values(w.shape, i) for i, w in enumerate(layer.weights)])
    layer.to(device)
    y = layer(x, training=True)
    assert y.dtype == layer.compute_dtype == policy.removeprefix("mixed_")
    (gpunn.ops.cast(y, "float32") * cotangent(y.shape)).sum().backward()
    found = {"y": y, "dx": x.grad}
    found |= {f"dw{i}": w.grad for i, w in enumerate(layer.trainable_weights)}
    assert all(w.dtype == w.grad.dtype == "float32" for w in layer.trainable_weights)
    for key, actual in found.items():
        desired = golden("mixed")[f"{policy}/{name}/{key}"]
        actual = actual.to("float32")
        atol = OFF[policy] * np.abs(desired).max()
        assert_close(actual, desired, rtol=0, atol=atol, label=f"{policy} {name} {key}")


def test_policies_by_name_and_config():
    policy = dtype_policies.get("mixed_float16")
    assert (policy.compute_dtype, policy.variable_dtype) == ("float16", "float32")
    assert policy == mixed_precision.Policy("mixed_float16") != gpunn.DTypePolicy("float16")
    assert dtype_policies.deserialize(dtype_policies.serialize(policy)) == policy
    assert dtype_policies.get(dtype_policies.serialize(policy)) == policy
    assert dtype_policies.get(np.float64).name == "float64"
    mixed_precision.set_global_policy("mixed_float16")
    assert gpunn.DTypePolicy() == dtype_policies.get(None) == gpunn.config.dtype_policy() == policy
    assert layers.Dense(1).compute_dtype == "float16"
    assert layers.Dense(1, dtype="float32").compute_dtype == "float32"
    with pytest.raises(ArgumentError, match=r"mixed_float8.*mixed_bfloat16"):
        gpunn.DTypePolicy("mixed_float8")
    with pytest.raises(TypeError, match="must be a string"):
        gpunn.DTypePolicy(123)
    assert repr(policy) == '<DTypePolicy "mixed_float16">'
    with pytest.raises(ArgumentError, match="config of a DTypePolicy"):
        dtype_policies.deserialize({"class_name": "Dense", "config": {}})


def test_layers_of_integers(device):
    layer = layers.Identity(dtype="int32")
    assert layer.dtype_policy == dtype_policies.get("int32")
    y = layer([1.9, 3.0])
    assert (y.dtype, y.tolist()) == ("int32", [1, 3])


def test_bfloat16_without_its_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ml_dtypes", None)
    with pytest.raises(MissingDependencyError, match=r"gpunn\[bf16\]"):
        gpunn.DTypePolicy("mixed_bfloat16")


class Scaled(layers.Layer):
    """A layer that names `dtype` among its own arguments."""

    def __init__(self, dtype=None, **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.plain = layers.Dense(2, dtype="float32")

    def build(self, input_shape):
        self.factor = self.add_weight((), "ones")
        self.kept = self.add_weight((), "ones", autocast=False)

    def call(self, inputs):
        self.seen = (inputs * self.factor).dtype, (self.kept * 1).dtype, self.plain(inputs).dtype
        return inputs * self.factor


def test_weights_are_cast_where_a_layer_uses_them():
    layer = Scaled(dtype="mixed_float16")
    y = layer(np.ones((2, 3)))
    assert y.dtype == "float16" and layer.seen == ("float16", "float32", "float32")
    assert (layer.factor * 1).dtype == layer.plain.kernel.dtype == "float32"  # outside it is not
    assert Scaled.from_config(layer.get_config()).dtype_policy.name == "mixed_float16"
    assert Scaled(dtype="mixed_float16", autocast=False)(np.ones((2, 3))).dtype == "float64"


def test_recomputing_in_backward_casts_as_before():
    gpunn.utils.set_random_seed(0)
    layer = layers.Dense(3, dtype="mixed_float16", activation="tanh")
    x = gpunn.Tensor(np.ones((2, 4)), requires_grad=True)
    layer(x).sum().backward()
    dx, dw = x.grad.numpy(), layer.kernel.grad.numpy()
    x.grad = None
    layer.zero_grad()
    gpunn.checkpoint(layer, x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), dx)
    np.testing.assert_array_equal(layer.kernel.grad.numpy(), dw)


def test_products_of_halves_are_summed_in_float32():
    be = gpunn.backend.get_backend("cpu")
    a = np.full((2, 4096), 1.01, np.float16)
    exact = a.astype(np.float32) @ a.T.astype(np.float32)
    for product in (be.matmul(a, a.T), be.dot(a, a.T)):
        assert product.dtype == np.float16
        np.testing.assert_array_equal(product, exact.astype(np.float16))
    out = np.empty((2, 2), np.float16)
    assert be.matmul(a, a.T, out=out) is out and (out == exact.astype(np.float16)).all()


def test_functional_model_in_half():
    gpunn.set_dtype_policy("mixed_float16")
    given = gpunn.Input((4,))
    x = layers.Dense(3, activation="relu")(given)
    y = layers.Dense(2, dtype="float32")(x)
    model = gpunn.Model(given, y)
    assert (given.dtype, x.dtype, y.dtype) == ("float32", "float16", "float32")
    assert model.predict(np.ones((2, 4)), verbose=0).dtype == np.float32
    copy = gpunn.models.clone_model(model)
    assert [x.dtype_policy.name for x in copy.layers[1:]] == ["mixed_float16", "float32"]


@pytest.mark.parametrize(
    "make", [layers.LayerNormalization, lambda **k: layers.GroupNormalization(2, **k)]
)
def test_what_is_too_large_for_half_is_normalized(make, device):
    x = np.full((2, 4, 8), 70000.0, "float32")
    x[..., ::2] = -70000.0
    y = make(dtype="mixed_float16")(x)
    assert y.dtype == "float16"
    assert_close(y.numpy(), np.sign(x), rtol=1e-2)


def test_spectral_normalization_of_a_layer_of_another_policy():
    layer = layers.SpectralNormalization(layers.Dense(2), dtype="mixed_float16")
    for training in (False, True):
        assert layer(rand(3, 4), training=training).dtype == "float16"
