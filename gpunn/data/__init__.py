"""What `fit`, `evaluate` and `predict` are given becomes batches."""

from gpunn.data.batch_source import pack_x_y_sample_weight, unpack_x_y_sample_weight
from gpunn.data.csv_table import Table, read_csv
from gpunn.data.dataset import Dataset
from gpunn.data.features import Feature, Features
from gpunn.data.make import make_batch, make_source
from gpunn.data.py_dataset import PyDataset
from gpunn.data.source import Source
from gpunn.data.split import train_validation_split
from gpunn.data.target import Target
from gpunn.guard import guard_functions

__all__ = [
    "Dataset",
    "Feature",
    "Features",
    "PyDataset",
    "Source",
    "Table",
    "Target",
    "make_batch",
    "make_source",
    "pack_x_y_sample_weight",
    "read_csv",
    "train_validation_split",
    "unpack_x_y_sample_weight",
]

guard_functions(globals())
