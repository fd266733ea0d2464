"""Where the rows come from: a built-in data set or a CSV file, split into two parts."""

import difflib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpunn import datasets
from gpunn.backend import Stream
from gpunn.cli.console import count, shown
from gpunn.data import Features, Table, Target, read_csv
from gpunn.datasets.split import stratified_split
from gpunn.errors import ArgumentError, DataError, MissingFileError

IMAGES = {"digits": (datasets.digits, 16), "mnist": (datasets.mnist, 255)}
BUILT_IN = ("digits", "iris", "mnist")
IRIS = Path(datasets.iris.__file__).parent / "data" / "iris.csv"


@dataclass(frozen=True)
class Problem:
    """Rows to train on and rows held out, and what they stand for.

    Args:
        source: the name of the data set, or the file.
        train, test: (x, y) each.
        target: what is predicted.
        why: how the task was chosen, for people.
        features: the columns of x; None for images.
        largest: the largest value of a pixel, for images.
        remarks: what was found and done, for people.
    """

    source: str
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    target: Target
    why: str
    features: Features | None = None
    largest: int = 1
    remarks: tuple[str, ...] = ()


def load_problem(
    source: str,
    target: str | None = None,
    task: str | None = None,
    test_split: float = 0.2,
    drop: tuple[str, ...] = (),
    missing: str = "impute",
    seed: int = 0,
) -> Problem:
    """The problem of a built-in data set or a CSV file.

    Args:
        source: "digits", "iris", "mnist" or the path of a CSV file.
        target, task, drop, missing: of a CSV file: the column to predict, "classification" or
            "regression" where the guess is wrong, columns to leave out, and "impute" or "drop".
        test_split: the share of the rows that is held out.
        seed: of the shuffle before the split of a CSV file.
    """
    if source not in BUILT_IN:
        return _csv_problem(source, target, task, test_split, drop, missing, seed)
    if target or task or drop or missing != "impute":
        raise ArgumentError(
            f"{source} is built in: --target, --task, --drop and --missing are for CSV files"
        )
    if source == "iris":
        table = read_csv(IRIS)
        kind, why = Target.fit(table, "species")
        parts = stratified_split(kind.encode(table), test_split)
        return _table_problem(source, table, kind, why, parts, (), [])
    train, test = _images(source, test_split)
    module, largest = IMAGES[source]
    kind = Target("digit", "classification", list(module.CLASS_NAMES))
    return Problem(source, train, test, kind, "images of digits", largest=largest)


def load_held_out(source: str):
    """What a model is evaluated on: (images, labels), or (a table that holds the target, None).

    Of a built-in data set it is the part that `gpunn train` holds out by default.
    """
    if source == "iris":
        table = read_csv(IRIS)
        kind, _ = Target.fit(table, "species")
        return table.rows(stratified_split(kind.encode(table), 0.2)[1]), None
    return _images(source)[1] if source in IMAGES else (read_source(source), None)


def read_source(path: str) -> Table:
    """The table of a CSV file; a name close to a built-in one is told apart from a missing file."""
    if not Path(path).exists():
        close = difflib.get_close_matches(path.lower(), BUILT_IN, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f" (built in: {', '.join(BUILT_IN)})"
        raise MissingFileError(f"there is no file {path}{hint}")
    return read_csv(path)


def _images(source: str, test_split: float = 0.2):
    if source == "mnist":
        return datasets.mnist.load_data()  # has a test part of its own
    return datasets.digits.load_data(test_split)


def _csv_problem(path, target, task, test_split, drop, missing, seed) -> Problem:
    table = read_source(path)
    if target is None:
        raise ArgumentError(
            f"which column of {path} shall be predicted? --target one of: "
            f"{shown(list(table.columns))}"
        )
    if target in drop:
        raise ArgumentError(f"--drop {target}: it is the target")
    remarks = []
    table = complete(table, [target], f"without a {target}", remarks)
    if missing == "drop":
        used = [name for name in table.columns if name not in drop]
        table = complete(table, used, "with missing cells", remarks)
    kind, why = Target.fit(table, target, task)
    labels = kind.encode(table) if kind.classes else np.zeros(len(table), np.int64)
    train, test = _shuffled_split(labels, test_split, seed)
    if len(train) < 2 or (test_split and not len(test)):
        raise DataError(
            f"{path} has {count(len(table), 'usable row')}: too few to hold out "
            f"{test_split:.0%}; add rows, or --test-split 0"
        )
    why = "as asked for" if task else f"{why} (--task overrules)"
    return _table_problem(path, table, kind, why, (train, test), drop, remarks)


def _shuffled_split(labels: np.ndarray, test_split: float, seed: int):
    """Row numbers to train on and held out, in random order, each class in its proportion."""
    order = Stream(seed, "split").permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    _, picked = stratified_split(np.zeros(len(labels)), test_split)
    held_out = np.zeros(len(labels), bool)
    held_out[by_class[picked]] = True
    return order[~held_out[order]], order[held_out[order]]


def complete(table: Table, columns: list[str], what: str, remarks: list[str]) -> Table:
    """The rows that have a cell in each of these columns; a remark says how many were dropped."""
    cells = [table.column(name) for name in columns]
    kept = [i for i in range(len(table)) if all(column[i] is not None for column in cells)]
    if len(kept) < len(table):
        remarks.append(f"{len(table) - len(kept)} of {count(len(table), 'row')} dropped: {what}")
    if not kept:
        raise DataError(f"{table.path}: no row is left, all are {what}")
    return table.rows(kept)


def _table_problem(source, table, target, why, parts, drop, remarks) -> Problem:
    train, test = parts
    features = Features.fit(table, train, without=[target.name, *drop])
    remarks = [*remarks, *features.remarks(table)]
    remarks += [f"{name}: left out, {reason}" for name, reason in features.left_out.items()]
    target = target.scaled_on(table.rows(train))
    x, y = features.encode(table), target.encode(table)
    return Problem(
        source,
        (x[train], y[train]),
        (x[test], y[test]),
        target,
        why,
        features,
        remarks=tuple(remarks),
    )
