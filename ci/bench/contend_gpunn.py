"""gpunn: what `fit` does per batch, `fit`, `predict`; "eager" is without the captured step."""

from workloads import EPOCHS, EPSILON, RATES, VALIDATION, batches

import gpunn

LOSSES = {
    "mse": "mean_squared_error",
    "bce": "binary_crossentropy",
    "ce": gpunn.losses.SparseCategoricalCrossentropy(from_logits=True),
}


class Contender:
    def __init__(self, workload, x, y, weights, threads, variant=""):
        gpunn.set_num_threads(threads)
        *hidden, last = workload.sizes[1:]
        top = None if workload.loss == "ce" else "sigmoid"
        self.model = gpunn.Sequential(
            [gpunn.Input((workload.sizes[0],))]
            + [gpunn.layers.Dense(n, activation=workload.hidden) for n in hidden]
            + [gpunn.layers.Dense(last, activation=top)]
        )
        self.model.set_weights(weights)
        rate = RATES[workload.optimizer]
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
            (gpunn.Tensor(a), gpunn.Tensor(b), None) for a, b in batches(x, y, workload.batch)
        ]
        self.kind = workload.kind

    def losses(self, steps):
        model = self.model
        if self.kind == "predict":
            return model.predict(self.x, verbose=0).reshape(-1).tolist()
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
        with model._sources_kept():  # as in fit
            for i in range(times):
                model._train(given[i % len(given)])

    def fit(self, times):
        for _ in range(times):
            self.model.fit(self.x, self.y, epochs=EPOCHS, validation_split=VALIDATION, verbose=0)

    def predict(self, times):
        model, x = self.model, self.x
        for _ in range(times):
            model.predict(x, verbose=0)
