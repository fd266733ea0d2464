"""Proves of gpunn's CUDA kernels what the emulated device can prove; minutes on two cores.

    ci/cuda-emu/install --check                # NVIDIA's compiler for `compile`
    ci/cuda-emu/run python ci/check_cuda.py [--seeds N] [--only WORD] [CHECK ...]

compile   NVIDIA's own compiler takes every kernel for sm_75, 80, 90, 100 and 120, and none
          spills registers
memory    no kernel writes out of bounds or touches freed memory, each array being an
          allocation of its own
races     no two threads touch the same bytes, one of them writing, without a barrier
order     the results are the same bits for N orders of blocks and threads
async     training steps, batches on their way to the device and checkpoints give the same bits
          for N orders of what streams and graphs leave open
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
ENVIRONMENT = {
    "compile": {"CUDAEMU_NVCC_CHECK": "1", "CUDAEMU_NVCC_ARCHS": "75,80,90,100,120"},
    "memory": {"CUDAEMU_MEMCHECK": "1"},
    "races": {"CUDAEMU_RACECHECK": "1"},
    "order": {},
}
ASYNC = (
    *("tests/capture/test_graph.py", "tests/backend/test_graph.py", "tests/data/test_staging.py"),
    *("tests/optimizers/test_scaled_step.py", "tests/training/test_streams.py"),
)


SLOW = ("attend",)  # to compile: some sizes of heads are enough,
ALIKE = ("bfloat16", "float64")  # as some kernels of these are, whose text is that of other dtypes


def kernels_run(few: bool = False, only: str = ""):
    """Run every kernel on small arrays, and yield what it was and its results.

    Args:
        few: as few calls as have each kernel compiled.
        only: a part of the names of the ops that are run; default: all.
    """
    import numpy as np

    import gpunn
    from gpunn.backend import Stream, get_backend
    from tests.backend import test_adding, test_kernels, test_late
    from tests.harness import to_numpy
    from tests.layers import test_casting_together

    be = get_backend("cuda")
    for op, dtype in test_kernels.registered("cuda"):
        if op in test_kernels.OF_PLACES or only not in op:
            continue  # made of products and CuPy's own
        if few and op in test_kernels.OPS and dtype == np.float64:
            continue  # the text of float32, to the word
        count = 0
        for operands, static in test_kernels.CASES[op](dtype):
            if operands[0].size > 9000 or (few and not operands[0].size):
                continue
            count += 1
            if few and count > 2 and (op in (*test_kernels.OPS, *SLOW) or dtype.name in ALIKE):
                break
            results, grads = test_kernels.run(op, "cuda", operands, static)
            yield f"{op} {dtype}", [to_numpy(x) for x in (*results, *grads)]
    if only in "mixed":  # or all
        yield from mixed_run(test_casting_together.KEPT, test_casting_together.kept_gradients)
    if only:
        return
    x, rows = be.asarray(np.arange(24.0).reshape(8, 3), "float32"), be.asarray([3, 1, 3, -1])
    yield "gather", [to_numpy(be.take(x, rows)), to_numpy(be.take(x, rows[:2], 1))]
    for few in (0, 10):
        with mock.patch("gpunn.backend.cupy_.FEW", few):
            be.scatter_add(x, rows, x[:4].copy())
        yield "scatter_add", [to_numpy(x)]
    bad = be.asarray([2, -1, 0, 7], "int32")
    known = be.in_range(bad, 3, np.float32)
    with contextlib.suppress(gpunn.errors.OutOfRangeError):
        be.check_indices()
    yield "in_range", [to_numpy(x) for x in known]
    heads = be.asarray(np.arange(2 * 4 * 3 * 5.0).reshape(2, 4, 3, 5), "float32").swapaxes(1, 2)
    yield "pointers", [to_numpy(be.matmul(heads, heads.swapaxes(2, 3)))]
    yield "graph", _fetched(be, x)
    for dtype in ("float32", "float64"):
        yield "uniform", [to_numpy(be.uniform(Stream(1), (1001,), dtype))]
    with gpunn.device("cuda"):
        for name, norm in test_adding.NORMS.items():
            grads = test_adding.gradients(norm, test_adding.USES["all"], "float32", (5, 258))
            yield f"{name} of terms", [to_numpy(dx) for dx in grads]
        for name, sum_of in test_late.SUMS.items():
            args = test_late.NORMS["layer"], sum_of, "float32"
            for shape in ((5, 258), (300, 8)):
                found = test_late.normalized(*args, shape, read=False)
                yield f"normalization of {name}", [to_numpy(x) for x in found]
        for cls in gpunn.optimizers.REGISTRY.classes:
            optimizer = cls(learning_rate=0.1)
            v = gpunn.Variable(np.ones((3, 4), "float32"))
            optimizer.apply([np.full((3, 4), 0.5, "float32")], [v])
            yield cls.__name__, [v.numpy()]
        scaled = gpunn.optimizers.LossScaleOptimizer(gpunn.optimizers.Adam(0.1), 8.0)
        for bad in (1.0, np.inf, 2.0):
            scaled.apply([np.full((3, 4), bad, "float32")], [v])
            yield "LossScaleOptimizer", [v.numpy(), scaled.dynamic_scale.numpy()]


def mixed_run(layers, kept_gradients):
    """Layers of half floats with weights, and so gradients, in float32."""
    import gpunn

    with gpunn.device("cuda"):
        for policy in ("mixed_float16", "mixed_bfloat16"):
            for name in layers:
                gpunn.set_dtype_policy(policy)
                rounded, exact = kept_gradients(name)
                gpunn.set_dtype_policy(None)
                yield f"{name} in {policy}", rounded + exact


def _fetched(be, x) -> list:
    """What a graph's first kernel puts into its memory: numbers, rows in order and gathered."""
    from gpunn.backend.graph import Graph
    from gpunn.backend.rows import Rows
    from tests.harness import to_numpy

    order = be.asarray([5, 0, 7, 2], "int64")
    buffers = [be.empty((4, 3), x.dtype), be.empty((4,), order.dtype)]
    results = []
    with Graph(be, buffers) as graph:
        number = graph.number(lambda: len(results), "int32")
    for x_rows in (x[:4], Rows(x, order, 0, 4)):
        graph.sources = [x_rows, order]
        graph.run()
        results += [to_numpy(a) for a in (*buffers, number)]
    return results


def compiled(seeds, only):
    """Each text once, with all names that are asked of it: most of the time goes to its headers."""
    import cupy

    from gpunn.backend import get_backend

    get_backend("cuda")  # which looks whether anything compiles
    asked, real = {}, cupy.RawModule

    class Noted:
        """A module that compiles nothing; but for those without templates, which address memory."""

        def __new__(cls, code, options, name_expressions):
            if name_expressions is None:
                return real(code=code, options=options)
            return super().__new__(cls)

        def __init__(self, code, options, name_expressions):
            self.names = asked.setdefault((code, options), set())

        def get_function(self, name):
            self.names.add(name)
            return lambda *launch: None

    with mock.patch("cupy.RawModule", Noted):
        for _ in kernels_run(few=True, only=only):
            pass
    for (code, options), names in asked.items():
        some = tuple(sorted(name for name in names if "<" in name)) or None
        module = cupy.RawModule(code=code, options=options, name_expressions=some)
        for name in names:
            module.get_function(name)
    return sum(map(len, asked.values())), "kernels compile"


def memory(seeds, only):
    import cudaemu
    import cupy

    cupy.cuda.set_allocator(None)
    count = sum(1 for _ in kernels_run(only=only))
    assert not cudaemu.memcheck(), "a write out of bounds"
    return count, "calls"


def races(seeds, only):
    import cudaemu

    count = 0
    for what, _ in kernels_run(only=only):
        assert not cudaemu.races(), f"a race in {what}"
        count += 1
    return count, "calls"


def order(seeds, only):
    import cudaemu

    expected = list(kernels_run(only=only))
    for seed in range(1, seeds + 1):
        with cudaemu.modes(shuffle=seed):
            for (what, wanted), (_, got) in zip(expected, kernels_run(only=only), strict=True):
                same = all(a.tobytes() == b.tobytes() for a, b in zip(wanted, got, strict=True))
                assert same, f"{what} depends on the order of threads (seed {seed})"
    return len(expected) * seeds, "calls"


CHECKS = {"compile": compiled, "memory": memory, "races": races, "order": order}


def run(check: str, seeds: int, only: str) -> bool:
    """One check in a process of its own, or one a seed; returns whether it passed."""
    start, code = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as cache:
        if check == "async":
            for seed in range(1, seeds + 1):
                command = [sys.executable, "-m", "pytest", "-q", "-n0", "--device", "cuda", *ASYNC]
                environment = os.environ | {"CUDAEMU_ASYNC": str(seed)}
                done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
                if done.returncode:
                    print(done.stdout.decode()[-3000:], f"(seed {seed})")
                code = code or done.returncode
        else:
            environment = ENVIRONMENT[check] | os.environ
            if check == "compile":  # so that every kernel is compiled
                environment["CUPY_CACHE_DIR"] = cache
            options = ["--seeds", str(seeds), "--only", only, "--inside", check]
            command = [sys.executable, __file__, *options]
            code = subprocess.run(command, env=environment, cwd=ROOT).returncode
    print(
        f"{check:8}{'ok' if not code else 'FAILED':8}{time.monotonic() - start:.0f} s", flush=True
    )
    return not code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checks", nargs="*", choices=[*CHECKS, "async", []])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", default="", help="a part of the ops' names (default: all)")
    parser.add_argument("--inside", choices=CHECKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(options.inside, *CHECKS[options.inside](options.seeds, options.only))
        return 0
    checks = options.checks or (*CHECKS, "async")
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each is a process of its own
        passed = list(pool.map(lambda check: run(check, options.seeds, options.only), checks))
    return not all(passed)


if __name__ == "__main__":
    sys.exit(main())
