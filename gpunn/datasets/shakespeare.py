"""Shakespeare: one play in the package, as plain text, for models of characters."""

import os
from pathlib import Path

from gpunn.errors import DataError, MissingFileError


def load_data(path: str | os.PathLike[str] | None = None) -> str:
    """Loads *A Midsummer Night's Dream*, or a text of one's own.

    The play has 93,615 characters, of which 64 are distinct. For a larger text, for instance all
    the plays, give the path of a file.

    Args:
        path: a text file in UTF-8. Default: the play in the package.

    Returns:
        The text, with lines that end in a newline.

    Raises:
        MissingFileError: there is no file at `path`.
        DataError: the file is empty, or not text in UTF-8.

    >>> text = gpunn.datasets.shakespeare.load_data()
    >>> print(text[75:137])
    Enter THESEUS, HIPPOLYTA, PHILOSTRATE, and Attendants
    <BLANKLINE>
    THESEUS
    """
    file = Path(__file__).parent / "data" / "midsummer.txt" if path is None else Path(path)
    if not file.is_file():
        raise MissingFileError(f"no text file at {file}. Without a path, a play is loaded")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as e:
        raise DataError(f"{file} is not text in UTF-8: {e}. Convert it first") from None
    if not text:
        raise DataError(f"{file} is empty: a text was expected")
    return text
