"""What `fit`, `evaluate` and `predict` are given becomes batches."""

from gpunn.data.batch_source import unpack_x_y_sample_weight
from gpunn.data.dataset import Dataset
from gpunn.data.make import make_source
from gpunn.data.source import Source
from gpunn.data.split import train_validation_split

__all__ = [
    "Dataset",
    "Source",
    "make_source",
    "train_validation_split",
    "unpack_x_y_sample_weight",
]
