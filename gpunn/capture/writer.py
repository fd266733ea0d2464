"""Writer: elementwise steps as the text of a function in LLVM's language.

What the steps hand to each other stays in registers. The text knows neither sizes nor addresses
nor numbers, so that equal chains of calls, whatever their shapes, are compiled once.
"""

from typing import NamedTuple

import numpy as np

from gpunn.backend.instructions import TYPES, cast, filled, instructions, loop_of
from gpunn.capture.code import Code, memory

TILE = 1024  # elements between calls of NumPy's functions: they stay in the nearest caches


class Operand(NamedTuple):
    """An array of a loop.

    Args:
        slot: its number; arrays in the same memory have one number, whatever their dtypes.
        strides: the bytes from element to element along each axis of the loop.
        dtype: what its bytes are read as, or written.
    """

    slot: int
    strides: tuple[int, ...]
    dtype: np.dtype


class Step(NamedTuple):
    """One elementwise function.

    Args:
        fn: a ufunc, "copy" or "where".
        dtypes: what it takes and gives, before the cast to the dtype of `out`.
        inputs: operands and literals.
        out: the operand that it writes.
    """

    fn: np.ufunc | str
    dtypes: tuple[np.dtype, ...]
    inputs: tuple
    out: Operand


class _Value:
    """What an element is after a step: a register of one stretch of code, or a buffer."""

    def __init__(self, dtype, stretch: int, name: str = "", buffer: str = ""):
        self.dtype = dtype
        self.stretch = stretch  # -1: known in all
        self.name = name
        self.buffer = buffer
        self.reread: dict[int, str] = {}  # its registers in later stretches
        self.source: Operand | None = None  # the operand that it is as it was read


class Writer:
    """Writes steps; what they call of NumPy's stands between stretches of code, in tiles.

    Args:
        steps: what is done with each element.
        stored: the slots of the results that are written to memory.
    """

    def __init__(self, steps: tuple[Step, ...], stored: frozenset[int]):
        self.operands: list[Operand] = []  # those whose memory is read or written
        self.called: list[tuple[int, int]] = []  # addresses of NumPy's functions and their data
        self._stored = stored
        self._last = {step.out.slot: i for i, step in enumerate(steps)}
        self._names: dict[int, str] = {}  # by slot, of addresses
        self._now: dict[int, _Value] = {}  # by slot, what is there after the last step
        self._count = 0
        self._buffers: list[str] = []
        self._entry: list[str] = []  # code before all loops
        self._row: list[str] = []  # code before the innermost
        self._stretches: list[list[str]] = [[]]  # code of each innermost loop
        self._calls: list[tuple] = []  # what is called after each stretch but the last
        for i, step in enumerate(steps):
            self._step(i, step)

    def _step(self, i: int, step: Step) -> None:
        *into, given = step.dtypes
        values = [
            self._cast(self._read(x), dtype) if type(x) is Operand else _Value(dtype, -1, x)
            for x, dtype in zip(step.inputs, into, strict=True)
        ]
        if step.fn == "copy":
            (value,) = values
        elif step.fn == "where":
            texts = [self._use(v) for v in values]
            condition, (a, b), t = texts[0], texts[1:], TYPES[given.name]
            value = self._new(given, f"select i1 {condition}, {t} {a}, {t} {b}")
        else:
            value = self._applied(step.fn, into[0], given, values)
        self._write(step.out, self._cast(value, step.out.dtype), i)

    def _applied(self, fn, dtype, given, values) -> _Value:
        templates = instructions(fn.__name__, dtype)
        if templates is None:
            return self._call(fn, dtype, values[0])
        if fn.__name__.startswith("logical_"):
            dtype = np.dtype(bool)
            values = [self._cast(v, dtype) for v in values]
        texts = [self._use(v) for v in values]
        for template in templates:
            texts.append(self._let(filled(template, dtype, texts)))
        return _Value(given, len(self._stretches) - 1, texts[-1])

    def _call(self, fn, dtype, value) -> _Value:
        """Let NumPy's own loop fill a buffer, between two stretches."""
        k = len(self.called)
        addresses = loop_of(fn, dtype)
        assert addresses is not None
        self.called.append(addresses)
        source = value.source
        if source is not None and self._now.get(source.slot) is value and source.strides[-1]:
            given, at = None, source
        else:
            given, at = self._spilled(value), None
        out = self._buffer(dtype)
        self._calls.append((k, given, at, out, dtype.itemsize))
        self._stretches.append([])
        return _Value(dtype, len(self._stretches) - 2, buffer=out)

    def _read(self, operand: Operand) -> _Value:
        found = self._now.get(operand.slot)
        if found is None:
            found = self._now[operand.slot] = self._loaded(operand)
        if found.dtype == operand.dtype:
            return found
        old, new = TYPES[found.dtype.name], TYPES[operand.dtype.name]
        if "i1" in (old, new):  # a byte that was looked at as a bool, or the reverse
            return self._cast(found, operand.dtype)
        value = self._use(found)
        return self._new(
            operand.dtype, value if old == new else f"bitcast {old} {value} to {new}", old == new
        )

    def _loaded(self, operand: Operand) -> _Value:
        name, dtype = self._name(operand), operand.dtype
        kind = memory(dtype)
        if any(operand.strides):
            if operand.strides[-1]:
                lines, stretch = self._stretches[-1], len(self._stretches) - 1
                address = self._let(f"getelementptr {kind}, ptr {name}.tile, i64 %i")
                mark = ", !llvm.access.group !0"
            else:
                lines, stretch, address, mark = self._row, -1, f"{name}.row", ""
        else:
            lines, stretch, address, mark = self._entry, -1, name, ""
        value = self._let(f"load {kind}, ptr {address}, align 1{mark}", lines)
        if kind != TYPES[dtype.name]:
            value = self._let(f"trunc i8 {value} to i1", lines)
        found = _Value(dtype, stretch, value)
        found.source = operand
        return found

    def _write(self, operand: Operand, value: _Value, i: int) -> None:
        if value.source is not None:  # it has another place now
            value = _Value(value.dtype, value.stretch, value.name, value.buffer)
        self._now[operand.slot] = value
        if self._last[operand.slot] != i or operand.slot not in self._stored:
            return
        kind, text = memory(value.dtype), self._use(value)
        if kind != TYPES[value.dtype.name]:
            text = self._let(f"zext i1 {text} to i8")
        address = self._let(f"getelementptr {kind}, ptr {self._name(operand)}.tile, i64 %i")
        self._stretches[-1].append(
            f"store {kind} {text}, ptr {address}, align 1, !llvm.access.group !0"
        )

    # --- values ---

    def _let(self, text: str, lines: list | None = None) -> str:
        """A new register."""
        self._count += 1
        name = f"%v{self._count}"
        (self._stretches[-1] if lines is None else lines).append(f"{name} = {text}")
        return name

    def _new(self, dtype, text: str, as_it_is: bool = False) -> _Value:
        return _Value(dtype, len(self._stretches) - 1, text if as_it_is else self._let(text))

    def _cast(self, value: _Value, dtype) -> _Value:
        if value.dtype == dtype:
            return value
        template = cast(value.dtype, dtype)
        text = self._use(value)
        if not template:
            return self._new(dtype, text, as_it_is=True)
        return self._new(dtype, template.format(text))

    def _use(self, value: _Value) -> str:
        """The register of a value in this stretch."""
        here = len(self._stretches) - 1
        if value.stretch == -1 or (value.name and value.stretch == here):
            return value.name
        if here not in value.reread:
            kind, buffer = memory(value.dtype), self._spilled(value)
            address = self._let(f"getelementptr {kind}, ptr {buffer}, i64 %i")
            text = self._let(f"load {kind}, ptr {address}, align 1, !llvm.access.group !0")
            if kind != TYPES[value.dtype.name]:
                text = self._let(f"trunc i8 {text} to i1")
            value.reread[here] = text
        return value.reread[here]

    def _spilled(self, value: _Value) -> str:
        """The buffer where a value is kept for the next stretches."""
        if not value.buffer:
            value.buffer = self._buffer(value.dtype)
            at = value.stretch if value.stretch >= 0 else len(self._stretches) - 1
            lines, kind, text = self._stretches[at], memory(value.dtype), value.name
            if kind != TYPES[value.dtype.name]:
                text = self._let(f"zext i1 {text} to i8", lines)
            address = self._let(f"getelementptr {kind}, ptr {value.buffer}, i64 %i", lines)
            lines.append(f"store {kind} {text}, ptr {address}, align 1, !llvm.access.group !0")
        return value.buffer

    def _buffer(self, dtype) -> str:
        name = f"%b{len(self._buffers)}"
        self._buffers.append(f"{name} = alloca [{TILE} x {memory(dtype)}], align 64")
        return name

    def _name(self, operand: Operand) -> str:
        """What the address of an operand is called."""
        name = self._names.get(operand.slot)
        if name is None:
            name = self._names[operand.slot] = f"%x{len(self.operands)}"
            self.operands.append(operand)
        return name

    # --- text ---

    def text(self, axes: int) -> str:
        """The module, for a loop with so many axes; its block is laid out as `Loop` fills it."""
        code = Code()
        outer = axes - 1
        sizes = [code.number("i64") for _ in range(axes)]
        places = []
        for k in range(len(self.operands)):
            code.number("ptr", f"%x{k}")
            places.append([code.number("i64") for _ in range(outer)])
        functions = [(code.number("ptr"), code.number("ptr")) for _ in self.called]
        code.lines += self._buffers + self._entry
        if functions:
            code.lines += ["%args = alloca [2 x ptr]", "%count = alloca i64"]
            code.lines += ["%steps = alloca [2 x i64]"]
        names = [f"%x{k}" for k in range(len(self.operands))]
        for axis in range(outer):
            code.open(f"axis{axis}")
            for k, strides in enumerate(places):
                code.let(f"%o{k}.{axis}", f"mul i64 %axis{axis}, {strides[axis]}")
                code.let(f"%x{k}.{axis}", f"getelementptr i8, ptr {names[k]}, i64 %o{k}.{axis}")
                names[k] = f"%x{k}.{axis}"
        for k, name in enumerate(names):
            code.let(f"%x{k}.row", f"getelementptr i8, ptr {name}, i64 0")
        code.lines += self._row
        size = sizes[0]
        if functions:
            code.let("%tiles", f"add i64 {size}, {TILE - 1}")
            code.let("%tiles.n", f"udiv i64 %tiles, {TILE}")
            code.open("tile")
            code.let("%start", f"mul i64 %tile, {TILE}")
            code.let("%left", f"sub i64 {size}, %start")
            size = code.let("%n", f"call i64 @llvm.umin.i64(i64 %left, i64 {TILE})")
        for k, operand in enumerate(self.operands):
            kind = memory(operand.dtype)
            start = "%start" if functions else 0
            code.let(f"%x{k}.tile", f"getelementptr {kind}, ptr %x{k}.row, i64 {start}")
        for at, lines in enumerate(self._stretches):
            code.inner(at, lines, size)
            if at < len(self._calls):
                k, given, source, out, width = self._calls[at]
                given = given or f"{self._names[source.slot]}.tile"
                code.call(functions[k], given, out, size, width)
        if functions:
            code.close("tile", "%tiles.n")
        for axis in reversed(range(outer)):
            code.close(f"axis{axis}", sizes[1 + axis])
        return code.module(len(self._stretches))
