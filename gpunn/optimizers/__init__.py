"""Optimizers: how variables change by their gradients (Keras: `keras.optimizers`).

Each is a rule on arrays; `optimizer.py` has what is around it, `flat.py` and `walk.py` how it is
applied to flat memory, `schedules.py` the learning rate schedules.
"""

from gpunn.optimizers import schedules
from gpunn.optimizers.adadelta import Adadelta
from gpunn.optimizers.adafactor import Adafactor
from gpunn.optimizers.adagrad import Adagrad
from gpunn.optimizers.adam import Adam, AdamW
from gpunn.optimizers.adamax import Adamax
from gpunn.optimizers.ftrl import Ftrl
from gpunn.optimizers.lamb import Lamb
from gpunn.optimizers.lion import Lion
from gpunn.optimizers.loss_scale import LossScaleOptimizer
from gpunn.optimizers.multi import MultiOptimizer, OptimizerMap
from gpunn.optimizers.muon import Muon
from gpunn.optimizers.nadam import Nadam
from gpunn.optimizers.optimizer import Optimizer
from gpunn.optimizers.rmsprop import RMSprop
from gpunn.optimizers.schedule_free import ScheduleFreeAdamW
from gpunn.optimizers.sgd import SGD
from gpunn.serialization import Registry

REGISTRY = Registry(
    "optimizer",
    Optimizer,
    [
        SGD,
        RMSprop,
        Adam,
        AdamW,
        Adagrad,
        Adadelta,
        Adamax,
        Nadam,
        Ftrl,
        Lion,
        Lamb,
        Adafactor,
        Muon,
        ScheduleFreeAdamW,
    ],
    # no rules: they hold others
    aliases={"LossScaleOptimizer": LossScaleOptimizer, "MultiOptimizer": MultiOptimizer},
)


def get(identifier) -> Optimizer | None:
    """The optimizer that a name, config, class or optimizer stands for (`optimizers.get`).

    Raises:
        ArgumentError: for an unknown name, with the nearest that are known.

    >>> gpunn.optimizers.get("adam").beta_1
    0.9
    """
    return REGISTRY.get(identifier)


def serialize(optimizer) -> dict | str | None:
    """The config of an optimizer, without its state (Keras: `optimizers.serialize`).

    >>> gpunn.optimizers.serialize(gpunn.optimizers.SGD(0.1))["config"]["learning_rate"]
    0.1
    """
    return REGISTRY.serialize(optimizer)


def deserialize(config, custom_objects: dict | None = None) -> Optimizer:
    """The optimizer of a config (Keras: `optimizers.deserialize`).

    >>> gpunn.optimizers.deserialize({"class_name": "SGD", "config": {"momentum": 0.5}}).momentum
    0.5
    """
    return REGISTRY.deserialize(config, custom_objects)


__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "Optimizer",
    "OptimizerMap",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]
