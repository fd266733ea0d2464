"""CSV files as tables of text: a header, columns of cells, and what is missing."""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from gpunn.errors import DataError, MissingFileError, unknown

MISSING = frozenset(  # what pandas takes for missing, and UCI's question mark
    [
        *("", "?", "NA", "<NA>", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "NULL", "null", "None"),
        *("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    ]
)
DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Table:
    """Named columns of text cells; None is a missing one.

    Args:
        path: the file, for messages.
        columns: a dict from name to cells, all of one length.
        lines: the line of the file that each row ends on.
    """

    path: str
    columns: dict[str, list[str | None]]
    lines: list[int]

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> list[str | None]:
        """The cells of a column.

        Raises:
            ArgumentError: if there is none of this name, with the nearest names.
        """
        if name not in self.columns:
            raise unknown(f"column of {self.path}:", name, self.columns)
        return self.columns[name]

    def rows(self, numbers) -> "Table":
        """The rows of these numbers."""
        numbers = [int(i) for i in numbers]
        columns = {name: [cells[i] for i in numbers] for name, cells in self.columns.items()}
        return Table(self.path, columns, [self.lines[i] for i in numbers])


def read_csv(path: str | os.PathLike[str]) -> Table:
    """Reads a CSV file whose first line names the columns.

    The delimiter is the one of comma, semicolon, tab and bar that the header has most of. Cells
    are stripped of blanks; the empty ones, `?`, and what pandas takes for missing (`NA`, `NaN`,
    `null`, `None`, ...) are missing. Where semicolons separate, a comma in a number is the decimal
    point. A column without a name (the index that pandas writes) is left out.

    Args:
        path: a UTF-8 file.

    Returns:
        The table.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is no table: empty, not UTF-8, no header, two columns of one name, or a row
            with more or fewer cells than the header.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "pets.csv")
    >>> _ = path.write_text("name,legs\\nrex,4\\ntweety,NA\\n")
    >>> gpunn.data.read_csv(path).columns
    {'name': ['rex', 'tweety'], 'legs': ['4', None]}
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"there is no file {path}")
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a CSV file")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(DELIMITERS, key=first.count)
            return _table(str(path), csv.reader(file, delimiter=delimiter), delimiter)
    except UnicodeDecodeError as e:
        raise DataError(f"{path} is not UTF-8 text (byte {e.start}): save it as UTF-8") from None
    except csv.Error as e:
        raise DataError(f"{path} is not a CSV file: {e}") from None
    except OSError as e:
        raise DataError(f"cannot read {path}: {e.strerror or e}") from None


def _table(path: str, reader, delimiter: str) -> Table:
    header = [name.strip() for name in next(reader, [])]
    if not any(header):
        raise DataError(f"{path} is empty: expected a line with the columns' names, and rows")
    _check_header(path, header)
    cells: list[list[str | None]] = [[] for _ in header]
    lines = []
    for row in reader:
        if not any(cell.strip() for cell in row) and len(row) <= 1:
            continue  # a blank line
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {reader.line_num}: {len(row)} cells, but the header has "
                f"{len(header)} columns (separated by {delimiter!r})"
            )
        for column, cell in zip(cells, row, strict=True):
            column.append(_cell(cell, delimiter))
        lines.append(reader.line_num)
    if not lines:
        raise DataError(f"{path} has a header, but no rows")
    columns = {name: column for name, column in zip(header, cells, strict=True) if name}
    return Table(path, columns, lines)


def _check_header(path: str, header: list[str]) -> None:
    if not any(number(name) is None for name in header if name):
        wanted = [str(i) for i in range(len(header))]  # the names that pandas gives
        if [name for name in header if name] not in (wanted, wanted[:-1]):
            raise DataError(
                f"{path}: the first line is {', '.join(header[:3])} ...: numbers, not names; "
                "put a line with the columns' names above it"
            )
    twice = next((name for i, name in enumerate(header) if name and name in header[:i]), None)
    if twice:
        raise DataError(f"{path} has two columns named {twice!r}: rename one")


def _cell(text: str, delimiter: str) -> str | None:
    text = text.strip()
    if text in MISSING:
        return None
    if delimiter == ";" and text.count(",") == 1 and number(text.replace(",", ".")) is not None:
        return text.replace(",", ".")
    return text


def number(text: str) -> float | None:
    """The number that a cell holds; None if it holds something else."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
