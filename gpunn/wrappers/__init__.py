"""Models as scikit-learn's estimators; that is imported when one is asked for.

>>> from gpunn.wrappers import SKLearnClassifier
"""

from importlib import import_module
from typing import TYPE_CHECKING

from gpunn.errors import MissingDependencyError

if TYPE_CHECKING:
    from gpunn.wrappers.estimators import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module 'gpunn.wrappers' has no attribute {name!r}")
    try:
        import_module("sklearn")
    except ImportError as e:
        raise MissingDependencyError(
            f"{name} needs scikit-learn, which is not installed: pip install 'gpunn[sklearn]'"
        ) from e
    return getattr(import_module("gpunn.wrappers.estimators"), name)
