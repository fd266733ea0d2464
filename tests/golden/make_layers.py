"""Makes layers.npz with Keras on JAX: KERAS_BACKEND=jax python tests/golden/make_layers.py"""

import warnings
from pathlib import Path

import jax
import keras
import numpy as np
from cases_layers import ADAPT, CASES, arguments, inputs, values, weights


def main():
    warnings.filterwarnings("ignore", message=".*rms_scaling")
    out = compared(CASES)
    for case, (options, shape) in ADAPT.items():
        layer = keras.layers.Normalization(**options)
        x = values(shape, 3, -2.0, 5.0)
        layer.adapt(x)
        out[f"{case}/inference"] = np.asarray(layer(x))
        for i, v in enumerate(layer.weights):
            out[f"{case}/weights/{i}"] = np.asarray(v)
    save(out, "layers")


def compared(cases):
    """What the layers of the cases give."""
    out = {}
    for case, (cls, options, kind) in cases.items():
        layer = getattr(keras.layers, cls)(**arguments(options, keras.regularizers.L1L2))
        x = inputs(kind)
        layer(x)
        if layer.weights:
            layer.set_weights(weights(layer))
        out[f"{case}/inference"] = np.asarray(layer(x))
        losses = [float(v) for v in layer.losses]
        if losses:
            out[f"{case}/losses"] = np.array(losses, np.float32)
        for mode in ("inference", "training"):
            gradients(out, f"{case}/{mode}", layer, x, mode == "training")
        out[f"{case}/training"] = np.asarray(layer(x, training=True))
        layer(x, training=True)
        for i, v in enumerate(layer.non_trainable_weights):
            out[f"{case}/moved/{i}"] = np.asarray(v)
        shape = layer.compute_output_shape((None, *x.shape[1:]))
        out[f"{case}/shape"] = np.array([-1 if n is None else n for n in shape], np.int32)
    return out


def save(out, family):
    """Write a family's file, and say what is odd about it."""
    path = Path(__file__).with_name(f"{family}.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")
    for key, value in out.items():
        if not np.isfinite(value).all():
            print("not finite:", key)


def gradients(out, prefix, layer, x, training):
    """The gradients of sum(y * direction) by the inputs and by the trainable weights."""
    trained = [v.value for v in layer.trainable_variables]
    state = [v.value for v in layer.non_trainable_variables]
    flag = {"training": training} if layer._call_has_training_arg else {}

    def loss(trained, x):
        y, _ = layer.stateless_call(trained, state, x, **flag)
        return (y * values(y.shape, 9)).sum()

    if x.dtype == np.float32:
        out[f"{prefix}/dx"] = np.asarray(jax.grad(loss, argnums=1)(trained, x))
    for i, dw in enumerate(jax.grad(loss)(trained, x) if trained else ()):
        out[f"{prefix}/dw{i}"] = np.asarray(dw)


if __name__ == "__main__":
    main()
