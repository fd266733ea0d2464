"""The losses' and metrics' plain functions against formulas in NumPy, one value per row."""

import numpy as np
import pytest

import gpunn
from tests.harness import assert_close

rng = np.random.default_rng(0)
T = rng.uniform(0.1, 1.0, (5, 4))
P = rng.uniform(0.1, 1.0, (5, 4))
ONE_HOT = np.eye(4)[[0, 3, 1, 2, 2]]
Q = P / P.sum(-1, keepdims=True)
YES = (T > 0.5).astype(float)


def focal(t, p, gamma=2.0):
    at = t * p + (1 - t) * (1 - p)
    return (1 - at) ** gamma * -np.log(at)


def unit(x):
    return x / np.sqrt((x * x).sum(-1, keepdims=True))


FORMULAS = {
    "mean_absolute_error": (T, P, np.abs(T - P).mean(-1)),
    "mean_absolute_percentage_error": (T, P, 100 * np.abs((T - P) / T).mean(-1)),
    "mean_squared_logarithmic_error": (T, P, ((np.log1p(T) - np.log1p(P)) ** 2).mean(-1)),
    "kl_divergence": (T, P, (T * np.log(T / P)).sum(-1)),
    "cosine_similarity": (T, P, (unit(T) * unit(P)).sum(-1)),
    "binary_focal_crossentropy": (YES, P * 0.9, focal(YES, P * 0.9).mean(-1)),
    "categorical_focal_crossentropy": (
        ONE_HOT,
        Q,
        (0.25 * (1 - Q) ** 2 * -np.log(Q) * ONE_HOT).sum(-1),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name, device):
    t, p, expected = FORMULAS[name]
    function = getattr(gpunn.losses, name)
    if name == "cosine_similarity":  # the loss is the negative of the metric
        assert_close(getattr(gpunn.metrics, name)(t, p), expected)
        expected = -expected
    else:
        assert_close(getattr(gpunn.metrics, name)(t, p), expected)
    assert_close(function(t, p), expected)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_top_k(k, device):
    labels = ONE_HOT.argmax(-1)
    among = (np.argsort(-P, -1)[:, :k] == labels[:, None]).any(-1).astype(float)
    assert_close(gpunn.metrics.top_k_categorical_accuracy(ONE_HOT, P, k=k), among)
    assert_close(gpunn.metrics.sparse_top_k_categorical_accuracy(labels, P, k=k), among)


def test_concordance_correlation(device):
    mean_t, mean_p = T.mean(-1), P.mean(-1)
    covariance = ((T - mean_t[:, None]) * (P - mean_p[:, None])).mean(-1)
    scale = T.var(-1) + P.var(-1) + (mean_t - mean_p) ** 2 + 1e-7  # Keras adds its epsilon
    expected = 2 * covariance / scale
    assert_close(gpunn.metrics.concordance_correlation(T, P), expected)
