"""`gpunn doctor --selftest`."""

import contextlib
import json

import numpy as np
import pytest

import gpunn
from gpunn.backend import kernels
from gpunn.cli import parity, selftest, speeds


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(speeds, "LEAST", 1e-4)
    monkeypatch.setattr(speeds, "LARGEST", 1 << 14)
    monkeypatch.setattr(selftest, "PARITY_SECONDS", 240)  # the emulator's compiler takes its time


def test_every_kernel_is_compared_and_speeds_are_measured(gpunn_, cuda, tmp_path):
    path = tmp_path / "found.json"
    code, out, _ = gpunn_("doctor", "--selftest", "--out", path)
    found = json.loads(path.read_text())
    assert code == 0, (found["problems"], [k for k in found["kernels"] if not k["agrees"]])
    assert found["passed"]
    known = [k for k in kernels.registered() if k[1] == "cuda"]
    assert not found["untried"]
    assert all(k["agrees"] and k["calls"] for k in found["kernels"])
    assert any(k["worst"] > 0 for k in found["kernels"])  # it did look
    assert f"{len(found['kernels'])} of {len(known)} kernels" in out
    assert ("emulated here" in out) == (found["cuda"] == "emulated")
    assert {row["what"] for row in found["speeds"]} >= {f"{n}, captured" for n in speeds.NETWORKS}
    assert all(row["cuda"] > 0 for row in found["speeds"])


def test_without_cuda_it_says_what_is_missing(gpunn_, monkeypatch, tmp_path):
    monkeypatch.setattr(selftest, "_problem", lambda: "no driver")
    monkeypatch.setattr(selftest, "_missing", lambda: ["driver: none here; install one"])
    path = tmp_path / "found.txt"
    code, out, _ = gpunn_("doctor", "--selftest", "--out", path)
    assert code == 0
    for text in (out, path.read_text()):
        assert "cannot be used, so no kernel is tried" in text
        assert "driver: none here; install one" in text
        assert "captured, ms" in text
        assert "NumPy" in text


def test_kernels_that_do_not_compile_are_named_and_the_others_tried(gpunn_, cuda, monkeypatch):
    from gpunn.backend import cupy_

    real = cupy_._function

    def broken(source, name, *more):
        if source == "row_norm":
            raise gpunn.errors.KernelError(f"kernel {name} does not compile")
        return real(source, name, *more)

    monkeypatch.setattr(cupy_, "_function", broken)
    monkeypatch.setattr(parity, "DTYPES", ("float32",))
    code, out, _ = gpunn_("doctor", "--selftest")
    assert code == 1
    assert "layer_normalization float32 DOES NOT RUN: kernel" in out
    assert "relu float32 D" not in out and "3x3 convolution" in out
    assert "speeds    kernels of cuda were not measured: KernelError: kernel" in out


def test_whatever_stops_it_is_in_the_file(gpunn_, cuda, monkeypatch, tmp_path):
    def stop(*args, **options):
        raise RuntimeError("an illegal memory access")

    monkeypatch.setattr(selftest.parity, "check", stop)
    path = tmp_path / "found.json"
    code, out, _ = gpunn_("doctor", "--selftest", "--out", path)
    assert code == 1
    assert "STOPPED by RuntimeError: an illegal memory access" in out
    found = json.loads(path.read_text())
    assert "in stop" in found["stopped"] and "cuda" not in found["speeds"][0]


def test_a_kernel_that_differs_fails(gpunn_, monkeypatch):
    wrong = parity.Parity()
    wrong.met["relu", "float32"] = parity.Met(None, 3, 0.5, 1e-4)
    monkeypatch.setattr(selftest.parity, "check", lambda *args, **options: wrong)
    monkeypatch.setattr(selftest, "_problem", lambda: None)
    monkeypatch.setattr(selftest.findings, "speeds_of", lambda devices, measures: ([], []))
    monkeypatch.setattr(gpunn, "device", lambda name: contextlib.nullcontext())
    code, out, _ = gpunn_("doctor", "--selftest", "--device", "cpu")
    assert code == 1
    assert "relu float32 DIFFERS, by 5.0e-01" in out


@pytest.mark.parametrize("wrong", (None, "value", "gradient", "nan"))
def test_parity_finds_what_differs(wrong):
    @gpunn.primitive
    def tripled(be, x, /):
        return 3 * x, lambda dy, needs: (3 * dy,)

    def kernel(be, x):
        y = 3 * x + (0.01 if wrong == "value" else 0)
        y[:1] = np.nan if wrong == "nan" else y[:1]
        return y, lambda dy, needs: ((3.01 if wrong == "gradient" else 3) * dy,)

    kernels.kernel("tripled", "cpu", ("float32",))(kernel)
    try:
        with parity.Parity() as found:
            tripled(gpunn.Tensor([1.0, 2.0], requires_grad=True)).sum().backward()
        met = found.met["tripled", "float32"]
        assert met.calls == 1 and met.agrees == (wrong is None)
        tripled(gpunn.Tensor([1.0]))
        assert met.calls == 1
    finally:
        kernels.table("tripled").clear()


def test_options(gpunn_, tmp_path):
    code, _, err = gpunn_("doctor", "--out", tmp_path / "x.json")
    assert code == 1 and "give both" in err
    code, _, err = gpunn_("doctor", "--selftest", "--out", tmp_path / "no" / "x.json")
    assert code == 1 and "no folder" in err
