"""The column that a model predicts: the task it makes, and numbers of it and back."""

from collections import Counter
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from gpunn.data.csv_table import Table, number
from gpunn.data.features import numbers
from gpunn.errors import DataError, SerializationError, unknown

CLASSIFICATION, REGRESSION = "classification", "regression"
MOST_CLASSES = 20  # of integers; more different ones are a quantity


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Args:
        name: of the column.
        task: "classification" or "regression".
        classes: names of the classes, in the order of their numbers.
        mean, scale: of a quantity; it is trained on as (y - mean) / scale.

    >>> table = gpunn.data.Table("t.csv", {"kind": ["b", "a", "b", "a"]}, [2, 3, 4, 5])
    >>> target, why = gpunn.data.Target.fit(table, "kind")
    >>> target.classes, target.encode(table), why
    (['a', 'b'], array([1, 0, 1, 0]), 'kind holds text with 2 different values')
    """

    name: str
    task: str
    classes: list[str] = field(default_factory=list)
    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def fit(cls, table: Table, name: str, task: str | None = None) -> tuple["Target", str]:
        """The target that a column makes.

        Text, and at most 20 different integers, make classes; other numbers are a quantity.

        Args:
            table: rows with no missing cell in this column.
            name: of the column.
            task: "classification" or "regression"; default: guessed.

        Returns:
            The target, and why its task was chosen, for people.

        Raises:
            ArgumentError: there is no such column, or no such task.
            DataError: the column holds one value only, text where numbers are needed, or as many
                different texts as nothing can be learnt of.
        """
        cells = [cell for cell in table.column(name) if cell is not None]
        if task not in (None, CLASSIFICATION, REGRESSION):
            raise unknown("task", task, (CLASSIFICATION, REGRESSION))
        counts = Counter(map(_label, cells))
        if len(counts) < 2:
            held = f"only {cells[0]!r}" if cells else "no value at all"
            raise DataError(f"the target {name!r} of {table.path} holds {held}: nothing to learn")
        guess, why = _guess(name, cells, counts)
        if (task or guess) == REGRESSION:
            return cls(name, REGRESSION).scaled_on(table), why
        if len(counts) > max(MOST_CLASSES, len(cells) / 2):
            raise DataError(
                f"the target {name!r} of {table.path} holds {len(counts)} different values in "
                f"{len(cells)} rows, too many for classes: choose another column"
                + (", or --task regression" if guess == REGRESSION else "")
            )
        return cls(name, CLASSIFICATION, sorted(counts, key=_order)), why

    def scaled_on(self, table: Table) -> "Target":
        """The same target; the mean and deviation of a quantity are those of these rows."""
        if self.task == CLASSIFICATION:
            return self
        y = numbers(table, self.name)
        y = y[~np.isnan(y)]
        return replace(self, mean=float(y.mean()), scale=float(y.std()) or 1.0)

    @property
    def units(self) -> int:
        """Outputs that a model needs: one per class, but one in all for two classes."""
        return len(self.classes) if len(self.classes) > 2 else 1

    def encode(self, table: Table) -> np.ndarray:
        """Numbers of the classes, int64, or standardised values, float32; of shape (rows,).

        Raises:
            ArgumentError: the table has no such column.
            DataError: a cell is missing, of no known class, or no number.
        """
        labels = []
        for line, cell in zip(table.lines, table.column(self.name), strict=True):
            if cell is None:
                raise DataError(f"{table.path}, line {line}: {self.name} is missing")
            labels.append(_label(cell))
            if self.task == CLASSIFICATION and labels[-1] not in self.classes:
                raise DataError(
                    f"{table.path}, line {line}: {self.name} is {cell!r}, which is none of the "
                    f"model's classes: {', '.join(self.classes[:12])}"
                )
        if self.task == REGRESSION:
            return ((numbers(table, self.name) - self.mean) / self.scale).astype(np.float32)
        place = {label: i for i, label in enumerate(self.classes)}
        return np.array([place[label] for label in labels], np.int64)

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """The quantities, float64 of shape (rows,), that a model's outputs stand for."""
        return outputs.reshape(-1).astype(np.float64) * self.scale + self.mean

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """The probability of each class, of shape (rows, classes)."""
        if self.units > 1:
            return outputs
        return np.concatenate([1 - outputs, outputs], axis=1)

    def get_config(self) -> dict:
        """All of it as JSON."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: dict) -> "Target":
        """The target that `get_config` wrote."""
        try:
            return cls(**config)
        except TypeError as e:
            raise SerializationError(f"this is no target: {e}") from e


def _label(cell: str) -> str:
    """The name of a cell's class: "1.0" and "1" are one class."""
    value = number(cell)
    return cell if value is None or value % 1 or abs(value) > 2**53 else str(int(value))


def _order(label: str) -> tuple:
    value = number(label)
    return (0, value, "") if value is not None else (1, 0.0, label)


def _guess(name: str, cells: list[str], counts: Counter) -> tuple[str, str]:
    values = [number(cell) for cell in cells]
    if None in values:
        return CLASSIFICATION, f"{name} holds text with {len(counts)} different values"
    whole = all(value is not None and value.is_integer() for value in values)
    if whole and len(counts) <= min(MOST_CLASSES, max(2, len(cells) // 2)):
        return CLASSIFICATION, f"{name} holds {len(counts)} different integers"
    return REGRESSION, f"{name} holds {len(counts)} different {'integers' if whole else 'numbers'}"
