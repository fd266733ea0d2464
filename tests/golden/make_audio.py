"""Makes audio.npz with Keras on JAX: KERAS_BACKEND=jax python tests/golden/make_audio.py"""

import keras
import numpy as np
from cases_audio import CASES, KERNELS
from make_layers import compared, save


def main():
    out = compared(CASES)
    for name, options in KERNELS.items():
        kernel = keras.initializers.STFT(**options)((6, 1, 9))
        out[f"kernel/{name}"] = np.asarray(kernel)
    save(out, "audio")


if __name__ == "__main__":
    main()
