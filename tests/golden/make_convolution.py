"""Makes convolution.npz with Keras: KERAS_BACKEND=jax python tests/golden/make_convolution.py"""

from pathlib import Path

import jax
import keras
import numpy as np
from cases_convolution import CASES
from cases_layers import arguments, inputs, values, weights


def main():
    out = {}
    for case, given in CASES.items():
        record(out, case, *given)
    path = Path(__file__).with_name("convolution.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")


def record(out, case, cls, options, shape):
    """Outputs, losses, output shape, and the gradients of sum(outputs * direction)."""
    layer = getattr(keras.layers, cls)(**arguments(options, keras.regularizers.L1L2))
    layer.build(shape)
    layer.set_weights(weights(layer))
    x = inputs(shape)
    direction = values(layer.compute_output_shape(shape), 9)

    def loss(trained, x):
        y, _ = layer.stateless_call(trained, [], x)
        return (y * direction).sum(), y

    both = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))
    (_, y), (dws, dx) = both([v.value for v in layer.trainable_variables], x)
    out[f"{case}/inference"] = np.asarray(y)
    out[f"{case}/inference/dx"] = np.asarray(dx)
    for i, dw in enumerate(dws):
        out[f"{case}/inference/dw{i}"] = np.asarray(dw)
    if any(name.endswith("_regularizer") for name in options):
        layer(x)
        out[f"{case}/losses"] = np.array([float(v) for v in layer.losses], np.float32)
    shape = layer.compute_output_shape((None, *shape[1:]))
    out[f"{case}/shape"] = np.array([-1 if n is None else n for n in shape], np.int32)


if __name__ == "__main__":
    main()
