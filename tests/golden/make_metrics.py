"""Makes metrics.npz with Keras on JAX: KERAS_BACKEND=jax python tests/golden/make_metrics.py"""

import warnings
from pathlib import Path

import keras
import numpy as np
from cases_metrics import CASES, batches

warnings.simplefilter("ignore")


def main():
    out = {}
    for name, cls, options, kind in CASES:
        for tag in ("plain", "weighted"):
            metric = getattr(keras.metrics, cls)(**options)
            results = []
            try:
                for y, p, w in batches(kind):
                    given = (y,) if p is None else (y, p)
                    metric.update_state(*given, sample_weight=w if tag == "weighted" else None)
                    results.append(np.asarray(metric.result(), "float32"))
            except Exception as error:
                print("left out:", name, tag, type(error).__name__, str(error)[:100])
                continue
            out[f"{name}/{tag}"] = np.stack(results)
    path = Path(__file__).with_name("metrics.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")
    for key, value in out.items():
        if not np.isfinite(value).all():
            print("not finite:", key)


if __name__ == "__main__":
    main()
