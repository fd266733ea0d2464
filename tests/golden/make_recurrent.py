"""Makes recurrent.npz with Keras on JAX: KERAS_BACKEND=jax python tests/golden/make_recurrent.py"""

from pathlib import Path

import jax
import keras
import numpy as np
from cases_recurrent import CASES, MASK, first_states, sequences, values, weights


def flat(y):
    """The results of a call as one list."""
    return keras.tree.flatten(y)


def main():
    out = {}
    for case, (make, masked, sizes) in CASES.items():
        layer = make(keras.layers)
        x = sequences()
        layer.build(x.shape)
        layer.set_weights(weights(layer))
        trained = [v.value for v in layer.trainable_variables]
        kept = [v.value for v in layer.non_trainable_variables]
        options = {"mask": MASK} if masked else {}

        def loss(trained, x, states, layer=layer, kept=kept, options=options):
            given = {"initial_state": states} if states else {}
            ys, _ = layer.stateless_call(trained, kept, x, training=True, **given, **options)
            ys = flat(ys)
            return sum((y * values(y.shape, 50 + i)).sum() for i, y in enumerate(ys)), ys

        states = first_states(sizes) if sizes else []
        run = jax.jit(jax.grad(loss, argnums=(0, 1, 2), has_aux=True))
        (dw, dx, ds), ys = run(trained, x, states)
        for name, arrays in (("y", ys), ("dw", dw), ("dx", [dx]), ("ds", ds)):
            out.update({f"{case}/{name}{i}": np.asarray(a) for i, a in enumerate(arrays)})
        shape = layer.compute_output_shape((None, *x.shape[1:]))
        sizes = [-1 if n is None else n for n in keras.tree.flatten(shape)]
        out[f"{case}/shape"] = np.array(sizes, np.int32)
        out[f"{case}/config"] = np.array(sorted(layer.get_config()))
    path = Path(__file__).with_name("recurrent.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
