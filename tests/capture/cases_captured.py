"""Code that is not gpunn's and is captured."""

import functools
import math
from collections import namedtuple
from dataclasses import dataclass

import numpy as np

import gpunn
from gpunn import layers, ops
from tests.capture.cases import case, of_function

TABLE = np.arange(1, 5, dtype="float32")
beta = 0.5
Point = namedtuple("Point", "x y")


def scaled(x):
    return x * beta


class Halved(layers.Layer):
    alpha = 0.5

    def call(self, inputs):
        return inputs * type(self).alpha


other = Halved()


@case()
def a_layer():
    class Twice(layers.Layer):
        def call(self, x):
            return x * 2

    return {"parts": [Twice()]}


@case()
def a_lambda_layer():
    return of_function(lambda x: ops.tanh(x) * 2)


@case()
def a_loss_function():
    return {"loss": lambda y, p: ops.mean(ops.abs(y - p) ** 1.5, axis=-1)}


@case()
def a_loss_class():
    class Huberish(gpunn.losses.Loss):
        def __init__(self, delta):
            super().__init__()
            self.delta = delta

        def call(self, y_true, y_pred):
            error = y_true - y_pred
            return ops.mean(ops.where(ops.abs(error) < self.delta, error * error, error), axis=-1)

    return {"loss": Huberish(0.7)}


@case()
def a_loss_of_normalized_vectors():
    def apart(y, p):
        return -ops.sum(gpunn.utils.normalize(y) * gpunn.utils.normalize(p, axis=1), axis=-1)

    return {"loss": apart}


@case()
def a_loss_that_calls_another():
    mse = gpunn.losses.MeanSquaredError()
    return {"loss": lambda y, p: mse(y, p) + gpunn.losses.mean_absolute_error(y, p)}


@case()
def metrics():
    class Largest(gpunn.metrics.Metric):
        def __init__(self):
            super().__init__(name="largest")
            self.value = self.add_variable((), "zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.value.assign(ops.maximum(self.value, ops.max(ops.abs(y_pred - y_true))))

        def result(self):
            return self.value

    return {"metrics": [Largest(), lambda y, p: ops.mean(y * p, axis=-1)]}


@case()
def a_regularizer_and_a_constraint():
    class Square(gpunn.regularizers.Regularizer):
        def __init__(self, factor):
            self.factor = factor

        def __call__(self, w):
            return self.factor * ops.sum(ops.square(w))

    class Clipped(gpunn.constraints.Constraint):
        def __call__(self, w):
            return ops.clip(w, -0.2, 0.2)

    dense = layers.Dense(4, kernel_regularizer=Square(0.01), bias_regularizer=lambda b: ops.sum(b))
    return {"parts": [dense, layers.Dense(3, kernel_constraint=Clipped())]}


@case()
def an_initializer():
    return {"parts": [layers.Dense(4, kernel_initializer=lambda s, dtype=None: ops.ones(s) * 0.1)]}


@case()
def a_cell():
    class Minimal(layers.Layer):
        def __init__(self, units):
            super().__init__()
            self.units = self.state_size = units

        def build(self, shape):
            self.kernel = self.add_weight((shape[-1], self.units), "glorot_uniform", name="kernel")
            self.recurrent = self.add_weight((self.units, self.units), "orthogonal", name="rec")

        def call(self, inputs, states):
            h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent))
            return h, [h]

    return {"parts": [layers.Reshape((4, 1)), layers.RNN(Minimal(3))]}


@case()
def nested_layers():
    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = [layers.Dense(4), {"act": layers.Activation("relu")}]
            self.norm = layers.BatchNormalization()

        def call(self, x, training=None):
            return self.norm(self.inner[1]["act"](self.inner[0](x)), training=training) + x

    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.blocks = [Block() for _ in range(2)]

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    return {"parts": [Outer()]}


@case()
def weights_made_at_the_first_call():
    class Late(layers.Layer):
        kernel = None

        def call(self, x):
            if self.kernel is None:
                self.kernel = self.add_weight((x.shape[-1],), "ones", name="kernel")
            return x * self.kernel

    return {"parts": [Late()]}


@case()
def the_training_flag():
    class Noisy(layers.Layer):
        def __init__(self):
            super().__init__()
            self.seed_generator = gpunn.random.SeedGenerator(3)

        def call(self, x, training=False):
            if not training:
                return x * 0.5
            return x + gpunn.random.uniform(ops.shape(x), seed=self.seed_generator)

    return {"parts": [Noisy()]}


@case()
def numbers_drawn_on_the_host():
    class Sampling(layers.Layer):
        def __init__(self):
            super().__init__()
            self.seed_generator = gpunn.random.SeedGenerator(3)

        def call(self, x):
            shape, seed = ops.shape(x), self.seed_generator
            x = x + gpunn.random.normal(shape, seed=seed) * ops.exp(x)
            x = x * gpunn.random.truncated_normal(shape, 1.0, 0.1, seed=seed)
            x = (
                x
                + gpunn.random.gamma(shape, 2.0, seed=seed)
                + gpunn.random.beta(shape, 1, 2, seed=seed)
            )
            x = x + gpunn.random.binomial(shape, 3, 0.5, seed=seed)
            return x + ops.cast(gpunn.random.categorical(x, 1, seed=seed), "float32")

    return {"parts": [Sampling()]}


@case()
def the_largest_values_and_what_lies_there():
    def chosen(x):
        largest, at = ops.top_k(x, 2)
        rows = ops.take_along_axis(x * 2, at, axis=-1)
        return ops.concatenate([largest, rows, x[:, at[0]]], axis=-1)

    return of_function(chosen)


@case()
def segments():
    def largest_of_each(x):
        ids = ops.argmax(x, axis=-1)
        rows = ops.segment_max(x, ids, num_segments=4) + ops.segment_sum(x, ids, num_segments=4)
        return x * ops.take(rows, ids, axis=0)

    return of_function(largest_of_each)


@case()
def masks():
    class Steps(layers.Layer):
        supports_masking = True

        def call(self, x, mask=None):
            return x if mask is None else x * ops.expand_dims(ops.cast(mask, "float32"), -1)

    return {"parts": [layers.Reshape((4, 1)), layers.Masking(), Steps(), layers.LSTM(3)]}


@case()
def arrays_of_numpy():
    class Positions(layers.Layer):
        def __init__(self):
            super().__init__()
            self.table = np.sin(np.arange(4, dtype="float32"))

        def call(self, x):
            ramp = np.linspace(0, 1, x.shape[-1]).reshape(1, -1)
            return x * TABLE + self.table + ramp + ops.convert_to_tensor([1.0, 2.0, 3.0, 4.0])

    return {"parts": [Positions()]}


@case()
def a_function_of_the_module():
    return of_function(lambda x: scaled(x) * math.sqrt(2.0) + np.float32(1.0) * np.pi)


@case()
def partial_functions_and_callable_objects():
    class Power:
        def __init__(self, n):
            self.n = n

        def __call__(self, x):
            return ops.power(ops.abs(x) + 0.1, self.n)

    add = functools.partial(lambda x, by: x + by, by=0.25)
    return {"parts": [layers.Dense(4, activation=add), layers.Lambda(Power(2.0))]}


@case()
def a_data_class_and_a_named_tuple():
    @dataclass
    class Options:
        rate: float = 0.3

    class Uses(layers.Layer):
        def __init__(self):
            super().__init__()
            self.options = Options()

        def call(self, x):
            point = Point(x * self.options.rate, x)
            return point.x + point.y

    return {"parts": [Uses()]}


@case()
def a_layer_that_reads_another_by_a_global():
    return of_function(lambda x: x * other.alpha + other(x))


@case()
def a_schedule():
    class Falling(gpunn.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.01 / (1.0 + step * 0.1)

    return {"optimizer": gpunn.optimizers.Adam(Falling())}


@case()
def a_loss_added_in_call():
    class Adds(layers.Layer):
        def call(self, x):
            self.add_loss(0.01 * ops.mean(x * x))
            return x

    return {"parts": [Adds()]}


@case()
def a_primitive():
    @gpunn.primitive
    def cubed(be, x, /):
        return x * x * x, lambda dy, needs: (3 * x * x * dy,)

    return of_function(lambda x: cubed(x) * 0.1)


@case()
def a_generator_and_a_comprehension_in_call():
    return of_function(lambda x: sum(v for v in [x * i for i in range(1, 3)]))


@case()
def an_attribute_that_is_set_to_the_same():
    class Notes(layers.Layer):
        def call(self, x):
            self.width = x.shape[-1]
            return x * self.width

    return {"parts": [Notes()]}


@case(("optimizer",))
def a_model_with_its_own_losses_and_metrics():
    class Own(gpunn.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)
            self.seen = gpunn.metrics.Mean(name="seen")

        def call(self, x):
            return self.dense(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            loss = ops.mean(ops.abs(y - y_pred)) + 0.01 * ops.sum(self.dense.kernel**2)
            self.seen.update_state(loss)
            return loss

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            results = super().compute_metrics(x, y, y_pred, sample_weight)
            return {"twice": 2 * self.seen.result(), **results}

    return {"model": Own()}


@case()
def numbers_of_a_fixed_seed():
    return of_function(lambda x: x + gpunn.random.normal(x.shape, seed=7))


@case()
def numbers_of_no_seed():
    def noisy(x):
        noise = gpunn.random.normal(x.shape) * gpunn.random.uniform((x.shape[0], 1))
        return gpunn.random.shuffle(x + noise + ops.cast(gpunn.random.randint((4,), 0, 3), x.dtype))

    return of_function(noisy)
