"""Makes masks.npz with Keras on JAX: KERAS_BACKEND=jax python tests/golden/make_masks.py"""

from pathlib import Path

import jax
import keras
import numpy as np
from cases_masks import CHAINS, MERGED, inputs, second, sequences, values, weights


def note(out, case, y):
    """The values and the mask of a result."""
    out[f"{case}/y"] = np.asarray(y)
    if (mask := getattr(y, "_keras_mask", None)) is not None:
        out[f"{case}/mask"] = np.asarray(mask)


def main():
    out = {}
    for case, (make, _) in CHAINS.items():
        layers, x = make(keras.layers), inputs(case)
        model = keras.Sequential(layers)
        model(x)
        for layer, given in zip(layers, weights(layers), strict=True):
            if given:
                layer.set_weights(given)
        note(out, case, model(x, training=True))
        for layer, given in zip(layers, weights(layers), strict=True):
            if given:
                layer.set_weights(given)
        trained = [v.value for v in model.trainable_variables]
        kept = [v.value for v in model.non_trainable_variables]

        def loss(trained, model=model, kept=kept, x=x):
            y, _ = model.stateless_call(trained, kept, x, training=True)
            labels, metric = values(y.shape, 9), keras.metrics.MeanAbsoluteError()
            state = [v.value for v in metric.variables]
            state = metric.stateless_update_state(state, labels, y)
            return keras.losses.MeanSquaredError()(labels, y), metric.stateless_result(state)

        (found, metric), dw = jax.value_and_grad(loss, has_aux=True)(trained)
        out[f"{case}/loss"], out[f"{case}/metric"] = np.asarray(found), np.asarray(metric)
        out.update({f"{case}/dw{i}": np.asarray(a) for i, a in enumerate(dw)})
        model(x, training=True)
        for i, v in enumerate(model.non_trainable_weights):
            out[f"{case}/moved{i}"] = np.asarray(v)
    masking = keras.layers.Masking()
    for case, (cls, options, masked) in MERGED.items():
        layer = getattr(keras.layers, cls)(**options)
        given = zip((sequences(), second()), masked, strict=True)
        note(out, case, layer([masking(x) if m else keras.ops.convert_to_tensor(x)
                               for x, m in given]))  # fmt: skip
    path = Path(__file__).with_name("masks.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")
    for key, value in out.items():
        if not np.isfinite(value).all():
            print("not finite:", key)


if __name__ == "__main__":
    main()
