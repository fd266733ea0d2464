"""Makes functional.npz with Keras on JAX: KERAS_BACKEND=jax python tests/golden/make_functional.py

Of each model: its outputs, the history of three steps of SGD, and the weights after them.
"""

import json
from pathlib import Path

import keras
import numpy as np
from cases_functional import CASES, inputs_of, packed, targets_of, weights


def main():
    out = {}
    for name, build in CASES.items():
        keras.utils.clear_session()
        model = build(keras)
        model.set_weights(weights(model))
        xs = inputs_of(name, model)
        x = packed(model, xs)
        ys = keras.tree.flatten(model.predict(x, verbose=0))
        out.update({f"{name}/y{i}": y for i, y in enumerate(ys)})
        out[f"{name}/layers"] = np.array([type(x).__name__ for x in model.layers])
        for layer in model.layers:
            if hasattr(layer, "rate"):
                layer.rate = 0.0
        per_output = ["mse" for _ in ys]
        if isinstance(model.output, dict):
            per_output = dict(zip(model.output, per_output, strict=True))
        metrics = keras.tree.map_structure(lambda _: "mae", per_output)
        model.compile(keras.optimizers.SGD(0.01), per_output, metrics=metrics)
        targets = targets_of(model, [y.shape for y in ys])
        history = model.fit(x, targets, epochs=3, batch_size=5, shuffle=False, verbose=0).history
        out[f"{name}/history"] = np.array(json.dumps(history))
        out.update({f"{name}/w{i}": w for i, w in enumerate(model.get_weights())})
    path = Path(__file__).with_name("functional.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
