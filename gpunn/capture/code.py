"""Code: a function in LLVM's language, with loops around loops."""

import re

import numpy as np

from gpunn.backend.instructions import TYPES


class Code:
    """Lines of the function, with its loops."""

    def __init__(self):
        self.lines: list[str] = []
        self.block = "entry"
        self._numbers = 0

    def let(self, name: str, text: str) -> str:
        """A new register."""
        self.lines.append(f"{name} = {text}")
        return name

    def number(self, kind: str, name: str = "") -> str:
        """The next number of the block that the function is given."""
        k, self._numbers = self._numbers, self._numbers + 1
        self.let(f"%p{k}", f"getelementptr i64, ptr %block, i64 {k}")
        return self.let(name or f"%q{k}", f"load {kind}, ptr %p{k}")

    def open(self, name: str) -> None:
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
        self.open(name)
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
        """All of it, with what it declares; so many of its loops have stretches of code."""
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


def memory(dtype: np.dtype) -> str:
    """The type of an element in memory."""
    return "i8" if dtype.kind == "b" else TYPES[dtype.name]
