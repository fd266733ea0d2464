"""What the tests of captured steps share: two equal models, one trained eagerly, one captured."""

import numpy as np

import gpunn
from gpunn.training.plans.captured import CapturedStep


def state(model) -> dict[str, bytes]:
    """Everything that a step may change, as bytes."""
    found = {f"weight {i}": v.numpy().tobytes() for i, v in enumerate(model.weights)}
    for metric in model.metrics:
        for i, v in enumerate(metric.variables):
            found[f"metric {metric.name} {i}"] = v.numpy().tobytes()
    if model.optimizer.built:
        for name, array in model.optimizer.state_dict().items():
            found[f"optimizer {name}"] = np.asarray(array).tobytes()
    for i, layer in enumerate(model.walk()):
        stream = getattr(layer, "seed_generator", None)
        if stream is not None:
            found[f"stream {i}"] = str(stream.position).encode()
    return found


def twins(make):
    """Two equal models."""
    models = []
    for _ in range(2):
        gpunn.set_seed(7)
        models.append(make())
    return models


def assert_same(eager, captured, label=""):
    """Raise unless the models' states are the same, to the bit."""
    left, right = state(eager), state(captured)
    different = [n for n, m in zip(left, right, strict=True) if left[n] != right[m]]
    assert not different, f"{label}: {different}"


def train(make, batches, passes=None) -> CapturedStep:
    """Train two equal models on the batches, one of them captured; all bits must agree."""
    eager, other = twins(make)
    captured = CapturedStep(strict=False, passes=passes)
    for i, batch in enumerate(batches):
        results = []
        for model in (eager, other):
            made = model._tensors_of_batch(*batch, *[None] * (3 - len(batch)))
            model._prepare_for_batch(made)
            made = gpunn.data.pack_x_y_sample_weight(*made)
            for step in captured._steps.values():
                step.plan.poison()
            logs = model.train_step(made) if model is eager else captured(model, made)
            results.append({name: np.asarray(v).tobytes() for name, v in dict(logs).items()})
        assert results[0] == results[1], f"logs of step {i}"
        assert_same(eager, other, f"step {i}")
    return captured


def rows(n, width=5, seed=0, dtype="float32"):
    """Normal values."""
    return np.random.default_rng(seed).normal(size=(n, width)).astype(dtype)


def batches(count=6, n=7, width=5, classes=None, target=1, weights=False, dtype="float32"):
    """Batches for `train`: targets are floats in (0, 1), or labels of classes."""
    found = []
    for i in range(count):
        rng = np.random.default_rng(100 + i)
        x = rng.normal(size=(n, width)).astype(dtype)
        if classes:
            y = rng.integers(0, classes, n)
        else:
            y = rng.uniform(0.05, 0.95, (n, target)).astype(dtype)
        found.append((x, y, rng.uniform(0.5, 2, n).astype(dtype)) if weights else (x, y))
    return found
