import importlib.metadata
import subprocess
import sys
from pathlib import Path

import gpunn

HEAVY = {
    *("cupy", "cupyx", "cupy_backends", "cuda", "tqdm", "sklearn", "matplotlib", "pandas"),
    *("scipy", "torch", "jax", "keras", "tensorflow", "onnx", "numba", "PIL", "h5py"),
    *("pytest", "hypothesis", "IPython", "multiprocessing", "urllib.request", "ssl"),
}


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_import_loads_nothing_heavy():
    extra = modules_after("import gpunn") - modules_after("import numpy, safetensors.numpy")
    assert not extra & HEAVY


def test_training_loads_nothing_for_the_network():
    train = """if True:
        import gpunn, numpy
        model = gpunn.Sequential([gpunn.layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(numpy.ones((4, 2)), numpy.ones((4, 1)), epochs=4, verbose=0)
    """
    assert not modules_after(train) & {"urllib.request", "http.client", "ssl", "numpy.ma"}


def test_wrappers_load_scikit_learn_when_one_is_asked_for():
    assert "sklearn" not in modules_after("import gpunn.wrappers; dir(gpunn.wrappers)")
    assert "sklearn" in modules_after(
        "gpunn = __import__('gpunn'); gpunn.wrappers.SKLearnRegressor"
    )


def test_version():
    assert gpunn.__version__ == importlib.metadata.version("gpunn")


def test_the_package_is_typed():
    assert (Path(gpunn.__file__).parent / "py.typed").exists()


def test_public_names_exist():
    for name in gpunn.__all__:
        assert hasattr(gpunn, name), name
    assert len(set(gpunn.__all__)) == len(gpunn.__all__)


def test_tensors_have_their_operators_at_once():
    modules_after("import gpunn; assert (gpunn.Tensor([1.0]) * 2).item() == 2")
    modules_after("from gpunn import autograd; assert (autograd.Tensor([1.0]) * 2).item() == 2")
