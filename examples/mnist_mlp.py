"""Handwritten digits: a network 784-512-256-10 that reads 98 of 100 of MNIST's test images.

    python examples/mnist_mlp.py                  # on the CPU: a minute or so
    python examples/mnist_mlp.py --device cuda

MNIST is looked for in the folder named by GPUNN_DATA_DIR and in ~/.cache/gpunn, and downloaded
where there is a network. With --smoke a few epochs are trained on the small digits that come with
the package, so that nothing else is needed.
"""

import argparse

import gpunn
from gpunn.layers import Dense, Dropout, Flatten, Rescaling


def load(smoke):
    """Images and labels to train and to test with, and the largest value of a pixel."""
    if smoke:
        return *gpunn.datasets.digits.load_data(), 16
    return *gpunn.datasets.mnist.load_data(), 255


def make_model(image_shape, largest):
    model = gpunn.Sequential(
        [
            gpunn.Input(image_shape),
            Rescaling(1 / largest),  # pixels from 0 to 1
            Flatten(),
            Dense(512, activation="relu"),
            Dropout(0.2),  # a fifth of the units rests in each step: less is learned by heart
            Dense(256, activation="relu"),
            Dropout(0.2),
            Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main():
    parser = argparse.ArgumentParser(description="Reads handwritten digits.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the data (default: 10)")
    parser.add_argument("--batch-size", type=int, default=128, help="images a step (default: 128)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, shuffles and dropout")
    parser.add_argument("--smoke", action="store_true", help="the package's small digits, 3 epochs")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    (x_train, y_train), (x_test, y_test), largest = load(options.smoke)
    model = make_model(x_train.shape[1:], largest)
    model.summary()
    model.fit(
        x_train,
        y_train,
        batch_size=options.batch_size,
        epochs=3 if options.smoke else options.epochs,
        validation_data=(x_test, y_test),
    )
    loss, accuracy = model.evaluate(x_test, y_test, batch_size=1000, verbose=0)
    print(f"Test loss {loss:.4f}, test accuracy {accuracy:.4f} on {len(x_test):,} images")


if __name__ == "__main__":
    main()
