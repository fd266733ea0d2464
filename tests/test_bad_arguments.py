"""Every public function and class refuses what it cannot use by an error of gpunn's own."""

import inspect
import warnings

import numpy as np
import pytest

import gpunn
from gpunn import (
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    ops,
    optimizers,
    regularizers,
)
from gpunn.errors import GpunnError
from gpunn.optimizers import schedules

BAD = {
    "None": None,
    "text": "bad",
    "list": [],
    "ragged": [1, [2, 3]],
    "object": object(),
    "words": np.array(["a", "b"]),
    "two": np.array([1.0, 2.0]),
}
# what arguments that have no default may be
NEEDED = {
    "units": 2,
    "filters": 2,
    "kernel_size": 2,
    "rate": 0.5,
    "stddev": 0.5,
    "size": 2,
    "cropping": 1,
    "height": 2,
    "width": 2,
    "factor": 0.1,
    "cell": layers.GRUCell(2),
    "layer": layers.Dense(2),
    "num_heads": 2,
    "num_query_heads": 2,
    "num_key_value_heads": 2,
    "key_dim": 2,
    "head_dim": 2,
    "input_dim": 4,
    "output_dim": 2,
    "fn": losses.mean_squared_error,
    "function": abs,
    "num_classes": 2,
    "target_class_ids": [0],
    "initial_learning_rate": 0.1,
    "decay_steps": 2,
    "decay_rate": 0.5,
    "boundaries": [1],
    "values": [1.0, 2.0],
    "axes": 1,
    "n": 2,
    "dims": (1,),
    "scale": 2.0,
    "num_bins": 2,
    "num_tokens": 2,
    "target_shape": (-1,),
    "activation": "relu",
    "equation": "ab,bc->ac",
    "output_shape": (2,),
    "output_size": 2,
    "specificity": 0.5,
    "sensitivity": 0.5,
    "precision": 0.5,
    "recall": 0.5,
    "name": "name",
    "filepath": "model.gpunn",
    "filename": "log.csv",
    "schedule": lambda epoch: 0.1,
}
FAMILIES = (constraints, initializers, layers, losses, metrics, optimizers, regularizers, schedules)
CLASSES = {
    f"{family.__name__.removeprefix('gpunn.')}.{cls.__name__}": cls
    for family in FAMILIES
    for cls in family.REGISTRY.classes
} | {f"callbacks.{name}": getattr(callbacks, name) for name in callbacks.__all__}
FUNCTIONS = {
    **{f"ops.{name}": getattr(ops, name) for name in ops.__all__},
    **{f"ops.image.{name}": getattr(ops.image, name) for name in ops.image.__all__},
    **{f"ops.linalg.{name}": getattr(ops.linalg, name) for name in ops.linalg.__all__},
    **{f"random.{name}": getattr(gpunn.random, name) for name in gpunn.random.__all__},
    **{f"utils.{name}": getattr(gpunn.utils, name) for name in gpunn.utils.__all__},
}
FUNCTIONS = {name: f for name, f in FUNCTIONS.items() if inspect.isfunction(f)}
# they call nothing, or change what all tests share
LEFT_OUT = {"utils.set_random_seed", "ops.name_scope", "utils.clear_session", "utils.get_file"}


def parameters(of):
    found = list(inspect.signature(of).parameters.values())
    return [p for p in found if p.name != "self" and p.kind < p.VAR_KEYWORD != p.VAR_POSITIONAL]


def told(call) -> None:
    """Call it: what it raises is an error of gpunn's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call()
        except GpunnError as e:
            assert len(str(e)) > 10


@pytest.mark.parametrize("name", CLASSES)
def test_constructors(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cls = CLASSES[name]
    taken = [p for p in parameters(cls.__init__) if p.kind != p.VAR_POSITIONAL]
    needed = {p.name: NEEDED.get(p.name, 2) for p in taken if p.default is p.empty}
    for parameter in taken:
        for bad in BAD.values():
            told(lambda given={**needed, parameter.name: bad}: cls(**given))


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in LEFT_OUT])
def test_functions(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function = FUNCTIONS[name]
    taken = [p for p in parameters(function) if p.kind != p.VAR_POSITIONAL]
    good = np.array([[0.5, 1.0], [1.0, 2.0]], np.float32)
    needed = {p.name: NEEDED.get(p.name, good) for p in taken if p.default is p.empty}
    for parameter in taken:
        for bad in BAD.values():
            told(lambda given={**needed, parameter.name: bad}: function(**given))


@pytest.mark.parametrize(
    "name", sorted({c.__name__ for c in layers.REGISTRY.classes} - {"Wrapper"})
)
def test_calls_of_layers(name):
    cls = getattr(layers, name)
    taken = [p for p in parameters(cls.__init__) if p.kind != p.VAR_POSITIONAL]
    needed = {p.name: NEEDED.get(p.name, 2) for p in taken if p.default is p.empty}
    x = np.ones((2, 3), np.float32)
    for bad in (*BAD.values(), [x, x], {"a": x}, x[:0], x[0, 0]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                layer = cls(**needed)
            except GpunnError:  # needs others
                return
        told(lambda layer=layer, bad=bad: layer(bad, training=True))


FLAGS = {
    f"{cls.__name__}.{p.name}": (cls, p.name)
    for cls in (*layers.REGISTRY.classes, *losses.REGISTRY.classes, *optimizers.REGISTRY.classes)
    for p in parameters(cls.__init__)
    if isinstance(p.default, bool)
}


@pytest.mark.parametrize("name", FLAGS)
def test_flags(name):
    cls, flag = FLAGS[name]
    taken = [p for p in parameters(cls.__init__) if p.kind != p.VAR_POSITIONAL]
    needed = {p.name: NEEDED.get(p.name, 2) for p in taken if p.default is p.empty}
    for bad in ("no", 2, 0.5, [], np.array([True, False])):
        with pytest.raises(TypeError, match=f"{flag} must be True or False, got"):
            cls(**{**needed, flag: bad})


# --- what an error says ---


SAID = {
    "num": (lambda: ops.linspace(0, 1, None), r"linspace\(start=0, .*\): num cannot be None"),
    "eye": (lambda: ops.eye("a"), r"eye\(N='a'\): N cannot be 'a'"),
    "pairs": (lambda: optimizers.SGD().apply_gradients([(1, 2)]), "Variable, got a int"),
    "list": (lambda: layers.Dropout(0.5)([np.ones(3)] * 2, training=True), "cannot be"),
    "no list": (lambda: layers.Add(input_shape=1.5), "input_shape must be a list of sizes"),
    "typo": (lambda: layers.Dense(2, use_bais=True), "use_bais; did you mean 'use_bias'"),
    "missing": (lambda: layers.Dropout(), "missing 1 required .*: 'rate'"),
    "mask": (
        lambda: layers.MultiHeadAttention(2, 3)(np.ones((1, 2, 3)), np.ones((1, 2, 3)),
                                                attention_mask=1.5),
        "attention_mask cannot be 1.5",
    ),
    "factor": (lambda: callbacks.ReduceLROnPlateau(factor="a"), "factor cannot be 'a'"),
    "minval": (lambda: gpunn.random.randint((2,), None, 3), "minval cannot be None"),
    "format": (lambda: layers.Conv2D(2, 3, data_format=[1]), "unknown data_format"),
    "shape": (lambda: layers.Dense(2, input_shape="bad"), "input_shape: expected an integer or"),
    "dim": (lambda: layers.Add(input_dim=1.5), "input_shape: expected an integer or integers"),
    "objects": (
        lambda: losses.deserialize("mse", custom_objects="Mine"),
        "custom_objects must be a dict by name, got 'Mine'",
    ),
    "directory": (
        lambda: gpunn.preprocessing.image_dataset_from_directory(None),
        "directory cannot be None",
    ),
    "k": (lambda: metrics.TopKCategoricalAccuracy("a"), "k must be an integer >= 1, got 'a'"),
    "top k": (
        lambda: metrics.top_k_categorical_accuracy([[0.0, 1.0]], [[0.5, 0.5]], k=-7.0),
        "k must be an integer >= 1, got -7.0",
    ),
    "padding": (lambda: layers.Conv2D(2, 3, padding=np.ones(2)), "unknown padding"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_message(name):
    call, message = SAID[name]
    with pytest.raises(TypeError if name not in ("format", "padding") else ValueError) as e:
        call()
    assert isinstance(e.value, GpunnError)
    assert e.match(message)


def test_errors_of_the_users_own_code_stay_as_they_are():
    def wrong(x):
        return x.nothing

    class Mine(layers.Layer):
        def call(self, inputs):
            return inputs["a"]

    x = np.ones((2, 3), np.float32)
    with pytest.raises(AttributeError, match="nothing"):
        layers.Dense(2, activation=wrong)(x)
    with pytest.raises(AttributeError, match="nothing"):
        losses.LossFunctionWrapper(lambda y, p: wrong(p))(x, x)
    with pytest.raises(AttributeError, match="nothing"):
        ops.map(wrong, x)
    with pytest.raises(ValueError, match=r"index|indices") as e:
        Mine()(x)
    assert e.value.__traceback__ is not None


def test_arguments_after_training_by_position():
    x = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")
    mask = np.arange(20).reshape(4, 5) % 2 == 0
    by_name, by_place = layers.BatchNormalization(), layers.BatchNormalization()
    y = by_name(x, training=True, mask=mask)
    np.testing.assert_array_equal(by_place(x, True, mask), y)


# --- complex numbers lose no part ---


def test_complex_with_real(device):
    with gpunn.device(device):
        z = gpunn.Tensor(np.array([1 + 1j, 2 - 1j], np.complex64))
        x = gpunn.Tensor([2.0, 3.0])
    values = np.array([1 + 1j, 2 - 1j], np.complex64)
    for result, wanted in (
        (z * x, values * [2, 3]),
        (x + z, values + np.array([2, 3])),
        (z * 1.5, values * 1.5),
        (z + 1, values + 1),
        (ops.var(z), np.var(values)),
        (ops.std(z), np.std(values)),
        (ops.norm(z), np.linalg.norm(values)),
        (ops.moments(z, 0)[1], np.var(values)),
        (ops.sigmoid(z), 1 / (1 + np.exp(-values))),
    ):
        np.testing.assert_allclose(result.numpy(), wanted, rtol=1e-5)
    assert (z * x).dtype == np.complex64
    for refused in (lambda: ops.clip(z, 0, 1), lambda: losses.MeanSquaredError()(x, z)):
        with pytest.raises(gpunn.errors.DTypeError, match="complex"):
            refused()
