"""What tired users write: the error says what was expected and what came."""

import numpy as np
import pytest

import gpunn
from gpunn import callbacks, initializers, layers, ops, optimizers, utils

X, Y = np.ones((4, 3), np.float32), np.ones((4, 1), np.float32)


def compiled(made, loss="mse"):
    made.compile("sgd", loss)
    return made


def model(loss="mse"):
    return compiled(gpunn.Sequential([gpunn.Input((3,)), layers.Dense(1)]), loss)


def fit(**options):
    return model().fit(X, Y, verbose=0, **options)


def built_dense():
    dense = layers.Dense(2)
    dense(X)
    return dense


class Nothing(layers.Layer):
    def call(self, inputs):
        pass


class NoLogs(gpunn.Sequential):
    def train_step(self, data):
        return 3


class NoLoss(gpunn.Sequential):
    def __init__(self):
        super().__init__([gpunn.Input((3,)), layers.Dense(1)])

    def compute_loss(self, *given, **named):
        return 1.0


NAME = "must be the name of a file, got"
CALLS = {
    "save": (lambda: model().save(3), NAME),
    "save_weights": (lambda: model().save_weights(3), NAME),
    "save_keras": (lambda: gpunn.saving.save_keras(model(), None), NAME),
    "load_weights": (lambda: model().load_weights(3), NAME),
    "load_model": (lambda: gpunn.load_model(None), NAME),
    "ModelCheckpoint": (lambda: callbacks.ModelCheckpoint(3), NAME),
    "CSVLogger": (lambda: callbacks.CSVLogger(None), NAME),
    "TensorBoard": (lambda: callbacks.TensorBoard(3), NAME),
    "set_weights": (lambda: model().set_weights(None), "values must be a list of arrays"),
    "Sequential": (lambda: gpunn.Sequential(layers.Dense(1)), "layers must be a list of layers"),
    "build": (lambda: optimizers.SGD().build(None), "variables must be a list"),
    "apply": (lambda: optimizers.SGD().apply(None), "grads must be a list of gradients"),
    "apply_gradients": (lambda: optimizers.SGD().apply_gradients(3), "must be a list of pairs"),
    "concatenate": (lambda: ops.concatenate(None), "concatenate must be a list of tensors"),
    "stack": (lambda: ops.stack(3), "stack must be a list of tensors, got 3"),
    "sum": (lambda: ops.sum(None), r"sum\(\) got None where a tensor"),
    "add": (lambda: ops.add(None, None), r"add\(\) got None where a tensor"),
    "take": (lambda: ops.take(X, [7], axis=0), "index 7 is out of range for an axis of size 4"),
    "getitem": (lambda: gpunn.Tensor(X)[9], r"^basic_item\(float32\[4, 3\]\): index 9 is out of"),
    "getitem of a name": (lambda: gpunn.Tensor(X)["a"], "must be of integers or booleans, got 'a'"),
    "zeros": (lambda: ops.zeros((-1, 2)), r"zeros: sizes must not be negative, got \(-1, 2\)"),
    "ones": (lambda: ops.ones((1.5, 2)), r"ones: expected an integer or integers, got \(1.5, 2\)"),
    "full": (lambda: ops.full("ab", 1), "full: expected an integer or integers, got 'ab'"),
    "tile": (lambda: ops.tile(X, 1.5), "tile: repeats: expected an integer or integers, got 1.5"),
    "slice": (lambda: ops.slice(X, "ab", [1, 1]), "slice: starts: expected an integer or integers"),
    "normal": (lambda: gpunn.random.normal((2.5,)), "normal: expected an integer or integers"),
    "uniform": (lambda: gpunn.random.uniform(-1), "uniform: sizes must not be negative"),
    "HeNormal": (lambda: initializers.HeNormal()((-2, 2)), "HeNormal: sizes must not be negative"),
    "Zeros": (lambda: initializers.Zeros()("ab"), "Zeros: expected an integer or integers"),
    "scan": (lambda: ops.scan(None, 0, X), "scan: f must be a function, got None"),
    "map": (lambda: ops.map(3, X), "map: f must be a function, got 3"),
    "grad": (lambda: gpunn.grad(3), "function must be a function, got 3"),
    "scheduler": (lambda: callbacks.LearningRateScheduler(0.1), "schedule must be a function"),
    "optimizer": (lambda: model().compile(0.1, "mse"), "^optimizer: expected an object, its name"),
    "epochs": (lambda: model().fit(X, Y, epochs=-1), "epochs must be an integer >= 0, got -1"),
    "epochs of 2.5": (lambda: model().fit(X, Y, epochs=2.5), "epochs must be an integer >= 0"),
    "verbose": (lambda: model().fit(X, Y, verbose="yes"), "verbose must be 'auto', 0, 1 or 2"),
    "shuffle": (lambda: model().fit(X, Y, shuffle="no"), "shuffle must be True or False"),
    "no name": (lambda: model().save_weights(""), NAME),
    "two inputs": (lambda: model().predict([X, X]), "takes 1 input, .*, got 2 without names"),
    "two for a layer": (lambda: built_dense()([X, X]), "expects one input, got 2"),
    "loss": (lambda: model(lambda y, p: None).fit(X, Y), "loss '<lambda>' gave None"),
    "loss of NumPy": (
        lambda: model(lambda y, p: np.float32(1)).fit(X, Y),
        "not require a gradient",
    ),
    "step": (lambda: compiled(NoLogs()).fit(X, Y), "step must return a dict of numbers by name"),
    "compute_loss": (
        lambda: compiled(NoLoss()).fit(X, Y),
        r"compute_loss\(\) must return a tensor",
    ),
    "call": (lambda: gpunn.Sequential([gpunn.Input((3,)), Nothing()]), "must return tensors, got"),
    "validation_freq": (
        lambda: fit(validation_data=(X, Y), validation_freq=0),
        "must be an integer >= 1",
    ),
    "validation_split": (lambda: fit(validation_split="0.2"), "validation_split must be a number"),
    "validation_batch_size": (
        lambda: fit(validation_data=(X, Y), validation_batch_size=0),
        "batch_size must be at least 1, got 0",
    ),
    "batch_size": (lambda: model().predict(X, batch_size=0), "batch_size must be an integer >= 1"),
    "Input": (lambda: gpunn.Input(4.0), "shape must be a list of sizes, got 4.0"),
    "argnums": (
        lambda: gpunn.grad(np.sum, "x"),
        "argnums: expected an integer",
    ),
    "jacobian": (lambda: gpunn.jacobian(3), "function must be a function, got 3"),
    "patience": (lambda: callbacks.EarlyStopping(patience="3"), "patience must be an integer >= 0"),
    "min_delta": (lambda: callbacks.EarlyStopping(min_delta="a"), "min_delta must be a number"),
    "plateau": (
        lambda: callbacks.ReduceLROnPlateau(patience=-1),
        "patience must be an integer >= 0",
    ),
    "hook": (lambda: callbacks.LambdaCallback(on_epoch_end=3), "on_epoch_end must be a function"),
    "from_config": (lambda: gpunn.Sequential.from_config({"a": 1}), "of a Sequential has 'layers'"),
    "clone_model": (lambda: gpunn.models.clone_model(3), "clone_model: expected a model, got 3"),
    "maxlen": (lambda: utils.pad_sequences([[1]], maxlen="a"), "maxlen must be an integer >= 0"),
    "variance": (lambda: layers.Normalization(mean=1.0, variance=-1.0), "must not be negative"),
    "to_categorical": (lambda: utils.to_categorical(["a"]), "expected class numbers, got"),
}


@pytest.mark.parametrize("name", CALLS)
def test_error(name):
    call, message = CALLS[name]
    with pytest.raises(gpunn.errors.GpunnError, match=message):
        call()


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="CSVLogger: there is no folder"):
        model().fit(X, Y, callbacks=[callbacks.CSVLogger(tmp_path / "no" / "log.csv")], verbose=0)
    pytest.importorskip("PIL")
    with pytest.raises(FileNotFoundError, match="load_img: there is no file"):
        utils.load_img(tmp_path / "no.png")
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(gpunn.errors.DataError, match="is no image that Pillow can read"):
        utils.load_img(tmp_path / "text.png")


def test_a_layer_without_super_init_can_be_shown():
    class Mine(layers.Layer):
        def __init__(self):
            self.units = 3

    assert repr(Mine()) == "<Mine name=?, built=False>"


def test_an_array_of_another_dtype_is_a_copy():
    x = gpunn.Tensor(X)
    assert np.shares_memory(np.asarray(x), x.array)
    assert not np.shares_memory(np.array(x), x.array)
    with pytest.raises(ValueError, match=r"[Cc]opy"):
        np.array(x, "float64", copy=False)


def test_an_optimizer_does_not_leave_out_variables():
    made = gpunn.Sequential([gpunn.Input((3,)), layers.Dense(2, trainable=False), layers.Dense(1)])
    compiled(made).fit(X, Y, verbose=0)
    made.layers[0].trainable = True
    before = made.get_weights()
    with pytest.raises(ValueError, match=r"do not include .*dense.*kernel.*compile\(\) it again"):
        made.fit(X, Y, verbose=0)
    for old, new in zip(before, made.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    compiled(made).fit(X, Y, verbose=0)
    assert not np.array_equal(before[0], made.get_weights()[0])


def test_one_input_in_a_list_or_by_name():
    made = compiled(gpunn.Sequential([gpunn.Input((3,), name="rows"), layers.Dense(1)]))
    y = made.predict(X, verbose=0)
    for given in ([X], (X,), {"rows": X}):
        np.testing.assert_array_equal(made.predict(given, verbose=0), y)
        assert made(given).shape == (4, 1)
    made.fit([X], [Y], verbose=0)
    assert made.evaluate([X], [Y], verbose=0) == made.evaluate(X, Y, verbose=0)
    deferred = compiled(gpunn.Sequential([layers.Rescaling(2.0), layers.Dense(1)]))
    assert deferred.predict([X], verbose=0).shape == (4, 1)
