"""What fills the memory of a captured training step when it is fullest.

    python ci/bench/residents.py vgg
    python ci/bench/residents.py gpt64 --top 40

MODEL is a row of workloads.py. Each line is an array of the plan's memory that is needed at the
fullest moment: its size, the calls that make and last use it, and their positions in the step.
"""

import argparse

from breakdown import what  # first: it clears what slows products down
from contend_gpunn import Contender
from workloads import WORKLOADS, data, weights

from gpunn.capture import plan
from gpunn.capture.arena import arena, lifetimes
from gpunn.capture.loops import Loop

MB = 2**20


def planned(workload):
    """The calls of a workload's plan, and the arena's layout."""
    kept = []

    def layout(calls, *more):
        kept.append(calls)
        return arena(calls, *more)

    plan.arena = layout
    Contender(workload, *data(workload), weights(workload), 1).losses(4)
    plan.arena = arena
    return kept[-1]


def name(call) -> str:
    """A call's function and the shape of what it writes."""
    if isinstance(call.fn, Loop):
        return f"{call.fn.name} {'x'.join(map(str, call.fn.shape))}"
    shape = "" if call.out is None else "x".join(map(str, call.out.shape))
    return f"{what(call.fn, ())[0]} {shape}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", choices=[n for n, w in WORKLOADS.items() if w.kind == "step"])
    parser.add_argument("--top", type=int, default=20, help="how many arrays are shown")
    args = parser.parse_args()
    calls = planned(WORKLOADS[args.model])
    lives = lifetimes(calls)
    needed = [0] * (len(calls) + 1)
    for storage, (first, last) in lives.items():
        needed[first] += storage.nbytes
        needed[last + 1] -= storage.nbytes
    fullest, most, now = 0, 0, 0
    for i, change in enumerate(needed):
        now += change
        if now > most:
            fullest, most = i, now
    size = arena(calls)[1]
    print(
        f"{WORKLOADS[args.model].title}: {size / MB:.1f} MB for {len(calls)} calls; "
        f"{most / MB:.1f} MB needed at call {fullest}, {name(calls[fullest])}"
    )
    there = [(s, span) for s, span in lives.items() if span[0] <= fullest <= span[1]]
    for storage, (first, last) in sorted(there, key=lambda x: -x[0].nbytes)[: args.top]:
        print(
            f"{storage.nbytes / MB:8.2f} MB  {first:5} {name(calls[first]):36} "
            f"{last:5} {name(calls[last])}"
        )


if __name__ == "__main__":
    main()
