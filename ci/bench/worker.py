"""The process of one contender and one row: does what `peers.py` writes to its standard input.

    python worker.py gpunn|gpunn-fast|gpunn-eager|torch|torch-fused|torch-intel|jax|numpy ROW N

N is the number of threads. Each request and each answer is a line of JSON.
"""

import importlib
import json
import os
import sys
import time


def main(contender: str, row: str, threads: int) -> None:
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    from workloads import WORKLOADS, data, weights

    kind, _, variant = contender.partition("-")
    if row in WORKLOADS:
        family, workload = "contend", WORKLOADS[row]
        given = *data(workload), weights(workload)
    else:
        import zoo

        family, workload = "zoo", zoo.workload(row)
        given = *zoo.data(row), zoo.drawing()
    module = importlib.import_module(f"{family}_{kind}")
    made = module.Contender(workload, *given, threads, variant)
    del given  # the weights, which would count as its memory
    clock = time.process_time if threads == 1 else time.perf_counter
    run = getattr(made, workload.kind)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "losses":
            start = clock()
            losses = made.losses(10)
            answer = losses, clock() - start
        elif request["do"] == "run":
            start = clock()
            run(request["times"])
            answer = clock() - start
        else:
            answer = peak_memory()
        os.write(out, json.dumps(answer).encode() + b"\n")


def peak_memory() -> float:
    """The most memory that this process has used so far, in MB."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
