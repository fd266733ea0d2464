import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "ci" / "missing.py"


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("missing_names", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_name_is_here_or_has_a_reason(script, capsys):
    assert script.main() == 0, capsys.readouterr().out


def test_a_name_without_a_reason_fails(script, monkeypatch, capsys):
    monkeypatch.setattr(script, "REASONS", {"all but the models": "keras.[!a]*"})
    assert script.main() == 1
    assert "missing for no stated reason" in capsys.readouterr().out


def test_a_reason_that_nothing_needs_fails(script, monkeypatch, capsys):
    monkeypatch.setattr(script, "REASONS", {"all": "keras.*", "too heavy": "keras.layers.Dense"})
    assert script.main() == 1
    assert capsys.readouterr().out.endswith("(1):\n    too heavy\n")
