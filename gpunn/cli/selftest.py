"""`gpunn doctor --selftest`: whether a GPU's kernels are right, and how quick the devices are."""

import time
import traceback

import gpunn
from gpunn.backend import kernels, quiet
from gpunn.backend.doctor import report
from gpunn.backend.probe import emulated
from gpunn.cli import findings, parity, speeds
from gpunn.cli.console import count, say, say_all, shown
from gpunn.errors import DeviceError

PARITY_SECONDS = 70  # for all kernels; on the first run a GPU's compiler works for most of it


def selftest(out: str | None, seed: int = 0) -> int:
    """Run it, print what it finds, and write it to a file.

    Args:
        out: a file's name: JSON if it ends so, else text; None: no file.
        seed: of shapes and values.

    Returns:
        The exit code: 1 if a kernel differs from its reference.
    """
    start, lines = time.monotonic(), []
    document: dict = findings.machine()

    def tell(label: str, *texts: str) -> None:
        say_all(label, list(texts))
        lines.extend([f"{label if not i else '':<10}{text}" for i, text in enumerate(texts)])

    problem = _problem()
    document["cuda"] = problem or ("emulated" if emulated() else "usable")
    good = True
    if problem:
        tell("CUDA", "cannot be used, so no kernel is tried; what is missing:", *_missing())
    else:
        if emulated():
            tell("CUDA", "is emulated here: kernels are tried, speeds of cuda say nothing of a GPU")
        try:
            with quiet(), gpunn.device("cuda"):
                late = time.monotonic() + PARITY_SECONDS
                found = parity.check(seed, until=lambda: time.monotonic() > late)
            good = _tell_parity(found, tell, document)
        except Exception as e:  # whatever a new GPU makes of it belongs to the findings
            problem, good = f"{type(e).__name__}: {e}", False
            document["stopped"] = traceback.format_exc()
            tell("kernels", f"STOPPED by {problem}", "so CUDA is not measured either")
    measured = [device for device in ("cpu", "cuda") if device == "cpu" or not problem]
    measures = (speeds.kernels, speeds.products, speeds.steps)
    rows, problems = findings.speeds_of(measured, measures)
    document["speeds"] = rows
    printed = findings.speed_table(rows, measured)
    print(f"\n{printed}\n")
    lines += ["", *printed.splitlines(), ""]
    for text in problems:
        tell("speeds", text)
    document["problems"] = problems
    document["seconds"] = time.monotonic() - start
    tell("time", f"{document['seconds']:.0f} s")
    document["passed"] = good = good and not problems
    if out:
        findings.write(out, document, lines)
        say("saved", out)
    return 0 if good else 1


def _problem() -> str | None:
    try:
        gpunn.backend.get_backend("cuda")
    except DeviceError as e:
        return str(e)
    return None


def _missing() -> list[str]:
    wrong = [r for r in report() if r.name.startswith("CUDA") and not r.ok]
    return [f"{r.name[5:]}: {r.detail}" + (f"; {r.fix}" if r.fix else "") for r in wrong]


def _tell_parity(found: parity.Parity, tell, document: dict) -> bool:
    """Say which kernels agree with their references; returns whether all do."""
    known = [(op, dtype.name) for op, kind, dtype in kernels.registered() if kind == "cuda"]
    document["kernels"] = [
        {"op": op, "dtype": dtype, **vars(m), "agrees": m.agrees}
        for (op, dtype), m in sorted(found.met.items())
    ]
    wrong = {key: m for key, m in found.met.items() if not m.agrees}
    untried = [f"{op} {dtype}" for op, dtype in known if (op, dtype) not in found.met]
    document["untried"] = untried
    good = len(found.met) - len(wrong)
    tell(
        "kernels",
        f"{good} of {count(len(known), 'kernel')} (an op and a dtype each) agree with their "
        "references,",
        "values and gradients, on random shapes",
    )
    if untried:
        tell(
            "",
            f"not tried in {PARITY_SECONDS} s: {shown(untried)}",
            "where the compiler took that time, run it again: what is compiled is kept",
        )
    for (op, dtype), m in wrong.items():
        if m.problem:
            tell("", f"{op} {dtype} DOES NOT RUN: {m.problem}")
        else:
            tell("", f"{op} {dtype} DIFFERS, by {m.worst:.1e} of the largest value "
                 f"(up to {m.tolerance:.0e} is rounding)")  # fmt: skip
    return not wrong
