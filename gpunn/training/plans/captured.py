"""CapturedStep: a model's steps done by plans, one for each kind of batch."""

import logging
from math import prod

from gpunn.autograd.mode import grad_enabled, observers
from gpunn.backend import standardize
from gpunn.backend.random import frozen
from gpunn.capture.ownership import Ownership
from gpunn.training.plans.own_steps import OwnPredictPlan, OwnTestPlan, OwnTrainPlan
from gpunn.training.plans.steps import PredictPlan, StepPlan, TestPlan, TrainPlan, arrays_of
from gpunn.training.plans.user_code import UserCode, can_watch
from gpunn.training.plans.watch import all_from_gpunn

log = logging.getLogger("gpunn")

KINDS: dict[str, tuple[type[StepPlan], type[StepPlan]]] = {  # and for steps of the user's own
    "train": (TrainPlan, OwnTrainPlan),
    "test": (TestPlan, OwnTestPlan),
    "predict": (PredictPlan, OwnPredictPlan),
}
MOST_PLANS = 16
# Training is recorded at the first step for AT_ONCE shapes of batches (the usual one, and the last
# batch of an epoch) if the layers' results take at least LARGE bytes. Of smaller ones a recording
# takes as long as ten steps.
AT_ONCE, LARGE = 2, 1 << 21
FEW = 10  # a plan that was dropped after fewer steps was not worth making
MOST_DROPS = 8  # after so many of those in a row, no plan is made any more


class CapturedStep:
    """Does steps by plans: the first few of a kind call by call, then they are recorded.

    On the CPU training of large batches is recorded at once, if it can be: a step that goes call by
    call needs more memory than a plan ever does. Code that is not gpunn's is run call by call
    first, and watched (`UserCode`), and so is a step in which the recording meets an error.
    A step that cannot be recorded stays as it is. A plan is dropped when something that it was
    made of is another thing: a weight's memory, `trainable`, an attribute of a layer or loss, or
    what code that is not gpunn's reads beside them.

    Args:
        strict: raise the reason why a step cannot be recorded, instead of logging it once.
        safe: record code that is not gpunn's only where `UserCode` knows all that it depends on.
            Default: where it does not, what such code does and reads stays what it was.
        passes: see `gpunn.capture.Plan`.
        kind: "train", "test" or "predict".
    """

    def __init__(self, strict: bool = False, safe: bool = False, passes=None, kind="train"):
        self.strict = strict
        self.safe = safe
        self.passes = passes
        self.kind = kind
        self.refused: str | None = None  # why steps stay as they are
        self._steps: dict[tuple, StepPlan] = {}
        self._seen: dict[tuple, int] = {}
        self._drops = 0
        self._now = 0
        self._last: StepPlan | None = None
        self._user_code: dict[tuple, UserCode | None] = {}  # by kind of batch; None: all is gpunn's
        self._own: bool | None = None  # whether it was so when it was last looked at

    def __reduce__(self):
        return CapturedStep, (self.strict, self.safe, self.passes, self.kind)

    def __call__(self, model, batch, unchanged: bool = False):
        """Do one step; returns what the model's own step returns.

        Args:
            model: the model.
            batch: the batch.
            unchanged: since the last call, only steps can have changed the model.
        """
        if self.refused is not None or not self._takes_mode():
            return self._call_by_call(model, batch)
        step = self._last
        if not unchanged or step is None or not step.takes(batch):
            step = self._last = self._found(model, batch, unchanged)
            if step is None:
                return self._first_steps(model, batch)
        if not step.busy.acquire(blocking=False):  # another thread is using its memory
            return self._call_by_call(model, batch)
        try:
            return step.run(batch)
        finally:
            step.busy.release()

    def last(self) -> StepPlan | None:
        """The plan that was used last, if it is still valid."""
        step = self._last
        if step is None or not step.valid():
            return None
        self._now += 1  # others may be invalid now
        step.checked = self._now
        return step

    def prepare(self, model, batch) -> None:
        """Make the plan for batches like this one now.

        Raises:
            CaptureError: if the step cannot be recorded.
        """
        key = _key(batch)
        for _ in range(2):  # builds what is built late, and compiles kernels
            self._learn(model, key)
            self._first_steps(model, batch)
        self._steps[key] = self._new_plan(model, batch, key)

    def _type(self, model) -> type[StepPlan]:
        ours, own = KINDS[self.kind]
        return own if model.own_steps((ours.step,)) else ours

    def _new_plan(self, model, batch, key, whole=False) -> StepPlan:
        beside = next(iter(self._steps.values()), None)
        user_code = self._user_code.get(key)
        user_code = user_code if user_code is not None and user_code.settled else None
        return self._type(model)(model, batch, user_code, self.passes, beside, whole)

    def _first_steps(self, model, batch):
        """Do a step call by call, and learn what code it runs that is not gpunn's."""
        user_code = self._user_code.get(_key(batch))
        if user_code is None:
            return self._call_by_call(model, batch)
        objects = self._type(model).objects(model)
        return user_code.step(lambda: self._call_by_call(model, batch), objects)

    def _call_by_call(self, model, batch):
        return getattr(model, KINDS[self.kind][0].step)(batch)

    def _takes_mode(self) -> bool:
        """Whether nobody wants to see every op, but for recordings by other threads."""
        if frozen.get():  # it is a part of a step that is recorded
            return False
        if observers and any(type(o) is not Ownership for o in observers):
            return False
        return grad_enabled.get() or self.kind != "train"

    def _found(self, model, batch, unchanged: bool) -> StepPlan | None:
        """The plan for a batch, if there is one that is valid, or it is time to make one."""
        key = _key(batch)
        if not unchanged:
            self._now += 1
        step = self._steps.get(key)
        if step is None or not (step.checked == self._now or step.valid()):
            step = self._made(model, batch, key)
        if step is not None:
            step.checked = self._now
        return step

    def _made(self, model, batch, key) -> StepPlan | None:
        """A new plan, if it is time to make one."""
        old = self._steps.get(key)
        if old is not None:  # not valid any more
            self._steps.clear()
            self._seen.clear()
            self._user_code.clear()
            self._drops = self._drops + 1 if old.runs < FEW else 0
            if self._drops > MOST_DROPS:
                self._refuse(model, "what it depends on changes again and again")
                return None
        if len(self._seen) > 256:  # shapes that are new all the time
            self._seen.clear()
            self._user_code.clear()
        seen = self._seen[key] = self._seen.get(key, 0) + 1
        if len(self._steps) >= MOST_PLANS:
            return None
        soon = seen <= KINDS[self.kind][0].eager_steps
        if soon and (seen > 1 or not self._at_once(model, batch)):
            self._learn(model, key)
            return None
        if self.safe and not soon and not self._is_known(model, key):
            return None
        try:
            step = self._new_plan(model, batch, key, whole=soon)
        except Exception as e:  # whatever the rehearsal met, the step itself can still run
            if soon:
                return None  # and builds what is built late
            if self.strict:
                raise
            self._refuse(model, str(e))
            return None
        self._steps[key] = step
        return step

    def _learn(self, model, key, anew: bool = False) -> UserCode | None:
        """Have the next step of a kind show what runs in it, if that is not gpunn's alone."""
        if anew or self._own is None:
            self._own = all_from_gpunn(self._type(model).objects(model))
        found = None if self._own else self._user_code.get(key) or UserCode(model)
        self._user_code[key] = found
        return found

    def _is_known(self, model, key) -> bool:
        """Whether a plan may be made: all is gpunn's, or user code that it can stand for."""
        user_code = self._learn(model, key, anew=True)
        if user_code is None:
            return True
        if not user_code.settled and user_code.refused is not None:
            self._refuse(model, user_code.refused)
        return user_code.settled and can_watch()

    def _at_once(self, model, batch) -> bool:
        """Whether the first step of a kind is recorded."""
        train = self.kind == "train" and self.safe
        if not train or len(self._steps) >= AT_ONCE or model.device.kind != "cpu":
            return False
        results = [
            x for layer in model.walk() for call in layer._inbound_nodes[:1] for x in call.outputs
        ]
        sizes = [prod([n or 1 for n in x.shape[1:]]) * x.dtype.itemsize for x in results]
        if sum(sizes) * len(arrays_of(batch)[0][0]) < LARGE:
            return False
        objects = self._type(model).objects(model)
        return all_from_gpunn(objects)  # a user's call() may build or print

    def _refuse(self, model, reason: str) -> None:
        self.refused = reason
        step = KINDS[self.kind][0].step
        log.info("%s: %ss run call by call, they are not captured: %s", model.name, step, reason)


def _key(batch) -> tuple:
    """What tells one kind of batch from another."""
    arrays, nesting = arrays_of(batch)
    return (nesting, standardize(None).num, *[(a.shape, a.dtype.num) for a in arrays])
