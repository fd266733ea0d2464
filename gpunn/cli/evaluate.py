"""`gpunn evaluate`: how good a saved model is on a CSV file or a built-in data set."""

from gpunn.cli.console import count, say, say_all
from gpunn.cli.files import SavedModel
from gpunn.cli.scores import described, scores
from gpunn.cli.sources import complete, load_held_out
from gpunn.data import Table
from gpunn.errors import DataError


def register(commands, common) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "evaluate",
        parents=[common],
        help="scores of a model on a CSV file or a built-in data set",
        description="Print accuracy and loss of a model of classes, or MAE, RMSE, R2 and loss of a "
        "model of a quantity.",
    )
    parser.add_argument("model", help="a file that `gpunn train` wrote, such as model.gpunn")
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="a CSV file with the target's column, of which all rows count that have a target; or "
        "digits, iris, mnist, of which the rows count that `gpunn train` holds out by default",
    )
    parser.set_defaults(run=run)


def run(args) -> int:
    """Evaluate and print."""
    saved = SavedModel.load(args.model, compile=True)
    if saved.target is None or not saved.model.compiled:
        raise DataError(
            f"{args.model} does not say what its outputs mean: `gpunn train` did not write it; "
            "use model.evaluate(x, y) in Python"
        )
    x, y = load_held_out(args.data)
    if isinstance(x, Table):
        remarks: list[str] = []
        name = saved.target.name
        table = complete(x, [name], f"without a {name}", remarks)
        x, y = saved.inputs(table), saved.target.encode(table)
        say_all("note", remarks + saved.remarks(table))
    elif x.shape[1:] != saved.row_shape:
        raise DataError(
            f"the images of {args.data} do not fit the model: it takes rows of shape "
            f"{saved.row_shape}, not {x.shape[1:]}"
        )
    results = scores(saved.model, saved.target, x, y)
    say("scores", f"{described(results)} ({count(len(x), 'row')} of {args.data})")
    return 0
