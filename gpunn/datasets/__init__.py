"""Data sets as in `keras.datasets`; all but `mnist`, which is a file, are in the package."""

from gpunn.datasets import digits, iris, mnist, shakespeare, sunspots

__all__ = ["digits", "iris", "mnist", "shakespeare", "sunspots"]
