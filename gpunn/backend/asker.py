"""Asker: who looks something up by index, for the error of an index that is out of range.

The CPU looks at indices before it uses them. A GPU is not waited for: its kernels note what they
meet, for whoever reads the device next (`backend/noted.py`).
"""

from contextvars import ContextVar
from typing import NamedTuple


class Asker(NamedTuple):
    """A layer or loss, as an error names it, and whether negative indices count from the end."""

    name: str = ""
    wraps: bool = True


asker: ContextVar[Asker] = ContextVar("gpunn_asker", default=Asker())  # noqa: B039 - immutable


class asked_by:
    """Says inside a `with` block who asks.

    >>> from gpunn.backend.asker import asked_by, asker
    >>> with asked_by("layer 'words'", wraps=False):
    ...     asker.get()
    Asker(name="layer 'words'", wraps=False)
    """

    __slots__ = ("_asker", "_token")

    def __init__(self, name: str, wraps: bool = True):
        self._asker = Asker(name, wraps)

    def __enter__(self):
        self._token = asker.set(self._asker)

    def __exit__(self, *exc):
        asker.reset(self._token)
