"""Makes merging.npz with Keras on JAX: KERAS_BACKEND=jax python tests/golden/make_merging.py"""

from pathlib import Path

import jax
import keras
import numpy as np
from cases_merging import CASES, inputs, values, weights


def main():
    out = {}
    for case, (cls, arguments, shapes) in CASES.items():
        layer, xs = getattr(keras.layers, cls)(**arguments), inputs(case)
        several = isinstance(shapes, list)
        layer.build(shapes)
        if layer.weights:
            layer.set_weights(weights(layer))
        trained = [v.value for v in layer.trainable_variables]

        def loss(trained, xs, layer=layer, several=several):
            y, _ = layer.stateless_call(trained, [], xs if several else xs[0])
            return (y * values(y.shape, 9)).sum(), y

        run = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
        (dw, dx), y = run(trained, xs)
        out[f"{case}/y"] = np.asarray(y)
        for name, arrays in (("dw", dw), ("dx", dx)):
            out.update({f"{case}/{name}{i}": np.asarray(a) for i, a in enumerate(arrays)})
    path = Path(__file__).with_name("merging.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
