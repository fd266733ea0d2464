"""Makes normalization.npz: KERAS_BACKEND=jax python tests/golden/make_normalization.py"""

import keras
import numpy as np
from cases_layers import inputs, weights
from cases_normalization import CASES, SPECTRAL
from make_layers import compared, save


def main():
    out = compared(CASES)
    for case, (make, kind) in SPECTRAL.items():
        layer, x = make(keras.layers), inputs(kind)
        layer(x)
        layer.set_weights(weights(layer))
        for call in range(2):
            out[f"spectral/{case}/y{call}"] = np.asarray(layer(x, training=True))
        out[f"spectral/{case}/inference"] = np.asarray(layer(x))
        for i, v in enumerate(layer.weights):
            out[f"spectral/{case}/w{i}"] = np.asarray(v)
    save(out, "normalization")


if __name__ == "__main__":
    main()
