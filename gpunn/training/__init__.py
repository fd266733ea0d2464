"""The training loop, its callbacks, logs and files."""

from gpunn.training.trainer import Trainer, unpack_x_y_sample_weight

__all__ = ["Trainer", "unpack_x_y_sample_weight"]
