"""Makes image_layers.npz with Keras: KERAS_BACKEND=jax python tests/golden/make_image_layers.py"""

from pathlib import Path

import keras
import numpy as np
from cases_image_layers import CASES, CHANNELS_FIRST, FIRST, IMAGES, transformed

arrays = {}
for name, (cls, arguments, drawn) in CASES.items():
    layer = getattr(keras.layers, cls)(**arguments)
    arrays[name] = np.asarray(transformed(layer, keras.ops.convert_to_tensor(IMAGES), drawn))
    if name in CHANNELS_FIRST:
        layer = getattr(keras.layers, cls)(**arguments, **FIRST)
        images = keras.ops.convert_to_tensor(IMAGES.transpose(0, 3, 1, 2))
        arrays[f"{name}/first"] = np.asarray(transformed(layer, images, drawn))
    shape = getattr(keras.layers, cls)(**arguments).compute_output_shape((None, 6, 8, 3))
    arrays[f"{name}/shape"] = np.array([-1 if n is None else n for n in shape])
np.savez_compressed(Path(__file__).with_name("image_layers.npz"), **arrays)
