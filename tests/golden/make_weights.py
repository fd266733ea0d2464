"""Makes weights.npz with Keras on JAX: KERAS_BACKEND=jax python tests/golden/make_weights.py"""

from pathlib import Path

import jax
import keras
import numpy as np
from cases_weights import (
    CONSTRAINTS,
    DRAWN,
    FANS,
    REGULARIZERS,
    SHAPES,
    full_weight,
    weight,
)
from keras.src.initializers.random_initializers import compute_fans


def main():
    out = {f"fans/{i}": np.array(compute_fans(shape)) for i, shape in enumerate(FANS)}
    for i, (name, options) in enumerate(DRAWN):
        for j, shape in enumerate(SHAPES):
            if "input_axes" in options and len(shape) != 3:
                continue
            x = np.asarray(getattr(keras.initializers, name)(**options, seed=5)(shape), np.float64)
            out[f"drawn/{i}/{j}"] = np.array([x.mean(), x.std(), x.min(), x.max()])
    identity = keras.initializers.Identity(gain=3.0)
    out["identity"] = np.asarray(identity((3, 4)))
    for i, (name, options) in enumerate(REGULARIZERS):
        regularizer = getattr(keras.regularizers, name)(**options)
        for key, w in (("zeros", weight()), ("full", full_weight())):
            out[f"regularizer/{i}/{key}"] = np.asarray(regularizer(keras.ops.convert_to_tensor(w)))
        out[f"regularizer/{i}/gradient"] = np.asarray(jax.grad(regularizer)(full_weight()))
    for i, (name, options) in enumerate(CONSTRAINTS):
        constraint = getattr(keras.constraints, name)(**options)
        out[f"constraint/{i}"] = np.asarray(constraint(weight()))
    path = Path(__file__).with_name("weights.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")
    for key, value in out.items():
        if not np.isfinite(value).all():
            print("not finite:", key)


if __name__ == "__main__":
    main()
