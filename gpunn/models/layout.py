"""Where the boxes and lines of a drawn graph go: in ranks, each call below what it depends on."""

from dataclasses import dataclass, field
from itertools import pairwise

GAP, RANK_GAP = 28.0, 44.0
SWEEPS = 8


@dataclass(eq=False)
class Box:
    """One call of a layer or op, or a bend of a line that passes a rank (without lines of text).

    Args:
        lines: the text.
        width, height: of the box.
    """

    lines: list[str]
    width: float
    height: float
    x: float = 0.0  # of its centre
    y: float = 0.0
    rank: int = 0
    above: list["Box"] = field(default_factory=list)
    below: list["Box"] = field(default_factory=list)


def arranged(calls: list, describe) -> tuple[list[Box], list[list[Box]]]:
    """Boxes with their places, and lines, each a list of boxes and bends from above to below.

    Args:
        calls: each with `inputs` and `outputs`, after those it depends on.
        describe: from a call to its box.
    """
    boxes = {call: describe(call) for call in calls}
    maker = {id(x): call for call in calls for x in call.outputs}
    edges = [
        (boxes[source], boxes[call])
        for call in calls
        for source in dict.fromkeys(maker[id(x)] for x in call.inputs)
    ]
    for source, target in edges:
        target.rank = max(target.rank, source.rank + 1)
    for call in reversed(calls):  # an Input stands right above what uses it first
        if not call.inputs:
            below = [target.rank for source, target in edges if source is boxes[call]]
            boxes[call].rank = min(below, default=1) - 1
    lines = [_with_bends(source, target) for source, target in edges]
    ranks: dict[int, list[Box]] = {}
    everything = dict.fromkeys([*boxes.values(), *[b for line in lines for b in line]])
    for box in everything:
        ranks.setdefault(box.rank, []).append(box)
    rows = [ranks[rank] for rank in sorted(ranks)]
    _order(rows)
    _place(rows)
    return list(boxes.values()), lines


def _with_bends(source: Box, target: Box) -> list[Box]:
    """The line between two boxes, with a bend in each rank that it passes."""
    bends = [Box([], 8.0, 0.0, rank=r) for r in range(source.rank + 1, target.rank)]
    line = [source, *bends, target]
    for a, b in pairwise(line):
        a.below.append(b)
        b.above.append(a)
    return line


def _order(rows: list[list[Box]]) -> None:
    """Order each rank by the mean place of its neighbours, up and down a few times."""
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else rows[::-1]:
            place = {box: i for other in rows for i, box in enumerate(other)}
            mean = {
                box: _mean([place[b] for b in (box.above if down else box.below)], place[box])
                for box in row
            }
            row.sort(key=mean.__getitem__)


def _place(rows: list[list[Box]]) -> None:
    """Give every box its coordinates: near its neighbours, without overlaps."""
    y = 0.0
    for row in rows:
        height = max(box.height for box in row)
        for box in row:
            box.y = y + height / 2
        y += height + RANK_GAP
        _spread(row, [0.0] * len(row))
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else rows[::-1]:
            _spread(row, [_mean([b.x for b in (box.above if down else box.below)], box.x)
                          for box in row])  # fmt: skip
    left = min(box.x - box.width / 2 for row in rows for box in row)
    for row in rows:
        for box in row:
            box.x -= left


def _spread(row: list[Box], wanted: list[float]) -> None:
    """Put the boxes of a rank near where they are wanted, in their order and apart."""
    after = [0.0]  # the least distance of each from the first
    for a, b in pairwise(row):
        after.append(after[-1] + (a.width + b.width) / 2 + GAP)
    # the nearest rising sequence: neighbours that are out of order share their mean
    groups: list[list] = []
    for want, distance in zip(wanted, after, strict=True):
        groups.append([want - distance, 1])
        while len(groups) > 1 and groups[-2][0] > groups[-1][0]:
            value, count = groups.pop()
            before = groups[-1]
            before[0] = (before[0] * before[1] + value * count) / (before[1] + count)
            before[1] += count
    starts = [value for value, count in groups for _ in range(count)]
    for box, start, distance in zip(row, starts, after, strict=True):
        box.x = start + distance


def _mean(values: list, otherwise):
    return sum(values) / len(values) if values else otherwise
