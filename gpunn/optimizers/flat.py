"""Flat memory: variables of one device and dtype are views of one buffer, their gradients too.

An optimizer then updates one long array (or a few) instead of many small ones. A variable keeps its
home in flat memory when a second optimizer is built on it; one that was moved to another device
gets a new home.
"""

from copy import copy
from itertools import accumulate
from math import prod

from gpunn.autograd.home import Flat, Home, home
from gpunn.backend import backend_of

# Bytes that a variable's start is a multiple of. It changes nothing for a GEMM on the CPU; cuBLAS
# asks for 16 to use its vector loads. The gaps stay zero, in parameters and in gradients.
ALIGNMENT = {"cpu": 1, "cuda": 16}


def settle(variables) -> None:
    """Give each variable a home that has none; its values and gradient go along."""
    homeless = {}
    for v in variables:
        if home(v) is None:
            homeless.setdefault((backend_of(v.array), v.array.dtype), []).append(v)
    for (be, dtype), group in homeless.items():
        spans = [span_of(be, v.array.shape, dtype) for v in group]
        flat = Flat(be, be.lasting(sum(spans), dtype), be.lasting(sum(spans), dtype))
        for v, start, span in zip(group, starts_of(spans), spans, strict=True):
            shape, stop = v.array.shape, start + v.array.size
            array = flat.params[start:stop].reshape(shape)
            slot = flat.grads[start:stop].reshape(shape)
            be.copyto(array, v.array)
            v.array = array
            v._home = Home(flat, start, span, array)
            v._grad_slot = slot
            if v._grad is not None:
                be.copyto(slot, v._grad)
                v._grad = slot


def span_of(be, shape, dtype) -> int:
    """The elements that an array takes in flat memory, the gap after it included."""
    unit = max(1, ALIGNMENT[be.kind] // dtype.itemsize)
    return -(-prod(shape) // unit) * unit


def starts_of(spans) -> list[int]:
    """Where arrays of these spans start, one after the other."""
    return [0, *accumulate(spans)][:-1]


class Part:
    """The variables of one flat buffer that one optimizer trains, with that optimizer's slots.

    Args:
        variables: variables that share a flat buffer; kept in the order of memory.
        slots: for each slot its name, a function from variable to the slot's shape (None: it has
            no such slot) and the value it starts with. A slot is one buffer, laid out in the
            order of the variables.
    """

    def __init__(self, variables, slots):
        self.variables = sorted(variables, key=lambda v: v._home.start)
        self.flat = self.variables[0]._home.flat
        self.be = self.flat.be
        self.dtype = self.flat.params.dtype
        self.starts = starts_of([v._home.span for v in self.variables])
        self.buffers = {}
        self.views = {}
        self._work = []
        for name, shape_of, initial in slots:
            self.buffers[name], self.views[name] = self._slot(shape_of, initial)

    def _slot(self, shape_of, initial):
        be, dtype = self.be, self.dtype
        shapes = [shape_of(v) for v in self.variables]
        spans = [0 if s is None else span_of(be, s, dtype) for s in shapes]
        buffer = be.lasting(sum(spans), dtype)
        if initial:
            buffer.fill(initial)
        views = [
            None if shape is None else buffer[start : start + prod(shape)].reshape(shape)
            for shape, start in zip(shapes, starts_of(spans), strict=True)
        ]
        return buffer, views

    def as_seen_by(self, recorder, variables) -> "Part":
        """The same memory as arrays of a recording, and what stands for the variables there."""

        def seen(array):
            return recorder.external(array) if array.size else array

        part = copy(self)
        part.be, part._work = recorder.backend, []
        part.variables = [variables[id(v)] for v in self.variables]
        part.flat = Flat(part.be, seen(self.flat.params), seen(self.flat.grads))
        part.buffers = {name: seen(buffer) for name, buffer in self.buffers.items()}
        part.views = {
            name: [None if view is None else seen(view) for view in views]
            for name, views in self.views.items()
        }
        return part

    def work(self, count: int, length: int) -> list:
        """Arrays to work in, the same ones for every walk."""
        if len(self._work) < count or self._work[0].size < length:
            self._work = [self.be.empty(length, self.dtype) for _ in range(count)]
        return [array[:length] for array in self._work[:count]]

    def runs(self, chosen, cut) -> list["Run"]:
        """The stretches of memory that the chosen variables fill.

        Args:
            chosen: positions of variables, rising.
            cut: a function from variable to what its neighbour must share to be in the same run;
                None ends a run at every variable.
        """
        runs = []
        for i in chosen:
            place = self.variables[i]._home
            key = cut and cut(self.variables[i])
            if runs and cut and runs[-1].key == key and runs[-1].stop == place.start:
                runs[-1].stop += place.span
            else:
                runs.append(Run(self, i, place.start, place.start + place.span, key))
        return runs


class Run:
    """A stretch of one part's memory, from variable `first` on: elements [start, stop)."""

    __slots__ = ("part", "first", "start", "stop", "key")

    def __init__(self, part: Part, first: int, start: int, stop: int, key):
        self.part = part
        self.first = first
        self.start = start
        self.stop = stop
        self.key = key

    @property
    def params(self):
        """The parameters of the stretch, as one vector."""
        return self.part.flat.params[self.start : self.stop]

    @property
    def grads(self):
        """The gradients of the stretch, as one vector."""
        return self.part.flat.grads[self.start : self.stop]

    def slot(self, name: str):
        """A slot of the stretch, as one vector: for slots of the variables' own shapes."""
        start = self.part.starts[self.first]
        return self.part.buffers[name][start : start + self.stop - self.start]
