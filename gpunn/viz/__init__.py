"""Pictures; matplotlib is imported when one is drawn (`pip install 'gpunn[plot]'`)."""

from gpunn.guard import guard_functions
from gpunn.viz.boundary import DecisionBoundary
from gpunn.viz.curves import plot_history

__all__ = ["DecisionBoundary", "plot_history"]

guard_functions(globals())
