"""Makes sequences.npz with Keras on JAX: `KERAS_BACKEND=jax python tests/golden/make_sequences.py`.

Each entry is NAME/NUMBER of a case of cases_sequences.py; ctc_loss/gradient is by the logits.
"""

from pathlib import Path

import jax
import keras
import numpy as np
from cases_sequences import CASES, INPUTS, run

inputs = {name: keras.ops.convert_to_tensor(x) for name, x in INPUTS.items()}
arrays = {
    f"{name}/{number}": np.asarray(y)
    for name, text in CASES.items()
    for number, y in enumerate(run(keras.ops, text, inputs))
}
text = CASES["ctc_loss"]
slope = jax.grad(lambda x: run(keras.ops, text, {**inputs, "logits": x})[0].sum())
arrays["ctc_loss/gradient"] = np.asarray(slope(inputs["logits"]))
np.savez_compressed(Path(__file__).with_name("sequences.npz"), **arrays)
