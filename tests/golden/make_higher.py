"""Makes higher.npz with JAX: python tests/golden/make_higher.py

Derivatives of a network of three dense layers by its input, and theirs by the weights.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


def network(weights, x):
    for i in range(3):
        x = x @ weights[f"w{i}"] + weights[f"b{i}"]
        x = jnp.tanh(x) if i < 2 else x
    return x


def residual(weights, x):
    def u(point):
        return network(weights, point[None])[0, 0]

    return jax.vmap(lambda point: jax.grad(u)(point)[1] - jax.hessian(u)(point)[0, 0])(x)


def penalty(weights, x):
    slopes = jax.vmap(jax.grad(lambda point: network(weights, point[None])[0, 0]))(x)
    return ((jnp.sqrt((slopes**2).sum(1)) - 1) ** 2).mean()


def main():
    random = np.random.default_rng(0)
    weights = {}
    for i, (n, m) in enumerate([(2, 6), (6, 5), (5, 1)]):
        weights[f"w{i}"] = random.normal(size=(n, m)) / np.sqrt(n)
        weights[f"b{i}"] = random.normal(size=m) / 4
    x = random.normal(size=(5, 2))
    out = {**weights, "x": x}
    out["residual"] = residual(weights, x)
    out["penalty"] = penalty(weights, x)
    out["hessian"] = jax.hessian(lambda point: network(weights, point[None])[0, 0])(x[0])
    for name, loss in {
        "residual": lambda w: (residual(w, x) ** 2).mean(),
        "penalty": lambda w: penalty(w, x),
    }.items():
        for key, dw in jax.grad(loss)(weights).items():
            out[f"{name}_{key}"] = dw
    path = Path(__file__).with_name("higher.npz")
    np.savez_compressed(path, **{key: np.asarray(value) for key, value in out.items()})
    print(len(out), "arrays,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
