"""HostLayer: what layers share whose inputs are words or other things that lie on the host."""

import numpy as np

from gpunn import ops
from gpunn.autograd import Tensor
from gpunn.autograd.symbolic import holds_symbols
from gpunn.backend.dtypes import standardize
from gpunn.backend.words import words
from gpunn.errors import ArgumentTypeError, DTypeError, GpunnError, unknown
from gpunn.layers.check import wrong
from gpunn.layers.layer import Layer

MODES = ("int", "one_hot", "multi_hot", "count")


class HostLayer(Layer):
    """A layer that looks at its inputs on the host: arrays, nested lists and strings.

    It has no gradient. Called on the data before a model sees them it costs the least: a model that
    is given words, by an `Input(dtype="string")`, is trained call by call.
    """

    accepts_integers = True

    def __call__(self, inputs, *args, **kwargs):
        """What `call` makes of the inputs; symbolic tensors are passed on to `Layer`."""
        if holds_symbols(inputs):
            return super().__call__(inputs, *args, **kwargs)
        kwargs.pop("training", None)
        self._require_init()
        try:
            return self.call(inputs, *args, **kwargs)
        except GpunnError as e:
            e.add_note(f"in layer {self.name!r} ({type(self).__name__})")
            raise

    def batches(self, data, steps=None):
        """The batches of data to adapt to: the data itself, or what it iterates over.

        Args:
            data: an array, a list, or an iterable of batches (arrays, or tuples that start so).
            steps: how many batches at most. Default: all.
        """
        listed = isinstance(data, list) and any(hasattr(b, "shape") for b in data)
        whole = isinstance(data, str | bytes | list | tuple | np.ndarray | Tensor)
        if (whole and not listed) or hasattr(data, "to_numpy"):
            array = host_values(data)
            yield array[:, None] if array.ndim == 1 else array
            return
        if not hasattr(data, "__iter__"):
            raise wrong(
                self,
                f"adapt() takes an array, a list or an iterable of batches, got "
                f"{type(data).__name__}",
                ArgumentTypeError,
            )
        for i, batch in enumerate(data):
            if steps is not None and i >= steps:
                return
            yield host_values(batch[0] if isinstance(batch, tuple) else batch)


def host_values(x) -> np.ndarray:
    """Numbers or text as a NumPy array; bytes are decoded.

    Raises:
        DTypeError: if lists have unequal lengths, or values are of different kinds.
    """
    if isinstance(x, Tensor):
        return x.numpy()
    if hasattr(x, "get") and hasattr(x, "dtype") and not isinstance(x, np.generic | np.ndarray):
        return x.get()
    x = x.to_numpy() if hasattr(x, "to_numpy") else x
    try:
        array = np.asarray(x)
    except ValueError as e:
        raise DTypeError(f"expected an array of words or numbers: {e}") from e
    if array.dtype.kind not in "OST":
        return array
    text = words(array)
    if text is None:
        some = array.reshape(-1)[:3].tolist()
        raise DTypeError(f"expected an array of words, got objects such as {some}")
    return text


def check_mode(layer, mode: str, known=MODES, sparse: bool = False) -> str:
    """The output mode, by its present name."""
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(mode, mode)
    if mode not in known:
        raise unknown(f"output_mode of {layer.name!r}", mode, known)
    if sparse:
        raise wrong(layer, "sparse tensors are not supported: leave sparse out")
    return mode


def check_salt(layer, salt) -> list[int] | None:
    """Two integers, of two or one."""
    if salt is None:
        return None
    pair = (salt, salt) if isinstance(salt, int) and not isinstance(salt, bool) else salt
    good = isinstance(pair, list | tuple) and len(pair) == 2
    if not good or not all(isinstance(n, int) for n in pair):
        raise wrong(layer, f"salt must be an integer or two, got {salt!r}")
    return list(pair)


def check_output_dtype(layer, dtype, mode: str):
    """The dtype of indices or vectors; default: int64 of indices, the layer's own of vectors."""
    if mode != "int":
        return dtype
    if dtype is not None and standardize(dtype).kind not in "iu":
        raise wrong(layer, f"output_mode 'int' needs an integer dtype, got {dtype!r}")
    return dtype or "int64"


def encoded(indices, mode: str, depth: int, dtype=None, weights=None) -> Tensor:
    """Indices as they are, or as vectors: "one_hot" each, "multi_hot" or "count" by row."""
    indices = ops.convert_to_tensor(indices)
    if mode == "int":
        return ops.cast(indices, dtype) if dtype is not None else indices
    if indices.ndim == 0:
        indices = ops.expand_dims(indices, -1)
    if mode == "multi_hot":
        return ops.multi_hot(indices, depth, dtype=dtype)
    if mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = ops.squeeze(indices, -1)
        return ops.one_hot(indices, depth, dtype=dtype)
    hot = ops.one_hot(indices, depth, dtype=dtype)
    if weights is not None:
        hot = hot * ops.expand_dims(ops.cast(weights, hot.dtype), -1)
    return ops.cast(ops.sum(hot, axis=1 if indices.ndim > 1 else 0), standardize(dtype))


def encoded_shape(shape, mode: str, depth: int | None) -> tuple:
    """The shape of what `encoded` gives."""
    shape = tuple(shape)
    if mode == "int":
        return shape
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (shape[0], *shape[2:], depth) if len(shape) > 1 else (depth,)
