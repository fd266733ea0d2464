"""What the engine costs per op: microseconds over the array calls of the op's own body.

    python ci/bench/overhead.py [--repeats 300] [--json FILE]

On 4 x 4 arrays. `array` is the body alone, forward and with its pullback; `forward` is what the op
adds to it without a gradient, `recorded` what it adds when it records one, `backward` what the
recorded op and its part of a backward walk add together; both sum the gradients of leaves.
CPU time; the least of the repeats counts.
"""

import argparse
import gc
import json
import os
import time

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # they slow matrix products down
    os.environ.pop(name, None)
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when numpy is imported

import numpy as np  # noqa: E402

import gpunn  # noqa: E402
from gpunn import ops  # noqa: E402

CHAIN = 100  # ops in a row
BUDGET = {"forward": 2.0, "backward": 4.0}
MATRIX = np.full((4, 4), 0.01, "float32")
OPS = {  # each op with the operands after its first
    "add": (ops.add, [MATRIX]),
    "multiply": (ops.multiply, [MATRIX]),
    "multiply by 2.0": (ops.multiply, [2.0]),
    "add 1": (ops.add, [1]),
    "relu": (ops.relu, []),
    "matmul": (ops.matmul, [MATRIX]),
    "linear": (ops.linear, [MATRIX, MATRIX[0]]),
}


def best(functions, repeats: int) -> list[float]:
    """Microseconds of CPU time per op of each function, taken in turns; least of the repeats."""
    least = [float("inf")] * len(functions)
    for _ in range(repeats):
        for i, function in enumerate(functions):
            start = time.thread_time()
            function()
            least[i] = min(least[i], time.thread_time() - start)
    return [seconds / CHAIN * 1e6 for seconds in least]


def measure(op, others: list, repeats: int) -> dict[str, float]:
    """The figures of one op, called with a tensor and `others`."""
    be = gpunn.backend.get_backend("cpu")
    start = dy = np.ones((4, 4), "float32")
    sums = [np.zeros(np.shape(x), "float32") for x in others]
    needs = (True, *(isinstance(x, np.ndarray) for x in others))

    def bodies():
        x = start
        for _ in range(CHAIN):
            x, _pull = op.body(be, x, *others)

    def bodies_and_pullbacks():
        x, pulls = start, []
        for _ in range(CHAIN):
            x, pull = op.body(be, x, *others)
            pulls.append(pull)
        dx = dy
        for pull in reversed(pulls):
            dx, *dws = pull(dx, needs)
            for total, dw in zip(sums, dws, strict=True):
                if dw is not None and total.ndim:
                    total += dw if dw.shape == total.shape else dw.sum(0)

    def chain(wants: bool, walk: bool = False):
        tensors = [
            gpunn.Tensor(x, requires_grad=wants) if isinstance(x, np.ndarray) else x
            for x in [start, *others]
        ]

        def run():
            x, *rest = tensors
            for _ in range(CHAIN):
                x = op(x, *rest)
            if walk:
                x.backward(dy)

        return run

    array, both, forward, recorded, backward = best(
        (bodies, bodies_and_pullbacks, chain(False), chain(True), chain(True, walk=True)), repeats
    )
    return {
        "array": array,
        "array with pullback": both,
        "forward": forward - array,
        "recorded": recorded - array,
        "backward": backward - both,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    gc.disable()
    results = {name: measure(*case, options.repeats) for name, case in OPS.items()}
    columns = list(next(iter(results.values())))
    print(f"{'op':18}" + "".join(f"{c:>21}" for c in columns))
    for name, figures in results.items():
        print(f"{name:18}" + "".join(f"{figures[c]:21.2f}" for c in columns))
    for column, limit in BUDGET.items():
        worst = max(results, key=lambda n: results[n][column])
        print(f"worst {column}: {results[worst][column]:.2f} us ({worst}), budget {limit} us")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
