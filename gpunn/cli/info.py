"""`gpunn info`: what is in a model file."""

import os

from gpunn.backend.memory import size
from gpunn.cli.console import count, say, say_all, shown
from gpunn.cli.files import SavedModel
from gpunn.cli.scores import described
from gpunn.data.features import CATEGORY, NUMBER, Feature


def register(commands, common) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "info",
        parents=[common],
        help="what is in a model file",
        description="Print what a model was trained on, what it takes and predicts, how good it "
        "was, and its layers.",
    )
    parser.add_argument("model", help="a file that gpunn wrote, such as model.gpunn")
    parser.set_defaults(run=run)


def run(args) -> int:
    """Print what the file says."""
    saved = SavedModel.load(args.model)
    version = saved.metadata.get("version")
    by = f", written by gpunn {version}" if version else ""
    say("file", f"{args.model}, {size(os.path.getsize(args.model))}{by}")
    if training := saved.metadata.get("training"):
        say("trained", f"on {saved.metadata['source']}: {count(training['rows'], 'row')}, "
            f"{count(training['epochs'], 'epoch')}, {training['optimizer']}, learning rate "
            f"{training['learning_rate']:g}, batches of {training['batch_size']}, "
            f"seed {training['seed']}")  # fmt: skip
    held_out = dict(saved.metadata.get("held_out") or {})
    if rows := held_out.pop("rows", 0):
        say("held out", f"{described(held_out)} ({count(rows, 'row')})")
    if target := saved.target:
        of = f", one of: {shown(target.classes)}" if target.classes else ""
        say("predicts", f"{target.name} ({target.task}){of}")
    if saved.features:
        say_all("columns", [f"{f.name}: {_described(f)}" for f in saved.features.features])
    elif saved.row_shape:
        say("input", f"rows of shape {saved.row_shape}")
    saved.model.summary()
    return 0


def _described(feature: Feature) -> str:
    if feature.kind == NUMBER:
        return f"number, mean {feature.mean:,.6g}, deviation {feature.scale:,.6g}"
    if feature.kind == CATEGORY:
        return f"one of {shown(list(map(repr, feature.categories)), 8)}"
    return "yes or no"
