"""Makes ops_shape.npz with Keras on JAX: `KERAS_BACKEND=jax python tests/golden/make_ops_shape.py`.

Each entry is NAME/NUMBER of a case of cases_ops_shape.py.
"""

from pathlib import Path

import keras
import numpy as np
from cases_ops_shape import CASES, INPUTS, run

inputs = {name: keras.ops.convert_to_tensor(x) for name, x in INPUTS.items()}
arrays = {
    f"{name}/{number}": np.asarray(y)
    for name, text in CASES.items()
    for number, y in enumerate(run(keras.ops, text, inputs))
}
np.savez_compressed(Path(__file__).with_name("ops_shape.npz"), **arrays)
