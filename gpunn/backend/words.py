"""Words: arrays of str, which lie on the host on every device and are no numbers."""

import numpy as np


def words(data) -> np.ndarray | None:
    """A NumPy array of str of an array, a list or a pandas column of words; None of anything else.

    Bytes are decoded.

    >>> words(["a", b"bc"]), words([1.0])
    (array(['a', 'bc'], dtype='<U2'), None)
    """
    data = data.to_numpy() if hasattr(data, "to_numpy") else data
    try:
        array = np.asarray(data, object if isinstance(data, list | tuple) else None)
    except ValueError:  # lists of unequal lengths
        return None
    if array.dtype.kind == "U":
        return np.asarray(array)
    if array.dtype.kind not in "OST":
        return None
    flat = [v.decode() if isinstance(v, bytes) else v for v in array.reshape(-1).tolist()]
    if not all(isinstance(v, str) for v in flat):
        return None
    return np.array(flat, np.str_).reshape(array.shape)


def is_words(array) -> bool:
    """Whether an array is one of str.

    >>> is_words(np.array(["a"])), is_words(np.ones(2))
    (True, False)
    """
    return array.dtype.kind == "U"
