"""Fine-tuning by products of low rank beside the kernels."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import ArgumentError, NotBuiltError
from tests.harness import assert_close, rand

TOKENS = np.random.default_rng(0).integers(0, 6, (2, 5)).astype("int32")
CASES = {
    "dense": (lambda **k: layers.Dense(4, activation="tanh", **k), rand(3, 5)),
    "einsum": (lambda **k: layers.EinsumDense("abc,cde->abde", (None, 2, 4), **k), rand(2, 3, 5)),
    "einsum_by_einsum": (lambda **k: layers.EinsumDense("abc,bd->acd", (5, 4), **k), rand(2, 3, 5)),
    "embedding": (lambda **k: layers.Embedding(6, 4, **k), TOKENS),
    "conv": (lambda **k: layers.Conv2D(4, 3, groups=2, **k), rand(2, 5, 5, 2)),
    "conv1d": (lambda **k: layers.Conv1D(4, 2, padding="causal", **k), rand(2, 5, 3)),
}


def kernel_of(layer):
    return getattr(layer, f"_{layer.lora_kernel}")


@pytest.mark.parametrize("case", CASES)
def test_the_product_is_added_to_the_kernel(case, device):
    make, x = CASES[case]
    layer, plain = make(lora_rank=2, lora_alpha=3.0), make()
    before = layer(x).numpy()
    plain(x)
    kernel, *rest = layer.get_weights()
    bias, (a, b) = rest[:-2], rest[-2:]
    assert a.shape == (*kernel.shape[:-1], 2) and b.shape == (2, kernel.shape[-1])
    assert not b.any() and a.any()
    plain.set_weights([kernel, *bias])
    assert_close(before, plain(x).numpy(), rtol=1e-6)

    b = rand(*b.shape, seed=3).astype("float32")
    layer.set_weights([kernel, *bias, a, b])
    plain.set_weights([kernel + 1.5 * (a @ b), *bias])
    assert_close(layer(x), plain(x).numpy(), rtol=1e-5, atol=1e-5)
    merged = getattr(layer, layer.lora_kernel).numpy()  # what it computes with, as in Keras
    assert_close(merged, kernel + 1.5 * (a @ b), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_the_kernel_stays_and_the_product_is_trained(case, device):
    make, x = CASES[case]
    layer = make()
    layer(x)
    layer.enable_lora(2)
    kernel = kernel_of(layer)
    assert not kernel.trainable and len(layer.trainable_weights) >= 2
    model = gpunn.Sequential([layer])
    model.compile(optimizer=gpunn.optimizers.SGD(0.1), loss="mse")
    before = kernel.numpy(), layer.weights[-1].numpy()
    y = rand(*layer(x).shape, seed=1)
    for _ in range(4):  # the last ones are recorded
        model.train_on_batch(x, y)
    assert_close(kernel, before[0], rtol=0, atol=0)
    assert np.abs(layer.weights[-1].numpy() - before[1]).max() > 1e-6


def test_gradients_are_those_of_the_sum():
    layer = layers.Dense(3, lora_rank=2, dtype="float64")
    layer.build((None, 4))
    _, a, b = layer.weights[0], *layer.weights[-2:]
    a.assign(rand(*a.shape, seed=1))
    b.assign(rand(*b.shape, seed=2))
    x, dy = rand(5, 4), rand(5, 3, seed=4)
    layer(x).backward(dy)
    dkernel = x.T @ dy
    assert_close(a.grad, dkernel @ b.numpy().T, rtol=1e-5)
    assert_close(b.grad, a.numpy().T @ dkernel, rtol=1e-5)
    assert kernel_of(layer).grad is None


def test_within_attention(device):
    layer, plain = layers.MultiHeadAttention(2, 3), layers.MultiHeadAttention(2, 3)
    x = rand(2, 4, 5)
    layer(x, x), plain(x, x)
    plain.set_weights(layer.get_weights())
    dense = layer._query_dense
    dense.enable_lora(2, b_initializer="ones")
    kernel, a, b = (v.numpy() for v in (kernel_of(dense), *dense.lora_matrices))
    plain._query_dense.kernel.assign(kernel + a @ b)
    assert_close(layer(x, x), plain(x, x).numpy(), rtol=1e-5)


def test_configs():
    assert "lora_rank" not in layers.Dense(2).get_config()
    config = layers.Dense(2, lora_rank=3).get_config()
    assert config["lora_rank"] == 3
    again = layers.Dense.from_config(config)
    again.build((None, 4))
    assert again.lora_enabled and [v.name for v in again.weights][-2:] == [
        "lora_kernel_a",
        "lora_kernel_b",
    ]


def test_mixed_precision():
    layer = layers.Dense(2, lora_rank=1, dtype="mixed_float16")
    assert layer(rand(3, 4)).dtype == "float16"


@pytest.mark.parametrize("suffix", [".weights.gpunn", ".weights.h5"])
@pytest.mark.parametrize("case", ["dense", "einsum", "embedding", "conv"])
def test_a_file_of_weights_has_the_sum(case, suffix, tmp_path):
    make, x = CASES[case]
    layer, path = make(lora_rank=2), tmp_path / f"m{suffix}"
    model, plain = gpunn.Sequential([layer]), gpunn.Sequential([make()])
    model(x), plain(x)
    layer.lora_matrices[1].assign(rand(*layer.lora_matrices[1].shape))
    y = model(x).numpy()
    if suffix == ".weights.h5":
        pytest.importorskip("h5py")
        gpunn.saving.save_keras(model, path)
    else:
        model.save_weights(path)
    plain.load_weights(path)
    assert_close(plain(x), y, rtol=1e-5, atol=1e-5)
    layer.lora_matrices[1].assign(layer.lora_matrices[1] + 1.0)
    model.load_weights(path)
    assert_close(model(x), y, rtol=1e-5, atol=1e-5)
    assert not layer.lora_matrices[1].numpy().any()


def test_a_file_of_a_model_has_all_three(tmp_path):
    layer = layers.Dense(4, lora_rank=2)
    model = gpunn.Sequential([gpunn.Input((3,)), layer])
    layer.lora_kernel_b.assign(rand(2, 4))
    model.save(tmp_path / "m.keras")
    again = gpunn.load_model(tmp_path / "m.keras")
    for new, old in zip(again.get_weights(), model.get_weights(), strict=True):
        assert_close(new, old, rtol=0, atol=0)


def test_the_way_back_of_an_adapted_embedding():
    layer = layers.ReversibleEmbedding(5, 3)
    x = rand(2, 3)
    layer.build((None,))
    layer.enable_lora(2, b_initializer="ones")
    kernel, a, b = (v.numpy() for v in (layer._embeddings, *layer.lora_matrices))
    assert_close(layer(x, reverse=True), x @ (kernel + a @ b).T, rtol=1e-5, atol=1e-5)


def test_errors():
    layer = layers.Dense(2)
    with pytest.raises(NotBuiltError, match="build the layer first"):
        layer.enable_lora(2)
    layer.build((None, 3))
    with pytest.raises(ArgumentError, match="rank must be"):
        layer.enable_lora(0)
    layer.enable_lora(1)
    with pytest.raises(ArgumentError, match="enabled already"):
        layer.enable_lora(1)
    with pytest.raises(ArgumentError, match="constraint"):
        layers.Dense(2, kernel_constraint="non_neg", lora_rank=1).build((None, 3))


def test_adapted_layers_inside_another_are_adapted_again_when_loaded(tmp_path, device):
    x = gpunn.Input((3, 6))
    attention = layers.MultiHeadAttention(2, 4)
    model = gpunn.Model(x, attention(x, x))
    attention.query_dense.enable_lora(2, lora_alpha=3.0)
    attention.value_dense.enable_lora(1)
    for i, v in enumerate(model.weights):
        v.assign(rand(*v.shape, seed=i))
    model.to(device)
    given = rand(2, 3, 6).astype("float32")
    model.save(tmp_path / "model.gpunn")
    again = gpunn.load_model(tmp_path / "model.gpunn", device=device)
    np.testing.assert_array_equal(again.predict(given), model.predict(given))
    names = [v.name for v in again.trainable_weights]
    assert names == [v.name for v in model.trainable_weights]
    assert names.count("lora_kernel_a") == 2
