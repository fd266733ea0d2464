"""CategoryEncoding and Discretization as they are compared with Keras."""

import numpy as np

random = np.random.default_rng(8)
ROWS = random.integers(0, 5, (4, 3)).astype("int32")
COLUMN = random.integers(0, 5, (4, 1)).astype("int32")
WEIGHTS = random.uniform(0, 2, (4, 3)).astype("float32")
VALUES = random.normal(size=1000).astype("float32")
MORE = random.uniform(-5, 5, (7, 30)).astype("float32")
INPUTS = {"rows": ROWS, "column": COLUMN, "vector": ROWS[0]}

# name: output_mode, inputs, whether the counts are weighted
ENCODINGS = {
    **{f"{mode}_{name}": (mode, name, False)
       for mode in ("multi_hot", "one_hot", "count") for name in INPUTS},
    "weighted": ("count", "rows", True),
}  # fmt: skip
LIMITS = [-0.5, 0.0, 0.7]
# name: num_bins, epsilon, batches
LEARNED = {
    "quarters": (4, 0.01, [VALUES]),
    "ten": (10, 0.01, [VALUES, MORE]),
    "coarse": (5, 0.2, [VALUES, MORE, VALUES[:13]]),
    "few": (3, 0.01, [VALUES[:3]]),
}
