"""A step of primitives recorded once and replayed as a flat list of calls into memory made once.

`Recorder` runs ordinary code on arrays that calculate nothing and notes the calls; `Plan` lays the
results out in memory and makes the calls, again and again. It knows no op and no layer by name.
On a GPU the driver does both: `graph.py` chooses.
"""

from gpunn.capture.graph import plan_of, recorder_for
from gpunn.capture.passes import PASSES
from gpunn.capture.plan import Plan
from gpunn.capture.recarray import RecArray
from gpunn.capture.record import Recorder

__all__ = ["PASSES", "Plan", "RecArray", "Recorder", "plan_of", "recorder_for"]
