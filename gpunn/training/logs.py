"""Logs: metrics by name, read from the device when somebody looks."""

from collections.abc import Mapping, MutableMapping

from gpunn.errors import ArgumentError, ArgumentTypeError


class Logs(MutableMapping):
    """A mapping from metric names to floats that is computed at the first look into it.

    Callbacks that do not look cost nothing. The values are those of the batch at hand: look while
    the hook runs (`dict(logs)` keeps them); afterwards, logs that were not read cannot be.

    Args:
        read: gives the values by name: tensors, numbers, or dicts of them.

    >>> logs = gpunn.training.logs.Logs(lambda: {"loss": gpunn.Tensor(0.5), "accuracy": 1})
    >>> dict(logs)
    {'accuracy': 1.0, 'loss': 0.5}
    """

    __slots__ = ("_read", "_values")

    def __init__(self, read):
        self._read = read
        self._values: dict | None = None

    @classmethod
    def of(cls, values) -> "Logs":
        """What a step has returned, as logs."""
        return values if isinstance(values, cls) else cls(lambda: values)

    def _get(self) -> dict:
        if self._values is None:
            if self._read is None:
                raise ArgumentError(
                    "these logs are of a batch that is over, and were not read while its hook ran: "
                    "keep dict(logs) there"
                )
            self._values = to_floats(self._read())
        return self._values

    def close(self) -> None:
        """The metrics are about to move on: what was not read is lost."""
        self._read = None

    def __getitem__(self, name):
        return self._get()[name]

    def __setitem__(self, name, value):
        self._get()[name] = value

    def __delitem__(self, name):
        del self._get()[name]

    def __iter__(self):
        return iter(self._get())

    def __len__(self) -> int:
        return len(self._get())

    def __bool__(self) -> bool:
        return True  # `logs or {}` is no reason to read the device

    def __repr__(self) -> str:
        return repr(self._get())

    def copy(self) -> dict:
        """The values as a dict."""
        return dict(self._get())


def to_floats(values) -> dict:
    """Values by name as floats, sorted by name; what has more than one element, as an array.

    >>> to_floats({"loss": 1, "parts": {"a": np.float32(0.5)}})
    {'loss': 1.0, 'a': 0.5}
    """
    if values is None:
        return {}
    if isinstance(values, Logs):
        return values.copy()
    if not isinstance(values, Mapping):
        raise ArgumentTypeError(f"a step must return a dict of numbers by name, got {values!r}")
    result = {}
    for name, value in sorted(values.items()):
        if isinstance(value, dict):
            result.update(to_floats(value))
        else:
            host = value.numpy() if hasattr(value, "numpy") else value
            size = getattr(host, "size", None)
            result[name] = (
                float(host if size is None else host.item()) if size in (None, 1) else host
            )
    return result
