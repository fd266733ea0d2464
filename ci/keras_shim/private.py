"""What Keras' tests use of its private parts, made of what gpunn has."""

import collections
import os
from contextlib import contextmanager
from types import SimpleNamespace

import ml_dtypes  # noqa: F401  (numpy.dtype("bfloat16"), as JAX makes it known)
import numpy as np

import gpunn
from gpunn import layers, metrics, models, ops
from gpunn.autograd.autocast import autocast
from gpunn.autograd.symbolic import infer
from gpunn.backend import dtypes
from gpunn.training.compiled_loss import CompiledLoss
from gpunn.training.compiled_metrics import CompiledMetrics
from gpunn.training.outputs import aligned
from keras_shim.absent import Library

# --- text of tests, where only the name of a backend would do ---

IN_TESTS = {
    'raise ImportError(f"Invalid backend: {backend.backend()}")': "Trainer = backend.Trainer",
    "CPU_DEVICES[backend.backend()]": '"cpu"',
    'in ("numpy", "jax", "torch", "openvino"):': 'in ("gpunn",):',  # the ends of an istft
}

# --- dtypes ---

_PYTHON = {int: "int32", float: "float32", bool: "bool", str: "string", "str": "string"}
_INTEGERS = tuple(f"{sign}int{n}" for sign in ("u", "") for n in (8, 16, 32, 64))
_FLOATS = ("bfloat16", "float16", "float32", "float64")
_FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
_COMPLEX = ("complex64", "complex128")


def standardize_dtype(dtype) -> str:
    if dtype is None:
        return gpunn.config.floatx()
    if dtype in _PYTHON:
        return _PYTHON[dtype]
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    return name.removeprefix("torch.")


def result_type(*given) -> str:
    weak = {"int": int, "float": float}
    found = dtypes.result_type(*(weak.get(d, d) if isinstance(d, str) else d for d in given))
    return found.name


# --- models and training ---


class Trainer(models.Model.__mro__[1]):
    """gpunn's, mixed into a layer that is made already."""

    built = False

    def __init__(self):
        pass


class CompileLoss:
    def __init__(self, loss, loss_weights=None, output_names=None):
        self.of, self.metrics = CompiledLoss(loss, loss_weights, output_names), []

    def build(self, y_true, y_pred):
        self.of.bind(self.of.targets(y_true, y_pred), y_pred)

    def __call__(self, y_true, y_pred, sample_weight=None):
        total, parts = self.of(*map(_tensors, (y_true, y_pred, sample_weight)))
        self.metrics = self.metrics or [metrics.Mean(name=name) for name in parts]
        for metric, value in zip(self.metrics, parts.values()):
            metric.update_state(value)
        return total


class CompileMetrics:
    def __init__(self, metrics, weighted_metrics, output_names=None):
        self.of = CompiledMetrics(metrics, weighted_metrics, output_names)

    def build(self, y_true, y_pred):
        self.of.bind(aligned(y_true, y_pred, self.of._output_names), y_pred)

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.of.update_state(*map(_tensors, (y_true, y_pred, sample_weight)))

    def __getattr__(self, name):
        return getattr(self.of, name)


def _tensors(nested):
    return gpunn.tree.map_structure(
        lambda x: None if x is None else ops.convert_to_tensor(x), nested
    )


def _flatten_layers(self, include_self=True, recursive=True):
    inside = getattr(self, "layers", None) or [x for x in self.walk() if x is not self]
    deep = (_flatten_layers(x) if hasattr(x, "layers") else [x] for x in inside)
    return [self] * include_self + [x for several in deep for x in several]


layers.Layer._build_at_init = lambda self: setattr(self, "built", True)
layers.Layer._flatten_layers = _flatten_layers
models.Functional._operations = property(lambda self: self.operations)
models.Sequential._functional = property(lambda self: gpunn.Model(self.input, self.output))
gpunn.KerasTensor.sparse = False


def index_lookup(max_tokens, num_oov_indices, mask_token, oov_token, vocabulary_dtype, **options):
    """The base of the two lookups."""
    cls = layers.IntegerLookup
    if vocabulary_dtype == "string":
        cls = layers.StringLookup
        options.pop("oov_method", None)  # ignored by Keras
    return cls(max_tokens, num_oov_indices, mask_token, oov_token, **options)


# --- symbolic tensors and trees ---


class _OfKerasTensor(type):
    def __instancecheck__(cls, x):
        return isinstance(x, gpunn.KerasTensor)

    def __call__(cls, *args, sparse=False, ragged=False, **kwargs):
        return gpunn.KerasTensor(*args, **kwargs)


class KerasTensor(metaclass=_OfKerasTensor):
    """gpunn's, which knows nothing of sparse and ragged ones."""


class Tree:
    """gpunn.tree, with what run_layer_test needs beside."""

    def __getattr__(self, name):
        return getattr(gpunn.tree, name)

    def map_structure_up_to(self, shallow, function, *structures):
        if isinstance(shallow, dict):
            return {
                key: self.map_structure_up_to(part, function, *(x[key] for x in structures))
                for key, part in shallow.items()
            }
        if isinstance(shallow, list | tuple):
            parts = zip(shallow, *structures, strict=True)
            return [self.map_structure_up_to(part, function, *xs) for part, *xs in parts]
        return function(*structures)


def compute_output_spec(function, *args, **kwargs):
    bound = hasattr(function, "__self__")
    return function(*args, **kwargs) if bound else infer(function, args, kwargs)


@contextmanager
def name_scope(name, **options):
    """Variables that are made inside have the name in front of their path."""
    make = gpunn.Variable.__init__

    def made(self, *args, **kwargs):
        make(self, *args, **kwargs)
        self.path = f"{name}/{self.path}"

    gpunn.Variable.__init__ = made
    try:
        yield
    finally:
        gpunn.Variable.__init__ = make


class _RegisteredNames:
    def __getitem__(self, obj):
        return gpunn.saving.get_registered_name(obj)


def _nothing(*args, **kwargs):
    return None


# --- the table: module, name, object ---

_TRACKED = {"List": list, "Dict": dict, "OrderedDict": collections.OrderedDict, "Set": list}

NAMES = {
    "keras.src": {"distribution": SimpleNamespace()},
    "keras.src.backend": {
        "AutocastScope": lambda dtype: autocast(np.dtype(dtype)),
        "IS_THREAD_SAFE": True,
        "KerasTensor": gpunn.KerasTensor,
        "SUPPORTS_COMPLEX_DTYPES": True,
        "SUPPORTS_RAGGED_TENSORS": False,
        "SUPPORTS_SPARSE_TENSORS": False,
        "Trainer": Trainer,
        "Variable": gpunn.Variable,
        "backend": lambda: "gpunn",
        "compute_output_spec": compute_output_spec,
        "convert_to_numpy": ops.convert_to_numpy,
        "device": lambda name: gpunn.device(str(name).split(":")[0].replace("gpu", "cuda")),
        "device_scope": lambda name: gpunn.device("cpu"),
        "get_keras_mask": lambda x: getattr(x, "_keras_mask", None),
        "is_float_dtype": lambda dtype: "float" in standardize_dtype(dtype),
        "is_int_dtype": lambda dtype: "int" in standardize_dtype(dtype),
        "is_tensor": ops.is_tensor,
        "name_scope": name_scope,
        "random_seed_dtype": lambda: "uint32",
        "result_type": result_type,
        "set_keras_mask": lambda x, mask: setattr(x, "_keras_mask", mask),
        "standardize_dtype": standardize_dtype,
        "standardize_shape": tuple,
    },
    "keras.src.backend.common.dtypes": {
        "ALLOWED_DTYPES": (*_FLOATS, *_INTEGERS, *_FLOAT8, *_COMPLEX, "bool", "string"),
        "BOOL_TYPES": ("bool",),
        "COMPLEX_TYPES": _COMPLEX,
        "FLOAT8_TYPES": _FLOAT8,
        "FLOAT_TYPES": _FLOATS,
        "INT_TYPES": _INTEGERS,
        "result_type": result_type,
    },
    "keras.src.backend.common.global_state": {
        "clear_session": lambda free_memory=True: gpunn.clear_session()
    },
    "keras.src.backend.common.keras_tensor": {"KerasTensor": KerasTensor},
    "keras.src.backend.config": {
        "disable_flash_attention": _nothing,
        "enable_flash_attention": _nothing,
        "is_flash_attention_enabled": _nothing,
    },
    "keras.src.dtype_policies.dtype_policy": {"FloatDTypePolicy": gpunn.DTypePolicy},
    "keras.src.layers": {
        "GroupedQueryAttention": layers.GroupQueryAttention,
        "IndexLookup": index_lookup,
    },
    "keras.src.saving.saving_lib": {
        "load_weights_only": lambda model, path: model.load_weights(path),
        "save_weights_only": lambda model, path: model.save_weights(path),
    },
    "keras.src.saving.object_registration": {"GLOBAL_CUSTOM_NAMES": _RegisteredNames()},
    "keras.src.trainers.compile_utils": {
        "CompileLoss": CompileLoss,
        "CompileMetrics": CompileMetrics,
    },
    "keras.src.tree": {"optree_impl": Tree()},
    "keras.src.utils": {"removesuffix": str.removesuffix},
    "keras.src.utils.file_utils": {"join": os.path.join},
    "keras.src.utils.module_utils": {
        **{name: Library(name) for name in ("tensorflow", "dmtree", "grain")},
        "optree": SimpleNamespace(available=True),
    },
    "keras.src.utils.tracking": {
        f"Tracked{name}": type(f"Tracked{name}", (base,), {}) for name, base in _TRACKED.items()
    },
    "keras.src.utils.traceback_utils": {
        "disable_traceback_filtering": _nothing,
        "enable_traceback_filtering": _nothing,
        "is_traceback_filtering_enabled": lambda: False,
    },
}
