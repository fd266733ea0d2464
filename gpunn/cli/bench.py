"""`gpunn bench`: the same model and data on several devices, results and times side by side."""

import json
import platform
import statistics
import time
from pathlib import Path

import numpy as np

import gpunn
from gpunn import datasets, layers, losses, optimizers
from gpunn.backend import Device, get_backend
from gpunn.cli.console import count, names, say, table, units, whole
from gpunn.cli.files import check_writable
from gpunn.errors import DataError, DeviceError
from gpunn.models import Sequential

TOLERANCE = 1e-4  # of a loss, relative
COMPARED = 20  # steps whose losses are compared
ROUNDS = 5


def register(commands, common) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "bench",
        parents=[common],
        help="the same training on several devices, side by side",
        description="Train the same network on the same batches (digits) on each device, compare "
        f"the initial weights (bit for bit) and the losses of {COMPARED} steps with those of the "
        f"first device (to {TOLERANCE:g}, relative), then time training steps, the devices taking "
        "turns. A device that cannot be used is named, with the reason. The exit code is 1 if "
        "results differ, or no device can be used.",
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
    parser.add_argument("--out", metavar="FILE", help="a JSON file of the results")
    parser.set_defaults(run=run, checks_device=False)


class Contender:
    """One device's model, optimizer and batches.

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
            self.initial = self.model.get_weights()
            self.loss = losses.SparseCategoricalCrossentropy(from_logits=True)
            self.optimizer = optimizers.Adam()
            self.optimizer.build(self.model.trainable_variables)
            (x, y), _ = datasets.digits.load_data()
            x = (x.reshape(-1, 64) / 16).astype(np.float32)
            starts = range(0, max(len(x) - batch_size, 0) + 1, batch_size)
            self.batches = [
                (gpunn.Tensor(x[i : i + batch_size]), gpunn.Tensor(y[i : i + batch_size]))
                for i in starts
            ]
        self.taken = 0
        self.times: list[float] = []

    def step(self):
        """One step of training; its loss, not read from the device."""
        x, y = self.batches[self.taken % len(self.batches)]
        self.taken += 1
        loss = self.loss(y, self.model(x, training=True))
        loss.backward()
        self.optimizer.step()
        return loss

    def losses(self, steps: int) -> list[float]:
        """The losses of so many steps."""
        with gpunn.device(self.name):
            return [float(self.step()) for _ in range(steps)]

    def time(self, steps: int) -> None:
        """Time so many steps, all of them done at the end."""
        with gpunn.device(self.name):
            self.backend.synchronize()
            start = time.perf_counter()
            for _ in range(steps):
                self.step()
            self.backend.synchronize()
            self.times.append((time.perf_counter() - start) / steps)


def run(args) -> int:
    """Compare, time, print, write."""
    check_writable(args.out, "--out")
    contenders, results = [], []
    for name in dict.fromkeys(map(str, map(Device.parse, args.devices))):
        try:
            contenders.append(Contender(name, args.layers, args.batch_size, args.seed))
            results.append({"device": name, "usable": True})
        except DeviceError as e:
            results.append({"device": name, "usable": False, "reason": str(e)})
            say(name, f"cannot be used, left out: {e}")
    if not contenders:
        raise DeviceError(f"none of the devices {', '.join(args.devices)} can be used")
    first = contenders[0]
    sizes = "-".join(map(str, [64, *args.layers, 10]))
    say("model", f"{sizes}, {count(first.model.count_params(), 'parameter')}, adam, "
        f"batches of {args.batch_size}")  # fmt: skip
    curves = [contender.losses(COMPARED) for contender in contenders]
    for _ in range(ROUNDS):
        for contender in contenders:
            contender.time(args.steps)
    measured = [result for result in results if result["usable"]]
    for contender, curve, result in zip(contenders, curves, measured, strict=True):
        result.update(_result(contender, curve, first, curves[0]))
    print(_table(measured))
    same = all(result["agrees"] for result in measured)
    if len(contenders) < 2:
        say("parity", f"nothing to compare {first.name} with")
    else:
        say("parity", "the results agree" if same else "THE RESULTS DIFFER")
    if args.out:
        _write(args, results)
        say("saved", args.out)
    return 0 if same else 1


def _result(contender: Contender, curve, first: Contender, first_curve) -> dict:
    equal = all(np.array_equal(a, b) for a, b in zip(contender.initial, first.initial, strict=True))
    apart = max(abs(a - b) / max(abs(b), 1e-12) for a, b in zip(curve, first_curve, strict=True))
    return {
        "step_ms": statistics.median(contender.times) * 1e3,
        "step_ms_best": min(contender.times) * 1e3,
        "rows_per_second": contender.batches[0][0].shape[0] / statistics.median(contender.times),
        "losses": curve,
        "weights_equal": equal,
        "loss_difference": apart,
        "agrees": equal and apart <= TOLERANCE,
    }


def _table(measured: list[dict]) -> str:
    titles = [
        *("device", "ms/step", "best", "rows/s", "speed", "weights"),
        *("first loss", f"loss {COMPARED}", "difference"),
    ]
    base = measured[0]["step_ms"]
    rows = [
        [
            r["device"],
            f"{r['step_ms']:.3f}",
            f"{r['step_ms_best']:.3f}",
            f"{r['rows_per_second']:,.0f}",
            f"{base / r['step_ms']:.2f}x",
            "equal" if r["weights_equal"] else "DIFFER",
            f"{r['losses'][0]:.6f}",
            f"{r['losses'][-1]:.6f}",
            f"{r['loss_difference']:.1e}",
        ]
        for r in measured
    ]
    return table(titles, rows)


def _write(args, results: list[dict]) -> None:
    document = {
        "gpunn": gpunn.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "layers": [64, *args.layers, 10],
        "batch_size": args.batch_size,
        "steps": args.steps,
        "rounds": ROUNDS,
        "seed": args.seed,
        "devices": results,
    }
    try:
        Path(args.out).write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    except OSError as e:
        raise DataError(f"cannot write {args.out}: {e.strerror or e}") from None
