"""Image augmentation: digits that chance moves a little teach more than they do as they are.

    python examples/image_augmentation.py
    python examples/image_augmentation.py --plot augmented.png    # needs matplotlib

A network learns from 200 images only, once as they are and once through a layer that moves each
image by chance, by a pixel at most, anew in every step. Such layers work on the device, with the
same random numbers on the CPU and on a GPU, and do nothing outside of training. Both networks are
tried on the same test images; the figures are the means of three trainings: 0.88 and 0.92 by
default. Images of 8 by 8 pixels are too coarse for more: to turn and zoom them (RandomRotation,
RandomZoom) blurs them, and the network learns less.
"""

import argparse

import numpy as np

import gpunn
from gpunn.layers import (
    Conv2D,
    Dense,
    Flatten,
    MaxPooling2D,
    RandomTranslation,
    Rescaling,
)


def make_augmentation():
    return gpunn.Sequential(
        [
            gpunn.Input((8, 8, 1)),
            RandomTranslation(0.13, 0.13, fill_mode="constant", interpolation="nearest"),
        ],
        name="augmentation",
    )


def make_model(augment):
    return gpunn.Sequential(
        [
            gpunn.Input((8, 8, 1)),
            Rescaling(1 / 16),
            *([make_augmentation()] if augment else []),
            Conv2D(32, 3, padding="same", activation="relu"),
            Conv2D(32, 3, padding="same", activation="relu"),
            MaxPooling2D(),
            Flatten(),
            Dense(64, activation="relu"),
            Dense(10, activation="softmax"),
        ]
    )


def draw(path, images):
    """Eight images, and below each five of what the layers make of it."""
    import matplotlib.pyplot as plt

    augmentation = make_augmentation()
    rows = [images, *(augmentation(images, training=True).numpy() for _ in range(5))]
    figure, axes = plt.subplots(len(rows), len(images), figsize=(len(images), len(rows)))
    for row, of_row in zip(rows, axes):
        for image, ax in zip(row, of_row):
            ax.imshow(image[..., 0], cmap="gray_r", vmin=0, vmax=16)
            ax.axis("off")
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description="Learns from images that chance has changed.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--images", type=int, default=200, help="to learn from (default: 200)")
    parser.add_argument("--epochs", type=int, default=120, help="passes over them (default: 120)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, shuffles and changes")
    parser.add_argument("--plot", metavar="FILE", help="a picture of images and changed ones")
    parser.add_argument("--smoke", action="store_true", help="one short training of each")
    options = parser.parse_args()
    trainings, epochs = (1, 1) if options.smoke else (3, options.epochs)

    gpunn.set_device(options.device)
    (x, y), (x_test, y_test) = gpunn.datasets.digits.load_data()
    x, x_test = x[..., None].astype("float32"), x_test[..., None].astype("float32")
    if options.plot:
        gpunn.set_seed(options.seed)
        draw(options.plot, x[:8])
    for augment in (False, True):
        accuracies = []
        for i in range(trainings):
            gpunn.set_seed(options.seed + i)
            model = make_model(augment)
            model.compile(
                gpunn.optimizers.Adam(0.002),
                "sparse_categorical_crossentropy",
                metrics=["accuracy"],
            )
            few = slice(i * options.images, (i + 1) * options.images)
            model.fit(x[few], y[few], batch_size=32, epochs=epochs, verbose=0)
            accuracies.append(model.evaluate(x_test, y_test, verbose=0)[1])
        kind = "changed by chance" if augment else "as they are      "
        print(f"{options.images} images {kind}: {np.mean(accuracies):.4f} of the test images right")


if __name__ == "__main__":
    main()
