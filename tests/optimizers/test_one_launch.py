"""Rules on CUDA: every elementwise one is a single launch, with the results of its calls."""

import numpy as np
import pytest

import gpunn
from gpunn.backend import kernels
from tests.harness import assert_close

optimizers = gpunn.optimizers
RULES = [c for c in optimizers.REGISTRY.classes if c.elementwise]
OPTIONS = [
    {},
    {"clipvalue": 0.5, "weight_decay": 0.1},
    {"global_clipnorm": 0.5, "use_ema": True},
    {"clipnorm": 0.5},
]


def trained(cls, options):
    optimizer = cls(learning_rate=0.05, **options)
    rng = np.random.default_rng(0)
    variables = [gpunn.Variable(rng.normal(size=n).astype("f4")) for n in ((3, 4), 5)]
    for _ in range(3):
        optimizer.apply([rng.normal(size=v.shape).astype("f4") for v in variables], variables)
    return [v.numpy() for v in variables] + [np.asarray(x) for x in optimizer.state_dict().values()]


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_one_launch_gives_what_its_calls_give(cls, cuda):
    with gpunn.device("cuda"):
        results = trained(cls, OPTIONS[RULES.index(cls) % len(OPTIONS)])
        with kernels.reference_only():
            expected = trained(cls, OPTIONS[RULES.index(cls) % len(OPTIONS)])
        for x, e in zip(results, expected, strict=True):
            assert_close(x, e, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_step_is_one_launch(options, cuda):
    cudaemu = pytest.importorskip("cudaemu")
    with gpunn.device("cuda"):
        variables = [gpunn.Variable(np.ones((3, 4), "f4")), gpunn.Variable(np.ones(5, "f4"))]
        optimizer = optimizers.Adam(**options)
        optimizer.build(variables)
        mallocs = []
        for _ in range(4):
            for v in variables:
                v.accumulate(v.array)
            with cudaemu.measure() as counted:
                optimizer.step()
            mallocs.append(counted.mallocs)
    norms = 2 if "clipnorm" in options else 1 if "global_clipnorm" in options else 0
    updates = 2 if "clipnorm" in options else 1
    assert counted.cublas == norms
    assert counted.kernels == norms + updates + ("use_ema" in options)
    assert counted.d2h == counted.h2d == counted.stream_syncs == 0
    assert min(mallocs) == 0  # the pool may still be at sorting what other tests have left


# kernels and products of a step of a matrix and a vector
FEW = {"Lamb": 8, "Muon": 7 + 5 * 5, "Adafactor": 14}


@pytest.mark.parametrize("name", FEW)
def test_rules_of_whole_variables_take_few_launches(name, cuda):
    cudaemu = pytest.importorskip("cudaemu")
    with gpunn.device("cuda"):
        variables = [gpunn.Variable(np.ones((3, 4), "f4")), gpunn.Variable(np.ones(5, "f4"))]
        optimizer = getattr(optimizers, name)(0.01, weight_decay=None)
        gradients = [gpunn.Tensor(np.ones(v.shape, "f4")) for v in variables]
        for _ in range(2):
            optimizer.apply(gradients, variables)
        with cudaemu.measure() as counted:
            optimizer.apply(gradients, variables)
    assert counted.kernels + counted.cublas <= FEW[name]
