"""A file of Keras' old format, legacy_of_keras.h5, and what its model predicts.

KERAS_BACKEND=jax python tests/golden/make_legacy_h5.py
"""

from pathlib import Path

import keras
import numpy as np
from keras import layers

HERE = Path(__file__).parent


def main():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5, 5, 2))
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(3, 3, name="conv")(inputs))
    hidden = layers.BatchNormalization(name="inner_norm")
    head = keras.Sequential([layers.Dense(4, name="a"), hidden, layers.Dense(3)], name="head")
    model = keras.Model(inputs, head(layers.Flatten()(x)), name="old")
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.1, 1, w.shape) for w in model.get_weights()])
    model.save(HERE / "legacy_of_keras.h5")
    images = random.normal(size=(4, 5, 5, 2)).astype("float32")
    y = model.predict(images, verbose=0)
    np.savez_compressed(HERE / "legacy_h5.npz", images=images, y=y)


if __name__ == "__main__":
    main()
