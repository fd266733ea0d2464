"""The optimizers' and schedules' test cases: shared by make_optimizers.py (Keras) and the tests.

A case is (name, class, options). Only NumPy's legacy generator is used: its streams never change.
"""

import numpy as np

STEPS = 30
SNAPSHOTS = {"float32": (1, 2, 10, 30), "float64": (30,)}
SHAPES = {"matrix": (5, 4), "vector": (7,), "one": (1,), "kernel": (2, 3, 2, 3)}

RULES = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "RMSprop": [
        {},
        {"centered": True},
        {"momentum": 0.9},
        {"rho": 0.8, "momentum": 0.5, "epsilon": 1e-3, "centered": True},
    ],
    "Adam": [{}, {"amsgrad": True}, {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}],
    "AdamW": [{}, {"weight_decay": 0.1, "amsgrad": True}],
    "Adagrad": [{}, {"initial_accumulator_value": 0.5, "epsilon": 1e-3}],
    "Adadelta": [{}, {"learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-4}],
    "Adamax": [{}, {"beta_1": 0.8, "beta_2": 0.9}],
    "Nadam": [{}, {"beta_1": 0.8, "beta_2": 0.9}],
    "Ftrl": [
        {},
        {"l1_regularization_strength": 0.01, "l2_regularization_strength": 0.02},
        {"l2_shrinkage_regularization_strength": 0.05, "beta": 0.1},
        {"learning_rate_power": -0.7, "initial_accumulator_value": 0.3},
        {"learning_rate_power": 0.0},
    ],
    "Lion": [{}, {"beta_1": 0.8, "beta_2": 0.9}],
    "Lamb": [{}, {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}],
    "Adafactor": [{}, {"learning_rate": 0.5, "clip_threshold": 0.5}, {"relative_step": False}],
    "Muon": [
        {},
        {"nesterov": False, "rms_rate": None, "ns_steps": 3, "momentum": 0.8},
        {"exclude_layers": ["mat"], "adam_lr_ratio": 0.5},
        {"weight_decay": None, "adam_weight_decay": 0.1},
    ],
    "ScheduleFreeAdamW": [{}, {"warmup_steps": 10, "beta_1": 0.8}],
}
DECAY = {"class_name": "ExponentialDecay", "config": (0.1, 10, 0.5)}
COSINE = {"class_name": "CosineDecay", "config": (0.01, 20, 0.1, "c", 0.1, 5)}
COMMON = [
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "exclude": ["vector", "kern"]},
    {"clipnorm": 0.5},
    {"clipvalue": 0.1},
    {"global_clipnorm": 0.5},
    {"use_ema": True},
    {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3},
    {"gradient_accumulation_steps": 3},
    {"gradient_accumulation_steps": 4, "clipnorm": 0.3, "weight_decay": 0.05},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 2},
    {"gradient_accumulation_steps": 2, "learning_rate": DECAY, "global_clipnorm": 0.3},
    {"loss_scale_factor": 8.0},
    {"loss_scale_factor": 8.0, "global_clipnorm": 0.1},
    {"loss_scale_factor": 4.0, "gradient_accumulation_steps": 2, "clipvalue": 0.02},
    {"learning_rate": DECAY, "weight_decay": 0.1},
    {"learning_rate": COSINE},
]


def cases():
    """(name, class, options) of every trajectory."""
    for rule, variants in RULES.items():
        for i, options in enumerate(variants):
            yield f"{rule}/{i}", rule, {"learning_rate": 0.05, **options}
    for rule in ("Adam", "SGD", "Muon"):
        options = {"momentum": 0.9} if rule == "SGD" else {}
        for i, common in enumerate(COMMON):
            yield f"{rule}/common{i}", rule, {"learning_rate": 0.05, **options, **common}


def start(dtype):
    """The first values of the variables, by name."""
    r = np.random.RandomState(1)
    return {name: r.randn(*shape).astype(dtype) for name, shape in SHAPES.items()}


def gradients(dtype):
    """For each step the gradients of all variables: of changing size, some elements zero."""
    r = np.random.RandomState(2)
    for _ in range(STEPS):
        size = r.choice([0.02, 0.2, 1.0])
        yield [
            (size * r.randn(*shape) * (r.rand(*shape) < 0.9)).astype(dtype)
            for shape in SHAPES.values()
        ]


SCHEDULES = [
    ("ExponentialDecay", (0.1, 10, 0.5), {}),
    ("ExponentialDecay", (0.1, 7, 0.9), {"staircase": True}),
    ("PiecewiseConstantDecay", ([3, 10, 50], [1.0, 0.5, 0.25, 0.1]), {}),
    ("PiecewiseConstantDecay", ([5], [0.3, 0.2]), {}),
    ("PolynomialDecay", (0.1, 20), {}),
    ("PolynomialDecay", (0.1, 20), {"end_learning_rate": 0.01, "power": 2.0}),
    ("PolynomialDecay", (0.1, 20), {"power": 0.5, "cycle": True}),
    ("InverseTimeDecay", (0.1, 10, 0.5), {}),
    ("InverseTimeDecay", (0.1, 10, 0.5), {"staircase": True}),
    ("CosineDecay", (0.1, 40), {}),
    ("CosineDecay", (0.1, 40), {"alpha": 0.1}),
    ("CosineDecay", (0.01, 40), {"warmup_target": 0.1, "warmup_steps": 13}),
    ("CosineDecay", (0.0, 40), {"warmup_target": 0.1, "warmup_steps": 0, "alpha": 0.2}),
    ("CosineDecayRestarts", (0.1, 11), {}),
    ("CosineDecayRestarts", (0.1, 9), {"t_mul": 1.0, "m_mul": 0.9}),
    ("CosineDecayRestarts", (0.1, 7), {"t_mul": 1.5, "m_mul": 0.8, "alpha": 0.1}),
]
SCHEDULE_STEPS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 19, 20, 23, 39, 40, 41, 51, 60, 79, 100, 999)
