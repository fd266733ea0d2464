"""The older home of `utils.pad_sequences` (`keras.preprocessing.sequence`)."""

from gpunn.data.sequences import pad_sequences

__all__ = ["pad_sequences"]
