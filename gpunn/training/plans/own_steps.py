"""The plans of steps that a model has written anew, such as a `train_step` of the user's own.

Such a step is recorded as a whole, or not at all: on copies of the model and of all that it holds,
of which the optimizers note what their steps would do (`Rehearsal`).
"""

from gpunn.errors import CaptureError
from gpunn.layers import Layer, tree
from gpunn.optimizers import Optimizer
from gpunn.origin import from_gpunn
from gpunn.training.logs import Logs
from gpunn.training.plans.steps import ALL, PredictPlan, StepPlan, TestPlan, TrainPlan
from gpunn.training.plans.watch import optimizers_of


class OwnPlan(StepPlan):
    """What plans of own steps share."""

    inside = ALL
    keeps_gradients = True

    def run(self, batch):
        """Do the step; returns what the model's own step returns."""
        for v, held, _ in self._gradients:
            if (v._grad is not None) is not held:  # a gradient of the user's, or one less
                return getattr(self.model, self.step)(batch)
        return super().run(batch)

    def _rehearse(self, model, stand_in, recorder, batch):
        result = getattr(model, self.step)(batch)
        self._gradients = []  # variables: whether they have one before, and after the step
        for v, made in stand_in.variables:
            if made._grad is not None and made._grad is not made._grad_slot:
                raise CaptureError(f"variable {v.path!r} has a gradient that no optimizer takes")
            if v.requires_grad:
                self._gradients.append((v, v._grad is not None, made._grad is not None))
        self._gives_logs = isinstance(result, Logs)  # those of the model's metrics, not yet read
        return None if self._gives_logs else result

    def _finished(self, batch):
        for v, held, left in self._gradients:
            if held or left:
                v._grad = v._grad_slot if left else None
        return self._result()

    def _result(self):
        """What the step returns."""
        if self._gives_logs:
            return Logs(self.model.get_metrics_result)
        return Logs(self.outputs)

    def _takes(self, part: str) -> bool:
        reason = None if self._user_code is None else self._user_code.reasons.get(part)
        if reason is not None:
            raise CaptureError(reason)
        theirs = [
            o for o in self.objects(self.model) if isinstance(o, Optimizer) and not from_gpunn(o)
        ]
        if theirs and self._user_code is not None:
            raise CaptureError(f"a {type(theirs[0]).__name__}, an optimizer that is not gpunn's")
        return True

    @classmethod
    def objects(cls, model, inside=ALL) -> list:
        """What has attributes that the step may read."""
        held = (o for layer in model.walk() for _, o in tree.find(layer, Optimizer, Layer))
        return [*super().objects(model), *optimizers_of({id(o): o for o in held}.values())]


class OwnTrainPlan(OwnPlan):
    """A `train_step` of the user's own."""

    step = TrainPlan.step


class OwnTestPlan(OwnPlan):
    """A `test_step` of the user's own."""

    step = TestPlan.step


class OwnPredictPlan(OwnPlan):
    """A `predict_step` of the user's own."""

    step = PredictPlan.step
    one_at_a_time = PredictPlan.one_at_a_time

    def _result(self):
        return self.outputs()
