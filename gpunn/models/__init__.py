"""Models: layers that can be trained."""

from gpunn.guard import guard_functions
from gpunn.models.cloning import clone_model
from gpunn.models.feature_space import FeatureSpace
from gpunn.models.model import Functional, Model
from gpunn.models.saving import load_model, model_from_json, read_metadata, save_model
from gpunn.models.sequential import Sequential
from gpunn.serialization import Registry

__all__ = [
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "read_metadata",
    "save_model",
]

REGISTRY = Registry(
    "model", Model, [FeatureSpace, Functional, Model, Sequential], module="gpunn.models"
)
guard_functions(globals())
