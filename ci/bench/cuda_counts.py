"""What a training step asks of a GPU, counted on the emulated device; it says nothing about time.

    ci/cuda-emu/run python ci/bench/cuda_counts.py [MODEL ...] [--check]

For each model: kernels, cuBLAS products, copies within the device, copies to and from the host,
allocations and synchronisations of a step run call by call and of a captured one, and the bytes
that the device has given out at most, cuBLAS's workspaces left out. Beside it, what the step needs
on paper: the weights and their gradients, the optimizer's slots, the batch, the results of all ops
of the forward pass, and the gradients of one op's result and operands, of those where they are
largest. Also the step with all ops made of CuPy's own calls, without gpunn's kernels (but for the
optimizer, which is one launch), and the MLP's as one writes it in CuPy. Sizes are small: the counts
do not depend on them.
The models are counted once more under the policy "mixed_float16", with a scaled loss; of their
memory there is no limit, as recurrent ops compute in float32.
`--check` fails if a captured step copies anything, waits, or allocates, or is not one graph and
nothing else, or if a model needs more than its limit of launches, or more than 1.3 times the memory
on paper.
"""

import argparse
import gc
import itertools
import sys
from functools import partial

import cudaemu
import cupy
import numpy as np

import gpunn
from gpunn import layers
from gpunn.backend import get_backend, is_array
from gpunn.backend.dtypes import is_float
from gpunn.backend.kernels import reference_only
from gpunn.training.cost import Cost

CLASSES, WIDTH, STEPS, VOCABULARY = 10, 32, 12, 20
MEMORY = 1.3  # times what there is on paper
# kernels and products; of the transformer 7 a block forward, 11 backward, and 10 beside its
# blocks; each dropout 1 backward. And those in mixed_float16: one launch casts all weights, others
# the batch, the outputs and their gradient; two are of the scaled loss, two look for Inf.
LIMITS = {
    "MLP": (12, 22), "LeNet": (19, 29), "three blocks": (50, 60), "augmented": (56, 78),
    "VGG": (72, 80), "LSTM": (62, 80), "transformer": (83, 95), "written out": (91, 103),
}  # fmt: skip
MIXED = "mixed_float16"
KEPT = {"lstm": 5}  # what a recurrent op keeps for each of its results: gates and cells


def convolution(n, pool=True):
    parts = [layers.Conv2D(n, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()]
    return [*parts, layers.MaxPooling2D()] if pool else parts


def written_out():
    """The transformer as one writes it of layers, with dropout."""
    text = gpunn.Input((STEPS,), dtype="int32")
    x = layers.Embedding(VOCABULARY, WIDTH)(text)
    for _ in range(4):
        y = layers.MultiHeadAttention(4, WIDTH // 4, dropout=0.1)(x, x)
        x = layers.LayerNormalization()(x + layers.Dropout(0.1)(y))
        y = layers.Dense(WIDTH)(layers.Dense(2 * WIDTH, "relu")(x))
        x = layers.LayerNormalization()(layers.Add()([x, layers.Dropout(0.1)(y)]))
    return gpunn.Model(text, layers.Dense(VOCABULARY)(x))


def transformer():
    text = gpunn.Input((STEPS,), dtype="int32")
    x = layers.Embedding(VOCABULARY, WIDTH)(text)
    for _ in range(4):
        x = layers.TransformerEncoder(2 * WIDTH, 4)(x)
    return gpunn.Model(text, layers.Dense(VOCABULARY)(x))


MODELS = {
    "MLP 784-512-256-10, Adam": (
        lambda: [layers.Dense(512, "relu"), layers.Dense(256, "relu"), layers.Dense(CLASSES)],
        (784,),
        "adam",
    ),
    "LeNet-like, Adam": (
        lambda: [
            layers.Conv2D(8, 3, activation="relu"),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, "relu"),
            layers.Dense(CLASSES),
        ],
        (12, 12, 1),
        "adam",
    ),
    "three blocks with batch norm, AdamW": (
        lambda: [
            *[part for n in (8, 16, 16) for part in convolution(n)],
            layers.GlobalAveragePooling2D(),
            layers.Dense(32, "relu"),
            layers.Dropout(0.5),
            layers.Dense(CLASSES),
        ],
        (16, 16, 3),
        "adamw",
    ),
    "augmented images, Adam": (
        lambda: [
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(0.1),
            layers.RandomTranslation(0.1, 0.1),
            layers.RandomZoom(0.1),
            layers.RandomContrast(0.1, value_range=(0, 1)),
            layers.RandomBrightness(0.1, value_range=(0, 1)),
            layers.RandomCrop(14, 14),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ],
        (16, 16, 3),
        "adam",
    ),
    "VGG-like with batch norm, Adam": (
        lambda: [
            *[p for n in (8, 16, 16) for p in (*convolution(n, False), *convolution(n))],
            layers.Flatten(),
            layers.Dense(CLASSES),
        ],
        (16, 16, 3),
        "adam",
    ),
    f"LSTM of characters, {STEPS} steps, Adam": (
        lambda: [
            layers.Embedding(VOCABULARY, WIDTH),
            layers.LSTM(WIDTH, return_sequences=True),
            layers.Dense(VOCABULARY),
        ],
        (STEPS,),
        "adam",
    ),
    "transformer of 4 layers, Adam": (transformer, (STEPS,), "adam"),
    "written out with dropout, 4 layers, Adam": (written_out, (STEPS,), "adam"),
}


def model_and_batch(make, shape, optimizer, policy=None, rows=64):
    """A compiled model, and tensors to train it on."""
    gpunn.set_seed(0)
    gpunn.set_dtype_policy(policy)
    parts = make()
    model = gpunn.Sequential([gpunn.Input(shape), *parts]) if isinstance(parts, list) else parts
    gpunn.set_dtype_policy(None)
    if policy == MIXED:
        optimizer = gpunn.optimizers.LossScaleOptimizer(gpunn.optimizers.get(optimizer))
    loss = gpunn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=True)
    model.optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    if shape == (STEPS,):
        x, y = rng.integers(0, VOCABULARY, (2, rows, STEPS)).astype("int32")
    else:
        x, y = rng.random((rows, *shape)).astype("float32"), rng.integers(0, CLASSES, rows)
    return model, (gpunn.Tensor(x), gpunn.Tensor(y.astype("int32")))


def plain_mlp(batch, sizes=(784, 512, 256, CLASSES)):
    """A step of the MLP as one writes it in CuPy, as a function."""
    x, y = (t.array for t in batch)
    rng = np.random.default_rng(0)
    pairs = itertools.pairwise(sizes)
    ws = [cupy.asarray(rng.normal(0, 0.1, s).astype("float32")) for s in pairs]
    bs = [cupy.zeros(n, "float32") for n in sizes[1:]]
    moments = [(cupy.zeros_like(p), cupy.zeros_like(p)) for p in (*ws, *bs)]
    t = 0

    def step():
        nonlocal t
        t += 1
        hs = [x]
        for w, b in zip(ws, bs, strict=True):
            z = hs[-1] @ w + b
            hs.append(cupy.maximum(z, 0) if w is not ws[-1] else z)
        e = cupy.exp(z - z.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        rows = cupy.arange(len(x))
        loss = -cupy.log(p[rows, y]).mean()
        dz = p
        dz[rows, y] -= 1
        dz /= len(x)
        dws, dbs = [], []
        for i in reversed(range(3)):
            dws.insert(0, hs[i].T @ dz)
            dbs.insert(0, dz.sum(0))
            if i:
                dz = (dz @ ws[i].T) * (hs[i] > 0)
        for q, g, (m, v) in zip((*ws, *bs), (*dws, *dbs), moments, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            rate = 0.001 * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t)
            q -= rate * m / (cupy.sqrt(v) + 1e-7)
        return loss

    return step


def stepped(recipe, name: str):
    """A new model's method that does a step, with its batch."""
    model, batch = model_and_batch(*recipe)
    return partial(getattr(model, name), batch)


def without_kernels(recipe):
    """A step whose ops are the references of gpunn's kernels: calls of CuPy."""
    step = stepped(recipe, "train_step")

    def run():
        with reference_only():
            step()

    return run


class Results(Cost):
    """Adds up the bytes of all ops' results; `largest` are those of one op with its operands."""

    def __enter__(self):
        self.largest = 0
        return super().__enter__()

    def forward(self, op, be, operands, results):
        before = self.nbytes
        super().forward(op, be, operands, results)
        self.nbytes += KEPT.get(op, 0) * results[0].nbytes
        made = self.nbytes - before
        read = sum(x.nbytes for x in operands if is_array(x) and is_float(x.dtype))
        self.largest = max(self.largest, made and made + read)


def on_paper(model, batch) -> int:
    """The bytes that a training step needs."""
    with Results() as results:
        model(batch[0], training=True)
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    weights = [v.array for v in model.trainable_variables]
    arrays = [v.array for v in model.weights] + weights  # and gradients
    arrays += [slot for part in optimizer._parts for slot in part.buffers.values()]
    arrays += [x.array for x in batch]
    halves = 0 if optimizer is model.optimizer else sum(a.nbytes // 2 for a in weights)
    return sum(a.nbytes for a in arrays) + halves + results.nbytes + results.largest


def held() -> int:
    """The bytes that stay given out when nothing is in use: cuBLAS's workspaces."""
    gc.collect()
    get_backend()._constants.clear()  # small ones, which would keep large blocks of the pool
    cupy.get_default_memory_pool().free_all_blocks()
    return cudaemu.counters().live_bytes


def counted(make_step, before: int = 4):
    """The counters of one step, after some others; `peak` are bytes from before it was made."""
    base = held()
    cudaemu.reset()
    step = make_step()
    for _ in range(before):
        step()
    peak = cudaemu.counters().peak_bytes
    cudaemu.reset()
    with cudaemu.measure() as m:
        step()
    m.to_host, m.from_host, m.within = m.d2h, m.h2d, m.d2d
    m.waits = m.device_syncs + m.stream_syncs + m.event_syncs + m.sync_memcpys
    m.peak = max(peak, m.peak_bytes) - base
    return m


COLUMNS = ("kernels", "cublas", "within", "memsets", "to_host", "from_host", "mallocs", "waits")


def row(title: str, how: str, m, paper: int) -> None:
    launches = f"{m.kernels + m.cublas}"
    if m.graph_launches:
        launches = f"{m.graph_launches} graph + {m.kernels - m.graph_kernels}"
    cells = [str(getattr(m, name)) for name in COLUMNS]
    memory = [f"{m.peak / 2**20:.2f}", f"{paper / 2**20:.2f}", f"{m.peak / paper:.2f}"]
    print("|", " | ".join([title, how, launches, *cells, *memory]), "|")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="words of the models' titles (default: all)")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    gpunn.set_device("cuda")
    names = [*COLUMNS, "peak MiB", "on paper", "ratio"]
    print("| model | step | launches |", " | ".join(names), "|")
    print("|---" * 3 + "|--:" * len(names) + "|")
    wrong = []
    for title, recipe in MODELS.items():
        if title.startswith(("MLP", "transformer")):  # cuBLAS's workspaces, cuBLASLt's trial
            counted(lambda recipe=recipe: stepped(recipe, "_run_train_step"))
    mixed = {f"{title}, {MIXED}": (*recipe, MIXED) for title, recipe in MODELS.items()}
    for title, recipe in (MODELS | mixed).items():
        if options.models and not any(word.lower() in title.lower() for word in options.models):
            continue
        paper = on_paper(*model_and_batch(*recipe))
        eager = counted(lambda recipe=recipe: stepped(recipe, "train_step"))
        row(title, "call by call", eager, paper)
        captured = counted(lambda recipe=recipe: stepped(recipe, "_run_train_step"))
        row(title, "captured", captured, paper)
        bad = ("to_host", "from_host", "within", "mallocs", "waits")
        one_graph = captured.graph_launches == 1 and captured.kernels == captured.graph_kernels
        if not one_graph or any(getattr(captured, name) for name in bad):
            wrong.append(title)
        if title in MODELS:
            row(title, "CuPy's calls", counted(partial(without_kernels, recipe)), paper)
        if title.startswith("MLP") and MIXED not in title:
            plain = counted(lambda recipe=recipe: plain_mlp(model_and_batch(*recipe)[1]))
            row(title, "plain CuPy", plain, paper)
        launches = max(captured.graph_kernels, eager.kernels) + eager.cublas
        for name, limits in LIMITS.items():
            limit = limits[MIXED in title]
            if title.startswith(name) and launches > limit:
                wrong.append(f"{title}: {launches} launches, more than {limit}")
        for m in (eager, captured):
            if title in MODELS and m.peak > MEMORY * paper:
                wrong.append(f"{title}: {m.peak / paper:.2f} of the memory on paper")
    print(*(f"not as it must be: {w}" for w in wrong), sep="\n")
    return bool(wrong and options.check)


if __name__ == "__main__":
    sys.exit(main())
