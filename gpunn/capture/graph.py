"""How a step is recorded on each device: as a list of calls, or by a GPU's driver as a graph."""

from gpunn.capture.plan import Plan
from gpunn.capture.record import Recorder


def recorder_for(be, inputs=()):
    """What records a step on a device.

    On the CPU bodies run on arrays that calculate nothing. On a GPU they run as they always do,
    while the stream notes what it is asked for instead of doing it.

    Args:
        be: the backend of the device.
        inputs: arrays that are filled before each run: on a GPU by the graph itself.
    """
    if be.kind == "cpu":
        return Recorder()
    from gpunn.backend.graph import Graph

    return Graph(be, inputs)


def plan_of(recorder, results=(), passes=None, beside=None):
    """What was recorded, ready to be `run`.

    Args:
        recorder: the recording.
        results: arrays of it that are kept to be read.
        passes: see `Plan`.
        beside: another one whose memory may be used.
    """
    if isinstance(recorder, Recorder):
        return Plan(recorder, results, passes, None if beside is None else beside.arena)
    recorder.results = list(results)
    return recorder
