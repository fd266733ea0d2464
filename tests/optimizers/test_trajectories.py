"""30 steps of every optimizer with every option against Keras."""

import numpy as np
import pytest

import gpunn
from gpunn import optimizers
from gpunn.backend import set_floatx
from tests.golden.cases_optimizers import RULES, SNAPSHOTS, cases, gradients, start
from tests.harness import assert_close, golden

CASES = list(cases())
# On CUDA the machinery is the same: each rule once, and its common options with Adam.
FEW = [c for c in CASES if c[0].endswith("/0") or c[0].startswith("Adam/common")]


def make(rule, options):
    options = dict(options)
    excluded = options.pop("exclude", None)
    schedule = options["learning_rate"]
    if isinstance(schedule, dict):
        cls = getattr(optimizers.schedules, schedule["class_name"])
        options["learning_rate"] = cls(*schedule["config"])
    optimizer = getattr(optimizers, rule)(**options)
    if excluded:
        optimizer.exclude_from_weight_decay(var_names=excluded)
    return optimizer


def check_trajectory(name, rule, options, dtype, tolerance):
    set_floatx(dtype)
    optimizer = make(rule, options)
    variables = [gpunn.Variable(v, name=n) for n, v in start(dtype).items()]
    optimizer.build(variables)
    reference = golden("optimizers")
    for step, grads in enumerate(gradients(dtype), 1):
        for v, g in zip(variables, grads):
            v.accumulate(gpunn.Tensor(g).array)
        optimizer.step()
        if step in SNAPSHOTS[dtype]:
            key = f"{dtype}/{name}/{step}"
            assert_close(flat(variables), reference[key], rtol=tolerance, atol=tolerance, label=key)
    if options.get("use_ema"):
        optimizer.finalize_variable_values(variables)
        key = f"{dtype}/{name}/final"
        assert_close(flat(variables), reference[key], rtol=tolerance, atol=tolerance, label=key)


def flat(variables):
    return np.concatenate([v.numpy().ravel() for v in variables])


def test_every_optimizer_has_a_trajectory():
    missing = "an optimizer is not in RULES of tests/golden/cases_optimizers.py"
    assert set(RULES) == {cls.__name__ for cls in optimizers.REGISTRY.classes}, missing


@pytest.mark.parametrize("name, rule, options", CASES, ids=[c[0] for c in CASES])
def test_as_keras(name, rule, options):
    check_trajectory(name, rule, options, "float32", 1e-5)


@pytest.mark.parametrize("name, rule, options", CASES, ids=[c[0] for c in CASES])
def test_as_keras_float64(name, rule, options):
    check_trajectory(name, rule, options, "float64", 1e-10)


@pytest.mark.parametrize("name, rule, options", FEW, ids=[c[0] for c in FEW])
def test_as_keras_on_cuda(cuda, name, rule, options):
    with gpunn.device("cuda"):
        check_trajectory(name, rule, options, "float32", 1e-5)
