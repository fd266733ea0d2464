"""Older names of what is in `gpunn.utils`, as in `keras.preprocessing`."""

from gpunn.data.directory import image_dataset_from_directory, text_dataset_from_directory
from gpunn.data.timeseries import timeseries_dataset_from_array
from gpunn.guard import guard_functions
from gpunn.preprocessing import image, sequence

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]

guard_functions(globals())
