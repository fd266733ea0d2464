"""Nets of many kinds, of which none was tuned for: their steps and predictions beside PyTorch.

    python ci/bench/zoo.py --threads 1
    python ci/bench/zoo.py --threads 2 --nets resnet,bilstm --against torch,gpunn-fast

Each net is written once with Keras' layers (`zoo_gpunn.py`) and once as PyTorch's users write it
(`zoo_torch.py`), with the same weights. Everything else is as in `peers.py`, whose processes these
are: before anything is timed, the outputs of all predictions, and the losses of the first steps,
must agree to 1e-4.
"""

import argparse
import sys
from math import prod
from typing import NamedTuple

import numpy as np
from peers import compare, duration
from workloads import Workload


class Net(NamedTuple):
    """One net: what it is given, and what it tells apart."""

    title: str
    shape: tuple[int, ...]  # of one example
    batch: int = 32
    classes: int = 10
    words: int = 0  # if the examples are texts, which end before their zeros: the vocabulary
    places: tuple[int, ...] = ()  # if every place has a class: their shape


NETS = {
    "mlp": Net("MLP with batch norm, 100-256x3-10", (100,), 128),
    "resnet": Net("ResNet, 33x33x3, 16 to 64 filters", (33, 33, 3)),
    "densenet": Net("DenseNet, 4 layers of 12 filters", (16, 16, 24)),
    "mbconv": Net("EfficientNet's blocks, 16x16x32", (16, 16, 32)),
    "convnext": Net("ConvNeXt, 32x32x3, 3 blocks of 48", (32, 32, 3), 16),
    "unet": Net("U-Net, 32x32x1, 16 to 64 filters", (32, 32, 1), 16, 3, places=(32, 32)),
    "critic": Net("GAN's discriminator, 29x29x1", (29, 29, 1), 64, 2),
    "vit": Net("ViT, 32x32x3, 4 blocks of 64", (32, 32, 3)),
    "wavenet": Net("WaveNet, 256 steps, 6 layers of 32", (256, 32)),
    "textcnn": Net("text CNN, 200 words", (200,), 64, 2, words=20000),
    "bilstm": Net("two masked BiLSTMs of 64, 50 words", (50,), 32, 2, words=5000),
    "lstms": Net("three LSTMs of 50, 60 steps", (60, 10)),
}
KINDS = ("step", "predict")
BATCHES = 2


def workload(row: str) -> Workload:
    """A row, such as "step resnet", as `peers.py` and its workers take it.

    A small rate: Adam's first steps are as long for the smallest gradients as for the largest.
    """
    kind, name = row.split()
    net = NETS[name]
    rows = net.batch * (BATCHES if kind == "step" else 1)
    return Workload(net.title, net.shape, [name], "ce", "adam", rows, net.batch, kind, rate=1e-5)


def data(row: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and classes, made of a fixed seed."""
    rng, rows, net = np.random.default_rng(7), workload(row).rows, NETS[row.split()[1]]
    y = rng.integers(0, net.classes, (rows, *net.places))
    if not net.words:
        return rng.random((rows, *net.shape), dtype=np.float32), y
    x = rng.integers(1, net.words, (rows, *net.shape)).astype(np.int32)
    ends = rng.integers(net.shape[0] // 4, net.shape[0] + 1, rows)
    x[np.arange(net.shape[0]) >= ends[:, None]] = 0
    return x, y


def drawing():
    """A function that draws the next weights, of a shape as Keras has it."""
    rng = np.random.default_rng(11)

    def draw(*shape: int) -> np.ndarray:
        if len(shape) == 1:  # biases, and what normalizations have
            return rng.uniform(0.5, 1, shape).astype(np.float32)
        limit = (3 * shape[-1] / prod(shape)) ** 0.5
        return rng.uniform(-limit, limit, shape).astype(np.float32)

    return draw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--against", default="torch", help="as in peers.py, but for JAX")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--nets", default=",".join(NETS), help="default: all")
    parser.add_argument("--trials", type=int, default=7)
    for name in ("gpunn", "torch"):
        parser.add_argument(f"--python-{name}", default=sys.executable, help=f"has {name}")
    args = parser.parse_args()
    names = ["gpunn", *args.against.split(",")]
    pythons = {n: getattr(args, f"python_{n.partition('-')[0]}") for n in names}
    nets = args.nets.split(",")
    for name in nets:
        if name not in NETS:
            parser.error(f"no net {name!r}; there are {', '.join(NETS)}")
    print(f"{'':36}" + "".join(f" {kind:>10} {'ratio':>6} {'median':>6}" for kind in KINDS))
    reference = next((n for n in names if not n.startswith("gpunn")), names[0])
    for name in nets:
        found = [
            compare(f"{kind} {name}", kind, pythons, args.threads, args.trials) for kind in KINDS
        ]
        for contender in names:
            line = f"{NETS[name].title if contender == 'gpunn' else '  ' + contender:36}"
            for results in found:
                own, other = results[contender], results[reference]
                line += f" {duration(own['min']):>10} {own['min'] / other['min']:6.2f}"
                line += f" {own['median'] / other['median']:6.2f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
