"""Where the time of a captured training step goes: products, other array work, optimizer, Python.

    python ci/bench/breakdown.py beginner
    python ci/bench/breakdown.py lenet --threads 2 --top 30

MODEL is a row of workloads.py. The step is timed as `fit` takes it; then each call of its plan is
timed alone. The calls after the last product are the optimizer's and the metrics'. What the step
has more than all calls together is Python: the loop, and the look whether the plan is still good.
"""

import argparse
import os
import time
from collections import defaultdict

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # they slow matrix products down
    os.environ.pop(name, None)

import numpy as np  # noqa: E402
from contend_gpunn import Contender  # noqa: E402
from workloads import WORKLOADS, data, weights  # noqa: E402

from gpunn.backend.native import Block  # noqa: E402

PRODUCTS = ("dot", "matmul")


def clock_of(threads: int):
    """CPU time for one thread, which other processes change little; else what a watch shows."""
    return time.thread_time if threads == 1 else time.perf_counter


def least(step, repeats: int, clock) -> float:
    """Seconds of a step, in the quickest of some runs of several."""
    times = []
    for _ in range(repeats):
        start = clock()
        step(5)
        times.append((clock() - start) / 5)
    return min(times)


def timed(calls, repeats: int, clock) -> list[float]:
    """Seconds of each call, the quickest of some runs, less what the clock costs."""
    found = [float("inf")] * len(calls)
    own = float("inf")
    for _ in range(repeats):
        for i, (function, args) in enumerate(calls):
            start = clock()
            function(*args)
            found[i] = min(found[i], clock() - start)
        start = clock()
        own = min(own, clock() - start)
    return [max(seconds - own, 0) for seconds in found]


def what(function, args) -> tuple[str, str]:
    """A call as its function's name and the shape of its largest array."""
    if args and isinstance(args[0], Block):
        return args[0].name, "x".join(map(str, max((a.shape for a in args[0].arrays), key=np.prod)))
    inner = getattr(function, "func", function)
    name = getattr(inner, "__name__", str(inner)).lstrip("_")
    if name == "store":
        name = getattr(function.args[1], "__name__", "store")
    shapes = [a.shape for a in args if isinstance(a, np.ndarray)]
    if name in PRODUCTS:
        return name, " ".join("x".join(map(str, shape)) for shape in shapes[:2])
    return name, "x".join(map(str, max(shapes, key=np.prod, default=())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", choices=[n for n, w in WORKLOADS.items() if w.kind == "step"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--top", type=int, default=15, help="how many kinds of calls are shown")
    args = parser.parse_args()
    workload = WORKLOADS[args.model]
    made = Contender(workload, *data(workload), weights(workload), args.threads)
    made.losses(4)
    (plan,) = [step.plan for step in made.model._captured._steps.values()]
    clock = clock_of(args.threads)
    step = least(made.step, args.repeats, clock)
    kinds: dict = defaultdict(lambda: [0.0, 0])
    products = other = after = 0.0
    for call, seconds in zip(plan.calls, timed(plan.calls, args.repeats, clock), strict=True):
        kind = kinds[what(*call)]
        kind[0] += seconds
        kind[1] += 1
        after += seconds
        if what(*call)[0] in PRODUCTS:
            products, other, after = products + seconds, other + after - seconds, 0.0
    parts = {
        "products (GEMM)": products,
        "other array work": other,
        "optimizer and metrics": after,
        "Python": max(step - products - other - after, 0),
    }
    print(
        f"a step of {workload.title}, {args.threads} threads: {step * 1e3:.3f} ms, "
        f"{len(plan.calls)} calls, {plan.arena.nbytes / 2**20:.1f} MB"
    )
    for name, seconds in parts.items():
        print(f"  {name:28} {seconds * 1e3:9.3f} ms {seconds / step:6.0%}")
    print("its calls:")
    ranked = sorted(kinds.items(), key=lambda item: -item[1][0])
    for (name, shape), (seconds, times) in ranked[: args.top]:
        print(f"  {times:5} x {name:12} {shape:40} {seconds * 1e3:9.3f} ms")


if __name__ == "__main__":
    main()
