"""Sunspots: their number in each year from 1700 to 2008, in the package."""

from pathlib import Path

import numpy as np


def load_data() -> tuple[np.ndarray, np.ndarray]:
    """Loads the yearly mean number of sunspots, a time series with a period of about 11 years.

    Returns:
        The years, int64 of shape (309,), and the numbers of sunspots, float32 of the same shape.

    Source: National Geophysical Data Center, public domain.

    >>> years, sunspots = gpunn.datasets.sunspots.load_data()
    >>> sunspots[years == 1957].item()
    190.1999969482422
    """
    rows = np.loadtxt(
        Path(__file__).parent / "data" / "sunspots.csv", delimiter=",", skiprows=1, encoding="utf-8"
    )
    return rows[:, 0].astype(np.int64), rows[:, 1].astype(np.float32)
