"""The progress bar in a terminal, and the lines where there is none."""

import contextlib
import io
import os
import select
import types

import pytest

from gpunn.training import progress
from gpunn.training.callbacks import CallbackList, LambdaCallback, ProgbarLogger
from tests.training.fake import Model, run

LOGS = [{"accuracy": 0.9123, "loss": 0.000512, "val_loss": 2.0}] * 2
LINES = [
    "Epoch 1/2 - 0.4s - accuracy: 0.9123 - loss: 5.1200e-04 - val_loss: 2.0000",
    "Epoch 2/2 - 0.4s - accuracy: 0.9123 - loss: 5.1200e-04 - val_loss: 2.0000",
]


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self):
        return self.now

    def tick(self):
        self.now += 0.04


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(perf_counter=clock))
    return clock


@contextlib.contextmanager
def terminal(columns=100):
    """A pseudo-terminal as standard output; gives a function that reads what came."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()

    def read():
        stream.flush()
        came = b""
        while select.select([master], [], [], 0.2)[0]:
            came += os.read(master, 1 << 16)
        return came.decode().replace("\r\n", "\n")

    with pytest.MonkeyPatch.context() as patch, os.fdopen(slave, "w", encoding="utf-8") as stream:
        patch.setattr("sys.stdout", stream)  # here, since pytest sets it before each test
        patch.setenv("COLUMNS", str(columns))
        yield read
    os.close(master)


def train(clock, verbose, callbacks=()):
    reads = []

    def read():
        reads.append(1)
        return {"accuracy": 0.5, "loss": 1 / len(reads)}

    run(list(callbacks), LOGS, batches=10, verbose=verbose, batch_logs=read, each=clock.tick)
    return len(reads)


def screen(text):
    """What a terminal shows in the end."""
    lines = []
    for line in text.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


def test_terminal(clock):
    with terminal() as read:
        reads = train(clock, "auto")
        text = read()
    assert reads == 6  # three looks at the metrics in 0.4 seconds
    assert "Epoch 1/2 ███████▏                 3/10 [00:00<00:00]" in text
    assert ", accuracy: 0.5000, loss: 1.0000" in text
    assert screen(text) == [*LINES, ""]


def test_quick_epochs_show_no_bar(clock):
    with terminal() as read:
        run([], LOGS, batches=2, verbose=1, each=clock.tick)
        text = read()
    assert len(text.splitlines()) == 2
    assert "\r" not in text


def test_terminal_that_is_narrow(clock):
    with terminal(columns=40) as read:
        train(clock, 1)
        text = read()
    bars = [part for part in text.replace("\n", "\r").split("\r") if "█" in part]
    assert bars
    assert all(len(bar) < 40 for bar in bars)


def test_unknown_number_of_batches(clock):
    with terminal() as read:
        bar = ProgbarLogger()
        bar.set_params({"verbose": 1, "epochs": 1, "steps": None})
        bar.on_epoch_begin(0)
        clock.now += 1
        bar.on_train_batch_end(4, {})
        assert read().strip() == "Epoch 1/1 5 batches [00:01]"
        bar.on_train_end()
        assert screen(read()) == [""]


def test_what_others_print_is_not_mixed_with_the_bar(clock):
    say = LambdaCallback(on_epoch_end=lambda epoch, logs: print(f"epoch {epoch} is over"))
    with terminal() as read:
        train(clock, "auto", [say])
        text = read()
    assert screen(text) == ["epoch 0 is over", LINES[0], "epoch 1 is over", LINES[1], ""]


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_no_terminal(clock, capsys, verbose):
    assert train(clock, verbose) == 0
    assert capsys.readouterr().out.splitlines() == LINES


def test_terminal_with_lines_alone(clock):
    with terminal() as read:
        assert train(clock, 2) == 0
        assert read().splitlines() == LINES


def test_silence(clock, capsys):
    train(clock, 0)
    assert capsys.readouterr().out == ""


def test_evaluation_and_prediction(clock, capsys):
    def calls():
        return CallbackList([ProgbarLogger()], model=Model(), epochs=1, steps=2, verbose="auto")

    evaluation = calls()
    evaluation.on_test_begin()
    evaluation.on_test_batch_end(0, {})
    evaluation.on_test_end({"loss": 0.5})
    assert capsys.readouterr().out == "Evaluation - 0.0s - loss: 0.5000\n"
    prediction = calls()
    prediction.on_predict_begin()
    prediction.on_predict_batch_end(0, {})
    prediction.on_predict_end()
    assert capsys.readouterr().out == ""


def test_validation_in_training_has_no_line_of_its_own(clock, capsys):
    calls = CallbackList([ProgbarLogger()], model=Model(), epochs=1, steps=2, verbose=2)
    calls.on_train_begin()
    calls.on_epoch_begin(0)
    calls.on_test_begin()
    calls.on_test_end({"loss": 1.0})
    calls.on_epoch_end(0, {"loss": 0.5, "val_loss": 1.0})
    assert capsys.readouterr().out == "Epoch 1/1 - 0.0s - loss: 0.5000 - val_loss: 1.0000\n"


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_odd_standard_output(clock, monkeypatch, stream):
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        train(clock, "auto")


@pytest.mark.parametrize(
    "seconds, said", [(0.04, "0.0s"), (99.94, "99.9s"), (100, "1m40s"), (7260, "2h01m")]
)
def test_durations(seconds, said):
    assert progress.duration(seconds) == said


@pytest.mark.parametrize(
    "value, said",
    [(0.0, "0.0000"), (0.5, "0.5000"), (1e-4, "1.0000e-04"), (-2, "-2.0000"), ("a", "a")],
)
def test_numbers(value, said):
    assert progress._number(value) == said
