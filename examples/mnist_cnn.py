"""Handwritten digits by convolution: 99 of 100 of MNIST's test images read after five epochs.

    python examples/mnist_cnn.py                  # on the CPU: some minutes
    python examples/mnist_cnn.py --device cuda

Two convolutions look for strokes in squares of 3x3 pixels, pooling keeps the strongest answer of
every 2x2, and two dense layers tell which strokes make which digit. The learning rate falls along
a cosine, so that the last epoch settles what the first ones found.

MNIST is looked for in the folder named by GPUNN_DATA_DIR and in ~/.cache/gpunn, and downloaded
where there is a network. With --smoke the small digits that come with the package are read.
"""

import argparse
import math

import gpunn
from gpunn.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Rescaling


def load(smoke):
    """Images of one channel and labels to train and to test with, and a pixel's largest value."""
    if smoke:
        (x, y), (x_test, y_test) = gpunn.datasets.digits.load_data()
    else:
        (x, y), (x_test, y_test) = gpunn.datasets.mnist.load_data()
    return (x[..., None], y), (x_test[..., None], y_test), 16 if smoke else 255


def make_model(image_shape, largest):
    return gpunn.Sequential(
        [
            gpunn.Input(image_shape),
            Rescaling(1 / largest),  # pixels from 0 to 1
            Conv2D(32, 3, activation="relu"),
            Conv2D(64, 3, activation="relu"),
            MaxPooling2D(),
            Dropout(0.25),
            Flatten(),
            Dense(128, activation="relu"),
            Dropout(0.5),
            Dense(10, activation="softmax"),
        ]
    )


def main():
    parser = argparse.ArgumentParser(description="Reads handwritten digits by convolution.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--epochs", type=int, default=5, help="passes over the data (default: 5)")
    parser.add_argument("--batch-size", type=int, default=64, help="images a step (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, shuffles and dropout")
    parser.add_argument("--smoke", action="store_true", help="the package's small digits, 1 epoch")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    (x_train, y_train), (x_test, y_test), largest = load(options.smoke)
    epochs = 1 if options.smoke else options.epochs
    steps = epochs * math.ceil(len(x_train) / options.batch_size)
    model = make_model(x_train.shape[1:], largest)
    model.summary()
    model.compile(
        gpunn.optimizers.Adam(gpunn.optimizers.schedules.CosineDecay(0.001, steps)),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(
        x_train,
        y_train,
        batch_size=options.batch_size,
        epochs=epochs,
        validation_data=(x_test, y_test),
    )
    loss, accuracy = model.evaluate(x_test, y_test, batch_size=1000, verbose=0)
    print(f"Test loss {loss:.4f}, test accuracy {accuracy:.4f} on {len(x_test):,} images")


if __name__ == "__main__":
    main()
