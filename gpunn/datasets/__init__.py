"""Data sets as in `keras.datasets`: `digits`, `iris` and a play in the package, `mnist` a file."""

from gpunn.datasets import digits, iris, mnist, shakespeare

__all__ = ["digits", "iris", "mnist", "shakespeare"]
