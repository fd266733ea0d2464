"""Makes categories.npz with Keras: KERAS_BACKEND=jax python tests/golden/make_categories.py"""

from pathlib import Path

import keras
import numpy as np
from cases_categories import ENCODINGS, INPUTS, LEARNED, LIMITS, VALUES, WEIGHTS

arrays = {}
for name, (mode, inputs, weighted) in ENCODINGS.items():
    layer = keras.layers.CategoryEncoding(5, output_mode=mode)
    more = {"count_weights": WEIGHTS} if weighted else {}
    arrays[name] = np.asarray(layer(INPUTS[inputs], **more))
for mode in ("int", "one_hot", "multi_hot", "count"):
    layer = keras.layers.Discretization(LIMITS, output_mode=mode)
    arrays[f"bins_{mode}"] = np.asarray(layer(VALUES[:12].reshape(4, 3)))
for name, (bins, epsilon, batches) in LEARNED.items():
    layer = keras.layers.Discretization(num_bins=bins, epsilon=epsilon)
    for batch in batches:
        layer.update_state(batch)
    layer.finalize_state()
    arrays[name] = np.array(layer.bin_boundaries, "float32")
np.savez_compressed(Path(__file__).with_name("categories.npz"), **arrays)
