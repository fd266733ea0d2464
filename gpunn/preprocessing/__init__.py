"""Older names of what is in `gpunn.utils`, as in `keras.preprocessing`."""

from gpunn.data.timeseries import timeseries_dataset_from_array
from gpunn.preprocessing import image, sequence

__all__ = ["image", "sequence", "timeseries_dataset_from_array"]
