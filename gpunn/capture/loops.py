"""Loop: elementwise steps over one shape, as the text of one function in LLVM's language.

What the steps hand to each other stays in registers. The text knows neither sizes nor addresses
nor numbers, so that equal chains of calls, whatever their shapes, are compiled once.
"""

import re
from typing import NamedTuple

import numpy as np

from gpunn.backend.instructions import TYPES, cast, filled, instructions, loop_of
from gpunn.backend.native import Block, compiled
from gpunn.capture.forms import collapsed

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


class Loop:
    """Steps over the elements of one shape.

    Args:
        shape: of the loop, the inner axis last.
        steps: what is done with each element.
        stored: the slots of the results that are needed after the loop.
    """

    def __init__(self, shape: tuple[int, ...], steps: tuple[Step, ...], stored: frozenset[int]):
        self.shape, self.steps, self.stored = shape, steps, stored
        self.operands: list[Operand] = []  # those whose memory is read or written
        self._names: dict[int, str] = {}  # by slot, of addresses
        self._functions: list[tuple[int, int]] = []
        self._entry: list[str] = []
        self._row: list[str] = []
        self._buffers: list[str] = []
        self._stretches: list[list[str]] = [[]]
        self._calls: list[tuple] = []
        self._now: dict[int, _Value] = {}  # by slot, what is there after the last step
        self._count = 0
        self._last = {step.out.slot: i for i, step in enumerate(steps)}
        for i, step in enumerate(steps):
            self._step(i, step)
        self._axes, self._strides = collapsed(shape, [o.strides for o in self.operands])
        self.name = "+".join(s.fn if isinstance(s.fn, str) else s.fn.__name__ for s in steps)
        self._function = compiled(self._text())

    def __call__(self, *arrays):
        """A function and its arguments, which are the loop over these arrays, one per operand."""
        *outer, inner = self._axes
        numbers = [inner, *outer]
        for x, strides in zip(arrays, self._strides, strict=True):
            numbers += [x.__array_interface__["data"][0], *strides[:-1]]
        for addresses in self._functions:
            numbers += addresses
        return self._function, (Block(self.name, numbers, arrays),)

    # --- steps ---

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
        k = len(self._functions)
        addresses = loop_of(fn, dtype)
        assert addresses is not None
        self._functions.append(addresses)
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
        kind = _memory(dtype)
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
        if self._last[operand.slot] != i or operand.slot not in self.stored:
            return
        kind, text = _memory(value.dtype), self._use(value)
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
            kind, buffer = _memory(value.dtype), self._spilled(value)
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
            lines, kind, text = self._stretches[at], _memory(value.dtype), value.name
            if kind != TYPES[value.dtype.name]:
                text = self._let(f"zext i1 {text} to i8", lines)
            address = self._let(f"getelementptr {kind}, ptr {value.buffer}, i64 %i", lines)
            lines.append(f"store {kind} {text}, ptr {address}, align 1, !llvm.access.group !0")
        return value.buffer

    def _buffer(self, dtype) -> str:
        name = f"%b{len(self._buffers)}"
        self._buffers.append(f"{name} = alloca [{TILE} x {_memory(dtype)}], align 64")
        return name

    def _name(self, operand: Operand) -> str:
        """What the address of an operand is called."""
        name = self._names.get(operand.slot)
        if name is None:
            name = self._names[operand.slot] = f"%x{len(self.operands)}"
            self.operands.append(operand)
        return name

    # --- text ---

    def _text(self) -> str:
        code = _Code()
        outer = len(self._axes) - 1
        sizes = [code.number("i64") for _ in self._axes]
        places = []
        for k in range(len(self.operands)):
            code.number("ptr", f"%x{k}")
            places.append([code.number("i64") for _ in range(outer)])
        functions = [(code.number("ptr"), code.number("ptr")) for _ in self._functions]
        code.lines += self._buffers + self._entry
        if functions:
            code.lines += ["%args = alloca [2 x ptr]", "%count = alloca i64"]
            code.lines += ["%steps = alloca [2 x i64]"]
        names = [f"%x{k}" for k in range(len(self.operands))]
        for axis in range(outer):
            code.open(f"axis{axis}", sizes[1 + axis])
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
            code.open("tile", "%tiles.n")
            code.let("%start", f"mul i64 %tile, {TILE}")
            code.let("%left", f"sub i64 {size}, %start")
            size = code.let("%n", f"call i64 @llvm.umin.i64(i64 %left, i64 {TILE})")
        for k, operand in enumerate(self.operands):
            kind = _memory(operand.dtype)
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


class _Code:
    """Lines of the function, with its loops."""

    def __init__(self):
        self.lines: list[str] = []
        self.block = "entry"
        self._numbers = 0

    def let(self, name: str, text: str) -> str:
        self.lines.append(f"{name} = {text}")
        return name

    def number(self, kind: str, name: str = "") -> str:
        """The next number of the block that the function is given."""
        k, self._numbers = self._numbers, self._numbers + 1
        self.let(f"%p{k}", f"getelementptr i64, ptr %block, i64 {k}")
        return self.let(name or f"%q{k}", f"load {kind}, ptr %p{k}")

    def open(self, name: str, size: str) -> None:
        """Begin a loop, whose index has its name."""
        self.lines += [f"br label %{name}.loop", f"{name}.loop:"]
        self.let(f"%{name}", f"phi i64 [0, %{self.block}], [%{name}.next, %{name}.latch]")
        self.block = f"{name}.loop"

    def close(self, name: str, size: str, more: str = "") -> None:
        """End a loop."""
        self.lines += [f"br label %{name}.latch", f"{name}.latch:"]
        self.let(f"%{name}.next", f"add i64 %{name}, 1")
        self.let(f"%{name}.more", f"icmp ult i64 %{name}.next, {size}")
        self.lines.append(f"br i1 %{name}.more, label %{name}.loop, label %{name}.end{more}")
        self.lines.append(f"{name}.end:")
        self.block = f"{name}.end"

    def inner(self, at: int, lines: list[str], size: str) -> None:
        """The loop over the elements of a stretch, none of which depends on another."""
        if not lines:
            return
        name = f"i{at}"
        self.open(name, size)
        self.lines += [re.sub(r"%i\b", f"%{name}", line) for line in lines]
        self.close(name, size, f", !llvm.loop !{at + 2}")

    def call(self, function, given: str, out: str, size: str, width: int) -> None:
        """A call of NumPy's loop: `void f(char **args, intp *count, intp *steps, void *data)`."""
        k = len(self.lines)
        self.let(f"%c{k}", "getelementptr ptr, ptr %args, i64 1")
        self.let(f"%d{k}", "getelementptr i64, ptr %steps, i64 1")
        self.lines += [
            f"store ptr {given}, ptr %args", f"store ptr {out}, ptr %c{k}",
            f"store i64 {width}, ptr %steps", f"store i64 {width}, ptr %d{k}",
            f"store i64 {size}, ptr %count",
            f"call void {function[0]}(ptr %args, ptr %count, ptr %steps, ptr {function[1]})",
        ]  # fmt: skip

    def module(self, stretches: int) -> str:
        declared = sorted(
            {
                (found[2], found[1], found[3].count(",") + 1)
                for found in (re.search(r"call (\S+) (@llvm\S+?)(\(.*)", x) for x in self.lines)
                if found
            }
        )
        return "\n".join(
            [
                "define void @kernel(ptr %block) {", "entry:", *self.lines, "ret void", "}",
                *(f"declare {kind} {name}({', '.join([kind] * n)})" for name, kind, n in declared),
                "!0 = distinct !{}", '!1 = !{!"llvm.loop.parallel_accesses", !0}',
                *(f"!{k + 2} = distinct !{{!{k + 2}, !1}}" for k in range(stretches)), "",
            ]
        )  # fmt: skip


def _memory(dtype: np.dtype) -> str:
    """The type of an element in memory."""
    return "i8" if dtype.kind == "b" else TYPES[dtype.name]
