"""Progbar: what it prints, and how it averages."""

import numpy as np
import pytest

import gpunn
from gpunn.errors import ArgumentError, ArgumentTypeError
from gpunn.utils import Progbar


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, "1.0000"),
        ({"stateful_metrics": ["value"]}, "2.0000"),
        ({"stateful_metrics": ["other"]}, "1.0000"),
        ({"stateless_metrics": ["value"]}, "1.0000"),
        ({"stateless_metrics": []}, "2.0000"),
    ],
)
def test_means_and_last_values(options, shown, capsys):
    bar = Progbar(3, interval=0, **options)
    bar.update(1, [("value", 0.0)])
    capsys.readouterr()
    bar.add(1, [("value", 2.0)])
    text = capsys.readouterr().out
    assert text.startswith("2/3 [=============.......]") and text.endswith(f"value: {shown}\n")
    bar.add(1, [("value", np.array(5.0))])
    assert "value: 5.0000" in capsys.readouterr().out


def test_weighs_by_steps(capsys):
    bar = Progbar(None, interval=0)
    bar.update(1, [("value", gpunn.Tensor(4.0))])
    bar.update(4, [("value", 0.0)])
    assert "value: 1.0000" in capsys.readouterr().out.splitlines()[-1]


def test_draws_no_more_than_is_said(capsys):
    for verbose, lines in ((0, 0), (1, 2), (2, 1)):
        bar = Progbar(9, verbose=verbose, interval=60)
        bar._drawn -= 61
        for _ in range(9):
            bar.add(1)
        assert len(capsys.readouterr().out.splitlines()) == lines
    Progbar(0, verbose=2).update(0, [("v", [1.0, 2.0])], finalize=True)
    assert "v: 1.5000" in capsys.readouterr().out


def test_redraws_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("gpunn.training.progbar.in_terminal", lambda: True)
    bar = Progbar(2, interval=0)
    bar.update(1, [("long", 1.0)])
    bar.update(2)
    first, second = capsys.readouterr().out[1:].split("\r")
    assert not first.endswith("\n") and second.endswith("\n") and len(second) > len(first)


def test_both_kinds_of_names():
    with pytest.raises(ArgumentError, match="not both"):
        Progbar(1, stateful_metrics=[], stateless_metrics=[])


def test_a_target_that_is_no_number():
    with pytest.raises(ArgumentTypeError, match="number of steps, not 'x'"):
        Progbar("x")
