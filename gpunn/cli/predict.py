"""`gpunn predict`: a model's predictions for the rows of a CSV file."""

import csv
import io
import sys

import numpy as np

from gpunn.cli.console import count, say, say_all, whole
from gpunn.cli.files import SavedModel, check_writable
from gpunn.data import read_csv
from gpunn.errors import DataError


def register(commands, common) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "predict",
        parents=[common],
        help="predictions of a model for the rows of a CSV file",
        description="Write one line per row of a CSV file: the predicted class and the "
        "probability p_CLASS of each class, or the predicted value. Rows keep their order. The "
        "file needs the columns that the model was trained on, in any order; other columns are "
        "ignored, missing cells are replaced as in training.",
    )
    parser.add_argument("model", help="a file that gpunn wrote, such as model.gpunn")
    parser.add_argument("--data", required=True, metavar="FILE.csv", help="the rows")
    parser.add_argument("--out", metavar="FILE", help="a CSV file (default: the standard output)")
    parser.add_argument(
        "--batch-size", type=whole(1), default=256, metavar="N", help="default: 256"
    )
    parser.set_defaults(run=run)


def run(args) -> int:
    """Predict and write."""
    check_writable(args.out, "--out")
    saved = SavedModel.load(args.model)
    table = read_csv(args.data)
    x = saved.inputs(table)
    say_all("note", saved.remarks(table), sys.stderr)
    outputs = saved.model.predict(x, batch_size=args.batch_size, verbose=0)
    text = _text(*predictions(saved, outputs))
    if args.out is None:
        sys.stdout.write(text)
        return 0
    try:
        with open(args.out, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as e:
        raise DataError(f"cannot write {args.out}: {e.strerror or e}") from None
    say("saved", f"{args.out}: {count(len(table), 'prediction')}", sys.stderr)
    return 0


def predictions(saved: SavedModel, outputs: np.ndarray) -> tuple[list[str], list[list[str]]]:
    """The titles of the columns to write, and the rows."""
    target = saved.target
    if target is None:
        outputs = outputs.reshape(len(outputs), -1)
        titles = [f"output_{i}" for i in range(outputs.shape[1])]
        return titles, [[f"{value:.7g}" for value in row] for row in outputs]
    if not target.classes:
        return ["prediction"], [[f"{value:.7g}"] for value in target.values(outputs)]
    p = target.probabilities(outputs)
    best = p.argmax(1)
    titles = ["prediction", *(f"p_{name}" for name in target.classes)]
    return titles, [
        [target.classes[k], *(f"{value:.6g}" for value in row)] for k, row in zip(best, p)
    ]


def _text(titles: list[str], rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([titles, *rows])
    return text.getvalue()
