"""Makes conv_lstm.npz: KERAS_BACKEND=jax PYTHONPATH=. python tests/golden/make_conv_lstm.py"""

from pathlib import Path

import jax
import keras
import numpy as np

from tests.golden.cases_conv_lstm import CASES, first_states, sequences
from tests.golden.cases_recurrent import values, weights


def main():
    out = {}
    for case, (cls, arguments, _, _) in CASES.items():
        layer, x = getattr(keras.layers, cls)(**arguments), sequences(case)
        layer.build(x.shape)
        layer.set_weights(weights(layer))

        def loss(trained, x, states, layer=layer):
            given = {"initial_state": states} if states else {}
            kept = [v.value for v in layer.non_trainable_variables]
            ys, _ = layer.stateless_call(trained, kept, x, training=True, **given)
            ys = keras.tree.flatten(ys)
            return sum((y * values(y.shape, 50 + i)).sum() for i, y in enumerate(ys)), ys

        trained = [v.value for v in layer.trainable_variables]
        run = jax.jit(jax.grad(loss, argnums=(0, 1, 2), has_aux=True))
        (dw, dx, ds), ys = run(trained, x, first_states(case))
        for name, arrays in (("y", ys), ("dw", dw), ("dx", [dx]), ("ds", ds)):
            out.update({f"{case}/{name}{i}": np.asarray(a) for i, a in enumerate(arrays)})
        shape = layer.compute_output_shape((None, *x.shape[1:]))
        sizes = [-1 if n is None else n for n in keras.tree.flatten(shape)]
        out[f"{case}/shape"] = np.array(sizes, np.int32)
    path = Path(__file__).with_name("conv_lstm.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
