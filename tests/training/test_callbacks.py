"""Callbacks: the hooks, and that they do what Keras' do."""

import ast
import csv
import types

import numpy as np
import pytest

import gpunn
from gpunn.errors import ArgumentError, ArgumentTypeError, NotBuiltError
from gpunn.training.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    MonitorCallback,
    ProgbarLogger,
    ReduceLROnPlateau,
    default_callbacks,
)
from gpunn.training.logs import Logs
from tests.harness import golden
from tests.training.fake import Model, run


def losses(*values, name="val_loss"):
    return [{"loss": 1.0, name: v} for v in values]


# --- logs ---


def test_logs_are_computed_once_and_when_read():
    reads = []

    def read():
        reads.append(1)
        return {"loss": gpunn.Tensor(0.5), "b": {"a": np.float32(2)}, "v": np.arange(3)}

    logs = Logs(read)
    assert (logs or {}) is logs
    assert not reads
    assert logs["loss"] == 0.5
    assert list(logs) == ["a", "loss", "v"]
    assert logs.get("no") is None
    assert logs["v"].tolist() == [0, 1, 2]
    assert type(logs["a"]) is float
    logs["more"] = 1.0
    assert {**logs} == dict(logs) == logs.copy()
    assert len(reads) == 1
    del logs["v"], logs["a"]
    assert repr(logs) == "{'loss': 0.5, 'more': 1.0}"


def test_logs_of_a_batch_that_is_over():
    kept = []
    keep = LambdaCallback(on_train_batch_end=lambda batch, logs: kept.append(logs))
    look = LambdaCallback(on_train_batch_end=lambda batch, logs: logs["loss"])
    run([keep], losses(1), batches=2)
    with pytest.raises(ArgumentError, match="keep dict"):
        kept[0]["loss"]
    run([keep, look], losses(1), batches=2)
    assert kept[-2]["loss"] == 1.0


# --- hooks ---


def test_hooks_that_are_not_overridden_are_not_called():
    class Mine(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.seen = (epoch, logs["loss"], self.params["epochs"])

    reads = []
    model, calls = run([Mine()], losses(1, 2), batch_logs=lambda: reads.append(1) or {})
    assert model.seen == (1, 1.0, 2)
    assert not reads
    assert [hook for hook, found in calls._calls.items() if found] == ["on_epoch_end"]


def test_old_names_of_the_batch_hooks():
    class Old(Callback):
        def __init__(self):
            self.seen = []

        def on_batch_begin(self, batch, logs=None):
            self.seen.append(batch)

        def on_batch_end(self, batch, logs=None):
            self.seen.append(logs["loss"])

    old = Old()
    run([old], losses(1), batches=2)
    assert old.seen == [0, 1.0, 1, 1.0]


def test_every_hook_is_called():
    seen = []
    hooks = [name for name in vars(Callback) if name.startswith("on_")]
    record = LambdaCallback(
        **{h: lambda *a, h=h: seen.append(h) for h in hooks if h not in BATCH_ALIASES}
    )
    calls = CallbackList([[record], []], model=Model(), epochs=1, steps=1, verbose=0)
    for hook in hooks:
        if hook not in BATCH_ALIASES:
            getattr(calls, hook)(*((0,) if "batch" in hook or "epoch" in hook else ()))
    assert seen == [h for h in hooks if h not in BATCH_ALIASES]


BATCH_ALIASES = ("on_batch_begin", "on_batch_end")


def test_what_is_no_callback():
    with pytest.raises(ArgumentTypeError, match=r"the class EarlyStopping: write EarlyStopping\("):
        default_callbacks([EarlyStopping], None, 0)
    with pytest.raises(ArgumentTypeError, match="expected a Callback, got <function"):
        default_callbacks(lambda: None, None, 0)
    with pytest.raises(ArgumentError, match="did you mean 'on_epoch_end'"):
        LambdaCallback(on_epoch_ended=print)


def test_default_callbacks():
    history, mine = History(), ProgbarLogger()
    assert default_callbacks(mine, history, 0) == [mine, history]
    assert default_callbacks([[mine]], None, 1) == [mine]
    assert [type(c) for c in default_callbacks(None, None, "auto")] == [ProgbarLogger]


def test_history():
    history = History()
    model, _ = run([history], [{"loss": 1.0}, {"loss": 0.5, "val_loss": 2.0}])
    assert history.epoch == [0, 1]
    assert history.history == {"loss": [1.0, 0.5], "val_loss": [2.0]}
    assert model.history is history


# --- those that watch a metric ---


def rates_of(callback, values):
    """The model after a run, and the learning rate after each epoch."""
    model, rates = Model(), []
    note = LambdaCallback(
        on_epoch_end=lambda epoch, logs: rates.append(model.optimizer.learning_rate)
    )
    run([callback, note], losses(*map(float, values)), model=model)
    return model, rates


@pytest.mark.parametrize("kind", [EarlyStopping, ReduceLROnPlateau])
def test_as_in_keras(kind):
    cases = {k.partition("/")[2]: v for k, v in golden("callbacks").items() if kind.__name__ in k}
    for i, said in enumerate(cases["arguments"]):
        model, rates = rates_of(kind(**ast.literal_eval(str(said))), cases["values"][i])
        assert len(rates) == cases["ran"][i], said
        np.testing.assert_allclose(rates, cases["rates"][i][: len(rates)], err_msg=str(said))
        assert model.restored == cases["restored"][i], said


def test_early_stopping_speaks(capsys):
    stop = EarlyStopping(verbose=1, restore_best_weights=True)
    run([stop], losses(1.0, 0.5, 0.7))
    assert capsys.readouterr().out == (
        "Epoch 3: early stopping\nRestoring model weights from the best epoch: 2\n"
    )
    assert (stop.stopped_epoch, stop.best, stop.best_epoch) == (2, 0.5, 1)


def test_early_stopping_can_be_used_again():
    stop = EarlyStopping(patience=1)
    for _ in range(2):
        model, _ = run([stop], losses(1.0, 2.0, 3.0, 4.0))
        assert model.epoch == 1


def test_nan_is_never_better():
    nan = float("nan")
    stop = EarlyStopping(patience=2, restore_best_weights=True)
    model, _ = run([stop], losses(nan, 0.5, nan, 0.4, nan, nan, nan))
    assert model.epoch == 5
    assert model.restored == 3


@pytest.mark.parametrize("kind", [EarlyStopping, ReduceLROnPlateau])
def test_unknown_metric_warns_with_those_there_are(kind):
    with pytest.warns(UserWarning, match=f"{kind.__name__} watches 'acc', .*: loss, val_loss"):
        run([kind("acc")], losses(1.0))


@pytest.mark.parametrize(
    "name, mode",
    [
        ("loss", "min"),
        ("val_loss", "min"),
        ("out_loss", "min"),
        ("val_accuracy", "max"),
        ("sparse_categorical_accuracy", "max"),
        ("AUC", "max"),
        ("val_precision_1", "max"),
        ("mean_squared_error", "min"),
        ("mae", "min"),
        ("known", "max"),
        ("val_known", "max"),
    ],
)
def test_direction(name, mode):
    callback = MonitorCallback(name)
    callback.set_model(Model())
    callback.model.metrics = [types.SimpleNamespace(name="known", _direction="up")]
    assert callback.is_better(2.0, 1.0) == (mode == "max")
    assert callback.is_better(1.0, 2.0) == (mode == "min")


def test_direction_that_cannot_be_told():
    with pytest.raises(ArgumentError, match="whether 'mystery' shall rise or fall: say mode="):
        run([EarlyStopping("mystery")], losses(1.0, 2.0, name="mystery"))
    with pytest.raises(ArgumentError, match="unknown mode 'maximum'; did you mean 'max'"):
        EarlyStopping(mode="maximum")


# --- learning rates ---


def test_learning_rate_scheduler(capsys):
    history = History()
    scheduler = LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate, verbose=1)
    model, _ = run([scheduler, history], losses(1, 1, 1))
    assert history.history["learning_rate"] == [1.0, 0.5, 0.25]
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Epoch 3: LearningRateScheduler sets the learning rate to 0.25"
    )
    model, _ = run([LearningRateScheduler(lambda epoch: 0.1 * epoch)], losses(1, 1))
    assert model.optimizer.learning_rate == 0.1


def test_errors_of_learning_rates():
    with pytest.raises(ArgumentError, match="must give a number, not 'fast'"):
        run([LearningRateScheduler(lambda epoch: "fast")], losses(1))
    with pytest.raises(ArgumentError, match=r"factor must be in \[0, 1\), got 1"):
        ReduceLROnPlateau(factor=1)
    model = Model()
    model.optimizer = None
    with pytest.raises(NotBuiltError, match="needs a compiled model"):
        run([LearningRateScheduler(lambda epoch: 0.1)], losses(1), model=model)


def test_reduce_lr_on_plateau_speaks(capsys):
    history = History()
    reduce = ReduceLROnPlateau(patience=1, factor=0.5, verbose=1)
    run([reduce, history], losses(1, 1, 1))
    assert history.history["learning_rate"] == [1.0, 1.0, 0.5]
    assert capsys.readouterr().out.splitlines() == [
        f"Epoch {n}: ReduceLROnPlateau reduces the learning rate to {r}"
        for n, r in ((2, 0.5), (3, 0.25))
    ]


# --- files ---


def test_model_checkpoint(tmp_path):
    path = tmp_path / "new" / "{epoch:02d}-{val_loss:.2f}.gpunn"
    run([ModelCheckpoint(path)], losses(0.5, 0.25))
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == [
        "01-0.50.gpunn",
        "02-0.25.gpunn",
    ]


def test_model_checkpoint_of_the_best(tmp_path, capsys):
    path = tmp_path / "best.gpunn"
    keep = ModelCheckpoint(path, save_best_only=True, verbose=1)
    model, _ = run([keep], losses(0.5, 0.75, 0.25))
    assert model.saved == [str(path)] * 2
    assert capsys.readouterr().out.splitlines() == [
        f"Epoch 1: val_loss improved to 0.50000, saving model to {path}",
        "Epoch 2: val_loss did not improve from 0.5",
        f"Epoch 3: val_loss improved from 0.50000 to 0.25000, saving model to {path}",
    ]
    threshold = ModelCheckpoint(path, save_best_only=True, initial_value_threshold=0.4)
    assert run([threshold], losses(0.5, 0.3))[0].saved == [str(path)]


def test_model_checkpoint_of_an_unknown_metric_saves_and_warns(tmp_path):
    keep = ModelCheckpoint(tmp_path / "m", monitor="acc", save_best_only=True)
    with pytest.warns(UserWarning, match="watches 'acc', which is not available"):
        assert len(run([keep], losses(1.0))[0].saved) == 1


def test_model_checkpoint_every_so_many_batches(tmp_path):
    keep = ModelCheckpoint(
        tmp_path / "{epoch}-{batch}-{loss:.0f}", save_freq=2, save_weights_only=True
    )
    model, _ = run([keep], losses(1, 1), batches=3)
    assert model.saved == [f"weights {tmp_path / name}" for name in ("1-2-1", "2-1-1", "2-3-1")]


def test_errors_of_model_checkpoint(tmp_path):
    with pytest.raises(ArgumentError, match="save_freq must be 'epoch' or a number"):
        ModelCheckpoint("m", save_freq="batch")
    with pytest.raises(ArgumentError, match="has the field 'acc'; there are epoch, loss, val_loss"):
        run([ModelCheckpoint("{acc}")], losses(1.0))
    with pytest.raises(ArgumentError, match="is a folder"):
        run([ModelCheckpoint(tmp_path)], losses(1.0))


def rows(path, delimiter=","):
    with open(path, newline="") as f:
        return list(csv.reader(f, delimiter=delimiter))


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("old")
    run([CSVLogger(path)], losses(0.5, 0.25))
    assert rows(path) == [["epoch", "loss", "val_loss"], ["0", "1.0", "0.5"], ["1", "1.0", "0.25"]]
    run([CSVLogger(path, append=True)], losses(0.75))
    assert len(rows(path)) == 4
    run([CSVLogger(path, separator=";")], losses(0.75))
    assert rows(path, ";")[1] == ["0", "1.0", "0.75"]


def test_csv_logger_before_validation_begins(tmp_path):
    path = tmp_path / "log.csv"
    run([CSVLogger(path)], [{"loss": 1.0}, {"loss": 0.5, "val_loss": 0.6}])
    assert rows(path) == [["epoch", "loss", "val_loss"], ["0", "1.0", "NA"], ["1", "0.5", "0.6"]]
