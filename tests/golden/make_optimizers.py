"""Makes optimizers.npz with Keras on NumPy, which needs no compiling:
KERAS_BACKEND=numpy python tests/golden/make_optimizers.py
"""

from pathlib import Path

import keras
import numpy as np
from cases_optimizers import (
    SCHEDULE_STEPS,
    SCHEDULES,
    SNAPSHOTS,
    cases,
    gradients,
    start,
)
from keras.src.backend.common import dtypes


def trajectory(name, rule, options, dtype):
    """The variables after some steps, as one vector each time; at last the moving averages too."""
    options = dict(options)
    excluded = options.pop("exclude", None)
    if isinstance(options["learning_rate"], dict):
        schedule = options["learning_rate"]
        cls = getattr(keras.optimizers.schedules, schedule["class_name"])
        options["learning_rate"] = cls(*schedule["config"])
    optimizer = getattr(keras.optimizers, rule)(**options)
    if excluded:
        optimizer.exclude_from_weight_decay(var_names=excluded)
    variables = [keras.Variable(v, dtype=dtype, name=n) for n, v in start(dtype).items()]
    optimizer.build(variables)
    out = {}
    for step, grads in enumerate(gradients(dtype), 1):
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in grads], variables)
        if step in SNAPSHOTS[dtype]:
            out[f"{dtype}/{name}/{step}"] = flat(variables)
    if options.get("use_ema"):
        optimizer.finalize_variable_values(variables)
        out[f"{dtype}/{name}/final"] = flat(variables)
    return out


def flat(variables):
    return np.concatenate([np.asarray(v.value).ravel() for v in variables])


def schedules():
    out = {}
    for i, (name, args, options) in enumerate(SCHEDULES):
        schedule = getattr(keras.optimizers.schedules, name)(*args, **options)
        out[f"schedule/{i}"] = np.array([float(schedule(step)) for step in SCHEDULE_STEPS])
    return out


def main():
    out = schedules()
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # else its ops give float32
    for dtype in SNAPSHOTS:
        keras.config.set_floatx(dtype)
        for case in cases():
            out.update(trajectory(*case, dtype))
    path = Path(__file__).with_name("optimizers.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")
    for key, value in out.items():
        if not np.isfinite(value).all():
            print("not finite:", key)


if __name__ == "__main__":
    main()
