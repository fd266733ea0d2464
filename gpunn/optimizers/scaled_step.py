"""ScaledStep: steps by gradients of a scaled loss of which only the GPU knows whether they count.

Whether a gradient is Inf or NaN, the scale, the counters and so the number t of the update that is
due stay in device memory; the host, which counts every step, reads them when somebody asks. The
numbers of an update (learning rate, corrections) are the host's to compute: it writes those of the
largest t there can be, step after step, into a table in memory that the GPU reads too, where the
device finds those of its own t.
"""

import numpy as np

from gpunn.autograd import Variable, mutated_span
from gpunn.backend import kernels
from gpunn.optimizers.guarded import Guard, change, overwrites
from gpunn.optimizers.optimizer import Optimizer

ROWS = 1024  # of the table: after so many steps the host reads the counters


class ScaledStep:
    """The steps of one optimizer on one GPU.

    Args:
        inner: the optimizer, built.
        growth_steps: good steps in a row until the scale is doubled.
        scale, step_counter: variables of the scale and of those steps; their values come to lie in
            the memory of this object.
    """

    def __init__(self, inner: Optimizer, growth_steps: int, scale: Variable, counter: Variable):
        from gpunn.backend.cuda import loss_scale
        from gpunn.backend.shared import Shared

        self._kernels = loss_scale
        part = inner._parts[0]
        self.be = be = part.be
        self._inner, self._growth = inner, growth_steps
        self._memory = be.zeros((6,), np.int64)  # the state, the scale and its copy, the decision
        self._state = self._memory[:4]
        self._scale, self._used = (_item(self._memory[4:5].view(np.float32), i) for i in (0, 1))
        self._flags = self._memory[5:6].view(np.bool_)
        be.copyto(self._scale, be.asarray(scale.array))
        be.copyto(self._state[1:2], be.asarray(counter.array).reshape(1).astype(np.int64))
        scale.array, counter.array = self._scale, _item(self._state.view(np.int32), 2)
        rates = [r for walk in inner._whole.walks for r in walk.rates]
        self._rates = list(dict.fromkeys(rates))
        count = len(inner.numbers(1, 1.0))
        width = count + len(self._rates) + 4
        self._table = Shared((ROWS, width), np.float64)
        self._numbers = be.zeros((width,), part.dtype)
        values = [_item(self._numbers, i) for i in range(width)]
        *decays, kept, rest, _, _ = values[count:]
        skip, waits, keeps = (_item(self._flags, i) for i in range(3))
        self._guard = Guard(
            waits,
            keeps,
            skip,
            scale=self._used,
            numbers=tuple(values[:count]),
            decays=dict(zip(self._rates, decays, strict=True)),
            momentum=(kept, rest),
        )
        count = inner._iterations.array.item()
        self._state[:1].fill(count)
        self._expected = count  # of updates on the host, where nobody has set it anew
        self._since = 0  # steps since the host has read the counters
        self.skipped = 0  # until then

    def step(self, plan) -> None:
        """Update the variables of a plan, unless a gradient of theirs is not finite."""
        self.begin(plan.positions)
        self.change(self._inner, plan)

    def begin(self, positions, spans=()) -> None:
        """The host's part of a step: the numbers of the update, if it is one.

        Args:
            positions: those of the plan.
            spans: the memory that it changes.
        """
        inner, counter = self._inner, self._inner._iterations.array
        if counter.item() != self._expected or self._since >= ROWS - 2:
            self.settle()
        count = counter.item()
        self._table.host[(count + 1) % ROWS] = self._row(count)
        counter[()] = self._expected = count + 1
        self._since += 1
        if inner.gradient_accumulation_steps:
            inner._pending = set(positions)
        for span in spans:
            mutated_span(span)

    def _row(self, count: int) -> tuple:
        """The numbers of the step after `count` others, and what is not done in it."""
        inner, lr = self._inner, self._inner._rate_at(count)
        steps = inner.gradient_accumulation_steps or 1
        numbers = inner.numbers(count // steps + 1, lr)
        kept = inner.ema_momentum if count >= steps else 0.0
        return (
            *numbers,
            *[lr * rate for rate in self._rates],
            *(kept, 1 - kept),
            (count + 1) % steps != 0,
            not overwrites(inner, count),
        )

    def change(self, rule: Optimizer, plan) -> None:
        """The device's part of a step.

        Args:
            rule: the optimizer, or what stands for it.
            plan: of the variables that have a gradient.
        """
        for walk in plan.walks:
            for stretch in walk.stretches:
                self._kernels.find_not_finite(self.be, self._state[3:], stretch.own_grads)
        self._kernels.decide(self.be, self._state, self._scale, self._used, self._flags,
                             self._numbers, self._table, self._growth)  # fmt: skip
        change(rule, plan, self._guard)

    def settle(self) -> None:
        """Read the counters: the inner optimizer's count of updates is right then."""
        counter = self._inner._iterations.array
        done, _, self.skipped, _ = self.be.to_numpy(self._state).tolist()
        if counter.item() == self._expected:
            counter[()] = done
        elif counter.item() != done:  # somebody has set it
            self.be.copyto(self._state[:1], counter.reshape(1).item())
        self._expected, self._since = counter.item(), 0

    def end(self) -> None:
        """Tell the optimizer, for steps of its own, whether it holds gradients; after `settle`."""
        steps = self._inner.gradient_accumulation_steps
        if steps and self._expected % steps == 0:
            self._inner._pending = set()


def takes(inner: Optimizer, plan) -> bool:
    """Whether the steps of an optimizer can be decided on the device that its variables are on."""
    if type(inner)._advance is not Optimizer._advance:
        return False
    first = inner._parts[0]
    return (
        first.be.kind == "cuda"
        and kernels.enabled()
        and all(part.be is first.be and part.dtype == first.dtype for part in inner._parts)
        and inner._pending.issubset(plan.positions)
    )


def _item(array, i: int):
    """An element of a vector, as a 0-d view."""
    return array[i : i + 1].reshape(())
