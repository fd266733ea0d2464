"""`gpunn train`: a network on a built-in data set or a CSV file."""

import argparse
import math
import time

import numpy as np

import gpunn
from gpunn import activations, layers, optimizers
from gpunn.cli.console import count, fraction, names, positive, say, say_all, shown, units, whole
from gpunn.cli.files import check_writable
from gpunn.cli.scores import described, scores
from gpunn.cli.sources import Problem, load_problem
from gpunn.errors import DataError
from gpunn.models import Model, Sequential
from gpunn.training.callbacks import LambdaCallback
from gpunn.viz.curves import plot_history, require_format, require_matplotlib

STEPS = 1000  # of a training on a CSV file, about
DEFAULTS: dict[str, dict] = {  # of options, for the built-in data sets
    "digits": {"epochs": 20},
    "iris": {"layers": [16], "batch_size": 16, "epochs": 50, "lr": 0.01},
    "mnist": {"layers": [256, 128], "batch_size": 128, "epochs": 5},
}
EXAMPLES = """examples:
  gpunn train digits
  gpunn train iris --out iris.gpunn --plot curve.png
  gpunn train houses.csv --target price --layers 128,64 --epochs 100 --out houses.gpunn

In a CSV file, columns of numbers are standardised, yes/no becomes 1/0, other text becomes one
column per category (one-hot). Missing cells are replaced by the median or the most frequent
category; rows without a target are dropped. Text and at most 20 different integers in the target
column are classes; other numbers are a quantity (regression). The file that --out writes holds all
that `gpunn predict` needs to treat a new CSV file alike."""


def register(commands, common) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "train",
        parents=[common],
        help="train a network on a built-in data set or a CSV file",
        description="Train a network, and say how good it is on rows that it has not seen.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", help="digits, iris, mnist, or a CSV file with a header")
    group = parser.add_argument_group("a CSV file")
    group.add_argument("--target", metavar="COLUMN", help="the column to predict")
    group.add_argument(
        "--task", metavar="TASK", help="classification or regression (default: guessed, and said)"
    )
    group.add_argument(
        "--drop", type=names, default=[], metavar="A,B", help="columns to leave out, such as ids"
    )
    group.add_argument(
        "--missing",
        choices=("impute", "drop"),
        default="impute",
        help="replace missing cells, or drop their rows (default: impute)",
    )
    group = parser.add_argument_group("the network")
    group.add_argument(
        "--layers",
        type=units,
        metavar="64,32",
        help="units of the hidden layers, or none (default: 64,32; iris 16, mnist 256,128)",
    )
    group.add_argument(
        "--activation", default="relu", help="of the hidden layers (default: relu)", metavar="NAME"
    )
    group = parser.add_argument_group("the training")
    group.add_argument(
        "--epochs",
        type=whole(1),
        metavar="N",
        help="default: digits 20, iris 50, mnist 5; a CSV file as many as make about "
        f"{STEPS} steps, 10 to 100",
    )
    group.add_argument(
        "--batch-size",
        type=whole(1),
        metavar="N",
        help="rows per step (default: 32; iris 16, mnist 128)",
    )
    group.add_argument(
        "--optimizer", default="adam", metavar="NAME", help="as in Keras (default: adam)"
    )
    group.add_argument(
        "--lr",
        type=positive,
        metavar="RATE",
        help="learning rate (default: the optimizer's; iris 0.01)",
    )
    group.add_argument(
        "--validation-split",
        type=fraction,
        default=0.1,
        metavar="SHARE",
        help="of the training rows, watched while training (default: 0.1)",
    )
    group.add_argument(
        "--test-split",
        type=fraction,
        default=0.2,
        metavar="SHARE",
        help="of all rows, held out for the end; mnist has its own (default: 0.2)",
    )
    group.add_argument(
        "--seed", type=whole(0), default=0, help="of weights, split and shuffles (default: 0)"
    )
    group = parser.add_argument_group("what is written")
    group.add_argument("--out", metavar="FILE", help="the model, such as model.gpunn")
    group.add_argument("--plot", metavar="FILE", help="the curves, such as curve.png")
    group.add_argument("--quiet", action="store_true", help="no lines per epoch")
    parser.set_defaults(run=run)


def run(args) -> int:
    """Train, evaluate, save; 130 if Ctrl-C ended the training early."""
    check_writable(args.out, "--out")
    check_writable(args.plot, "--plot")
    if args.plot:
        require_matplotlib()
        require_format(args.plot)
    for name, value in DEFAULTS.get(args.data, {}).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    optimizer = _optimizer(args.optimizer, args.lr)
    activations.get(args.activation)
    gpunn.set_seed(args.seed)
    problem = load_problem(
        args.data, args.target, args.task, args.test_split, tuple(args.drop), args.missing,
        args.seed,
    )  # fmt: skip
    validation_split = _usable(args.validation_split, problem)
    _say_data(problem, validation_split)
    hidden = [64, 32] if args.layers is None else args.layers
    batch_size = args.batch_size or 32
    epochs = args.epochs or _epochs(len(problem.train[0]), batch_size)
    model = build(problem, hidden, args.activation)
    _compile(model, problem, optimizer)
    sizes = [str(math.prod(problem.train[0].shape[1:])), *map(str, hidden)]
    say("model", f"{'-'.join([*sizes, str(problem.target.units)])}, {args.activation}, "
        f"{count(model.count_params(), 'parameter')}, on {model.device}")  # fmt: skip
    rate = float(optimizer.learning_rate)
    say("training", f"{args.optimizer}, learning rate {rate:g}, batches of {batch_size}, "
        f"{count(epochs, 'epoch')}, seed {args.seed}")  # fmt: skip
    start = time.perf_counter()
    with np.errstate(all="ignore"):  # a loss that is not finite is told below, in one line
        history = model.fit(
            *problem.train,
            batch_size=batch_size,
            epochs=epochs,
            validation_split=validation_split,
            verbose=0 if args.quiet else "auto",
            callbacks=[LambdaCallback(on_epoch_end=_stop_at_nan(model))],
        )
    seconds = time.perf_counter() - start
    if not math.isfinite(history.history["loss"][-1]):
        raise DataError(
            f"the loss became {history.history['loss'][-1]} in epoch {len(history.epoch)}: "
            f"try a smaller --lr than {rate:g}; nothing was saved"
        )
    ended = len(history.epoch)
    if model.stop_training:
        say("stopped", f"by Ctrl-C in epoch {ended} of {epochs}; what there is is kept")
    results = _say_results(model, problem)
    say("time", f"{seconds:.1f} s, {seconds / ended * 1000:.0f} ms per epoch")
    if args.out:  # before the picture, which could still fail
        training = {
            "rows": len(problem.train[0]),
            "epochs": ended,
            "batch_size": batch_size,
            "optimizer": args.optimizer,
            "learning_rate": rate,
            "seed": args.seed,
            "seconds": round(seconds, 3),
        }
        model.save(args.out, metadata=_metadata(problem, training, results))
        say("saved", args.out)
    if args.plot:
        plot_history(history, args.plot, f"gpunn train {args.data}")
        say("curves", args.plot)
    say_all("next", _next_steps(args, problem))
    return 130 if model.stop_training else 0


def build(problem: Problem, hidden: list[int], activation: str) -> Model:
    """A network of dense layers for a problem: softmax, a sigmoid for two classes, or a number."""
    x, _ = problem.train
    first: list = [layers.Input(x.shape[1:])]
    if problem.features is None:
        first += [layers.Rescaling(1 / problem.largest), layers.Flatten()]
    last = {True: "softmax", False: "sigmoid"}[problem.target.units > 1]
    return Sequential(
        [
            *first,
            *[layers.Dense(n, activation=activation) for n in hidden],
            layers.Dense(problem.target.units, activation=last if problem.target.classes else None),
        ]
    )


def _compile(model, problem, optimizer) -> None:
    if not problem.target.classes:
        model.compile(optimizer, "mse")
    elif problem.target.units > 1:
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    else:
        model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])


def _optimizer(name: str, rate: float | None):
    optimizer = optimizers.get(name)
    if optimizer is None or rate is None:
        return optimizer
    return type(optimizer)(learning_rate=rate)


def _epochs(rows: int, batch_size: int) -> int:
    return min(max(round(STEPS / math.ceil(rows / batch_size)), 10), 100)


def _usable(validation_split: float, problem: Problem) -> float:
    """The share, or 0 where it would leave no row for one of the two parts."""
    rows = len(problem.train[0])
    return validation_split if 0 < math.floor(rows * (1 - validation_split)) < rows else 0.0


def _stop_at_nan(model):
    def look(epoch, logs):
        if not math.isfinite(logs["loss"]):
            model.stop_training = True

    return look


def _say_data(problem: Problem, validation_split: float) -> None:
    (x, _), (held_out, _) = problem.train, problem.test
    share = f", the last {validation_split:.0%} of them for validation" if validation_split else ""
    say("data", f"{problem.source}: {count(len(x), 'row')} to train on{share}; "
        f"{len(held_out):,} held out")  # fmt: skip
    target = problem.target
    if problem.features is None:
        say("features", f"images of {x.shape[1]}x{x.shape[2]} pixels")
    else:
        columns = problem.features.names
        wider = f", {x.shape[1]} numbers" if x.shape[1] != len(columns) else ""
        say("features", f"{count(len(columns), 'column')}{wider}: {shown(columns, 8)}")
    say("task", f"{target.task}: {problem.why}")
    if target.classes:
        say("classes", f"{len(target.classes)}: {shown(target.classes)}")
    else:
        say("target", f"{target.name}, mean {target.mean:,.6g}, deviation {target.scale:,.6g}")
    say_all("note", list(problem.remarks))


def _say_results(model, problem: Problem) -> dict[str, float]:
    if len(problem.test[0]):
        results = scores(model, problem.target, *problem.test)
        say("held out", f"{described(results)} ({count(len(problem.test[0]), 'row')})")
        return results
    say("held out", "no row; on the training rows: "
        + described(scores(model, problem.target, *problem.train)))  # fmt: skip
    return {}


def _metadata(problem: Problem, training: dict, results: dict) -> dict:
    return {
        "version": gpunn.__version__,
        "source": problem.source,
        "target": problem.target.get_config(),
        "features": problem.features and problem.features.get_config(),
        "training": training,
        "held_out": {"rows": len(problem.test[0]), **results},
    }


def _next_steps(args, problem: Problem) -> list[str]:
    if not args.out:
        return ["the same with --out model.gpunn keeps the model, for gpunn predict and evaluate"]
    steps = [f"gpunn predict {args.out} --data FILE.csv --out predictions.csv"]
    if problem.features is None:
        steps.insert(0, f"gpunn evaluate {args.out} --data {args.data}")
    return [*steps, f"gpunn info {args.out}"]
