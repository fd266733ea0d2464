"""Loop: elementwise steps over one shape, as one function of machine code."""

from functools import lru_cache

from gpunn.backend.native import Block, compiled
from gpunn.capture.forms import collapsed
from gpunn.capture.writer import Operand, Step, Writer


class Loop:
    """Steps over the elements of one shape.

    Args:
        shape: of the loop, the inner axis last.
        steps: what is done with each element.
        stored: the slots of the results that are needed after the loop.
    """

    def __init__(self, shape: tuple[int, ...], steps: tuple[Step, ...], stored: frozenset[int]):
        self.shape, self.steps, self.stored = shape, steps, stored
        writer = Writer(steps, stored)
        self.operands: list[Operand] = writer.operands  # those whose memory is read or written
        self._axes, self._strides = collapsed(shape, [o.strides for o in self.operands])
        self._called = writer.called
        self._function = compiled(writer.text(len(self._axes)))
        self.name = "+".join([s.fn if isinstance(s.fn, str) else s.fn.__name__ for s in steps])

    def __call__(self, *arrays):
        """A function and its arguments, which are the loop over these arrays, one per operand."""
        *outer, inner = self._axes
        numbers = [inner, *outer]
        for x, strides in zip(arrays, self._strides, strict=True):
            numbers += [x.__array_interface__["data"][0], *strides[:-1]]
        for addresses in self._called:
            numbers += addresses
        return self._function, (Block(self.name, numbers, arrays),)


loop_over = lru_cache(1024)(Loop)  # parts of a call, for several threads, have equal loops
