"""`gpunn bench`: the same model and data on several devices, results and times side by side."""

import statistics
import time

import numpy as np

import gpunn
from gpunn import datasets, layers, losses
from gpunn.backend import Device, get_backend, one_blas_thread, quiet
from gpunn.backend.probe import emulated
from gpunn.cli import findings, speeds
from gpunn.cli.console import count, names, say, table, units, whole
from gpunn.cli.files import check_writable
from gpunn.errors import DeviceError
from gpunn.models import Sequential

TOLERANCE = 1e-4  # of a loss, relative
COMPARED = 20  # steps whose losses are compared
ROUNDS = 5
SECONDS = 60  # after which no round is begun
WAYS = ("call by call", "captured", "in fit")  # to do steps


def register(commands, common) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "bench",
        parents=[common],
        help="the same training on several devices, side by side",
        description="Train the same network on the same batches (digits) on each device, compare "
        f"the initial weights (bit for bit) and the losses of {COMPARED} captured steps with those "
        f"of the first device (to {TOLERANCE:g}, relative), then time training steps, the devices "
        "taking turns: call by call, captured, and in fit, which also shuffles and gathers. Last "
        "come matrix products and a convolution. A device that cannot be used is named, with the "
        "reason. The exit code is 1 if results differ, or no device can be used.",
    )
    parser.add_argument(
        "--devices",
        type=names,
        default=["cpu", "cuda"],
        metavar="A,B",
        help="such as cpu,cuda:1 (default: cpu,cuda)",
    )
    parser.add_argument(
        "--layers",
        type=units,
        default=[512, 256],
        metavar="512,256",
        help="units of the hidden layers (default: 512,256)",
    )
    parser.add_argument("--batch-size", type=whole(1), default=64, metavar="N", help="default: 64")
    parser.add_argument(
        "--steps", type=whole(1), default=50, metavar="N", help=f"in each of {ROUNDS} rounds (50)"
    )
    parser.add_argument("--seed", type=whole(0), default=0, help="default: 0")
    parser.add_argument(
        "--out", metavar="FILE", help="a file of the results, to attach to a report: .json or text"
    )
    parser.set_defaults(run=run, checks_device=False)


class Contender:
    """One device's model and batches.

    Args:
        device: a name.
        hidden: units of the hidden layers.
        batch_size: rows of a step.
        seed: of the weights.
    """

    def __init__(self, device: str, hidden: list[int], batch_size: int, seed: int):
        self.name = device
        with gpunn.device(device), gpunn.seed(seed):
            self.backend = get_backend()
            self.model = Sequential(
                [
                    layers.Input((64,)),
                    *[layers.Dense(n, activation="relu") for n in hidden],
                    layers.Dense(10),
                ]
            )
            self.model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
            self.model.optimizer.build(self.model.trainable_variables)
        self.initial = self.model.get_weights()
        (x, y), _ = datasets.digits.load_data()
        x = (x.reshape(-1, 64) / 16).astype(np.float32)
        rows = max(len(x) // batch_size * batch_size, min(batch_size, len(x)))
        self.data, self.batch_size = (x[:rows], y[:rows]), batch_size
        starts = range(0, rows, batch_size)
        self.batches = [
            tuple(gpunn.Tensor(a[i : i + batch_size], device=device) for a in self.data)
            for i in starts
        ]
        self.taken = 0
        self.times: dict[str, list[float]] = {way: [] for way in WAYS}

    def losses(self, steps: int) -> list[float]:
        """The losses of so many steps."""
        found = []
        with gpunn.device(self.name), one_blas_thread, quiet():
            for _ in range(steps):
                self.model.reset_metrics()
                found.append(float(self.model._run_train_step(self._next())["loss"]))
        return found

    def time(self, way: str, steps: int) -> None:
        """Time so many steps, all of them done at the end."""
        with gpunn.device(self.name), one_blas_thread, quiet():
            self.backend.synchronize()
            start = time.perf_counter()
            if way == "in fit":
                epochs = max(steps // len(self.batches), 1)
                self.model.fit(*self.data, self.batch_size, epochs, verbose=0)
                steps = epochs * len(self.batches)
            elif way == "captured":
                for _ in range(steps):
                    self.model._run_train_step(self._next(), unchanged=True)
            else:
                for _ in range(steps):
                    self.model.train_step(self._next())
            self.backend.synchronize()
            self.times[way].append((time.perf_counter() - start) / steps)

    def _next(self):
        self.taken += 1
        return self.batches[(self.taken - 1) % len(self.batches)]


def run(args) -> int:
    """Compare, time, print, write."""
    check_writable(args.out, "--out")
    start, lines = time.monotonic(), []

    def tell(label: str, text: str) -> None:
        say(label, text)
        lines.append(f"{label:<10}{text}")

    def show(text: str) -> None:
        print(f"\n{text}\n")
        lines.extend(["", *text.splitlines(), ""])

    contenders, results = [], []
    for name in dict.fromkeys(map(str, map(Device.parse, args.devices))):
        try:
            contenders.append(Contender(name, args.layers, args.batch_size, args.seed))
            results.append({"device": name, "usable": True})
        except DeviceError as e:
            results.append({"device": name, "usable": False, "reason": str(e)})
            tell(name, f"cannot be used, left out: {e}")
    if not contenders:
        raise DeviceError(f"none of the devices {', '.join(args.devices)} can be used")
    used, first = [c.name for c in contenders], contenders[0]
    if emulated() and any(c.backend.kind == "cuda" for c in contenders):
        tell("CUDA", "is emulated here: its speeds say nothing of a GPU")
    sizes = "-".join(map(str, [64, *args.layers, 10]))
    tell("model", f"{sizes}, {count(first.model.count_params(), 'parameter')}, adam, "
         f"batches of {args.batch_size}")  # fmt: skip
    curves = [contender.losses(COMPARED) for contender in contenders]
    for done in range(ROUNDS):
        if done and time.monotonic() - start > SECONDS:
            break
        for way in WAYS:
            for contender in contenders:
                contender.time(way, args.steps)
    measured = [result for result in results if result["usable"]]
    for contender, curve, result in zip(contenders, curves, measured, strict=True):
        result.update(_result(contender, curve, first, curves[0]))
    show(_table(measured))
    products, problems = findings.speeds_of(used, [speeds.products])
    show(findings.speed_table(products, used))
    for text in problems:
        tell("speeds", text)
    same = all(result["agrees"] for result in measured)
    if len(contenders) < 2:
        tell("parity", f"nothing to compare {first.name} with")
    else:
        tell("parity", "the results agree" if same else "THE RESULTS DIFFER")
    seconds = time.monotonic() - start
    tell("time", f"{seconds:.0f} s")
    if args.out:
        document = {
            **findings.machine(),
            "layers": [64, *args.layers, 10],
            "batch_size": args.batch_size,
            "steps": args.steps,
            "rounds": len(first.times[WAYS[0]]),
            "seed": args.seed,
            "devices": results,
            "speeds": products,
            "seconds": seconds,
        }
        findings.write(args.out, document, lines)
        say("saved", args.out)
    return 0 if same else 1


def _result(contender: Contender, curve, first: Contender, first_curve) -> dict:
    equal = all(np.array_equal(a, b) for a, b in zip(contender.initial, first.initial, strict=True))
    apart = max(abs(a - b) / max(abs(b), 1e-12) for a, b in zip(curve, first_curve, strict=True))
    median = {way: statistics.median(times) for way, times in contender.times.items()}
    return {
        "step_ms": {way: seconds * 1e3 for way, seconds in median.items()},
        "step_ms_best": {way: min(times) * 1e3 for way, times in contender.times.items()},
        "rows_per_second": contender.batches[0][0].shape[0] / median["in fit"],
        "losses": curve,
        "weights_equal": equal,
        "loss_difference": apart,
        "agrees": equal and apart <= TOLERANCE,
    }


def _table(measured: list[dict]) -> str:
    titles = [
        *("device, ms/step", *WAYS, "rows/s", "speed", "weights"),
        *("first loss", f"loss {COMPARED}", "difference"),
    ]
    base = measured[0]["step_ms"]["in fit"]
    rows = [
        [
            r["device"],
            *(f"{r['step_ms'][way]:.3f}" for way in WAYS),
            f"{r['rows_per_second']:,.0f}",
            f"{base / r['step_ms']['in fit']:.2f}x",
            "equal" if r["weights_equal"] else "DIFFER",
            f"{r['losses'][0]:.6f}",
            f"{r['losses'][-1]:.6f}",
            f"{r['loss_difference']:.1e}",
        ]
        for r in measured
    ]
    return table(titles, rows)
