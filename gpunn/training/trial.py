"""A trial of validation data: what does not fit is found before training, not an epoch later."""

import copy

from gpunn.autograd import no_grad, values_kept
from gpunn.backend.dtypes import is_float
from gpunn.data import unpack_x_y_sample_weight
from gpunn.training.compiled_loss import CompiledLoss
from gpunn.training.compiled_metrics import CompiledMetrics
from gpunn.training.plans.watch import all_from_gpunn
from gpunn.tree import flatten, map_structure

STEPS = ("test_step", "compute_loss", "compute_metrics")


def try_validation(model, source, trained) -> None:
    """Evaluate the first batch of arrays, which leaves nothing behind.

    Code that is not gpunn's is not run, since it may do more than compute.

    Args:
        model: a built and compiled model.
        source: the batches of validation data.
        trained: the first batch of the data to train on. Where validation data are like it, and no
            labels may be out of range, there is nothing to find: a step of training says it too.

    Raises:
        GpunnError: what `evaluate` would raise, with a note that it is the validation data.
    """
    batch = source.first()
    if batch is None or _alike(batch, trained):
        return
    if model.own_steps(STEPS) or not all_from_gpunn(model.walk()):
        return
    x, y, sample_weight = unpack_x_y_sample_weight(batch)
    try:
        with no_grad(), values_kept():
            y_pred = model(x, training=False)
            model.require_targets(y)
            loss = model._compile_loss
            if loss is not None and _ours(loss.given):
                given, factors = _copies(loss.given)
                loss = CompiledLoss(given, factors, model.output_names)
                total, _ = loss(y, y_pred, sample_weight)
                total.numpy()  # what a GPU met is found out when values are read
                y = loss.targets(y, y_pred)
            metrics = model._compile_metrics
            if y is not None and not metrics.empty and _ours(metrics.given):
                plain, weighted = _copies(metrics.given)
                metrics = CompiledMetrics(plain, weighted, model.output_names)
                metrics.update_state(y, y_pred, sample_weight)
    except Exception as e:
        e.add_note("in the first batch of the validation data, which is tried before training")
        raise


def _alike(batch, other) -> bool:
    """Whether rows of two batches have the same shapes and dtypes, and labels are not counted."""
    kinds = [
        map_structure(lambda x: x if x is None else (*x.shape[1:], x.dtype), list(b))
        for b in map(unpack_x_y_sample_weight, (batch, other))
    ]
    y = unpack_x_y_sample_weight(batch)[1]
    return kinds[0] == kinds[1] and all(x is None or is_float(x.dtype) for x in flatten(y))


def _ours(given) -> bool:
    """Whether losses or metrics as they were given to `compile` are gpunn's own."""
    objects = [x for x in flatten(given) if hasattr(x, "__dict__")]
    return all_from_gpunn(objects) and all(
        all_from_gpunn([type(x)]) or not callable(x) for x in objects
    )


def _copies(given):
    """The same losses or metrics, but others."""
    return map_structure(lambda x: copy.deepcopy(x) if hasattr(x, "__dict__") else x, given)
