"""How a step grows with the model: its time, and the share of it that is in matrix products.

    python ci/bench/sweep.py
    python ci/bench/sweep.py --widths 64,4096 --batches 1,4096 --threads 2

Two hidden layers of WIDTH units on as many inputs, trained with Adam as `fit` does, captured.
"""

import argparse

import breakdown  # first: it clears what slows products down
from contend_gpunn import Contender
from workloads import Workload, data, dense, weights


def measure(width: int, batch: int, threads: int, repeats: int) -> tuple[float, float, float]:
    """Seconds of a step, those in its products, and the operations of these."""
    workload = Workload("", (width,), dense(width, width, 10), "ce", "adam", batch, batch)
    made = Contender(workload, *data(workload), weights(workload), threads)
    made.losses(4)
    (plan,) = [step.plan for step in made.model._captured._steps.values()]
    products = [call for call in plan.calls if breakdown.what(*call)[0] in breakdown.PRODUCTS]
    clock = breakdown.clock_of(threads)
    step = breakdown.least(made.step, repeats, clock)
    # forward and weights' gradients of both hidden layers, the inputs' of one; all of the last
    operations = 2 * batch * width * (5 * width + 3 * 10)
    return step, sum(breakdown.timed(products, repeats, clock)), operations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--widths", default="64,256,1024,4096")
    parser.add_argument("--batches", default="1,16,256,4096")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    widths, batches = ([int(n) for n in x.split(",")] for x in (args.widths, args.batches))
    shares = {}
    print(f"{'width':>6} {'batch':>6} {'step':>12} {'products':>9} {'GFLOP/s':>8}")
    for width in widths:
        for batch in batches:
            step, products, operations = measure(width, batch, args.threads, args.repeats)
            shares[width, batch] = products / step
            print(
                f"{width:6} {batch:6} {step * 1e3:9.3f} ms {products / step:9.0%} "
                f"{operations / products / 1e9:8.1f}",
                flush=True,
            )
    print("\nshare of products:")
    print("".join([f"{'width':>6}", *[f"  batch {batch:4}" for batch in batches]]))
    for width in widths:
        print("".join([f"{width:6}", *[f"{shares[width, batch]:12.0%}" for batch in batches]]))


if __name__ == "__main__":
    main()
