"""What callbacks see of a model, and a run through its epochs."""

import numpy as np

from gpunn.training.callbacks import CallbackList, default_callbacks
from gpunn.training.logs import Logs


class Optimizer:
    learning_rate = 1.0


class Model:
    """Its only weight is the number of the epoch."""

    metrics = ()
    stop_training = False

    def __init__(self):
        self.optimizer = Optimizer()
        self.epoch = 0
        self.restored = -1
        self.saved = []

    def get_weights(self):
        return [np.array(float(self.epoch))]

    def set_weights(self, weights):
        self.restored = int(weights[0])

    def save(self, path):
        self.saved.append(str(path))
        path.write_text("model")

    def save_weights(self, path):
        self.saved.append(f"weights {path}")
        path.write_text("weights")


def run(callbacks, epoch_logs, batches=1, verbose=0, batch_logs=None, model=None, each=None):
    """Train for as many epochs as there are logs; gives the model and the list of callbacks."""
    model = model or Model()
    calls = CallbackList(
        default_callbacks(callbacks, None, verbose),
        model=model,
        epochs=len(epoch_logs),
        steps=batches,
        verbose=verbose,
    )
    calls.on_train_begin()
    for epoch, logs in enumerate(epoch_logs):
        model.epoch = epoch
        calls.on_epoch_begin(epoch)
        for batch in range(batches):
            calls.on_train_batch_begin(batch)
            if each is not None:
                each()
            calls.on_train_batch_end(batch, Logs(batch_logs or (lambda: {"loss": 1.0})))
        calls.on_epoch_end(epoch, dict(logs))
        if model.stop_training:
            break
    calls.on_train_end()
    return model, calls
