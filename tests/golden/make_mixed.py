"""Makes mixed.npz with Keras on JAX: KERAS_BACKEND=jax python tests/golden/make_mixed.py"""

from pathlib import Path

import jax
import keras
import numpy as np
from cases_mixed import CASES, GRADIENTS, POLICIES, cotangent, inputs, values


def layer_results(policy: str, name: str) -> dict:
    kind, options, _ = CASES[name]
    x = inputs(name)
    layer = getattr(keras.layers, kind)(**options, dtype=policy)
    layer.build(x.shape)
    layer.set_weights([values(w.shape, i) for i, w in enumerate(layer.weights)])

    def total(trainable, x):  # by hand: stateless_call gives float32 here
        for w, value in zip(layer.trainable_variables, trainable, strict=True):
            w._value = value
        y = layer(x, training=True)
        return (y.astype("float32") * cotangent(y.shape)).sum(), y

    given = [w.value for w in layer.trainable_variables], jax.numpy.asarray(x)
    (_, y), (dw, dx) = jax.value_and_grad(total, argnums=(0, 1), has_aux=True)(*given)
    assert str(y.dtype) == policy.removeprefix("mixed_"), (name, y.dtype)
    found = {"y": y, "dx": dx, **{f"dw{i}": g for i, g in enumerate(dw)}}
    return {f"{policy}/{name}/{k}": np.asarray(v, np.float32) for k, v in found.items()}


def trajectory() -> dict:
    w = keras.Variable([1.0, 2.0])
    inner = keras.optimizers.Adam(0.1)
    optimizer = keras.optimizers.LossScaleOptimizer(
        inner, initial_scale=8.0, dynamic_growth_steps=3
    )
    optimizer.build([w])
    rows, state, ws = [], [v.value for v in optimizer.variables], [w.value]
    for g in GRADIENTS:
        ws, state = optimizer.stateless_apply(state, [jax.numpy.asarray([1.0, g])], ws)
        now = {v.path: value for v, value in zip(optimizer.variables, state, strict=True)}
        numbers = optimizer.dynamic_scale, optimizer.step_counter, optimizer.iterations
        rows.append([*np.asarray(ws[0]), *[float(now[n.path]) for n in numbers]])
    return {"trajectory": np.array(rows)}


def main():
    out = trajectory()
    for policy in POLICIES:
        for name in CASES:
            out |= layer_results(policy, name)
    path = Path(__file__).with_name("mixed.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
