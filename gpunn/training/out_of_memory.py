"""What a device that is out of memory says: what takes the memory, and what would fit."""

import gc
import math
import traceback

from gpunn.backend import get_backend
from gpunn.backend.memory import asked_for, size
from gpunn.errors import OutOfMemoryError
from gpunn.training.cost import cost_of

MOST_LAYERS = 12


class out_of_memory_explained:
    """Turns a MemoryError inside into an OutOfMemoryError that says what takes the memory.

    Args:
        model: the model.
        what: what is being done: "fit".
        source: the data, or a number of rows.
        trains: whether gradients and an optimizer's state take part.
    """

    __slots__ = ("_model", "_what", "_source", "_trains")

    def __init__(self, model, what: str, source, trains: bool = False):
        self._model, self._what, self._source, self._trains = model, what, source, trains

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, trace) -> None:
        if not isinstance(error, MemoryError) or isinstance(error, OutOfMemoryError):
            return
        source, model, trains = self._source, self._model, self._trains
        batch_size = source if isinstance(source, int) else _rows(source)
        be = get_backend(model.device)
        then = be.memory()
        traceback.clear_frames(error.__traceback__)  # they hold the arrays of the step
        if trains:
            model.optimizer.zero_grad()
        gc.collect()
        be.empty_cache()
        said = _explained(model, be, self._what, batch_size, trains, error, then)
        raise OutOfMemoryError(said) from error


def _rows(source) -> int | None:
    """The most rows of a batch, where that is known."""
    known = [n for n in (source.batch_size, source.num_samples) if n is not None]
    return min(known) if source.batch_size is not None else None


def _explained(model, be, what, batch_size, trains, error, then) -> str:
    asked = asked_for(error)
    of = f" at batches of {batch_size}" if batch_size else ""
    lines = [
        f"{be.name} is out of memory in {what}{of}"
        + (f": {size(asked)} were asked for" if asked else "")
        + f", {size(then.used)} of {size(then.total)} were in use"
    ]
    cost = cost_of(model)
    parameters = _parameters(model)
    results = {} if cost is None else {n: k * (batch_size or 1) for n, k in cost.by_layer.items()}
    names = {layer.name: type(layer).__name__ for layer in model.walk()}
    rows = sorted(
        ({n: parameters.get(n, 0) + results.get(n, 0) for n in {**parameters, **results}}).items(),
        key=lambda row: -row[1],
    )
    shown = [
        (f"{n} ({names[n]})" if n in names else n, size(parameters.get(n, 0)), size(results[n])
         if n in results else "?" if cost is None else size(0))
        for n, total in rows[:MOST_LAYERS] if total
    ]  # fmt: skip
    lines += _table([("layer", "parameters", "results of a batch"), *shown])
    if len(rows) > MOST_LAYERS:
        lines.append(f"  ... and {len(rows) - MOST_LAYERS} layers more")
    to_come = 0
    if trains:
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        slots = sum(v.array.nbytes for v in optimizer.variables)
        if not optimizer.built:  # it was just at that
            trained = sum(v.array.nbytes for v in model.trainable_variables)
            slots = len(optimizer.slot_names) * trained
            to_come = slots + trained
        lines.append(f"  the optimizer's state: {size(slots)}; gradients: as the parameters")
    if cost is not None and batch_size:
        lines.append(_advice(be, batch_size, cost.nbytes, trains, asked or 0, then, to_come))
    return "\n".join(lines)


def _parameters(model) -> dict[str, int]:
    """Bytes of weights, by the layer that holds them."""
    return {
        layer.name: own
        for layer in model.walk()
        if (own := sum(v.array.nbytes for v in layer._added_weights))
    }


def _advice(be, batch_size, per_row: int, trains: bool, asked: int, then, to_come: int) -> str:
    """A batch size that fits, by what a row takes: as it was met, and as it is counted.

    Beside it there must be room for what is to come.
    """
    now = be.memory()
    free = max(now.unused - to_come, 0)
    met = (then.used + asked - now.used) / batch_size  # it would have taken this and more
    # gradients of results come and go, and a copy or two of the largest
    row = max(met * 1.25, per_row * (2.5 if trains else 1.0))
    rows = int(0.8 * free / row)
    if rows < 1:
        return f"not even one row fits: {size(free)} are free; use a smaller model"
    fits = min(2 ** int(math.log2(rows)), batch_size - 1)
    return f"batch_size={fits} should fit: {size(free)} are free, a row takes about {size(row)}"


def _table(rows) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return [f"  {a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
