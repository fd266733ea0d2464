"""UserCode: the code in a step that is not gpunn's, and whether a plan may stand for it."""

import gc
import sys
from contextlib import contextmanager
from types import CodeType
from typing import Any

from gpunn.backend import Backend
from gpunn.errors import CaptureError
from gpunn.training.plans.contents import Contents, Ran
from gpunn.training.plans.reads import describe, is_users

STEP = ""  # the stage that is not one of the parts that may be done call by call
LIVE = "learning rate"  # is asked for at every step, replayed or not
MOST_STEPS = 4  # that are watched until two are alike
PASSING_ERRORS = (StopIteration, GeneratorExit)


class Run:
    """What ran that is not gpunn's: code objects with their namespaces, by stage."""

    def __init__(self):
        self.codes: dict[str, dict[tuple[int, int], Ran]] = {}
        self.errors: dict[str, str] = {}  # that were raised inside

    def among(self, stages) -> dict:
        """The code of some stages."""
        return {key: code for stage in stages for key, code in self.codes.get(stage, {}).items()}


class UserCode:
    """Learns from steps that go call by call what user code they run, and what it reads.

    A plan may be made once a step has run nothing that the one before did not run, and has left
    everything that it reads beside tensors as it was. Python's tracing tells what runs.

    Args:
        model: the model.
    """

    def __init__(self, model):
        self._entries = _entries(model)
        self._run = Run()
        self.reasons: dict[str, str] = {}  # by stage, why no plan may stand for it
        self.steps = 0
        self.settled = False

    def step(self, do, objects) -> Any:
        """Do a step call by call, and see what it runs.

        Args:
            do: does it.
            objects: what has attributes that it may read.
        """
        if not can_watch():
            return do()
        before = self._before(objects)
        with watched(self._entries) as run:
            result = do()
        self._compare(run, before)
        return result

    def _before(self, objects) -> dict:
        """What is read by each stage that ran before: its contents, or why that cannot be."""
        found: dict[str, Contents | str] = {}
        for stage in self._run.codes:
            try:
                found[stage] = self._run_contents([stage], objects)
            except Exception as e:  # of somebody's property, for example
                found[stage] = str(e)
        return found

    def _compare(self, run: Run, before: dict) -> None:
        first, last, self._run = not self.steps, self._run, run
        self.steps += 1
        self.reasons = dict(run.errors)
        for stage, contents in before.items():
            changed = contents if isinstance(contents, str) else contents.changed()
            if isinstance(contents, str):
                self.reasons.setdefault(stage, contents)
            elif changed is not None:
                self.reasons.setdefault(stage, f"{changed} is changed while it runs")
        same = all(run.codes[s].keys() <= last.codes.get(s, {}).keys() for s in run.codes)
        if not (first or same):
            self.reasons.setdefault(STEP, "it runs other functions at every step")
        self.settled = same and not first and STEP not in self.reasons

    @property
    def refused(self) -> str | None:
        """Why there can be no plan, if that is for sure."""
        return self.reasons.get(STEP, "") if self.steps >= MOST_STEPS else None

    def contents(self, stages, objects) -> Contents:
        """What a plan of some stages depends on, as it is now.

        Raises:
            CaptureError: if it cannot be watched.
        """
        return self._run_contents([STEP, *stages], objects)

    def _run_contents(self, stages, objects) -> Contents:
        return Contents(list(self._run.among(stages).values()), objects)

    @contextmanager
    def recording(self, stages):
        """Watch a recording: it may run only what is known, and no error may be caught there.

        Raises:
            CaptureError: if it does.
        """
        if not can_watch():
            raise CaptureError("Python is being traced")
        with watched({}) as run:
            yield
        known = self._run.among([STEP, *stages])
        for key, ran in run.among(run.codes).items():
            if key not in known:
                raise CaptureError(f"{describe(ran.code)} runs in recordings only")
        for error in run.errors.values():
            raise CaptureError(error)


def can_watch() -> bool:
    """Whether nobody else traces Python, such as a debugger, which would see nothing of replays."""
    monitoring = getattr(sys, "monitoring", None)  # Python 3.12: debuggers need not trace
    debugged = monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None
    return sys.gettrace() is None and not debugged


def _entries(model) -> dict[int, str]:
    """The functions, by the ids of their code, with which parts of a step begin."""
    optimizer = model.optimizer
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    found = {}
    for stage, method in (
        ("metrics", model.compute_metrics),
        ("optimizer", getattr(optimizer, "step", None)),
        (LIVE, getattr(inner, "_rate_at", None)),
    ):
        code = getattr(getattr(method, "__func__", method), "__code__", None)
        if code is not None:
            found[id(code)] = stage
    return found


@contextmanager
def watched(entries):
    """Note what runs inside that is not gpunn's.

    Args:
        entries: stages by the ids of code objects with which they begin.
    """
    run = Run()
    stages = [STEP]
    ours: dict[int, CodeType] = {}  # by id: code objects are compared by contents, which is slow

    def called(frame, event, arg):
        code = frame.f_code
        if id(code) in ours:
            return None
        stage, names = entries.get(id(code)), frame.f_globals
        foreign = is_users(names.get("__name__"))
        if not foreign and stage is None:
            ours[id(code)] = code
            return None
        frame.f_trace_lines = False
        if stage is not None:
            stages.append(stage)
        if foreign:
            codes = run.codes.setdefault(stages[-1], {})
            raw = code.co_argcount and isinstance(frame.f_locals.get(code.co_varnames[0]), Backend)
            ran = Ran(code, names, frame.f_builtins, bool(raw))
            codes.setdefault((id(code), id(names)), ran)
        return inside if stage is None else ended

    def ended(frame, event, arg):
        if event == "return":
            stages.pop()
        return ended

    def inside(frame, event, arg):
        if event == "exception" and not issubclass(arg[0], PASSING_ERRORS):
            said = f"{describe(frame.f_code)}: {arg[0].__name__} is raised"
            run.errors.setdefault(stages[-1], said)
        return inside

    collects = gc.isenabled()
    gc.disable()  # what it calls is no part of the step
    sys.settrace(called)
    try:
        yield run
    finally:
        sys.settrace(None)
        if collects:
            gc.enable()
