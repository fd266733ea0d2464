"""Data sets as in `keras.datasets`: `digits` and `iris` in the package, `mnist` from a file."""

from gpunn.datasets import digits, iris, mnist

__all__ = ["digits", "iris", "mnist"]
