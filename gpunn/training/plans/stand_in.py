"""StandIn: copies of a model's objects for a recording to run on.

The copies share everything with the model but their attributes, and their variables hold what the
recorder gives out. So the model itself is not touched: other threads go on using it, and a
recording that fails leaves nothing behind.
"""

import copy
from types import MethodType
from typing import Any

from gpunn.autograd import Tensor, Variable, wrap
from gpunn.autograd.home import Flat, home
from gpunn.backend import backend_of
from gpunn.errors import CaptureError
from gpunn.layers import Layer
from gpunn.layers.graph import Filler, Graph
from gpunn.losses import Loss
from gpunn.metrics import Metric
from gpunn.optimizers import Optimizer
from gpunn.optimizers.rehearsal import Rehearsal
from gpunn.regularizers import Regularizer
from gpunn.training.compiled_loss import CompiledLoss
from gpunn.training.compiled_metrics import CompiledMetrics
from gpunn.training.plans.watch import equal

COPIED = (Layer, Graph, Filler, Metric, Loss, Regularizer, CompiledLoss, CompiledMetrics)


class StandIn:
    """Makes copies of objects, one of each, and knows which attributes they have set since.

    Args:
        recorder: gives out what stands for the variables' arrays.
        be: the backend of the model. Tensors that it holds there, such as the nodes of a graph,
            are read anew by each step, like variables.
        gradients: whether variables have the gradients that earlier steps have left there.
    """

    def __init__(self, recorder, be, gradients: bool = False):
        self.recorder = recorder
        self._be = be
        self._gradients = gradients
        self.held: list[Tensor] = []  # those tensors
        self.variables: list[tuple[Variable, Variable]] = []  # with what stands for them
        self._copies: dict[int, Any] = {}  # by the id of the original, which is kept alive
        self._originals: list = []
        self._then: list[tuple[Any, dict]] = []  # objects, lists and dicts with their contents

    def forget(self) -> None:
        """Let go of the recording: copies hold each other and this, and are collected late."""
        self.recorder = None
        self._copies.clear()

    def of(self, x):
        """What stands for an object: a copy, or itself if it holds nothing that is recorded."""
        found = self._copies.get(id(x))
        if found is not None:
            return found
        if isinstance(x, Variable):
            return self._variable(x)
        if type(x) is Tensor:
            return self._tensor(x)
        if isinstance(x, COPIED):
            return self._object(x)
        if isinstance(x, Optimizer):
            return self._known(x, Rehearsal(x, self))
        if isinstance(x, list | dict):
            made = self._known(x, copy.copy(x))
            items = x.items() if isinstance(x, dict) else enumerate(x)
            for key, value in list(items):
                made[key] = self.of(value)
            self._then.append((made, _contents(made)))
            return made
        if isinstance(x, tuple):
            values = [self.of(v) for v in x]
            if all(new is old for new, old in zip(values, x, strict=True)):
                return x
            return type(x)(*values) if hasattr(x, "_fields") else tuple(values)
        if isinstance(x, MethodType):
            return MethodType(x.__func__, self.of(x.__self__))
        return x

    def changed(self) -> set[str]:
        """The attributes that the copies have set or changed in place."""
        found = set()
        for x, then in self._then:
            now = _contents(x)
            if now.keys() == then.keys() and all(equal(now[k], then[k]) for k in now):
                continue
            if isinstance(x, list | dict):
                found |= self._names_of(x)
            else:
                found |= {k for k in now.keys() | then.keys() if not equal(now.get(k), then.get(k))}
        return found

    def _names_of(self, container) -> set[str]:
        """The attributes that hold a list or dict."""
        owners = [then for x, then in self._then if not isinstance(x, list | dict)]
        names = {k for then in owners for k, value in then.items() if value is container}
        return names or {"a list or dict"}

    def _known(self, original, made):
        self._copies[id(original)] = made
        self._originals.append(original)
        return made

    def _object(self, x):
        made = self._known(x, object.__new__(type(x)))
        for name, value in dict(vars(x)).items():
            of_data = name == "last_batch"  # which a plan must neither read nor watch
            vars(made)[name] = value if of_data else self.of(value)
        self._then.append((made, _contents(made)))
        return made

    def _tensor(self, x: Tensor) -> Tensor:
        array = x.array
        if x.requires_grad or not (array.size and array.flags.c_contiguous):
            return x
        if backend_of(array) is not self._be:
            return x
        self.held.append(x)
        return self._known(x, wrap(self.recorder.external(array)))

    def _variable(self, x: Variable) -> Variable:
        made = self._known(x, object.__new__(type(x)))
        made.array = self.recorder.external(x.array)
        made.node = made._grad = None
        made.requires_grad = x.requires_grad
        vars(made).update(vars(x))
        if x._grad_slot is not None:
            made._grad_slot = self.recorder.external(x._grad_slot)
        if self._gradients and x._grad is not None:
            if x._grad is not x._grad_slot:
                raise CaptureError(f"variable {x.path!r} has a gradient that no optimizer takes")
            made._grad = made._grad_slot
        self.variables.append((x, made))
        place = home(x)
        if place is not None:
            made._home = place._replace(flat=self._flat(place.flat), array=made.array)
        made.regularizer = self.of(x.regularizer)
        return made

    def _flat(self, flat: Flat) -> Flat:
        found = self._copies.get(id(flat.params))
        if found is None:
            params = self.recorder.external(flat.params)
            found = self._known(flat.params, flat._replace(params=params))
        return found


def _contents(x) -> dict:
    """The attributes of an object, or what a list or dict holds."""
    if isinstance(x, dict):
        return dict(x)
    return dict(enumerate(x)) if isinstance(x, list) else dict(vars(x))
