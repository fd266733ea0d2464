"""The `device` fixture, the option `--device`, and a clean state for every test.

`--device all` (default): cpu and, where CUDA can be used, cuda; else those tests are skipped.
`--device cpu`: no test on CUDA.
`--device cuda`: only what runs on CUDA, on a GPU or under `ci/cuda-emu/run`; an error where it
cannot be used.
"""

import collections
import os

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.pop("GPUNN_DEVICE", None)
# Before numpy is loaded: tests run side by side, with one thread each but where they say otherwise
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import pytest

import gpunn
from gpunn.backend import blocks, numpy_
from tests.harness import cuda_problem

hypothesis.settings.register_profile(
    "gpunn",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
    ],
)
hypothesis.settings.load_profile("gpunn")


def pytest_addoption(parser):
    parser.addoption(
        "--device",
        choices=("all", "cpu", "cuda"),
        default="all",
        help="the devices to test (default: all that can be used)",
    )


def pytest_configure(config):
    if config.getoption("--device") == "cuda" and (problem := cuda_problem()):
        raise pytest.UsageError(f"--device cuda: {problem}")


def pytest_generate_tests(metafunc):
    if "device" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--device")
        devices = ("cpu", "cuda") if chosen == "all" else (chosen,)
        metafunc.parametrize("device", devices, indirect=True)


def pytest_collection_modifyitems(config, items):
    """Leaves out the tests that have nothing to do with the chosen device."""
    chosen = config.getoption("--device")
    if chosen == "all":
        return
    kept, left_out = [], []
    for item in items:
        names = getattr(item, "fixturenames", ())
        on_cuda = "cuda" in names or "device" in names
        wanted = on_cuda if chosen == "cuda" else "cuda" not in names
        (kept if wanted else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_terminal_summary(terminalreporter):
    """Each reason for skipping once, with how many tests it kept from running."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = collections.Counter(report.longrepr[2] for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")


@pytest.fixture
def cuda():
    """For a test of CUDA itself: skipped where it cannot be used."""
    if problem := cuda_problem():
        pytest.skip(problem)


@pytest.fixture
def device(request):
    """ "cpu" or "cuda", which is the current device during the test."""
    if request.param == "cuda" and (problem := cuda_problem()):
        pytest.skip(problem)
    with gpunn.device(request.param):
        yield request.param


@pytest.fixture
def small_blocks(monkeypatch):
    """Products in blocks on any CPU, small ones too: so many multiplications, at most, in each."""
    monkeypatch.setattr(numpy_, "FEW", 0)
    monkeypatch.setattr(blocks, "small_products", lambda: 4096)
    for name, value in {"ROWS": 8, "LEAST": 32, "LONG": 8, "LANES": 4, "DIRECT": 64}.items():
        monkeypatch.setattr(blocks, name, value)
    blocks._sizes.cache_clear()
    yield 4096
    blocks._sizes.cache_clear()


@pytest.fixture(autouse=True)
def _clean_state():
    """Every test starts with the same seed, device and dtypes, whatever the one before it set."""
    gpunn.set_seed(0)
    gpunn.set_device("cpu")
    gpunn.backend.set_floatx("float32")
