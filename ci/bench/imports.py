"""What a start costs, and one prediction: time of imports, `predict` of a row, and memory.

    python ci/bench/imports.py [--python-torch PATH]

Exits with status 1 if a limit of LIMITS is exceeded.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time

from peers import Process, environment

LIMITS = {
    "import gpunn / import numpy": 1.5,
    "predict / calling the model": 2.0,
    "MB grown over 10,000 predictions": 1.0,
}
PROGRAMS = {
    "numpy": "import numpy",
    "gpunn": "import numpy, gpunn",  # gpunn alone loads numpy at its first use
    "first use": "import gpunn; gpunn.Sequential",
}


def import_times(rounds: int) -> dict[str, float]:
    """The least CPU seconds of each program, in turns, with compiled bytecode as installed."""
    with tempfile.TemporaryDirectory() as cache:
        env = environment(1) | {"PYTHONPYCACHEPREFIX": cache}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        least = dict.fromkeys(PROGRAMS, float("inf"))
        for trial in range(rounds + 1):
            for name, program in PROGRAMS.items():
                before = _children()
                subprocess.run([sys.executable, "-c", program], env=env, check=True)
                if trial:  # the first compiles
                    least[name] = min(least[name], _children() - before)
    return least


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def predictions(repeats: int) -> dict[str, float]:
    """Seconds of `predict` of one row and of calling the model, and what 10,000 of them leave."""
    import numpy as np

    import gpunn

    model = gpunn.Sequential(
        [gpunn.Input((20,)), gpunn.layers.Dense(64, "relu"), gpunn.layers.Dense(1, "sigmoid")]
    )
    row = np.ones((1, 20), "float32")
    runs = {"calling": lambda: model(row), "predict": lambda: model.predict(row, verbose=0)}
    found = dict.fromkeys(runs, float("inf"))
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.process_time()
            for _ in range(20):
                run()
            found[name] = min(found[name], (time.process_time() - start) / 20)
    before = _resident()
    for _ in range(10_000):
        runs["predict"]()
    found["grown"] = _resident() - before
    return found


def _resident() -> float:
    """Memory in use by this process, in MB."""
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def peaks(python_torch: str | None) -> dict[str, float]:
    """The most memory, in MB, that training 784-512-256-10 at batch 128 takes."""
    pythons = {"gpunn": sys.executable} | ({"torch": python_torch} if python_torch else {})
    found = {}
    for name, python in pythons.items():
        process = Process(python, name, "mlp128", 1)
        process.ask("run", times=20)
        found[name] = process.ask("peak")
        process.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--python-torch", help="an interpreter that has torch, for its memory")
    args = parser.parse_args()
    times = import_times(args.rounds)
    for name, program in PROGRAMS.items():
        print(f"{program:34} {times[name] * 1e3:7.0f} ms {times[name] / times['numpy']:6.2f}")
    one = predictions(args.rounds * 20)
    print(f"{'model(row)':34} {one['calling'] * 1e6:7.0f} us")
    print(f"{'model.predict(row)':34} {one['predict'] * 1e6:7.0f} us")
    for name, megabytes in peaks(args.python_torch).items():
        print(f"{f'peak memory of a training, {name}':34} {megabytes:7.0f} MB")
    figures = (times["gpunn"] / times["numpy"], one["predict"] / one["calling"], one["grown"])
    failed = False
    for (name, limit), figure in zip(LIMITS.items(), figures, strict=True):
        failed |= figure > limit
        print(f"{name:34} {figure:7.2f}, limit {limit}{'  TOO MUCH' * (figure > limit)}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
