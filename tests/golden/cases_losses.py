"""The losses' test cases: shared by make_losses.py (Keras) and tests/losses (gpunn).

A case is (name, class, options, data); `data(kind)` makes its labels and predictions. Only NumPy's
legacy generator is used: its streams never change.
"""

import numpy as np

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", None)
ROWS, CLASSES = 6, 5


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def data(kind):
    """Labels, predictions and sample weights of a kind of problem, float32."""
    r = np.random.RandomState(sum(map(ord, kind)))
    x = r.randn(ROWS, CLASSES) * 2
    labels = r.randint(0, CLASSES, ROWS)
    onehot = np.eye(CLASSES)[labels]
    weights = r.uniform(0.2, 2.0, ROWS)
    if kind == "real":
        y, p = r.randn(ROWS, CLASSES), x
    elif kind == "real_sequence":
        y, p = r.randn(ROWS, 4, CLASSES), r.randn(ROWS, 4, CLASSES)
        weights = r.uniform(0.2, 2.0, (ROWS, CLASSES))
    elif kind == "column":
        y, p = r.randn(ROWS), x[:, :1]
    elif kind == "positive":
        y, p = r.uniform(0.1, 3, (ROWS, CLASSES)), r.uniform(0.1, 3, (ROWS, CLASSES))
    elif kind == "probabilities":
        y, p = softmax(r.randn(ROWS, CLASSES)), softmax(x)
    elif kind == "signs":
        y, p = np.sign(r.randn(ROWS, CLASSES)), x
    elif kind == "bits":
        y, p = r.randint(0, 2, (ROWS, CLASSES)), x
    elif kind == "bit_probabilities":
        y, p = r.randint(0, 2, (ROWS, CLASSES)), 1 / (1 + np.exp(-x))
    elif kind == "bit_saturated":
        y, p = r.randint(0, 2, (ROWS, CLASSES)), np.clip(x, 0, 1)
    elif kind == "onehot_logits":
        y, p = onehot, x
    elif kind == "onehot_probabilities":
        y, p = onehot, softmax(x)
    elif kind == "onehot_unnormalised":
        y, p = onehot, softmax(x) * 3
    elif kind == "onehot_saturated":
        y, p = onehot, np.eye(CLASSES)[r.randint(0, CLASSES, ROWS)]
    elif kind == "onehot_logits_first":  # classes along axis 1 of 3
        y, p = (
            np.moveaxis(np.eye(CLASSES)[r.randint(0, CLASSES, (ROWS, 4))], -1, 1),
            r.randn(ROWS, CLASSES, 4),
        )
        weights = r.uniform(0.2, 2.0, (ROWS, 4))
    elif kind == "labels_logits":
        y, p = labels, x
    elif kind == "labels_probabilities":
        y, p = labels, softmax(x)
    elif kind == "labels_column":
        y, p = labels[:, None], softmax(x)
    elif kind == "labels_sequence":
        y, p = r.randint(0, CLASSES, (ROWS, 4)), softmax(r.randn(ROWS, 4, CLASSES))
        weights = r.uniform(0.2, 2.0, (ROWS, 4))
    elif kind == "segmentation":
        y, p = r.randint(0, 2, (ROWS, 4, 4, 1)), r.uniform(0, 1, (ROWS, 4, 4, 1))
    elif kind == "embeddings":
        y, p = r.randint(0, 3, ROWS), x / np.linalg.norm(x, axis=1, keepdims=True)
    elif kind == "alignment":
        y = r.randint(1, CLASSES, (ROWS, 3)) * (np.arange(3) < [[3], [2], [1], [3], [0], [2]])
        p = r.randn(ROWS, 7, CLASSES)
    else:
        raise KeyError(kind)
    return y.astype("float32"), p.astype("float32"), weights.astype("float32")


CASES = [
    ("ctc", "CTC", {}, "alignment"),
    ("mse", "MeanSquaredError", {}, "real"),
    ("mse_column", "MeanSquaredError", {}, "column"),
    ("mae", "MeanAbsoluteError", {}, "real"),
    ("mape", "MeanAbsolutePercentageError", {}, "positive"),
    ("msle", "MeanSquaredLogarithmicError", {}, "positive"),
    ("cosine", "CosineSimilarity", {}, "real"),
    ("cosine_axis", "CosineSimilarity", {"axis": 1}, "real_sequence"),
    ("huber", "Huber", {}, "real"),
    ("huber_delta", "Huber", {"delta": 0.3}, "real"),
    ("log_cosh", "LogCosh", {}, "real"),
    ("hinge", "Hinge", {}, "signs"),
    ("hinge_bits", "Hinge", {}, "bits"),
    ("squared_hinge", "SquaredHinge", {}, "signs"),
    ("squared_hinge_bits", "SquaredHinge", {}, "bits"),
    ("categorical_hinge", "CategoricalHinge", {}, "onehot_logits"),
    ("kld", "KLDivergence", {}, "probabilities"),
    ("poisson", "Poisson", {}, "positive"),
    ("bce", "BinaryCrossentropy", {}, "bit_probabilities"),
    ("bce_saturated", "BinaryCrossentropy", {}, "bit_saturated"),
    ("bce_logits", "BinaryCrossentropy", {"from_logits": True}, "bits"),
    ("bce_smooth", "BinaryCrossentropy", {"label_smoothing": 0.2}, "bit_probabilities"),
    (
        "bce_logits_smooth",
        "BinaryCrossentropy",
        {"from_logits": True, "label_smoothing": 0.1},
        "bits",
    ),
    ("bce_axis", "BinaryCrossentropy", {"axis": 0}, "bit_probabilities"),
    ("focal", "BinaryFocalCrossentropy", {}, "bit_probabilities"),
    ("focal_logits", "BinaryFocalCrossentropy", {"from_logits": True, "gamma": 3.0}, "bits"),
    (
        "focal_balanced",
        "BinaryFocalCrossentropy",
        {"apply_class_balancing": True, "alpha": 0.4, "label_smoothing": 0.1},
        "bit_probabilities",
    ),
    ("cce", "CategoricalCrossentropy", {}, "onehot_probabilities"),
    ("cce_unnormalised", "CategoricalCrossentropy", {}, "onehot_unnormalised"),
    ("cce_saturated", "CategoricalCrossentropy", {}, "onehot_saturated"),
    ("cce_soft", "CategoricalCrossentropy", {}, "probabilities"),
    ("cce_logits", "CategoricalCrossentropy", {"from_logits": True}, "onehot_logits"),
    ("cce_smooth", "CategoricalCrossentropy", {"label_smoothing": 0.2}, "onehot_probabilities"),
    (
        "cce_logits_smooth",
        "CategoricalCrossentropy",
        {"from_logits": True, "label_smoothing": 0.1},
        "onehot_logits",
    ),
    (
        "cce_axis",
        "CategoricalCrossentropy",
        {"from_logits": True, "axis": 1},
        "onehot_logits_first",
    ),
    ("cfocal", "CategoricalFocalCrossentropy", {}, "onehot_probabilities"),
    (
        "cfocal_logits",
        "CategoricalFocalCrossentropy",
        {"from_logits": True, "alpha": 0.5, "gamma": 1.5, "label_smoothing": 0.1},
        "onehot_logits",
    ),
    ("gce", "CategoricalGeneralizedCrossEntropy", {}, "labels_probabilities"),
    ("gce_q", "CategoricalGeneralizedCrossEntropy", {"q": 0.8}, "labels_probabilities"),
    ("sparse", "SparseCategoricalCrossentropy", {}, "labels_probabilities"),
    ("sparse_column", "SparseCategoricalCrossentropy", {}, "labels_column"),
    ("sparse_logits", "SparseCategoricalCrossentropy", {"from_logits": True}, "labels_logits"),
    ("sparse_sequence", "SparseCategoricalCrossentropy", {}, "labels_sequence"),
    (
        "sparse_ignore",
        "SparseCategoricalCrossentropy",
        {"ignore_class": 2, "from_logits": True},
        "labels_logits",
    ),
    (
        "sparse_ignore_sequence",
        "SparseCategoricalCrossentropy",
        {"ignore_class": 0},
        "labels_sequence",
    ),
    ("dice", "Dice", {}, "segmentation"),
    ("dice_axis", "Dice", {"axis": (1, 2, 3)}, "segmentation"),
    ("tversky", "Tversky", {"alpha": 0.3, "beta": 0.7}, "segmentation"),
    ("tversky_axis", "Tversky", {"axis": (1, 2, 3)}, "segmentation"),
    ("circle", "Circle", {}, "embeddings"),
    (
        "circle_all",
        "Circle",
        {"gamma": 10.0, "margin": 0.2, "remove_diagonal": False},
        "embeddings",
    ),
]
