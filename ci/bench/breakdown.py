"""Where the time of a captured training step goes: products, other array work, optimizer, Python.

    python ci/bench/breakdown.py beginner
    python ci/bench/breakdown.py lenet --threads 2 --top 30

MODEL is a row of workloads.py. The step is timed as `fit` takes it; then each call of its plan and
the optimizer's step are timed one by one. What the step has more than those together is Python:
the loop, and the look whether the plan is still good.
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


def least(run, repeats: int) -> float:
    """Seconds of CPU time of the quickest of some runs."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def least_inside(of, name: str, run, repeats: int) -> float:
    """Seconds of the quickest call of a method while `run` is made; 0 if it is not called."""
    method, times = getattr(of, name), []

    def clocked():
        start = time.perf_counter()
        method()
        times.append(time.perf_counter() - start)

    setattr(of, name, clocked)
    for _ in range(repeats):
        run()
    delattr(of, name)
    return min(times, default=0.0)


def timed(calls, repeats: int) -> list[float]:
    """Seconds of each call, the quickest of some runs, less what the clock costs."""
    clock = time.perf_counter
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
    inner = getattr(function, "func", function)
    name = getattr(inner, "__name__", str(inner)).lstrip("_")
    if name == "store":
        name = getattr(function.args[1], "__name__", "store")
    shapes = [a.shape for a in args if isinstance(a, np.ndarray)]
    if name in ("dot", "matmul"):
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
    model = made.model
    (plan,) = [step.plan for step in model._captured._steps.values()]
    step = least(lambda: made.step(1), args.repeats)
    optimizer = least_inside(model.optimizer, "step", lambda: made.step(1), args.repeats)
    kinds: dict = defaultdict(lambda: [0.0, 0])
    for call, seconds in zip(plan.calls, timed(plan.calls, args.repeats), strict=True):
        kind = kinds[what(*call)]
        kind[0] += seconds
        kind[1] += 1
    products = sum(s for (name, _), (s, _) in kinds.items() if name in ("dot", "matmul"))
    other = sum(s for s, _ in kinds.values()) - products
    parts = {
        "products (GEMM)": products,
        "other array work": other,
        "optimizer": optimizer,
        "Python": max(step - products - other - optimizer, 0),
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
