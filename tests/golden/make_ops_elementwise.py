"""Makes ops_elementwise.npz with Keras on JAX:

KERAS_BACKEND=jax python tests/golden/make_ops_elementwise.py
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
from cases_ops_elementwise import (
    ALL_DTYPES,
    BINARY_DTYPES,
    CASES,
    PAIRS,
    POINTS,
    REDUCTION_DTYPES,
    UNARY_DTYPES,
)

HERE = Path(__file__)


def values_and_gradients():
    """Everything in float64, with the gradient of sum(result * (1, 2, 3, ...))."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import keras

    keras.config.set_floatx("float64")
    out = {}
    for label, (op, operands, options) in {**CASES, **POINTS}.items():
        fn = getattr(keras.ops, op)
        results = fn(*operands, **options)
        several = isinstance(results, tuple)
        for i, y in enumerate(results if several else [results]):
            out[f"{label}/value{i}"] = np.asarray(y)

        where = [i for i, x in enumerate(operands) if getattr(x, "dtype", None) == np.float64]

        def weighted(*floats, fn=fn, operands=operands, options=options, where=where):
            given = list(operands)
            for at, x in zip(where, floats):
                given[at] = x
            ys = fn(*given, **options)
            total = 0.0
            for y in ys if isinstance(ys, tuple) else [ys]:
                total = total + (y * (1.0 + np.arange(y.size).reshape(y.shape))).sum()
            return total

        first = results[0] if several else results
        if where and "float" in str(first.dtype) and op != "nextafter":
            grads = jax.grad(weighted, tuple(range(len(where))))(*[operands[i] for i in where])
            for at, dx in zip(where, grads):
                out[f"{label}/gradient{at}"] = np.asarray(dx)
    return out


def dtypes():
    """The names of the results' dtypes, with floatx float32; "error" where Keras refuses."""
    import keras

    def result(op, *operands):
        try:
            return keras.backend.standardize_dtype(getattr(keras.ops, op)(*operands).dtype)
        except (TypeError, ValueError):
            return "error"

    def operand(dtype):
        return np.ones(2, dtype) if isinstance(dtype, str) else dtype

    return {
        **{
            f"dtypes/{op}": np.array([result(op, operand(d)) for d in ALL_DTYPES])
            for op in [*UNARY_DTYPES, *REDUCTION_DTYPES]
        },
        **{
            f"dtypes/{op}": np.array([result(op, operand(a), operand(b)) for a, b in PAIRS])
            for op in BINARY_DTYPES
        },
    }


def main():
    if sys.argv[1:] == ["dtypes"]:  # in a process of its own: JAX's 64-bit switch is global
        np.savez(HERE.with_name("dtypes.tmp.npz"), **dtypes())
        return
    subprocess.run([sys.executable, HERE, "dtypes"], check=True)
    part = HERE.with_name("dtypes.tmp.npz")
    with np.load(part) as file:
        out = {**values_and_gradients(), **dict(file)}
    part.unlink()
    path = HERE.with_name("ops_elementwise.npz")
    np.savez_compressed(path, **out)
    print(len(out), "arrays,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
