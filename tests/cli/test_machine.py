"""`gpunn bench` and `gpunn doctor`."""

import json

import pytest

import gpunn
from gpunn.backend.probe import Check
from gpunn.errors import DeviceError
from tests.harness import cuda_problem


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(gpunn.cli.speeds, "LEAST", 1e-4)


SMALL = ("--layers", 16, "--steps", 1, "--batch-size", 32)


def test_bench_of_both_devices(gpunn_, device, tmp_path):
    path = tmp_path / "bench.json"
    code, out, _ = gpunn_("bench", "--devices", f"cpu,{device}:0".replace("cpu:0", "cpu"), *SMALL,
                          "--out", path)  # fmt: skip
    assert code == 0
    document = json.loads(path.read_text())
    names = {"cpu": ["cpu"], "cuda": ["cpu", "cuda:0"]}[device]
    assert [r["device"] for r in document["devices"]] == names
    for result in document["devices"]:
        assert result["usable"]
        assert result["weights_equal"]
        assert result["loss_difference"] < 1e-4
        assert set(result["step_ms"]) == {"call by call", "captured", "in fit"}
        assert all(ms > 0 for ms in result["step_ms"].values())
        assert len(result["losses"]) == 20
        assert result["losses"][-1] < result["losses"][0]
        assert result["device"] in out
        assert all(row[result["device"]] > 0 for row in document["speeds"][:1])
    assert {row["name"] for row in document["report"]} >= {"NumPy", "BLAS"}
    if device == "cuda":
        assert "the results agree" in out


def test_bench_says_which_device_is_missing(gpunn_, monkeypatch, tmp_path):
    real = gpunn.device

    def without_cuda(name):
        if str(name).startswith("cuda"):
            raise DeviceError("no driver")
        return real(name)

    monkeypatch.setattr(gpunn, "device", without_cuda)
    path = tmp_path / "bench.json"
    code, out, _ = gpunn_("bench", *SMALL, "--out", path)
    assert code == 0
    assert "cannot be used, left out: no driver" in out
    cpu, cuda = json.loads(path.read_text())["devices"]
    assert cpu["usable"]
    assert cuda == {"device": "cuda:0", "usable": False, "reason": "no driver"}
    code, _, err = gpunn_("bench", "--devices", "cuda", *SMALL)
    assert code == 1
    assert "none of the devices cuda can be used" in err


def test_bench_writes_text(gpunn_, tmp_path):
    path = tmp_path / "bench.txt"
    assert gpunn_("bench", "--devices", "cpu", *SMALL, "--out", path)[0] == 0
    text = path.read_text()
    assert "NumPy: " in text and "device, ms/step" in text and "product of float32" in text


def test_bench_says_when_results_differ(gpunn_, monkeypatch):
    bench = gpunn.cli.bench
    monkeypatch.setattr(bench, "TOLERANCE", -1.0)
    code, out, _ = gpunn_("bench", "--devices", "cpu", *SMALL)
    assert code == 1
    monkeypatch.setattr(bench, "Device", type("D", (), {"parse": staticmethod(str)}))
    code, out, _ = gpunn_("bench", "--devices", "cpu,auto", *SMALL)
    assert "THE RESULTS DIFFER" in out


def test_doctor(gpunn_, monkeypatch):
    monkeypatch.delenv("GPUNN_DEVICE", raising=False)
    code, out, _ = gpunn_("doctor", "--device", "cpu")
    assert code == 0
    for name in ("gpunn", "Python", "NumPy", "BLAS", "memory", "CuPy wheels", "CUDA driver"):
        assert name in out
    assert "device 'cpu' can be used" in out


def test_doctor_of_each_device(gpunn_, device):
    code, out, _ = gpunn_("doctor", "--device", device)
    assert code == 0
    assert f"device '{device}' can be used" in out


def test_doctor_says_what_to_do(gpunn_, monkeypatch):
    rows = [Check("gpunn", True, "1"), Check("CUDA driver", False, "none here", "install it")]
    monkeypatch.setattr(gpunn.cli.doctor, "report", lambda: rows)
    _, out, _ = gpunn_("doctor")
    assert "none here" in out
    assert "install it" in out


@pytest.mark.skipif(not cuda_problem(), reason="CUDA works here")
def test_doctor_fails_for_a_device_that_cannot_be_used(gpunn_):
    code, out, _ = gpunn_("doctor", "--device", "cuda")
    assert code == 1
    assert "device 'cuda' cannot be used" in out
