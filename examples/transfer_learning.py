"""Transfer learning: a network that reads digits helps to tell which of two is larger.

    python examples/transfer_learning.py
    python examples/transfer_learning.py --pairs 1000

A network learns to read digits. The new task is another one: of two images, say whether the first
shows the larger digit, with 100 pairs to learn from. Both images go through the same reader, which
is frozen, and one new layer learns from what it says of the two. In the end all layers are set free
and learn on together, slowly (fine-tuning). Beside it, the same network learns the same 100 pairs
from nothing.
"""

import argparse

import numpy as np

import gpunn
from gpunn.layers import Concatenate, Conv2D, Dense, Flatten, MaxPooling2D, Rescaling


def make_reader():
    """A network from an image to the probabilities of the ten digits."""
    inputs = gpunn.Input((8, 8, 1))
    x = Rescaling(1 / 16)(inputs)
    x = Conv2D(32, 3, padding="same", activation="relu")(x)
    x = Conv2D(32, 3, padding="same", activation="relu")(x)
    x = MaxPooling2D()(x)
    x = Flatten()(x)
    x = Dense(64, activation="relu")(x)
    outputs = Dense(10, activation="softmax")(x)
    return gpunn.Model(inputs, outputs, name="reader")


def make_comparison(reader):
    """What the reader says of two images, and a layer that says whether the first is larger."""
    first, second = gpunn.Input((8, 8, 1)), gpunn.Input((8, 8, 1))
    x = Concatenate()([reader(first), reader(second)])
    outputs = Dense(1, activation="sigmoid")(x)
    return gpunn.Model([first, second], outputs, name="comparison")


def draw_pairs(x, y, count, random):
    """So many pairs of images of different digits, and whether the first one is the larger."""
    first, second = random.integers(len(x), size=(2, 2 * count))
    different = np.flatnonzero(y[first] != y[second])[:count]
    first, second = first[different], second[different]
    return [x[first], x[second]], (y[first] > y[second])[:, None].astype("float32")


def train(model, x, y, loss, epochs, learning_rate=0.001):
    model.compile(gpunn.optimizers.Adam(learning_rate), loss, metrics=["accuracy"])
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)


def accuracy(model, x, y):
    return model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"]


def main():
    parser = argparse.ArgumentParser(description="Learns a new task with what another taught.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--pairs", type=int, default=100, help="to learn from (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, shuffles and pairs")
    parser.add_argument("--smoke", action="store_true", help="one epoch each, to see that it runs")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    random = np.random.default_rng(options.seed)
    (x, y), (x_test, y_test) = gpunn.datasets.digits.load_data()
    x, x_test = x[..., None], x_test[..., None]
    if options.smoke:
        x, y = x[:200], y[:200]
    pairs = draw_pairs(x, y, options.pairs, random)
    test = draw_pairs(x_test, y_test, 2000, random)
    reading, comparing, tuning = (1, 1, 1) if options.smoke else (15, 60, 20)

    reader = make_reader()
    train(reader, x, y, "sparse_categorical_crossentropy", reading)
    print(f"Digits read: {accuracy(reader, x_test, y_test):.4f} of the test images")
    print(f"The larger of two, learned from {options.pairs} pairs; right in 2,000 test pairs:")

    reader.trainable = False
    comparison = make_comparison(reader)
    train(comparison, *pairs, "binary_crossentropy", comparing, learning_rate=0.02)
    print(f"  a new layer on the frozen reader  {accuracy(comparison, *test):.4f}")

    reader.trainable = True
    train(comparison, *pairs, "binary_crossentropy", tuning, learning_rate=0.0003)
    print(f"  all layers, fine-tuned            {accuracy(comparison, *test):.4f}")

    alone = make_comparison(make_reader())
    train(alone, *pairs, "binary_crossentropy", comparing + tuning)
    print(f"  the same network from nothing     {accuracy(alone, *test):.4f}")


if __name__ == "__main__":
    main()
