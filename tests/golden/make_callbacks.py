"""What Keras' callbacks do with given metrics: `KERAS_BACKEND=jax python make_callbacks.py`."""

from pathlib import Path

import keras
import numpy as np

EPOCHS = 30


class Optimizer:
    learning_rate = 1.0


class Model:
    """What a callback sees of a model: its weights are the number of the epoch."""

    metrics = ()

    def __init__(self):
        self.optimizer = Optimizer()
        self.stop_training = False
        self.epoch = 0

    def get_weights(self):
        return [np.array(float(self.epoch))]

    def set_weights(self, weights):
        self.restored = int(weights[0])


def run(callback, values):
    """The epochs that ran, the learning rate after each (NaN: did not run), what was restored."""
    model = Model()
    model.restored = -1
    callback.set_model(model)
    callback.on_train_begin()
    rates = np.full(EPOCHS, np.nan)
    ran = 0
    for epoch, value in enumerate(values):
        model.epoch = epoch
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"val_loss": float(value)})
        rates[epoch] = float(model.optimizer.learning_rate)
        ran += 1
        if model.stop_training:
            break
    callback.on_train_end()
    return ran, rates, model.restored


def early_stopping(random):
    return {
        "monitor": "val_loss",
        "patience": int(random.integers(0, 6)),
        "min_delta": float(random.choice([0.0, 0.05])),
        "mode": str(random.choice(["min", "max"])),
        "baseline": [None, 0.5][random.integers(2)],
        "restore_best_weights": bool(random.integers(2)),
        "start_from_epoch": int(random.choice([0, 3])),
    }


def reduce_lr(random):
    return {
        "monitor": "val_loss",
        "factor": float(random.choice([0.5, 0.1])),
        "patience": int(random.integers(1, 5)),
        "min_delta": float(random.choice([1e-4, 0.05])),
        "mode": str(random.choice(["min", "max"])),
        "cooldown": int(random.integers(0, 3)),
        "min_lr": float(random.choice([0.0, 0.01])),
    }


def main():
    arrays = {}
    for name, kind, draw in (
        ("EarlyStopping", keras.callbacks.EarlyStopping, early_stopping),
        ("ReduceLROnPlateau", keras.callbacks.ReduceLROnPlateau, reduce_lr),
    ):
        random = np.random.default_rng(0)
        cases = []
        for _ in range(60):
            arguments = draw(random)
            values = np.cumsum(random.normal(0, 0.1, EPOCHS)) + 0.5
            cases.append((repr(arguments), values, *run(kind(**arguments), values)))
        columns = ("arguments", "values", "ran", "rates", "restored")
        for column, rows in zip(columns, zip(*cases, strict=True), strict=True):
            arrays[f"{name}/{column}"] = np.array(rows)
    np.savez_compressed(Path(__file__).with_name("callbacks.npz"), **arrays)


if __name__ == "__main__":
    main()
