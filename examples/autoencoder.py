"""Digits through a bottleneck: an autoencoder that keeps two numbers of every image.

    python examples/autoencoder.py --plot autoencoder.png     # needs matplotlib

The encoder makes two numbers of the 64 pixels of a digit, the decoder makes 64 pixels of them, and
both learn to make the result like the original. No label is ever seen, and yet the digits of a kind
come to lie side by side in the plane of the two numbers: the picture shows where, with each test
image above what was made of it. The principal components say what the error is worth: they are the
best that two numbers can do if encoder and decoder are linear.
"""

import argparse

import numpy as np

import gpunn
from gpunn.layers import Dense


def make_model():
    encoder = gpunn.Sequential(
        [
            gpunn.Input((64,)),
            Dense(128, activation="relu"),
            Dense(32, activation="relu"),
            Dense(2, name="code"),
        ],
        name="encoder",
    )
    decoder = gpunn.Sequential(
        [
            gpunn.Input((2,)),
            Dense(32, activation="relu"),
            Dense(128, activation="relu"),
            Dense(64, activation="sigmoid"),
        ],
        name="decoder",
    )
    return encoder, decoder, gpunn.Sequential([encoder, decoder], name="autoencoder")


def principal_components(train, test, count=2):
    """The test images as the best linear encoder and decoder give them back."""
    mean = train.mean(axis=0)
    directions = np.linalg.svd(train - mean, full_matrices=False)[2][:count]
    return (test - mean) @ directions.T @ directions + mean


def draw(path, test, labels, codes, made):
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(12, 5.5))
    plane, images = figure.subfigures(1, 2, width_ratios=[1.2, 1])
    axes = plane.subplots()
    dots = axes.scatter(*codes.T, c=labels, cmap="tab10", s=14)
    axes.legend(*dots.legend_elements(), title="digit", loc="best", fontsize=8)
    axes.set_title("The two numbers of each test image")
    cells = images.subplots(4, 5)
    for digit in range(10):
        i = int(np.flatnonzero(labels == digit)[0])
        row, column = digit // 5 * 2, digit % 5
        cells[row, column].imshow(test[i].reshape(8, 8), cmap="gray_r")
        cells[row + 1, column].imshow(made[i].reshape(8, 8), cmap="gray_r")
    for axes in cells.flat:
        axes.axis("off")
    images.suptitle("Originals, and below each what was made of two numbers")
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description="Two numbers for every image of a digit.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--epochs", type=int, default=200, help="passes over them (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and shuffles")
    parser.add_argument("--plot", metavar="FILE", help="a picture of the plane and of ten images")
    parser.add_argument("--smoke", action="store_true", help="two epochs, to see that it runs")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    (x_train, _), (x_test, labels) = gpunn.datasets.digits.load_data()
    train, test = (x.reshape(-1, 64).astype("float32") / 16 for x in (x_train, x_test))
    encoder, decoder, autoencoder = make_model()
    autoencoder.compile(gpunn.optimizers.Adam(0.002), "mse")
    autoencoder.fit(
        train,
        train,
        batch_size=64,
        epochs=2 if options.smoke else options.epochs,
        validation_data=(test, test),
        verbose=0,
    )
    codes = encoder.predict(test, verbose=0)
    made = decoder.predict(codes, verbose=0)
    linear = principal_components(train, test)
    print(f"Mean squared error of a pixel on {len(test)} test images (pixels from 0 to 1):")
    print(f"  autoencoder, 2 numbers    {np.mean((made - test) ** 2):.4f}")
    print(f"  2 principal components    {np.mean((linear - test) ** 2):.4f}")
    print(f"  the mean image            {np.mean((train.mean(axis=0) - test) ** 2):.4f}")
    if options.plot:
        draw(options.plot, test, labels, codes, made)


if __name__ == "__main__":
    main()
