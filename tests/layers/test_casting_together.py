"""Weights that are cast together, where an optimizer has laid them: never an old value."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.autograd.autocast import Together
from gpunn.autograd.home import home
from gpunn.backend import backend_of
from tests.harness import assert_close, rand

X, Y = rand(16, 6, seed=1), rand(16, 3, seed=2)


@pytest.fixture(autouse=True)
def mixed_policy():
    """The global policy "mixed_float16" during a test."""
    gpunn.set_dtype_policy("mixed_float16")
    yield
    gpunn.set_dtype_policy(None)


@gpunn.primitive
def seen(be, w, /, into):
    into.append(w)
    return w * 1, lambda dy, needs: (dy,)


class Watched(layers.Layer):
    """Multiplies by two weights, and notes the arrays that its ops get."""

    def build(self, input_shape):
        self.a = self.add_weight((input_shape[-1], 3), "glorot_uniform", name="a")
        self.b = self.add_weight((3,), "ones", name="b")

    def call(self, inputs):
        self.arrays = []
        return gpunn.ops.matmul(inputs, seen(self.a, self.arrays)) * seen(self.b, self.arrays)


def model_of(*parts, optimizer="adam", **options):
    """A compiled model of layers one after the other, of which some may come again."""
    given = x = gpunn.Input((6,))
    for part in parts:
        x = part(x)
    model = gpunn.Model(given, x)
    model.compile(optimizer, "mse", **options)
    return model


def first(model):
    """The first layer that has weights."""
    return model.layers[1]


def small(**options):
    gpunn.utils.set_random_seed(0)
    return model_of(
        layers.Dense(5, "relu"), layers.LayerNormalization(), layers.Dense(3), **options
    )


def one_by_one(model):
    """The model's outputs, by copies of its weights that no optimizer has laid anywhere."""
    copy = gpunn.models.clone_model(model)
    copy.set_weights(model.get_weights())
    assert all(home(v) is None for v in copy.weights)
    return copy(X).numpy()


def require_up_to_date(model):
    expected = one_by_one(model)
    for _ in range(6):  # call by call and captured
        np.testing.assert_array_equal(model.predict(X, verbose=0, batch_size=16), expected)
    np.testing.assert_array_equal(model(X).numpy(), expected)


def test_weights_of_a_call_are_cast_at_once(device):
    model = model_of(Watched(), Watched())
    model.fit(X, Y, epochs=1, verbose=0)
    model(X)
    arrays = [array for layer in model.layers[1:] for array in layer.arrays]
    weights = [v for layer in model.layers[1:] for v in (layer.a, layer.b)]
    places = [home(v).start for v in weights]
    lies = [backend_of(a).address(a)[0] for a in arrays]
    assert {a.dtype.name for a in arrays} == {"float16"}
    assert [p - places[0] for p in places] == [(at - lies[0]) // 2 for at in lies]
    for array, v in zip(arrays, weights, strict=True):
        values = backend_of(array).to_numpy(array)
        np.testing.assert_array_equal(values, v.numpy().astype("float16"))


def test_layers_alone_cast_their_own_weights(device, monkeypatch):
    model = small()
    model.fit(X, Y, epochs=1, verbose=0)
    sizes = []
    piece = Together._piece
    monkeypatch.setattr(Together, "_piece", lambda *args: sizes.append(piece(*args)) or sizes[-1])
    _, dense, _, last = model.layers
    dense(X)
    last(np.ones((2, 5)))
    assert [values.size for _, values, _ in sizes] == [
        sum(home(v).span for v in layer.weights) for layer in (dense, last)
    ]
    sizes.clear()
    model(X)
    assert len(sizes) == 1


def change_assign(model, path):
    for v in model.trainable_weights:
        v.assign(v * 0.5)


def change_assign_add(model, path):
    first(model).kernel.assign_add(np.ones((6, 5)))


def change_set_weights(model, path):
    model.set_weights([w + 0.25 for w in model.get_weights()])


def change_layer_set_weights(model, path):
    model.layers[-1].set_weights([w - 0.25 for w in model.layers[-1].get_weights()])


def change_load_weights(model, path):
    file = str(path / "model.weights.npz")
    kept = [w + 1.0 for w in model.get_weights()]
    before = model.get_weights()
    model.set_weights(kept)
    model.save_weights(file)
    model.set_weights(before)
    model.predict(X, verbose=0)
    model.load_weights(file)


def change_checkpoint(model, path):
    callback = gpunn.callbacks.BackupAndRestore(str(path / "backup"), delete_checkpoint=False)
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[callback])
    model.set_weights([w * 0 for w in model.get_weights()])
    again = gpunn.callbacks.BackupAndRestore(str(path / "backup"), delete_checkpoint=False)
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[again])  # nothing left to do but to restore
    assert any(w.any() for w in model.get_weights())


def change_train_on_batch(model, path):
    model.train_on_batch(X, Y)


def change_fit(model, path):
    model.fit(X, Y, epochs=4, verbose=0)


def change_apply(model, path):
    grads = [np.ones(v.shape, "float32") * 2**15 for v in model.trainable_weights]
    model.optimizer.apply(grads, model.trainable_weights)


def change_callback(model, path):
    class Halve(gpunn.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            for v in self.model.trainable_weights:
                v.assign(v * 0.5)

    model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=[Halve()])


def change_trainable(model, path):
    first(model).trainable = False
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=3, verbose=0)
    first(model).trainable = True
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=3, verbose=0)


def change_array(model, path):
    for v in model.trainable_weights:
        v.value.array[...] *= 0.5


def change_data(model, path):
    first(model).kernel.data = gpunn.Tensor(np.ones((6, 5), "float32"))


CHANGES = {k.removeprefix("change_"): f for k, f in globals().items() if k.startswith("change_")}


@pytest.mark.parametrize("change", CHANGES)
def test_no_old_value_is_used(change, device, tmp_path):
    model = small()
    model.fit(X, Y, epochs=3, verbose=0)
    before = model.get_weights()
    require_up_to_date(model)
    CHANGES[change](model, tmp_path)
    after = model.get_weights()
    assert any((a != b).any() for a, b in zip(after, before, strict=True))
    require_up_to_date(model)
    model.fit(X, Y, epochs=3, verbose=0)
    require_up_to_date(model)


@pytest.mark.parametrize("options", [{"use_ema": True, "ema_overwrite_frequency": 2}, {}])
def test_averages_and_constraints(options, device):
    gpunn.utils.set_random_seed(0)
    dense = layers.Dense(5, kernel_constraint=gpunn.constraints.MaxNorm(0.5))
    optimizer = gpunn.optimizers.Adam(0.1, **options)
    model = model_of(dense, layers.Dense(3), optimizer=optimizer)
    for _ in range(3):
        model.fit(X, Y, epochs=3, verbose=0)
        require_up_to_date(model)


class Assigning(layers.Layer):
    """Changes its weight between two uses of it."""

    def build(self, input_shape):
        self.w = self.add_weight((), "ones", name="w")

    def call(self, inputs):
        before = inputs * self.w
        self.w.assign(gpunn.ops.cast(self.w.detach(), "float32") + 1.0)
        return before + inputs * self.w


def test_a_weight_that_its_layer_changes(device):
    model = model_of(layers.Dense(6), Assigning())
    model.optimizer.build(model.trainable_weights)
    x = first(model)(X).numpy().astype("float32")
    for i in range(1, 4):
        y = model(X)
        assert_close(y.numpy(), (2 * i + 1) * x, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_trains_as_with_weights_cast_one_by_one(policy, device, monkeypatch):
    if policy == "mixed_bfloat16":
        pytest.importorskip("ml_dtypes")
    gpunn.set_dtype_policy(policy)

    def trained(**options):
        gpunn.utils.set_random_seed(0)
        shared = layers.Dense(6, "relu")
        parts = [shared, layers.Reshape((2, 3)), layers.Conv1D(4, 2, padding="same")]
        parts += [layers.BatchNormalization(), layers.LSTM(6), shared, layers.Dense(3)]
        model = model_of(*parts, **options)
        losses = model.fit(X, Y, epochs=6, batch_size=8, verbose=0).history["loss"]
        return losses, model.get_weights()

    together = trained(jit_compile=True)
    eager = trained(jit_compile=False)
    monkeypatch.setattr(Together, "cast", lambda *args: None)
    alone = trained(jit_compile=False)
    for found in (eager, alone):
        assert found[0] == together[0]
        for a, b in zip(found[1], together[1], strict=True):
            np.testing.assert_array_equal(a, b)


def test_two_losses_of_one_call(device):
    model = small()
    model.optimizer.build(model.trainable_weights)
    y = model(X)
    found = []
    for loss in (y.sum(), (y * y).sum()):
        loss.backward(retain_graph=True)
        found.append([v.grad.numpy().copy() for v in model.trainable_weights])
    model.optimizer.zero_grad()
    y = model(X)
    (y.sum() + (y * y).sum()).backward()
    for v, (once, both) in zip(model.trainable_weights, zip(*found, strict=True), strict=True):
        assert v.grad.dtype == "float32" and (once != both).any()
        assert_close(v.grad.numpy(), both, rtol=0, atol=4e-3 * np.abs(both).max())


def test_two_calls_of_one_layer(device):
    model = small()
    model.optimizer.build(model.trainable_weights)
    dense = first(model)
    a, b = dense(X).sum(), (dense(X) * 2).sum()
    a.backward()
    once = dense.kernel.grad.numpy().copy()
    b.backward()
    assert_close(dense.kernel.grad.numpy(), 3 * once, rtol=2e-3, atol=1e-3)


def test_gradients_of_a_weight_that_is_used_twice(device):
    def grads(policy):
        gpunn.set_dtype_policy(policy)
        gpunn.utils.set_random_seed(0)
        shared = layers.Dense(6, kernel_initializer="orthogonal")
        model = model_of(shared, shared, layers.Dense(3))
        model.optimizer.build(model.trainable_weights)
        (model(X) ** 2).mean().backward()
        return [v.grad.numpy() for v in model.trainable_weights]

    for half, single in zip(grads("mixed_float16"), grads("float32"), strict=True):
        assert_close(half, single, rtol=0, atol=4e-3 * np.abs(single).max())


def test_tied_embeddings(device):
    def grads(policy):
        gpunn.set_dtype_policy(policy)
        gpunn.utils.set_random_seed(0)
        table = layers.ReversibleEmbedding(9, 6)
        text = gpunn.Input((4,), dtype="int32")
        y = table(layers.Dense(6)(table(text)), reverse=True)
        model = gpunn.Model(text, y)
        model.compile("adam", gpunn.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.optimizer.build(model.trainable_weights)
        ids = np.arange(20).reshape(5, 4) % 9
        loss = model.compute_loss(ids, ids, model(ids))
        loss.backward()
        return [v.grad.numpy() for v in model.trainable_weights]

    for half, single in zip(grads("mixed_float16"), grads("float32"), strict=True):
        assert_close(half, single, rtol=0, atol=6e-3 * np.abs(single).max())


def test_second_derivatives_reach_the_weights(device):
    def penalty(policy):
        gpunn.set_dtype_policy(policy)
        gpunn.utils.set_random_seed(0)
        model = model_of(layers.Dense(5, "tanh"), layers.Dense(3))
        model.optimizer.build(model.trainable_weights)
        x = gpunn.Tensor(X, requires_grad=True)
        gpunn.ops.cast(model(x), "float32").sum().backward(create_graph=True)
        first = [v.grad for v in model.trainable_weights]
        assert {g.dtype.name for g in first} == {"float32"}
        dx = x.grad
        for v in model.trainable_weights:
            v.grad = None
        (dx * dx).sum().backward()
        return [v.grad.numpy() for v in model.trainable_weights if v.grad is not None]

    half, single = penalty("mixed_float16"), penalty("float32")
    assert len(half) == len(single) > 2
    for a, b in zip(half, single, strict=True):
        assert_close(a, b, rtol=0, atol=1e-2 * np.abs(b).max())


def test_recomputed_layers(device):
    def grads(remat):
        gpunn.utils.set_random_seed(0)
        first, last = layers.Dense(5, "tanh"), layers.Dense(3)
        model = model_of(first, last)
        model.optimizer.build(model.trainable_weights)
        call = gpunn.remat(model) if remat else model
        call(gpunn.Tensor(X)).sum().backward()
        return [v.grad.numpy() for v in model.trainable_weights]

    # gradients that other gradients are added to on the way are rounded to half first
    for a, b in zip(grads(True), grads(False), strict=True):
        assert_close(a, b, rtol=0, atol=2e-3 * np.abs(b).max())


def test_gradients_of_weights_do_not_overflow_on_a_gpu(device):
    if device == "cpu":
        pytest.skip("gradients are put to where they are kept by kernels")
    layer = layers.Dense(2)
    model = model_of(layer)
    model.optimizer.build(model.trainable_weights)
    x = np.full((64, 6), 256.0, "float32")
    gpunn.ops.cast(model(x) * 16, "float32").sum().backward()
    np.testing.assert_array_equal(layer.kernel.grad.numpy(), np.full((6, 2), 64 * 256 * 16.0))


KEPT = {
    "dense": (lambda: layers.Dense(4), (6,)),
    "wide dense": (lambda: layers.Dense(20, "gelu"), (5, 6)),
    "convolution": (lambda: layers.Conv2D(4, 3, activation="relu"), (6, 6, 3)),
    "convolution of many": (lambda: layers.Conv2D(24, 3, padding="same"), (6, 6, 8)),
    "pointwise": (lambda: layers.Conv2D(24, 1, groups=2), (6, 6, 8)),
    "shared by blocks": (lambda: layers.Conv1D(4, 3), (600, 3)),
    "transposed": (lambda: layers.Conv2DTranspose(4, 3), (6, 6, 3)),
    "transposed of many": (lambda: layers.Conv2DTranspose(24, 3), (4, 4, 20)),
    "depthwise": (lambda: layers.DepthwiseConv2D(3), (6, 6, 4)),
    "separable": (lambda: layers.SeparableConv2D(5, 3), (6, 6, 4)),
    "einsum": (lambda: layers.EinsumDense("abc,cd->abd", (None, 7), bias_axes="d"), (5, 6)),
    "attention": (lambda: layers.TransformerEncoder(16, 2), (5, 8)),
    "simple rnn": (lambda: layers.SimpleRNN(5), (4, 6)),
    "lstm": (lambda: layers.LSTM(5, return_sequences=True), (4, 6)),
    "gru": (lambda: layers.GRU(5), (4, 6)),
    "gru, reset before": (lambda: layers.GRU(5, reset_after=False), (4, 6)),
    "batch": (lambda: layers.BatchNormalization(), (5, 4)),
    "layer": (lambda: layers.LayerNormalization(), (5, 8)),
    "rms": (lambda: layers.RMSNormalization(), (5, 8)),
    "group": (lambda: layers.GroupNormalization(2), (5, 4)),
}


def kept_gradients(name):
    """Gradients of inputs and weights: rounded to half, and where an optimizer keeps them."""
    make, shape = KEPT[name]
    gpunn.utils.set_random_seed(0)
    layer, kept = make(), []
    x = gpunn.Tensor(rand(8, *shape), requires_grad=True)
    layer.build(x.shape)
    factors = rand(*layer(x).shape, seed=3)
    for _ in range(2):
        loss = (gpunn.ops.cast(layer(x, training=True), "float32") * factors).sum()
        loss.backward()
        kept.append([v.grad.numpy() for v in (x, *layer.trainable_weights)])
        for v in (x, *layer.trainable_weights):
            v.grad = None
        gpunn.optimizers.SGD().build(layer.trainable_weights)
    assert all(home(v) for v in layer.trainable_weights)
    return kept


@pytest.mark.parametrize("name", KEPT)
def test_gradients_where_an_optimizer_keeps_them(name, device):
    for rounded, exact in zip(*kept_gradients(name), strict=True):
        assert_close(exact, rounded, rtol=0, atol=1e-3 * np.abs(exact).max(initial=1e-3))
