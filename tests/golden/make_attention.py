"""Makes attention.npz with Keras and Keras-hub on JAX.

KERAS_BACKEND=jax python tests/golden/make_attention.py
"""

from pathlib import Path
from types import SimpleNamespace

import jax
import keras
import keras_hub
import numpy as np
from cases_attention import CASES, inputs, on_masked, values, weights

BOTH = SimpleNamespace(**{**vars(keras_hub.layers), **vars(keras.layers)})
BOTH.CachedMultiHeadAttention = keras_hub.layers.CachedMultiHeadAttention
BOTH.Input = keras.Input


def main():
    out = {}
    for case, (make, kinds, options) in CASES.items():
        layer = make(BOTH)
        given = inputs(kinds)
        if "cache" in options:
            layer(**given, **options)
        else:  # on symbolic tensors, which is quicker
            symbols = keras.tree.map_structure(
                lambda x: keras.KerasTensor(x.shape, str(x.dtype)), given
            )
            layer(**symbols, **options)
        layer.set_weights(weights(layer))
        trained = [v.value for v in layer.trainable_variables]
        kept = [v.value for v in layer.non_trainable_variables]
        floats = {n: x for n, x in given.items() if keras.tree.flatten(x)[0].dtype == np.float32}

        def loss(trained, floats, layer=layer, kept=kept, given=given, options=options):
            ys, _ = layer.stateless_call(trained, kept, **{**given, **floats}, **options)
            ys = keras.tree.flatten(ys)
            return sum((y * values(y.shape, 50 + i)).sum() for i, y in enumerate(ys)), ys

        (dw, dx), ys = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(trained, floats)
        for name, arrays in (("y", ys), ("dw", dw), ("dx", keras.tree.flatten(dx))):
            out.update({f"{case}/{name}{i}": np.asarray(a) for i, a in enumerate(arrays)})
        out[f"{case}/config"] = np.array(sorted(layer.get_config()))
        out[f"{case}/names"] = np.array([v.name for v in layer.weights], str)
    for name, (model, given) in on_masked(BOTH, keras.Model).items():
        out[f"masked/{name}"] = model.predict(given, verbose=0)
    path = Path(__file__).with_name("attention.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
