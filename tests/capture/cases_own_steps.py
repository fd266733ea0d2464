"""Models with a `train_step` of their own, as the literature has them."""

import numpy as np

import gpunn
from gpunn import layers, ops

CASES: dict = {}


def case(refused=None):
    """Enter a case, a function that gives a compiled model; `refused`: why it is not captured."""

    def enter(make):
        CASES[make.__name__] = make, refused
        return make

    return enter


def net(*units, width=4, last=None, **options):
    hidden = [layers.Dense(n, "tanh", **options) for n in units[:-1]]
    return gpunn.Sequential([gpunn.Input((width,)), *hidden, layers.Dense(units[-1], last)])


class Regression(gpunn.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(6, "relu")
        self.normal = layers.BatchNormalization()
        self.drop = layers.Dropout(0.3)
        self.out = layers.Dense(1)

    def call(self, x, training=False):
        return self.out(self.drop(self.normal(self.hidden(x)), training=training))


def compiled(model, optimizer="adam", loss="mse", jit="auto", **options):
    model.compile(optimizer, loss, jit_compile=jit, **options)
    return model


class Guide(Regression):
    def train_step(self, data):
        x, y = data
        self.zero_grad()
        y_pred = self(x, training=True)
        loss = self.compute_loss(y=y, y_pred=y_pred)
        loss.backward()
        trainable_weights = list(self.trainable_weights)
        gradients = [v.value.grad for v in trainable_weights]
        with gpunn.no_grad():
            self.optimizer.apply(gradients, trainable_weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


@case()
def what_only_adds_to_the_ordinary_step(jit):
    class Custom(Regression):
        def train_step(self, batch):
            return super().train_step(batch)

    return compiled(Custom(), jit=jit, metrics=["mae"])


@case()
def a_variational_autoencoder(jit):
    class VAE(gpunn.Model):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = net(6, 4), net(6, 4, width=2)
            self.seed_generator = gpunn.random.SeedGenerator(1)
            self.total = gpunn.metrics.Mean(name="total")
            self.kl = gpunn.metrics.Mean(name="kl")

        def call(self, x):
            return self.decoder(self.encoder(x)[:, :2])

        def losses_of(self, x):
            mean, log_variance = ops.split(self.encoder(x), 2, axis=1)
            noise = gpunn.random.normal(ops.shape(mean), seed=self.seed_generator)
            made = self.decoder(mean + ops.exp(0.5 * log_variance) * noise)
            kl = -0.5 * (1 + log_variance - ops.square(mean) - ops.exp(log_variance))
            return ops.mean(ops.sum(ops.square(x - made), axis=1)), ops.mean(ops.sum(kl, axis=1))

        def train_step(self, data):
            error, kl = self.losses_of(data[0])
            loss = error + kl
            loss.backward()
            self.optimizer.step()
            self.total.update_state(loss)
            self.kl.update_state(kl)
            return {"loss": self.total.result(), "kl": self.kl.result(), "last": loss}

        def test_step(self, data):
            error, kl = self.losses_of(data[0])
            self.total.update_state(error + kl)
            self.kl.update_state(kl)
            return {m.name: m.result() for m in (self.total, self.kl)}

    schedule = gpunn.optimizers.schedules.CosineDecay(0.02, 20)
    optimizer = gpunn.optimizers.Adam(schedule, global_clipnorm=0.5, weight_decay=1e-3)
    return compiled(VAE(), optimizer, loss=None, jit=jit)


class Critic(gpunn.Model):
    rounds = 3

    def __init__(self):
        super().__init__()
        self.generator, self.critic = net(5, 4, width=3), net(6, 1)
        self.noise = gpunn.random.SeedGenerator(2)
        self.built = True

    def compile(self, **options):
        super().compile(**options)
        self.optimizers = {
            "critic": gpunn.optimizers.Adam(0.01, beta_1=0.5, beta_2=0.9),
            "generator": gpunn.optimizers.RMSprop(0.01),
        }

    def made(self, count):
        return self.generator(gpunn.random.normal((count, 3), seed=self.noise))

    def penalty(self, real, made):
        where = gpunn.random.uniform((real.shape[0], 1), seed=self.noise)
        between = (made + where * (real - made)).detach().requires_grad_()
        marks = self.critic(between).sum()
        (slope,) = gpunn.gradients(marks, [between], create_graph=True)
        return ops.mean((ops.sqrt(ops.sum(slope * slope, axis=1) + 1e-12) - 1) ** 2)

    def train_step(self, data):
        real, critic, generator = data[0], self.critic, self.generator
        for _ in range(self.rounds):
            with gpunn.no_grad():
                made = self.made(real.shape[0])
            distance = critic(real).mean() - critic(made).mean()
            loss = 5.0 * self.penalty(real, made) - distance
            weights = critic.trainable_variables
            self.optimizers["critic"].apply(gpunn.gradients(loss, weights), weights)
        loss = -critic(self.made(real.shape[0])).mean()
        weights = generator.trainable_variables
        pairs = zip(gpunn.gradients(loss, weights), weights, strict=True)
        self.optimizers["generator"].apply_gradients(pairs)
        return {"distance": distance, "loss": loss}


@case()
def a_critic_with_a_gradient_penalty(jit):
    model = Critic()
    model.compile(jit_compile=jit)
    return model


@case()
def a_student_of_a_frozen_teacher(jit):
    class Distiller(gpunn.Model):
        def __init__(self):
            super().__init__()
            self.teacher, self.student = net(8, 3), net(4, 3)
            self.teacher.trainable = False
            self.kl = gpunn.losses.KLDivergence()
            self.temperature = 3.0

        def compile(self, optimizer, loss, alpha, **options):
            super().compile(optimizer, loss, **options)
            self.alpha = alpha

        def call(self, x):
            return self.student(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            teacher = ops.softmax(self.teacher(x, training=False) / self.temperature, axis=1)
            student = ops.softmax(y_pred / self.temperature, axis=1)
            distilled = self.kl(teacher, student) * self.temperature**2
            labels = ops.argmax(ops.stop_gradient(teacher), axis=1)
            own = ops.mean(
                gpunn.losses.sparse_categorical_crossentropy(labels, y_pred, from_logits=True)
            )
            return self.alpha * own + (1 - self.alpha) * distilled

        def train_step(self, data):
            x, y = data[0], data[1]
            y_pred = self.student(x, training=True)
            loss = self.compute_loss(x, y, y_pred)
            weights = self.student.trainable_variables
            gradients = gpunn.gradients(loss, weights)
            self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
            return {"loss": loss}

    model = Distiller()
    model.compile(gpunn.optimizers.SGD(0.05, momentum=0.9), "mse", alpha=0.1, jit_compile=jit)
    return model


@case()
def a_target_that_follows(jit):
    class BYOL(gpunn.Model):
        def __init__(self):
            super().__init__()
            self.online, self.target, self.guess = net(6, 3), net(6, 3), net(4, 3, width=3)
            self.target.set_weights(self.online.get_weights())
            self.noise = gpunn.random.SeedGenerator(3)

        def call(self, x):
            return self.guess(self.online(x))

        def view(self, x):
            return x + 0.1 * gpunn.random.normal(x.shape, seed=self.noise)

        def train_step(self, data):
            if not self.optimizer.built:
                self.optimizer.build(self.online.trainable_variables + self.guess.weights)
            one, other = self.view(data[0]), self.view(data[0])
            asked = gpunn.ops.normalize(self.guess(self.online(one)), axis=-1)
            given = gpunn.ops.normalize(ops.stop_gradient(self.target(other)), axis=-1)
            loss = ops.mean(2 - 2 * ops.sum(asked * given, axis=-1))
            weights = self.online.trainable_variables + self.guess.trainable_variables
            self.optimizer.apply(gpunn.gradients(loss, weights), weights)
            for slow, fast in zip(self.target.weights, self.online.weights, strict=True):
                slow.assign(0.9 * slow + 0.1 * fast)
            return {"loss": loss}

    return compiled(BYOL(), gpunn.optimizers.Adam(0.01), loss=None, jit=jit)


@case()
def gradients_added_up_in_variables(jit):
    """Every other step applies them: of a number on the device, by arithmetic."""

    class Accumulates(Regression):
        def __init__(self):
            super().__init__()
            self.count = gpunn.Variable(0.0, trainable=False, name="count")
            self(np.zeros((1, 4), "float32"))
            self.sums = [
                gpunn.Variable(ops.zeros(v.shape), trainable=False, name=f"sum_{i}")
                for i, v in enumerate(self.trainable_variables)
            ]

        def train_step(self, data):
            x, y = data
            loss = ops.mean((self(x, training=True) - y) ** 2)
            weights = self.trainable_variables
            due = self.count % 2
            for total, gradient in zip(self.sums, gpunn.gradients(loss, weights), strict=True):
                total.assign(total * (1 - due) + gradient)
            self.optimizer.apply([total * due for total in self.sums], weights)
            self.count.assign_add(1)
            return {"loss": loss}

    return compiled(Accumulates(), gpunn.optimizers.SGD(0.1), loss=None, jit=jit)


@case()
def gradients_that_stay_until_the_next_step(jit):
    class Stays(Regression):
        def train_step(self, data):
            x, y = data
            ops.mean((self(x, training=True) - y) ** 2).backward()  # on top of what is there
            weights = self.trainable_variables
            self.optimizer.apply([v.grad for v in weights], weights)
            loss = ops.mean(ops.abs(self(x, training=True) - y))
            (0.1 * loss).backward()
            return {"loss": loss}

    return compiled(Stays(), gpunn.optimizers.SGD(0.01), loss=None, jit=jit)


@case()
def moving_averages_of_the_optimizer(jit):
    optimizer = gpunn.optimizers.AdamW(0.01, use_ema=True, ema_momentum=0.9, clipnorm=0.5)
    return compiled(Guide(), optimizer, jit=jit, metrics=["mae"])


@case()
def nested_batches_and_results(jit):
    class Nested(gpunn.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = layers.Dense(3), layers.Dense(3)

        def call(self, x):
            return self.a(x["left"]) + self.b(x["right"][0])

        def train_step(self, batch):
            x, y = batch
            y_pred = self(x)
            loss = ops.mean((y_pred - y["target"]) ** 2)
            loss.backward()
            self.optimizer.step()
            return {"loss": loss, "parts": {"mean": ops.mean(y_pred), "three": 3.0}, "two": 2}

    return compiled(Nested(), "rmsprop", loss=None, jit=jit)


@case()
def half_floats_of_the_brain(jit):
    gpunn.config.set_dtype_policy("mixed_bfloat16")
    try:
        return compiled(Guide(), jit=jit, metrics=["mae"])
    finally:
        gpunn.config.set_dtype_policy("float32")


@case("cpu: whether the step is skipped is decided on the host")
def half_floats(jit):
    gpunn.config.set_dtype_policy("mixed_float16")
    try:

        class Scaled(Regression):
            def train_step(self, data):
                x, y = data
                loss = self.compute_loss(y=y, y_pred=self(x, training=True))
                if isinstance(self.optimizer, gpunn.optimizers.LossScaleOptimizer):
                    loss = self.optimizer.scale_loss(loss)
                loss.backward()
                self.optimizer.step()
                return {"loss": loss}

        return compiled(Scaled(), jit=jit)
    finally:
        gpunn.config.set_dtype_policy("float32")
