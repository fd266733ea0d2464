"""Makes losses.npz with Keras on JAX: KERAS_BACKEND=jax python tests/golden/make_losses.py"""

from pathlib import Path

import jax
import keras
import numpy as np
from cases_losses import CASES, REDUCTIONS, data


def main():
    out = {}
    for name, cls, options, kind in CASES:
        y, p, w = data(kind)
        for weights in (None, w):
            tag = "plain" if weights is None else "weighted"
            for reduction in REDUCTIONS:
                loss = getattr(keras.losses, cls)(reduction=reduction, **options)
                try:
                    value = np.asarray(loss(y, p, weights))
                except (TypeError, ValueError):  # weights that do not fit one value for the batch
                    continue
                out[f"{name}/{tag}/{reduction}"] = value
            loss = getattr(keras.losses, cls)(**options)
            if f"{name}/{tag}/sum" in out:
                grad = jax.grad(lambda p, loss=loss, y=y, w=weights: loss(y, p, w))(p)
                out[f"{name}/{tag}/gradient"] = np.asarray(grad)
    path = Path(__file__).with_name("losses.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")
    for key, value in out.items():
        if not np.isfinite(value).all():
            print("not finite:", key)


if __name__ == "__main__":
    main()
