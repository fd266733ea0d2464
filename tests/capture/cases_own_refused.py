"""Models with a `train_step` of their own that no replay can stand for."""

import numpy as np

import gpunn
from gpunn import layers, ops
from tests.capture.cases_own_steps import Guide, Regression, case, compiled

LOSSES: list = []


class Stepped(gpunn.Model):
    """A step with one thing more, `more(loss, y_pred)`."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)
        self.steps = 0
        self.kept: list = []

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        y_pred = self(x, training=True)
        loss = ops.mean((y_pred - y) ** 2)
        loss = self.more(loss, y_pred)
        loss.backward()
        self.optimizer.step()
        return {"loss": loss}

    def more(self, loss, y_pred):
        return loss


def stepped(more, jit):
    kind = type("Own", (Stepped,), {"more": more})
    return compiled(kind(), gpunn.optimizers.SGD(0.05), loss=None, jit=jit)


@case("steps is changed")
def a_counter(jit):
    def more(self, loss, y_pred):
        self.steps += 1
        return loss * 2 if self.steps % 2 else loss

    return stepped(more, jit)


@case("steps is changed")
def gradients_added_up_by_a_counter(jit):
    class Accumulates(Regression):
        steps = 0

        def train_step(self, data):
            x, y = data
            loss = ops.mean((self(x, training=True) - y) ** 2)
            loss.backward()
            self.steps += 1
            if self.steps % 3 == 0:
                self.optimizer.step()
            return {"loss": loss}

    return compiled(Accumulates(), gpunn.optimizers.SGD(0.1), loss=None, jit=jit)


@case("print")
def what_prints(jit):
    def more(self, loss, y_pred):
        print(end="")
        return loss

    return stepped(more, jit)


@case("kept")
def losses_in_a_list(jit):
    def more(self, loss, y_pred):
        self.kept.append(loss)
        return loss

    return stepped(more, jit)


@case("LOSSES")
def losses_in_a_list_elsewhere(jit):
    def more(self, loss, y_pred):
        LOSSES.append(loss)
        return loss

    return stepped(more, jit)


@case("values of a tensor|in a capture")
def a_value_that_is_read(jit):
    def more(self, loss, y_pred):
        return loss * (2.0 if float(loss) > 0.5 else 1.0)

    return stepped(more, jit)


@case("another thing at every call")
def numbers_of_numpy(jit):
    def more(self, loss, y_pred):
        rng = np.random.default_rng(3)
        return loss + float(rng.normal())

    return stepped(more, jit)


@case("learning_rate is read")
def the_learning_rate(jit):
    def more(self, loss, y_pred):
        return loss * (1 + float(self.optimizer.learning_rate))

    return stepped(more, jit)


@case("a SGD is read")
def an_optimizer_of_nobody(jit):
    outside = gpunn.optimizers.SGD(0.05)

    class Own(Stepped):
        def train_step(self, data):
            x, y = data
            loss = ops.mean((self(x) - y) ** 2)
            weights = self.trainable_variables
            outside.apply(gpunn.gradients(loss, weights), weights)
            return {"loss": loss}

    return compiled(Own(), loss=None, jit=jit)


@case("apply")
def an_optimizer_of_ones_own(jit):
    class Louder(gpunn.optimizers.SGD):
        def apply(self, grads, trainable_variables=None):
            super().apply([2 * g for g in grads], trainable_variables)

    class Own(Stepped):
        def train_step(self, data):
            x, y = data
            loss = ops.mean((self(x) - y) ** 2)
            weights = self.trainable_variables
            self.optimizer.apply(gpunn.gradients(loss, weights), weights)
            return {"loss": loss}

    return compiled(Own(), Louder(0.05), loss=None, jit=jit)


@case("an optimizer that is not gpunn's")
def an_optimizer_with_a_rule_of_ones_own(jit):
    class Slower(gpunn.optimizers.Optimizer):
        by = 0.5

        def update(self, be, p, g, slots, h, scratch):
            p -= h[0] * self.by * g

    return compiled(Guide(), Slower(0.05), jit=jit)


@case("values of a tensor|in a capture")
def a_model_that_is_trained_by_itself(jit):
    """It has a plan, which must not run while another one is recorded."""
    inner = gpunn.Sequential([gpunn.Input((4,)), layers.Dense(1)])
    inner.compile("adam", "mse", jit_compile=jit)
    x = np.linspace(-1, 1, 40, dtype="float32").reshape(10, 4)
    for _ in range(4):
        inner.train_on_batch(x, x[:, :1])

    class Own(Stepped):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def train_step(self, data):
            return {"loss": self.inner.train_on_batch(data[0], data[1])}

    return compiled(Own(), loss=None, jit=jit)
