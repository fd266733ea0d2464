"""The older home of `utils.pad_sequences` (`keras.preprocessing.sequence`)."""

from gpunn.data.sequences import pad_sequences
from gpunn.guard import guard_functions

__all__ = ["pad_sequences"]

guard_functions(globals())
