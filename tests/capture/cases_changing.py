"""Code that is not gpunn's and is captured, and captured again when something changes.

A case's "callback" changes that before each epoch but the first two.
"""

from collections import deque
from types import ModuleType

import numpy as np

import gpunn
from gpunn import layers, ops
from tests.capture.cases import case, of_function

beta = 0.5
settings = {"scale": [1.0, 2.0]}


def scaled(x):
    return x * beta


class Halved(layers.Layer):
    alpha = 0.5

    def call(self, inputs):
        return inputs * type(self).alpha


@case()
def a_global_that_changes():
    globals()["beta"] = 0.5
    return of_function(lambda x: scaled(x), callback=lambda epoch: globals().update(beta=epoch / 4))


@case()
def an_attribute_that_changes():
    class Scaled(layers.Layer):
        factor = 1.0

        def call(self, x):
            return x * self.factor

    layer = Scaled()
    return {"parts": [layer], "callback": lambda epoch: setattr(layer, "factor", epoch / 3)}


@case()
def a_number_that_becomes_one_of_another_kind():
    class Scaled(layers.Layer):
        def __init__(self):
            super().__init__()
            self.times = 2

        def call(self, x):
            return x if isinstance(self.times, float) else x * 0.5

    layer = Scaled()

    def change(epoch):
        layer.times = float(layer.times)

    return {"parts": [layer], "callback": change}


@case()
def an_attribute_of_a_class_that_changes():
    Halved.alpha = 0.5

    class Below(Halved):
        pass

    return {"parts": [Below()], "callback": lambda epoch: setattr(Halved, "alpha", epoch / 3)}


@case()
def a_dict_in_a_closure_that_changes():
    options = {"rates": [0.5, 0.1]}

    def change(epoch):
        options["rates"][0] = epoch / 3

    return of_function(lambda x: x * options["rates"][0], callback=change)


@case()
def a_variable_of_a_function_around_that_changes():
    rate = 0.5

    def change(epoch):
        nonlocal rate
        rate = epoch / 3

    return of_function(lambda x: x * rate, callback=change)


@case()
def a_nested_global_that_changes():
    settings["scale"][1] = 2.0

    def change(epoch):
        settings["scale"][1] = epoch / 2

    return of_function(lambda x: x * settings["scale"][1], callback=change)


@case()
def an_object_that_changes():
    class Held:
        rate = 0.5

    class Uses(layers.Layer):
        def __init__(self):
            super().__init__()
            self.held = [Held()]

        def call(self, x):
            return x * self.held[0].rate

    layer = Uses()
    return {"parts": [layer], "callback": lambda epoch: setattr(layer.held[0], "rate", epoch / 3)}


@case()
def a_default_that_changes():
    def f(x, rates=[0.5]):  # noqa: B006
        return x * rates[0]

    return of_function(lambda x: f(x), callback=lambda e: f.__defaults__[0].__setitem__(0, e / 3))


@case()
def an_attribute_of_a_function_that_changes():
    def f(x):
        return x * f.rate

    f.rate = 0.5
    return of_function(f, callback=lambda epoch: setattr(f, "rate", epoch / 3))


@case()
def a_function_that_is_replaced():
    globals()["scaled"] = lambda x: x * 0.5
    replace = lambda epoch: globals().update(scaled=lambda x: x * (epoch / 3))  # noqa: E731
    return of_function(lambda x: scaled(x), callback=replace)


@case()
def a_method_that_is_replaced():
    class Scaled(layers.Layer):
        def call(self, x):
            return self.factor() * x

        def factor(self):
            return 0.5

    change = lambda epoch: setattr(Scaled, "factor", lambda self: epoch / 3)  # noqa: E731
    return {"parts": [Scaled()], "callback": change}


@case()
def an_array_that_changes():
    table = np.ones(4, "float32")

    def change(epoch):
        table[1] = epoch / 2

    return of_function(lambda x: x * table, callback=change)


@case()
def an_argument_of_a_lambda_layer_that_changes():
    layer = layers.Lambda(lambda x, rates: x * rates[0], arguments={"rates": [0.5]})

    def change(epoch):
        layer.arguments["rates"][0] = epoch / 3

    return {"parts": [layer], "callback": change}


@case()
def a_setting_that_changes():
    def call(x):
        return x * (0.5 if gpunn.config.image_data_format() == "channels_last" else 2.0)

    formats = ("channels_last", "channels_first")
    return of_function(call, callback=lambda e: gpunn.config.set_image_data_format(formats[e % 2]))


@case()
def an_argument_in_a_graph_that_changes():
    rates = [0.5, 0.2]

    class Scaled(layers.Layer):
        def call(self, x, rates):
            return x * rates[0]

    x = inputs = gpunn.Input((4,))
    x = layers.Dense(1)(Scaled()(x, rates))
    return {"model": gpunn.Model(inputs, x), "callback": lambda e: rates.__setitem__(0, e / 3)}


@case()
def a_layer_in_a_tuple_that_changes():
    class Scaled(layers.Layer):
        factor = 1.0

        def call(self, x):
            return x * self.factor

    class Uses(layers.Layer):
        def __init__(self):
            super().__init__()
            self.held = {"both": (Scaled(), [Scaled()])}

        def call(self, x):
            return self.held["both"][1][0](self.held["both"][0](x))

    layer = Uses()
    change = lambda e: setattr(layer.held["both"][1][0], "factor", e / 3)  # noqa: E731
    return {"parts": [layer], "callback": change}


@case()
def an_attribute_of_a_metaclass_that_changes():
    class Meta(type(layers.Layer)):
        rate = 0.5

    class Scaled(layers.Layer, metaclass=Meta):
        def call(self, x):
            return x * type(self).rate

    return {"parts": [Scaled()], "callback": lambda epoch: setattr(Meta, "rate", epoch / 3)}


@case()
def one_of_two_functions_of_one_code_that_changes():
    def make(rates):
        return lambda x: x * rates[0]

    held = [[0.5], [0.7]]
    parts = [layers.Lambda(make(rates)) for rates in held]
    return {"parts": parts, "callback": lambda epoch: held[1].__setitem__(0, epoch / 3)}


@case()
def a_rate_that_changes():
    rate = 0.01

    def change(epoch):
        nonlocal rate
        rate = 0.01 * epoch

    return {"optimizer": gpunn.optimizers.SGD(lambda: rate), "callback": change}


@case()
def a_class_that_gets_a_method_of_its_base():
    class Base(layers.Layer):
        def factor(self):
            return 0.5

    class Below(Base):
        def call(self, x):
            return x * self.factor()

    change = lambda epoch: setattr(Below, "factor", lambda self: epoch / 3)  # noqa: E731
    return {"parts": [Below()], "callback": change}


@case()
def a_class_with_slots_and_a_property():
    class Held:
        __slots__ = ("rates",)

        @property
        def rate(self):
            return self.rates[0]

    held = Held()
    held.rates = deque([0.5, 0.2])
    return of_function(lambda x: x * held.rate, callback=lambda epoch: held.rates.rotate(1))


@case()
def an_attribute_asked_for_by_a_string():
    class Held:
        rate_0, rate_1 = 0.5, 0.25

    held = Held()
    return of_function(
        lambda x: sum(getattr(held, f"rate_{i}") * x for i in range(2)),
        callback=lambda epoch: setattr(held, "rate_1", epoch / 3),
    )


@case()
def a_list_of_functions_that_grows_between():
    functions = [lambda x: x * 0.5]

    def call(x):
        for function in functions:
            x = function(x)
        return x

    return of_function(call, callback=lambda epoch: functions.append(lambda x: x * (epoch / 3)))


@case()
def the_code_of_a_function_that_changes():
    def half(x):
        return x * 0.5

    def most(x):
        return x * 0.9

    return of_function(
        lambda x: half(x), callback=lambda e: setattr(half, "__code__", most.__code__)
    )


@case()
def a_module_that_changes():
    module = ModuleType("rates_of_a_user")
    module.rate = 0.5
    return of_function(
        lambda x: x * module.rate, callback=lambda epoch: setattr(module, "rate", epoch / 3)
    )


@case()
def a_constraint_of_a_weight_that_changes():
    limits = {"high": 0.3}

    class Scaled(layers.Layer):
        def build(self, shape):
            limited = lambda w: ops.clip(w, 0.0, limits["high"])  # noqa: E731
            self.scale = self.add_weight(shape[-1:], "ones", constraint=limited)

        def call(self, x):
            return x * self.scale

    return {"parts": [Scaled()], "callback": lambda epoch: limits.update(high=0.1 * epoch)}


@case()
def a_context_that_is_put_back():
    class Depth:
        depth = 0

        def __enter__(self):
            self.depth += 1
            return self

        def __exit__(self, *error):
            self.depth -= 1

    held = Depth()

    def call(x):
        with held:
            return x * held.depth

    return of_function(call, callback=lambda epoch: setattr(held, "depth", epoch))
