"""Where the time of a training step goes: products, other array work, the optimizer, and Python.

    python ci/bench/breakdown.py beginner
    python ci/bench/breakdown.py mlp128 --threads 2

MODEL is a row of workloads.py. The step is timed as it is; then again with a clock around every
product, every body of an op and its pullback, and the optimizer's step. What the first time has
more than those together is Python: the engine, layers, losses and metrics.
"""

import argparse
import os
import time
from collections import defaultdict

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # they slow matrix products down
    os.environ.pop(name, None)

from contend_gpunn import Contender  # noqa: E402
from workloads import WORKLOADS, data, weights  # noqa: E402

from gpunn.autograd.primitive import primitives  # noqa: E402
from gpunn.backend import CPU_BACKEND  # noqa: E402
from gpunn.backend.kernels import kernel, table  # noqa: E402

DTYPES = ("float32", "float64", "int32", "int64", "bool")


class Clock:
    """Sums what functions take, by name, without what clocks inside them count."""

    def __init__(self):
        self.seconds = defaultdict(float)
        self._inside = [0.0]
        self._overhead = 0.0
        self._overhead = self._own_cost()

    def _own_cost(self) -> float:
        nothing = self.around("nothing", lambda: None)
        for _ in range(1000):
            nothing()
        return self.seconds.pop("nothing") / 1000

    def around(self, name: str, function):
        def timed(*args, **kwargs):
            self._inside.append(0.0)
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.perf_counter() - start
                self.seconds[name] += took - self._inside.pop() - self._overhead
                self._inside[-1] += took

        return timed


def instrument(clock: Clock, model) -> None:
    """Put the clock around products, bodies of ops, pullbacks and the optimizer."""
    for name in ("dot", "matmul"):
        setattr(CPU_BACKEND, name, clock.around("products", getattr(CPU_BACKEND, name)))
    for op, function in primitives.items():
        if not table(op):
            kernel(op, "cpu", DTYPES)(_timed(clock, op, function.body))
    model.optimizer.step = clock.around("optimizer", model.optimizer.step)


def _timed(clock: Clock, op: str, body):
    run = clock.around(op, body)

    def timed(be, *operands, **static):
        y, pull = run(be, *operands, **static)
        return y, pull and clock.around(f"{op}'s gradient", pull)

    return timed


def least(run, repeats: int) -> float:
    """Seconds of the quickest of some runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run(1)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", choices=[n for n, w in WORKLOADS.items() if w.kind == "step"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=300)
    args = parser.parse_args()
    workload = WORKLOADS[args.model]
    made = Contender(workload, *data(workload), weights(workload), args.threads)
    made.losses(10)
    step = least(made.step, args.repeats)
    clock = Clock()
    instrument(clock, made.model)
    found = {}  # of each name, the quickest step's seconds
    for _ in range(args.repeats):
        clock.seconds.clear()
        made.step(1)
        for name, seconds in clock.seconds.items():
            found[name] = min(found.get(name, seconds), seconds)
    products, optimizer = found.pop("products"), found.pop("optimizer")
    other = sum(found.values())
    parts = {
        "products (GEMM)": products,
        "other array work": other,
        "optimizer": optimizer,
        "Python": step - products - other - optimizer,
    }
    print(f"a step of {workload.title}, {args.threads} threads: {step * 1e6:.0f} us")
    for name, seconds in parts.items():
        print(f"  {name:28} {seconds * 1e6:9.1f} us {seconds / step:6.0%}")
    print("other array work, by op:")
    for name, seconds in sorted(found.items(), key=lambda item: -item[1]):
        print(f"  {name:44} {seconds * 1e6:9.1f} us")


if __name__ == "__main__":
    main()
