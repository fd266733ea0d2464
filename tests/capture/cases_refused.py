"""Code that is not gpunn's and that no plan can stand for, or not for all of it."""

import functools
import itertools
import random
import threading
import time
import weakref

import numpy as np

import gpunn
from gpunn import layers, ops
from tests.capture.cases import case, of_function


class Rates:
    rate = 0.5


counted: list = []
count = 0
rng = np.random.default_rng(3)
steps = itertools.count()


@case("it calls print")
def it_prints():
    return of_function(lambda x: print("called") or x)


@case("changed while it runs")
def a_list_that_grows():
    counted.clear()
    return of_function(lambda x: x * (counted.append(1) or 1 / len(counted)))


@case("sets the global 'count'")
def a_global_counter():
    globals()["count"] = 0

    def call(x):
        global count
        count += 1
        return x / count

    return of_function(call)


@case("changed while it runs")
def a_counter_of_a_function_around():
    n = 0

    def call(x):
        nonlocal n
        n += 1
        return x / n

    return of_function(call)


@case("Counts.calls is changed while it runs")
def a_counter_attribute():
    class Counts(layers.Layer):
        calls = 0

        def call(self, x):
            self.calls += 1
            return x / self.calls

    return {"parts": [Counts()]}


@case("changed while it runs")
def a_counter_in_an_object():
    class Held:
        calls = 0

    class Counts(layers.Layer):
        def __init__(self):
            super().__init__()
            self.held = Held()

        def call(self, x):
            self.held.calls += 1
            return x / self.held.calls

    return {"parts": [Counts()]}


@case("changed while it runs")
def a_counter_of_a_class():
    class Counts(layers.Layer):
        calls = 0

        def call(self, x):
            type(self).calls += 1
            return x / type(self).calls

    return {"parts": [Counts()]}


@case("'_pending', which changes")
def a_counter_named_like_one_of_gpunns():
    class Counts(layers.Layer):
        _pending = 0

        def call(self, x):
            self._pending += 1
            return x / self._pending

    return {"parts": [Counts()]}


@case("Keeps.last is changed while it runs")
def the_last_output():
    class Keeps(layers.Layer):
        def call(self, x):
            self.last = x * 2
            return self.last

    return {"parts": [Keeps()]}


@case("numpy.random")
def numbers_of_numpy():
    np.random.seed(3)  # noqa: NPY002
    return of_function(lambda x: x * np.random.uniform())  # noqa: NPY002


@case("numpy.random")
def numbers_of_a_generator():
    globals()["rng"] = np.random.default_rng(3)
    return of_function(lambda x: x * rng.uniform())


@case("random")
def numbers_of_python():
    random.seed(3)
    return of_function(lambda x: x * random.random())


@case("random stream")
def numbers_of_a_new_generator():
    return of_function(lambda x: gpunn.random.dropout(x, 0.5, seed=gpunn.random.SeedGenerator(7)))


@case("time")
def the_time():
    return of_function(lambda x: x * (1.0 + 0.0 * time.time()))


@case("itertools.count")
def an_iterator():
    globals()["steps"] = itertools.count(1)
    return of_function(lambda x: x / next(steps))


@case("generator")
def a_generator():
    numbers = (1.0 / (i + 1) for i in range(1000))
    return of_function(lambda x: x * next(numbers))


@case("values|D2H")
def a_branch_on_values():
    def call(x):
        return x * 2 if ops.sum(x) > 0 else x

    return of_function(call)


@case("ValueError is raised")
def an_error_that_is_caught():
    def call(x):
        try:
            raise ValueError("no")
        except ValueError:
            return x * 0.5

    return of_function(call)


@case("is raised")
def a_value_that_is_tried():
    def call(x):
        try:
            return x * float(ops.mean(x))
        except RuntimeError:
            return x

    return of_function(call)


@case("is changed while it runs")
def an_array_that_is_filled_again():
    kept = np.zeros(4, "float32")

    def call(x):
        kept[:] = 1
        y = x * kept
        kept[:] = 2
        return y + kept

    return of_function(call)


@case("is changed while it runs")
def an_array_that_changes_below_a_tensor():
    def call(x):
        table = np.ones(4, "float32")
        held = ops.convert_to_tensor(table)
        y = x * held
        table += 1
        return y + held

    return of_function(call)


@case("ReferenceType")
def a_weak_reference():
    held = Rates()
    reference = weakref.ref(held)
    return of_function(lambda x: x * reference().rate, callback=lambda e: setattr(held, "rate", e))


@case("_local")
def a_value_of_a_thread():
    held = threading.local()
    held.rate = 0.5
    return of_function(lambda x: x * held.rate, callback=lambda e: setattr(held, "rate", e / 3))


@case("lru_cache")
def a_function_that_remembers():
    @functools.lru_cache
    def ramp(n):
        return np.arange(n, dtype="float32")

    return of_function(lambda x: x * ramp(x.shape[-1]))


@case("takes the array of a tensor")
def the_array_of_a_tensor():
    def call(x):
        array = x.array
        values = array.get() if hasattr(array, "get") else np.asarray(array)
        return x * float(values.mean())

    return of_function(call)


@case("numpy.asarray")
def an_array_in_a_primitive():
    @gpunn.primitive
    def shifted(be, x, /):
        if be.kind == "cuda":
            return x * float(x.get().mean()), lambda dy, needs: (dy,)
        return x * float(np.mean(np.asarray(x))), lambda dy, needs: (dy,)

    return of_function(lambda x: shifted(x))


@case("imports")
def an_import():
    def call(x):
        import math

        return x * math.pi

    return of_function(call)


@case("passed on")
def a_module_that_is_passed_on():
    def draw(module):
        return module.random.uniform()

    np.random.seed(3)  # noqa: NPY002
    return of_function(lambda x: x * draw(np))


@case("iterations")
def the_number_of_the_step():
    class Anneals(gpunn.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            rate = 0.1 * float(self.optimizer.iterations) if self.compiled else 0.0
            return self.dense(x) + rate

    return {"model": Anneals()}


@case("weights that the model does not hold")
def a_layer_of_another():
    outside = layers.Dense(4, kernel_initializer="ones")
    outside.build((None, 4))
    return of_function(lambda x: outside(x))


@case("a tensor that the model does not hold")
def a_tensor_of_another():
    table = ops.ones((4,))
    return of_function(lambda x: x * table)


@case(("optimizer",))
def a_metric_with_a_count():
    class Rows(gpunn.metrics.Metric):
        rows = 0

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.rows += len(y_true)

        def result(self):
            return ops.convert_to_tensor(float(self.rows))

        def reset_state(self):
            self.rows = 0

    return {"metrics": [Rows(), "mae"]}


@case(("optimizer",))
def a_metric_that_prints():
    return {"metrics": [lambda y, p: print("metric") or ops.mean(p, axis=-1)]}


@case(("metrics",))
def a_constraint_that_counts():
    class Counts(gpunn.constraints.Constraint):
        calls = 0

        def __call__(self, w):
            self.calls += 1
            return w / (1 + 0.01 * self.calls)

    return {"parts": [layers.Dense(4, kernel_constraint=Counts())]}


@case(("metrics",))
def an_optimizer():
    class Slower(gpunn.optimizers.SGD):
        def step(self):
            super().step()

    return {"optimizer": Slower(0.01)}
