"""Plan: the walk of one step through the memory of the variables that take part in it.

Everything that does not change from step to step is made once here: stretches, chunks, scratch
arrays, and the places of the step's numbers.
"""

from collections.abc import Callable

import numpy as np

from gpunn.autograd import mutated_span, no_grad
from gpunn.backend import backend_of
from gpunn.optimizers.flat import Run

# On the CPU memory is walked in chunks whose arrays (parameters, gradient, slots, scratch) stay in
# the cache together through all passes of an update; on a GPU in one go, for few launches.
CHUNK_BYTES = 1 << 18
ALIGNED = 16  # elements: chunks begin where a line of the cache does


class Plan:
    """How one step walks through the variables that take part in it.

    Args:
        optimizer: the rule and its settings.
        variables: those that take part, which the optimizer was built for.
    """

    def __init__(self, optimizer, variables):
        self.positions = [optimizer._index[id(v)] for v in variables]
        self.constrained = [v for v in variables if v.constraint is not None]
        alone = not optimizer.elementwise or optimizer.clipnorm is not None
        chosen = {id(v) for v in variables}
        self.walks = []
        for part in optimizer._parts:
            mine = [i for i, v in enumerate(part.variables) if id(v) in chosen]
            if mine:
                runs = part.runs(mine, None if alone else optimizer.decay_rate)
                self.walks.append(Walk(optimizer, part, runs))

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The memory that an update changes."""
        return [stretch.memory for walk in self.walks for stretch in walk.stretches]

    def unscale(self, factor) -> None:
        """Divide the gradients by the factor of the loss, a number or a 0-d array."""
        for walk in self.walks:
            for stretch in walk.stretches:
                walk.xp.divide(stretch.own_grads, factor, out=stretch.own_grads)

    def accumulate(self) -> None:
        """Add the gradients to the accumulators."""
        for walk in self.walks:
            for stretch in walk.stretches:
                walk.xp.add(stretch.grads, stretch.own_grads, out=stretch.grads)

    def accumulate_by(self, guard, steps: int) -> None:
        """Add the gradients to the accumulators, which are means then if an update is due."""
        for walk in self.walks:
            for stretch in walk.stretches:
                args = (stretch.grads, stretch.own_grads, guard.scale, guard.waits, float(steps))
                walk.apply(_accumulate, args, guard.skip)

    def divide_accumulators(self, steps: int) -> None:
        """Make means of the accumulators' sums."""
        for walk in self.walks:
            for stretch in walk.stretches:
                walk.xp.divide(stretch.grads, steps, out=stretch.grads)

    def clear_accumulators(self, unless) -> None:
        """Start the next sums, unless a flag on the device is true."""
        for walk in self.walks:
            for stretch in walk.stretches:
                walk.apply(_clear, (stretch.grads, unless))

    def set_numbers(self, numbers, lr: float) -> None:
        """Say what numbers the next update is made with."""
        for walk in self.walks:
            walk.set_numbers(numbers, lr)

    def update(self, rule, guard=None) -> None:
        """Change parameters and slots by the rule (an optimizer).

        Args:
            guard: what the device decides of it, see `guarded.Guard`.
        """
        limit = rule.global_clipnorm
        if guard is not None and (limit is not None or rule.clipnorm is not None):
            if guard.scale is not None:
                self.unscale(guard.scale)
                guard = guard._replace(scale=None)
        scale = None if limit is None else self._global_scale(limit)
        for walk in self.walks:
            walk.update(rule, scale, guard)

    def constrain(self, unless=None) -> None:
        """Project the variables that have a constraint.

        Args:
            unless: a flag on the device, as in what follows: if it is true, nothing changes.
        """
        if self.constrained:
            with no_grad():
                for v in self.constrained:
                    value = v.constraint(v).array
                    if unless is not None:
                        value = backend_of(value).xp.where(unless, v.array, value)
                    v.assign(value)

    def _global_scale(self, limit: float):
        """What scales all gradients to a common norm of at most the limit."""
        square = None
        for walk in self.walks:
            for stretch in walk.stretches:
                own = walk.be.dot(stretch.grads, stretch.grads)
                square = own if square is None else square + own
        be = self.walks[0].be
        return be.fused(_global_scale)(be, square, limit=limit)[0]

    def set_momentum(self, momentum: float) -> None:
        """Say how much of the averages the next `average` keeps."""
        for walk in self.walks:
            walk.momentum.set((momentum, 1 - momentum))

    def average(self, momentum=None, unless=None) -> None:
        """Move the averages towards the variables.

        Args:
            momentum: how much of them is kept and what is added; default: what was set.
        """
        for walk in self.walks:
            walk.average(momentum, unless)

    def overwrite(self, unless=None) -> None:
        """Put the averages in the variables' place."""
        for walk in self.walks:
            for stretch in walk.stretches:
                mutated_span(stretch.memory)
                args = (stretch.params, stretch.run.slot("average"))
                walk.apply(_copy, args, unless)


def _global_scale(be, square, limit):
    xp = be.xp
    norm = xp.sqrt(square)
    # as Keras: a norm of Inf or NaN makes every gradient NaN, so that it cannot go unseen
    return xp.where(xp.isfinite(norm), limit / xp.maximum(norm, limit), xp.nan), None


def _scale(be, square, limit):
    return limit / be.xp.maximum(be.xp.sqrt(square), limit), None


class Stretch:
    """A run with its arrays: vectors, and the pieces that the rule is applied to."""

    __slots__ = ("run", "params", "memory", "grads", "own_grads", "pieces", "decay")

    def __init__(self, run: Run, accumulated: bool):
        self.run = run
        self.params = run.params
        self.memory = run.part.be.address(self.params)
        self.own_grads = run.grads  # of the last backward
        self.grads = run.slot("gradient_accumulator") if accumulated else self.own_grads


class Walk:
    """The stretches of one part, in one device's memory and of one dtype."""

    def __init__(self, rule, part, runs):
        self.be = be = part.be
        self.xp = be.xp
        self.chunk = CHUNK_BYTES // part.dtype.itemsize if be.kind == "cpu" else None
        self.stretches = [Stretch(r, bool(rule.gradient_accumulation_steps)) for r in runs]
        chunks = [c for stretch in self.stretches for c in self._chunks(stretch.params.size)]
        length = max(c.stop - c.start for c in chunks)
        # a GPU takes what is elementwise in one launch, with nothing to be kept in between
        self.one_launch = be.kind == "cuda" and rule.elementwise
        work = [] if self.one_launch else part.work(1 + rule.scratch, length)
        self.work, self.scratch = work[:1], work[1:]
        rates = []
        for stretch in self.stretches:
            stretch.pieces = list(self._pieces(rule, stretch))
            rate = rule.decay_rate(part.variables[stretch.run.first])
            stretch.decay = None
            if rate:
                rates.append(rate)
                stretch.decay = len(rates) - 1
        self.rates = rates
        self.numbers = Numbers(be, part.dtype)
        self.decays = Numbers(be, part.dtype)
        self.momentum = Numbers(be, part.dtype)

    def _pieces(self, rule, stretch: Stretch):
        """(p, g, slots, work) of every chunk, or of the whole variable for its rule."""
        run = stretch.run
        if not rule.elementwise:
            v = run.part.variables[run.first]
            g = stretch.grads[: v.array.size].reshape(v.shape)
            slots = tuple(run.part.views[name][run.first] for name in rule.slot_names)
            yield v.array, g, slots, (None,)
            return
        buffers = [run.slot(name) for name in rule.slot_names]
        for here in self._chunks(stretch.params.size):
            length = here.stop - here.start
            yield (
                stretch.params[here],
                stretch.grads[here],
                tuple(b[here] for b in buffers),
                tuple([w[:length] for w in (*self.work, *self.scratch)]),
            )

    def _chunks(self, size: int) -> list[slice]:
        """Chunks of equal sizes; an even number of them, which two threads share."""
        step = max(size, 1)
        if self.chunk is not None and size > self.chunk:
            count = 2 * -(-size // (2 * self.chunk))
            step = -(-size // (count * ALIGNED)) * ALIGNED
        return [slice(i, min(i + step, size)) for i in range(0, size, step)]

    def set_numbers(self, numbers, lr: float) -> None:
        """Say what numbers the next update is made with."""
        self.numbers.set(numbers)
        if self.rates:
            self.decays.set([lr * rate for rate in self.rates])

    def update(self, rule, scale, guard=None) -> None:
        """Update every stretch: clipping, weight decay and the rule, in Keras' order."""
        be = self.be
        change: Callable = self._change
        more: tuple = ()
        h, decays = self.numbers.values, self.decays.values
        if guard is not None:
            change, more = self._change_unless, (guard.waits, guard.scale)
            if guard.numbers is not None:
                h, decays = guard.numbers, [guard.decays[rate] for rate in self.rates]
        for stretch in self.stretches:
            if rule.clipnorm is not None:
                square = be.dot(stretch.grads, stretch.grads)
                scale = be.fused(_scale)(be, square, limit=rule.clipnorm)[0]
            decay = None if stretch.decay is None else decays[stretch.decay]
            for p, g, slots, work in stretch.pieces:
                args = (rule, p, g, slots, h, decay, scale, *more)
                if self.one_launch:
                    be.in_one_launch(change, args, 1 + rule.scratch)
                else:
                    change(be, *args, *work)
            mutated_span(stretch.memory)

    def _change(self, be, rule, p, g, slots, h, decay, scale, work=None, *scratch):
        """Update arrays of one shape: clipping, weight decay and the rule, in Keras' order."""
        xp = be.xp
        if scale is not None:
            g = xp.multiply(g, scale, out=work)
        elif rule.clipvalue is not None:
            g = xp.clip(g, -rule.clipvalue, rule.clipvalue, out=work)
        if decay is not None:
            shrink = xp.multiply(p, decay, out=scratch[0] if scratch else None)
            xp.subtract(p, shrink, out=p)
        rule.update(be, p, g, slots, h, scratch)

    def _change_unless(
        self, be, rule, p, g, slots, h, decay, scale, waits, divisor, work=None, *scratch
    ):
        """`_change` by the gradient divided by a scale; if `waits` is true, nothing changes."""
        xp, changed = be.xp, [x for x in (p, *slots) if x is not None]
        kept = [x.astype(x.dtype) for x in changed]
        if divisor is not None:
            g = xp.divide(g, divisor)
        self._change(be, rule, p, g, slots, h, decay, scale, work, *scratch)
        for x, before in zip(changed, kept, strict=True):
            be.copyto(x, xp.where(waits, before, x))

    def average(self, momentum, unless) -> None:
        """average = momentum * average + (1 - momentum) * parameters"""
        momentum = self.momentum.values if momentum is None else momentum
        for stretch in self.stretches:
            average = stretch.run.slot("average")
            for here in self._chunks(average.size):
                args = (average[here], stretch.params[here], momentum)
                self.apply(_average, args, unless, [w[: here.stop - here.start] for w in self.work])

    def apply(self, code, args, unless=None, work=(None,)) -> None:
        """Change the first of `args` by elementwise code, unless a flag on the device is true."""
        if unless is not None:
            args, code = (args[0], unless, code, *args[1:]), _unless
        if self.be.kind == "cuda":
            self.be.in_one_launch(code, args, 1)
        else:
            code(self.be, *args, *work)


def _unless(be, x, flag, code, *args):
    before = x.astype(x.dtype)
    code(be, x, *args)
    be.copyto(x, be.xp.where(flag, before, x))


def _average(be, average, params, momentum, work):
    xp = be.xp
    kept, rest = momentum
    xp.multiply(average, kept, out=average)
    xp.multiply(params, rest, out=work)
    xp.add(average, work, out=average)


def _accumulate(be, total, g, scale, waits, steps, work):
    xp = be.xp
    if scale is not None:
        g = xp.divide(g, scale)
    xp.add(total, g, out=total)
    be.copyto(total, xp.where(waits, total, xp.divide(total, steps)))


def _clear(be, total, unless, work):
    be.copyto(total, be.xp.where(unless, total, 0.0))


def _copy(be, x, value, work):
    be.copyto(x, value)


class Numbers:
    """A step's numbers as an update reads them: 0-d arrays on the CPU, which ufuncs take fastest,
    and where a GPU records; else, on a GPU, Python floats, which a kernel gets without a copy.
    """

    def __init__(self, be, dtype):
        self._be = be
        self._dtype = dtype
        self._places: tuple = ()
        self._before: tuple = ()  # what lies there
        self.values: tuple = ()  # what an update reads

    def set(self, values) -> None:
        """The values of the next step, in their places."""
        if self._be.kind != "cpu" and not (self._places or self._be.recording):
            self.values = tuple(values)
            return
        if len(self._places) != len(values):
            buffer = np.empty(len(values), self._dtype)
            self._places = tuple(buffer[i : i + 1].reshape(()) for i in range(len(values)))
            self.values = tuple(map(self._be.external, self._places))
            self._before = (None,) * len(values)
        for place, value, before in zip(self._places, values, self._before, strict=True):
            if value != before:
                place[()] = value
        self._before = tuple(values)
