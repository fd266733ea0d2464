"""The columns of a table as the numbers that a model is trained on, and new tables alike."""

from collections import Counter
from dataclasses import asdict, dataclass, field

import numpy as np

from gpunn.data.csv_table import Table, number
from gpunn.errors import DataError, SerializationError

NUMBER, BOOLEAN, CATEGORY = "number", "boolean", "category"
BOOLEANS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})  # in lower case
TRUE = frozenset(["true", "yes", "t", "y"])
MOST_CATEGORIES = 100  # rarer ones are treated as unknown
LARGEST = 1e38  # of numbers, so that they fit float32


@dataclass(frozen=True)
class Feature:
    """One column: what it holds, and all that is needed to turn a cell into numbers.

    Args:
        name: of the column.
        kind: "number": standardised to mean 0 and deviation 1; "boolean": 0 or 1;
            "category": one-hot, all zeros for a category that is not known.
        fill: what stands for a missing cell: the median, or the most frequent text.
        mean, scale: of a number.
        categories: of a category.
    """

    name: str
    kind: str
    fill: float | str
    mean: float = 0.0
    scale: float = 1.0
    categories: list[str] = field(default_factory=list)

    @property
    def width(self) -> int:
        """How many numbers a cell becomes."""
        return len(self.categories) if self.kind == CATEGORY else 1

    def encode(self, table: Table) -> np.ndarray:
        """The column as float32 of shape (rows, width)."""
        cells = table.column(self.name)
        if self.kind == NUMBER:
            x = numbers(table, self.name)
            x = np.where(np.isnan(x), self.fill, x)
            return ((x - self.mean) / self.scale).astype(np.float32)[:, None]
        filled = [str(self.fill) if cell is None else cell for cell in cells]
        if self.kind == BOOLEAN:
            return np.array([[cell.lower() in TRUE] for cell in filled], np.float32)
        place = {name: i for i, name in enumerate(self.categories)}
        x = np.zeros((len(cells), self.width), np.float32)
        for row, cell in enumerate(filled):
            if cell in place:
                x[row, place[cell]] = 1
        return x

    def remarks(self, table: Table) -> list[str]:
        """What had to be done about the cells of a table, for people."""
        cells = table.column(self.name)
        said = []
        if missing := sum(cell is None for cell in cells):
            how = f"median {self.fill:g}" if self.kind == NUMBER else f"most frequent {self.fill!r}"
            said.append(f"{missing} of {len(cells)} missing, replaced by the {how}")
        strange = Counter(c for c in cells if c is not None and not self._knows(c))
        if strange:
            shown = ", ".join(map(repr, list(strange)[:3])) + (" ..." if len(strange) > 3 else "")
            how = "none of the known" if self.kind == CATEGORY else "no"
            said.append(
                f"{sum(strange.values())} of {len(cells)} unknown ({shown}), taken as {how}"
            )
        return [f"{self.name}: {line}" for line in said]

    def _knows(self, cell: str) -> bool:
        if self.kind == CATEGORY:
            return cell in self.categories
        return self.kind == NUMBER or any(cell.lower() in words for words in BOOLEANS)


class Features:
    """The columns that a model takes, in order.

    Args:
        features: one per column.
        left_out: a dict from the name of a column that is not taken to the reason.

    >>> table = gpunn.data.Table("t.csv", {"a": ["1", "3"], "b": ["x", "y"]}, [2, 3])
    >>> features = gpunn.data.Features.fit(table)
    >>> features.names, features.width
    (['a', 'b'], 3)
    >>> features.encode(table)
    array([[-1.,  1.,  0.],
           [ 1.,  0.,  1.]], dtype=float32)
    """

    def __init__(self, features: list[Feature], left_out: dict[str, str] | None = None):
        self.features = features
        self.left_out = left_out or {}

    @classmethod
    def fit(cls, table: Table, rows=None, without=()) -> "Features":
        """What a table's columns hold, and their statistics.

        Args:
            table: all rows: a column is one of numbers if all of its cells are.
            rows: numbers of the rows that the statistics are of; default: all.
            without: names of columns that are none of the features.

        Raises:
            ArgumentError: a name of `without` is no column.
            DataError: no column is left that could tell anything.
        """
        for name in without:
            table.column(name)
        taken = table if rows is None else table.rows(rows)
        features, left_out = [], {}
        for name in table.columns:
            if name in without:
                continue
            kind, reason = _kind(table, taken, name)
            if reason:
                left_out[name] = reason
            else:
                features.append(_fit(taken, name, kind))
        if not features:
            why = "".join(f"; {name}: {reason}" for name, reason in left_out.items())
            raise DataError(f"{table.path} has no column to learn from{why}")
        return cls(features, left_out)

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [f.name for f in self.features]

    @property
    def width(self) -> int:
        """How many numbers a row becomes."""
        return sum(f.width for f in self.features)

    def encode(self, table: Table) -> np.ndarray:
        """The rows of a table as float32 of shape (rows, width).

        Raises:
            DataError: naming every column that the table lacks, or a cell that is no number.
        """
        if lacking := [name for name in self.names if name not in table.columns]:
            shown = ", ".join(map(repr, lacking[:8])) + (" ..." if len(lacking) > 8 else "")
            raise DataError(
                f"the columns of {table.path} do not fit the model: it lacks {shown} "
                f"and has {', '.join(list(table.columns)[:12])}"
            )
        return np.concatenate([f.encode(table) for f in self.features], axis=1)

    def remarks(self, table: Table) -> list[str]:
        """What had to be done about missing and unknown cells of a table, one line a finding."""
        return [line for f in self.features for line in f.remarks(table)]

    def get_config(self) -> dict:
        """All of it as JSON."""
        return {"features": [asdict(f) for f in self.features], "left_out": self.left_out}

    @classmethod
    def from_config(cls, config: dict) -> "Features":
        """The features that `get_config` wrote."""
        try:
            return cls([Feature(**f) for f in config["features"]], config["left_out"])
        except (KeyError, TypeError) as e:
            raise SerializationError(f"these are no features: {e}") from e


def numbers(table: Table, name: str) -> np.ndarray:
    """A column as float64, NaN for missing cells.

    Raises:
        DataError: naming the line of the first cell that is no number, or too large a one.
    """
    values = []
    for line, cell in zip(table.lines, table.column(name), strict=True):
        value = np.nan if cell is None else number(cell)
        if value is None:
            raise DataError(f"{table.path}, line {line}: {name} is {cell!r}, expected a number")
        if abs(value) > LARGEST:
            raise DataError(
                f"{table.path}, line {line}: {name} is {cell}, expected a number that fits float32"
            )
        values.append(value)
    return np.array(values, np.float64)


def _kind(table: Table, taken: Table, name: str) -> tuple[str, str]:
    """What a column holds, and why it is left out if it is."""
    present = [cell for cell in table.columns[name] if cell is not None]
    distinct = {cell for cell in taken.columns[name] if cell is not None}
    if len(distinct) < 2:
        return "", "only one value" if distinct else "no value at all"
    if all(number(cell) is not None for cell in present):
        return NUMBER, ""
    if {cell.lower() for cell in present} in BOOLEANS:
        return BOOLEAN, ""
    if len(distinct) > max(20, len(taken) / 2):
        return CATEGORY, f"text, {len(distinct)} different ones in {len(taken)} rows"
    return CATEGORY, ""


def _fit(taken: Table, name: str, kind: str) -> Feature:
    if kind == NUMBER:
        x = numbers(taken, name)
        x = x[~np.isnan(x)]
        fill, mean, scale = np.median(x), x.mean(), x.std()
        return Feature(name, kind, float(fill), float(mean), float(scale) or 1.0)
    counts = Counter(sorted(cell for cell in taken.columns[name] if cell is not None))
    frequent = [cell for cell, _ in counts.most_common(MOST_CATEGORIES)]
    return Feature(name, kind, frequent[0], categories=sorted(frequent) if kind == CATEGORY else [])
