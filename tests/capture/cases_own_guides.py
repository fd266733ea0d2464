"""The training steps of Keras' guide "Customizing what happens in `fit()`"."""

import gpunn
from gpunn import ops
from tests.capture.cases_own_steps import Guide, Regression, case, compiled, net


@case()
def the_guides_first_example(jit):
    return compiled(Guide(), jit=jit, metrics=["mae"])


@case()
def the_guides_lower_level(jit):
    class Custom(Regression):
        def __init__(self):
            super().__init__()
            self.loss_tracker = gpunn.metrics.Mean(name="loss")
            self.mae_metric = gpunn.metrics.MeanAbsoluteError(name="mae")
            self.loss_fn = gpunn.losses.MeanSquaredError()

        def train_step(self, data):
            x, y = data
            self.zero_grad()
            y_pred = self(x, training=True)
            loss = self.loss_fn(y, y_pred)
            loss.backward()
            weights = list(self.trainable_weights)
            self.optimizer.apply([v.value.grad for v in weights], weights)
            self.loss_tracker.update_state(loss)
            self.mae_metric.update_state(y, y_pred)
            return {"loss": self.loss_tracker.result(), "mae": self.mae_metric.result()}

        @property
        def metrics(self):
            return [self.loss_tracker, self.mae_metric]

    return compiled(Custom(), loss=None, jit=jit)


@case()
def the_guides_sample_weights_and_test_step(jit):
    class Custom(Regression):
        weighted = True

        def train_step(self, data):
            if len(data) == 3:
                x, y, sample_weight = data
            else:
                sample_weight = None
                x, y = data
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=sample_weight)
            loss.backward()
            self.optimizer.step()
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred, sample_weight=sample_weight)
            return {m.name: m.result() for m in self.metrics}

        def test_step(self, data):
            x, y = data
            y_pred = self(x, training=False)
            loss = self.compute_loss(y=y, y_pred=y_pred)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    return compiled(Custom(), jit=jit, metrics=["mae"])


@case()
def the_guides_gan(jit):
    class GAN(gpunn.Model):
        def __init__(self):
            super().__init__()
            self.discriminator, self.generator = net(6, 1), net(5, 4, width=3)
            self.d_loss_tracker = gpunn.metrics.Mean(name="d_loss")
            self.g_loss_tracker = gpunn.metrics.Mean(name="g_loss")
            self.seed_generator = gpunn.random.SeedGenerator(1337)
            self.built = True

        @property
        def metrics(self):
            return [self.d_loss_tracker, self.g_loss_tracker]

        def compile(self, d_optimizer, g_optimizer, loss_fn, **options):
            super().compile(**options)
            self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer
            self.loss_fn = loss_fn

        def train_step(self, real):
            real = real[0] if isinstance(real, tuple) else real
            batch_size = real.shape[0]
            latent = gpunn.random.normal((batch_size, 3), seed=self.seed_generator)
            generated = self.generator(latent)
            combined = ops.concatenate([generated, real], axis=0)
            labels = ops.concatenate([ops.ones((batch_size, 1)), ops.zeros((batch_size, 1))], 0)
            labels += 0.05 * gpunn.random.normal(ops.shape(labels), seed=self.seed_generator)
            self.zero_grad()
            d_loss = self.loss_fn(labels, self.discriminator(combined))
            d_loss.backward()
            weights = list(self.discriminator.trainable_weights)
            self.d_optimizer.apply([v.value.grad for v in weights], weights)
            latent = gpunn.random.normal((batch_size, 3), seed=self.seed_generator)
            misleading = ops.zeros((batch_size, 1))
            self.zero_grad()
            g_loss = self.loss_fn(misleading, self.discriminator(self.generator(latent)))
            g_loss.backward()
            weights = list(self.generator.trainable_weights)
            self.g_optimizer.apply([v.value.grad for v in weights], weights)
            self.d_loss_tracker.update_state(d_loss)
            self.g_loss_tracker.update_state(g_loss)
            return {m.name: m.result() for m in self.metrics}

    model = GAN()
    adam = gpunn.optimizers.Adam
    loss = gpunn.losses.BinaryCrossentropy(from_logits=True)
    model.compile(adam(0.01), adam(0.003, beta_1=0.5), loss, jit_compile=jit)
    return model
