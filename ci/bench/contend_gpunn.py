"""gpunn: what `fit` does per batch, `fit`, `predict`; "eager" is without the captured step.

"fast" is with the extra of that name, which the others do without.
"""

from workloads import EPOCHS, EPSILON, NORM, VALIDATION, batches

import gpunn
from gpunn import layers, ops
from gpunn.backend import native, one_blas_thread

LAYERS = {
    "dense": layers.Dense,
    "conv": lambda n, padding="valid", **options: layers.Conv2D(n, 3, padding=padding, **options),
    "norm": lambda: layers.BatchNormalization(**NORM),
    "pool": layers.MaxPooling2D,
    "flatten": layers.Flatten,
    "embed": layers.Embedding,
    "lstm": lambda n: layers.LSTM(n, return_sequences=True),
    "gru": lambda n: layers.GRU(n, return_sequences=True),
    "tokens": layers.TokenAndPositionEmbedding,
    "block": lambda heads, inner: layers.TransformerDecoder(
        inner, heads, activation=ops.gelu, normalize_first=True
    ),
    "layernorm": lambda: layers.LayerNormalization(epsilon=1e-5),
    "relu": layers.ReLU,
    "sigmoid": lambda: layers.Activation("sigmoid"),
}
LOSSES = {
    "mse": "mean_squared_error",
    "bce": "binary_crossentropy",
    "ce": gpunn.losses.SparseCategoricalCrossentropy(from_logits=True),
}


def net(words):
    """The layers, with an activation as an argument of the dense or convolution before it."""
    made = []
    for (name, *args), (after, *_) in zip(words, [*words[1:], ("",)], strict=True):
        if name in ("dense", "conv") and after in ("relu", "sigmoid"):
            made.append(LAYERS[name](*args, activation=after))
        elif not (name in ("relu", "sigmoid") and made[-1].name.startswith(("dense", "conv"))):
            made.append(LAYERS[name](*args))
    return made


class Contender:
    def __init__(self, workload, x, y, weights, threads, variant=""):
        gpunn.set_num_threads(threads)
        if variant == "fast" and not native.available():
            raise SystemExit("gpunn-fast needs llvmlite: pip install 'gpunn[fast]'")
        self.model = self.net(workload, weights)
        rate = workload.rate
        optimizer = gpunn.optimizers.SGD(rate)
        if workload.optimizer == "adam":
            optimizer = gpunn.optimizers.Adam(rate, epsilon=EPSILON)
        self.model.compile(
            optimizer=optimizer,
            loss=LOSSES[workload.loss],
            metrics=["accuracy"] if workload.kind == "fit" else None,
            jit_compile=False if variant == "eager" else "auto",
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self.x, self.y = x, y
        self.batches = [
            (gpunn.Tensor(a), gpunn.Tensor(b)) for a, b in batches(x, y, workload.batch)
        ]
        self.kind, self.batch = workload.kind, workload.batch

    def net(self, workload, weights):
        model = gpunn.Sequential([gpunn.Input(workload.shape), *net(workload.layers)])
        model.set_weights(weights)
        return model

    def losses(self, steps):
        model = self.model
        if self.kind == "predict":
            return model.predict(self.x, self.batch, verbose=0).reshape(-1).tolist()
        if self.kind == "fit":
            history = model.fit(
                self.x, self.y, validation_split=VALIDATION, shuffle=False, verbose=0
            )
            return history.history["loss"] + history.history["val_loss"]
        found = []
        for i in range(steps):
            model.reset_metrics()  # the loss of this batch alone
            found.append(model.train_on_batch(*self.batches[i % len(self.batches)][:2]))
        return found

    def step(self, times):
        model, given = self.model, self.batches
        with model._sources_kept(), one_blas_thread:  # as in fit
            for i in range(times):
                model._run_train_step(given[i % len(given)], unchanged=i > 0)

    def fit(self, times):
        for _ in range(times):
            self.model.fit(self.x, self.y, epochs=EPOCHS, validation_split=VALIDATION, verbose=0)

    def predict(self, times):
        model, x, batch = self.model, self.x, self.batch
        for _ in range(times):
            model.predict(x, batch, verbose=0)
