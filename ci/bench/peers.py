"""gpunn beside PyTorch, JAX and NumPy by hand: the same models, data and weights, in turns.

    python ci/bench/peers.py --against torch,jax --threads 1 --rows beginner,mlp64

Each contender of each row is a process of its own, with one CPU core (or two) and as many threads.
Trials take turns, so that what else the machine does falls on all alike: look at the ratios. With
one thread, time is CPU time; with more it is wall time. The losses of the first ten steps must
agree to 1e-4 before anything is timed. Rows that nobody wrote in NumPy are without it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from contend_numpy import by_hand
from workloads import WORKLOADS

HERE = Path(__file__).parent
TRIAL = 0.1  # seconds of one trial, about
VARIABLES = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
# What PyTorch's MKL asks before it uses AVX-512
INTEL = "int mkl_serv_intel_cpu(void) {return 1;} int mkl_serv_intel_cpu_true(void) {return 1;}"


def environment(contender: str, threads: int) -> dict:
    """The environment of a contender: so many threads, nothing that makes OpenBLAS slower."""
    kept = {
        k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    }
    kept.update({f"{name}_NUM_THREADS": str(threads) for name in VARIABLES})
    kept["JAX_PLATFORMS"] = "cpu"
    kept["GPUNN_FAST"] = "1" if contender == "gpunn-fast" else "0"
    if contender == "torch-intel":
        kept["LD_PRELOAD"] = as_on_intel().name
    if threads == 1:
        kept["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return kept


@cache
def as_on_intel():
    """A library that has MKL take any CPU for one of Intel's, if it is loaded before."""
    library = tempfile.NamedTemporaryFile(suffix=".so")
    command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library.name]
    subprocess.run(command, input=INTEL, text=True, check=True)
    return library


class Process:
    """One contender at work on one row."""

    def __init__(self, python: str, contender: str, row: str, threads: int):
        cores = set(sorted(os.sched_getaffinity(0))[-threads:])
        self.name = contender
        self._process = subprocess.Popen(
            [python, str(HERE / "worker.py"), contender, row, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment(contender, threads),
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )  # fmt: skip
        self.times: list[float] = []

    def ask(self, do: str, **more):
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} failed (exit status {self._process.wait()})")
        return json.loads(line)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def compare(row: str, kind: str, contenders: dict[str, str], threads: int, trials: int) -> dict:
    """Seconds (least, median) and peak MB of each contender on one row of a kind."""
    processes = [Process(python, name, row, threads) for name, python in contenders.items()]
    try:
        firsts = {p.name: p.ask("losses") for p in processes}
        same_losses(row, kind, [(name, losses) for name, (losses, _) in firsts.items()])
        times = {}
        for p in processes:
            p.ask("run", times=3 if kind != "fit" else 1)
            once = max(p.ask("run", times=3 if kind != "fit" else 1) / 3, 1e-6)
            times[p.name] = max(1, round(TRIAL / once))
        if threads > 1:  # until each has found out what is quickest here
            for p in processes:
                p.ask("run", times=20 * times[p.name])
        for trial in range(trials):
            for p in processes[:: -1 if trial % 2 else 1]:
                p.times.append(p.ask("run", times=times[p.name]) / times[p.name])
        return {
            p.name: {
                "min": min(p.times), "median": statistics.median(p.times), "peak": p.ask("peak"),
                "first": firsts[p.name][1],
            }
            for p in processes
        }  # fmt: skip
    finally:
        for p in processes:
            p.close()


def same_losses(row: str, kind: str, losses: list) -> None:
    """Stop unless everybody's losses agree, or predictions: other numbers would mean other work.

    Of ten losses, the first five must; a later difference is said, since Adam with so small an
    epsilon makes much of the last bits of small gradients.
    """
    (_, first), *others = losses
    for name, found in others:
        apart = [abs(a - b) for a, b in zip(first, found, strict=True)]
        if max(apart) > 1e-4:
            message = (
                f"{row}: losses of {name} differ by {max(apart):.2g}: {first[:10]} and {found[:10]}"
            )
            if kind == "predict" or max(apart[:5]) > 1e-4:
                raise SystemExit(message)
            print(message, file=sys.stderr)


def show(row: str, results: dict, reference: str) -> None:
    for name, r in results.items():
        against = results[reference]
        print(
            f"{WORKLOADS[row].title:30} {name:12} {duration(r['min']):>10} "
            f"{duration(r['median']):>10} {r['min'] / against['min']:8.2f} "
            f"{r['median'] / against['median']:8.2f} {r['peak']:8.0f} {r['first']:8.2f}",
            flush=True,
        )


def duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--against",
        default="torch",
        help="torch, torch-fused, torch-intel, jax, numpy, gpunn-fast, gpunn-eager, with commas",
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", default=",".join(WORKLOADS), help="default: all")
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument("--json", type=Path, help="a file for the results")
    for name in ("gpunn", "torch", "jax", "numpy"):
        parser.add_argument(f"--python-{name}", default=sys.executable, help=f"has {name}")
    args = parser.parse_args()
    names = ["gpunn", *filter(None, args.against.split(","))]
    pythons = {n: getattr(args, f"python_{n.partition('-')[0]}") for n in names}
    rows = args.rows.split(",")
    for row in rows:
        if row not in WORKLOADS:
            parser.error(f"no row {row!r}; there are {', '.join(WORKLOADS)}")
    columns = "".join(f" {name:>8}" for name in ("ratio", "ratio", "MB", "first s"))
    print(f"{'':30} {'':12} {'min':>10} {'median':>10}{columns}")
    reference = next((n for n in names if not n.startswith("gpunn")), names[0])
    found = {}
    for row in rows:
        here = {n: p for n, p in pythons.items() if n != "numpy" or by_hand(WORKLOADS[row])}
        found[row] = compare(row, WORKLOADS[row].kind, here, args.threads, args.trials)
        show(row, found[row], reference if reference in here else "gpunn")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
