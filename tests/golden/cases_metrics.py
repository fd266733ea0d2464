"""The metrics' test cases: shared by make_metrics.py (Keras) and tests/metrics (gpunn).

A case is (name, class, options, data); `batches(kind)` gives its batches of labels, predictions and
weights, the last batch smaller. Only NumPy's legacy generator is used: its streams never change.
"""

import numpy as np

ROWS, CLASSES = (8, 8, 5), 4
WHOLE_WEIGHTS = {"labels_ids", "onehot_classes"}  # kinds whose weights are integers


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def batch(kind, r, n):
    x = r.randn(n, CLASSES) * 1.5
    labels = r.randint(0, CLASSES, n)
    bits = r.randint(0, 2, (n, CLASSES))
    weights = r.uniform(0.2, 2.0, n)
    if kind == "values":
        return x[:, 0], None, weights
    if kind == "real":
        return r.randn(n, CLASSES) + 0.5 * x, x, weights
    if kind == "column":
        return r.randn(n), x[:, :1], weights
    if kind == "positive":
        return r.uniform(0.1, 3, (n, CLASSES)), r.uniform(0.1, 3, (n, CLASSES)), weights
    if kind == "probabilities":
        return softmax(r.randn(n, CLASSES)), softmax(x), weights
    if kind == "signs":
        return np.sign(r.randn(n, CLASSES)), x, weights
    if kind == "bits":  # predictions on the edges of buckets too
        p = 1 / (1 + np.exp(-x))
        p[0] = (0.0, 0.5, 1.0, 0.25)
        return bits, p, weights
    if kind == "bit_column":
        return bits[:, 0], 1 / (1 + np.exp(-x[:, :1])), weights
    if kind == "bit_vector":
        return bits[:, 0], 1 / (1 + np.exp(-x[:, 0])), weights
    if kind == "bit_logits":
        return bits, x, weights
    if kind == "onehot":
        return np.eye(CLASSES)[labels], softmax(x), weights
    if kind == "onehot_logits":
        return np.eye(CLASSES)[labels], x, weights
    if kind == "labels":
        return labels, softmax(x), weights
    if kind == "labels_column":
        return labels[:, None], softmax(x), weights
    if kind == "labels_logits":
        return labels, x, weights
    if kind == "labels_sequence":
        y, p = r.randint(0, CLASSES, (n, 3)), softmax(r.randn(n, 3, CLASSES))
        return y, p, r.uniform(0.2, 2.0, (n, 3))
    if kind == "labels_ids":
        return labels, r.randint(0, CLASSES, n), r.randint(1, 4, n)
    if kind == "onehot_classes":
        return np.eye(CLASSES)[labels], softmax(x), r.randint(1, 4, n)
    if kind == "sorted_ids":
        return labels, np.argsort(-x, axis=1), weights
    raise KeyError(kind)


def batches(kind):
    r = np.random.RandomState(sum(map(ord, kind)))
    made = [batch(kind, r, n) for n in ROWS]
    return [tuple(None if a is None else a.astype("float32") for a in b) for b in made]


def cases():
    thresholds = [0.2, 0.5, 0.9]
    even = [0.0, 0.25, 0.5, 0.75, 1.0]
    return [
        ("mean", "Mean", {}, "values"),
        ("sum", "Sum", {}, "values"),
        ("accuracy", "Accuracy", {}, "labels_ids"),
        ("binary_accuracy", "BinaryAccuracy", {}, "bits"),
        ("binary_accuracy_column", "BinaryAccuracy", {"threshold": 0.3}, "bit_column"),
        ("categorical_accuracy", "CategoricalAccuracy", {}, "onehot"),
        ("sparse_accuracy", "SparseCategoricalAccuracy", {}, "labels"),
        ("sparse_accuracy_column", "SparseCategoricalAccuracy", {}, "labels_column"),
        ("sparse_accuracy_sequence", "SparseCategoricalAccuracy", {}, "labels_sequence"),
        ("top_k", "TopKCategoricalAccuracy", {"k": 2}, "onehot"),
        ("sparse_top_k", "SparseTopKCategoricalAccuracy", {"k": 2}, "labels"),
        ("sparse_top_k_sequence", "SparseTopKCategoricalAccuracy", {"k": 3}, "labels_sequence"),
        (
            "sparse_top_k_ids",
            "SparseTopKCategoricalAccuracy",
            {"k": 2, "from_sorted_ids": True},
            "sorted_ids",
        ),
        ("mse", "MeanSquaredError", {}, "real"),
        ("mse_column", "MeanSquaredError", {}, "column"),
        ("rmse", "RootMeanSquaredError", {}, "real"),
        ("mae", "MeanAbsoluteError", {}, "real"),
        ("mape", "MeanAbsolutePercentageError", {}, "positive"),
        ("msle", "MeanSquaredLogarithmicError", {}, "positive"),
        ("cosine", "CosineSimilarity", {}, "real"),
        ("log_cosh", "LogCoshError", {}, "real"),
        ("r2", "R2Score", {}, "real"),
        ("r2_each", "R2Score", {"class_aggregation": None}, "real"),
        ("r2_weighted", "R2Score", {"class_aggregation": "variance_weighted_average"}, "real"),
        ("r2_adjusted", "R2Score", {"num_regressors": 3}, "real"),
        ("pearson", "PearsonCorrelation", {}, "real"),
        ("pearson_axis", "PearsonCorrelation", {"axis": 0}, "real"),
        ("concordance", "ConcordanceCorrelation", {}, "real"),
        ("hinge", "Hinge", {}, "signs"),
        ("squared_hinge", "SquaredHinge", {}, "signs"),
        ("categorical_hinge", "CategoricalHinge", {}, "onehot_logits"),
        ("kld", "KLDivergence", {}, "probabilities"),
        ("poisson", "Poisson", {}, "positive"),
        ("bce", "BinaryCrossentropy", {}, "bits"),
        ("bce_logits", "BinaryCrossentropy", {"from_logits": True}, "bit_logits"),
        ("cce", "CategoricalCrossentropy", {"label_smoothing": 0.1}, "onehot"),
        ("sparse_cce", "SparseCategoricalCrossentropy", {}, "labels"),
        ("sparse_cce_ignore", "SparseCategoricalCrossentropy", {"ignore_class": 1}, "labels"),
        ("tp", "TruePositives", {}, "bits"),
        ("tn", "TrueNegatives", {}, "bit_column"),
        ("fp", "FalsePositives", {"thresholds": thresholds}, "bits"),
        ("fn", "FalseNegatives", {"thresholds": 0.7}, "bits"),
        ("tp_even", "TruePositives", {"thresholds": even}, "bits"),
        ("tn_even", "TrueNegatives", {"thresholds": even}, "bits"),
        ("precision", "Precision", {}, "bits"),
        ("precision_vector", "Precision", {}, "bit_vector"),
        ("precision_thresholds", "Precision", {"thresholds": thresholds}, "bits"),
        ("precision_top_k", "Precision", {"top_k": 2}, "bits"),
        ("precision_class", "Precision", {"class_id": 1}, "onehot"),
        ("precision_top_k_class", "Precision", {"top_k": 2, "class_id": 2}, "bits"),
        ("recall", "Recall", {}, "bits"),
        ("recall_thresholds", "Recall", {"thresholds": thresholds}, "bits"),
        ("recall_top_k", "Recall", {"top_k": 1}, "onehot"),
        ("recall_class", "Recall", {"class_id": 1, "thresholds": 0.2}, "onehot"),
        ("sensitivity", "SensitivityAtSpecificity", {"specificity": 0.5}, "bits"),
        (
            "sensitivity_one",
            "SensitivityAtSpecificity",
            {"specificity": 0.4, "num_thresholds": 1},
            "bits",
        ),
        ("specificity", "SpecificityAtSensitivity", {"sensitivity": 0.5}, "bits"),
        ("precision_at", "PrecisionAtRecall", {"recall": 0.6}, "bits"),
        ("precision_at_class", "PrecisionAtRecall", {"recall": 0.6, "class_id": 1}, "bits"),
        ("recall_at", "RecallAtPrecision", {"precision": 0.6}, "bits"),
        ("auc", "AUC", {}, "bits"),
        ("auc_vector", "AUC", {}, "bit_vector"),
        ("auc_logits", "AUC", {"from_logits": True}, "bit_logits"),
        ("auc_pr", "AUC", {"curve": "PR"}, "bits"),
        ("auc_prgain", "AUC", {"curve": "PRGAIN"}, "bits"),
        ("auc_minoring", "AUC", {"summation_method": "minoring", "num_thresholds": 20}, "bits"),
        ("auc_majoring", "AUC", {"curve": "PR", "summation_method": "majoring"}, "bits"),
        ("auc_thresholds", "AUC", {"thresholds": thresholds}, "bits"),
        ("auc_multi", "AUC", {"multi_label": True}, "bits"),
        ("auc_multi_pr", "AUC", {"multi_label": True, "num_labels": 4, "curve": "PR"}, "bits"),
        (
            "auc_multi_weights",
            "AUC",
            {"multi_label": True, "label_weights": [0.1, 0.5, 2.0, 1.0]},
            "bits",
        ),
        ("auc_multi_thresholds", "AUC", {"multi_label": True, "thresholds": thresholds}, "bits"),
        ("auc_label_weights", "AUC", {"label_weights": [0.1, 0.5, 2.0, 1.0]}, "bits"),
        ("fbeta", "FBetaScore", {"beta": 2.0, "threshold": 0.5}, "bits"),
        ("fbeta_micro", "FBetaScore", {"average": "micro"}, "onehot"),
        ("fbeta_macro", "FBetaScore", {"average": "macro", "beta": 0.5}, "onehot"),
        ("fbeta_weighted", "FBetaScore", {"average": "weighted"}, "onehot"),
        ("f1", "F1Score", {}, "onehot"),
        ("f1_micro", "F1Score", {"average": "micro", "threshold": 0.4}, "bits"),
        ("iou", "IoU", {"num_classes": CLASSES, "target_class_ids": [0, 2]}, "labels_ids"),
        (
            "iou_ignore",
            "IoU",
            {"num_classes": CLASSES, "target_class_ids": [0, 2], "ignore_class": 1},
            "labels_ids",
        ),
        ("binary_iou", "BinaryIoU", {"threshold": 0.4, "dtype": "float32"}, "bit_vector"),
        ("mean_iou", "MeanIoU", {"num_classes": CLASSES}, "labels_ids"),
        (
            "mean_iou_argmax",
            "MeanIoU",
            {"num_classes": CLASSES, "sparse_y_pred": False, "dtype": "float32"},
            "labels",
        ),
        (
            "onehot_iou",
            "OneHotIoU",
            {"num_classes": CLASSES, "target_class_ids": [1, 3]},
            "onehot_classes",
        ),
        ("onehot_mean_iou", "OneHotMeanIoU", {"num_classes": CLASSES}, "onehot_classes"),
    ]


CASES = cases()
