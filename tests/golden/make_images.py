"""Makes images.npz with Keras on JAX: `KERAS_BACKEND=jax python tests/golden/make_images.py`.

Each entry is the result of a case of cases_images.py.
"""

from pathlib import Path

import keras
import numpy as np
from cases_images import CASES, INPUTS, run

inputs = {name: keras.ops.convert_to_tensor(x) for name, x in INPUTS.items()}
arrays = {name: np.asarray(run(keras.ops.image, text, inputs)) for name, text in CASES.items()}
np.savez_compressed(Path(__file__).with_name("images.npz"), **arrays)
