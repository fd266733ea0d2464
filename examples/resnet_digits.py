"""A small residual network for digits, written with the functional API.

    python examples/resnet_digits.py
    python examples/resnet_digits.py --device cuda

A residual block adds what its convolutions make to what it was given, so that it has to learn only
the difference, and the gradient has a way around them: that is what lets networks grow deep (K. He
and others, 2015). The graph below forks and joins at every block. Where a block halves the image
and doubles the channels, the way around is a convolution of 1x1.
"""

import argparse
import math

import gpunn
from gpunn import ops
from gpunn.layers import BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, Rescaling


def normalize(x):
    return BatchNormalization(momentum=0.9)(x)  # the averages follow within a few dozen steps


def residual_block(x, channels, strides=1):
    around = x
    x = Conv2D(channels, 3, strides, padding="same", use_bias=False)(x)
    x = ops.relu(normalize(x))
    x = Conv2D(channels, 3, padding="same", use_bias=False)(x)
    x = normalize(x)
    if strides > 1:
        around = Conv2D(channels, 1, strides, use_bias=False)(around)
        around = normalize(around)
    return ops.relu(x + around)


def make_model():
    inputs = gpunn.Input((8, 8, 1), name="image")
    x = Rescaling(1 / 16)(inputs)
    x = Conv2D(16, 3, padding="same", use_bias=False)(x)
    x = ops.relu(normalize(x))
    for channels, strides in ((16, 1), (32, 2), (64, 2)):
        x = residual_block(x, channels, strides)
        x = residual_block(x, channels)
    x = GlobalAveragePooling2D()(x)
    outputs = Dense(10, activation="softmax")(x)
    return gpunn.Model(inputs, outputs, name="resnet_digits")


def main():
    parser = argparse.ArgumentParser(description="Reads digits with residual blocks.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--epochs", type=int, default=20, help="passes over them (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and shuffles")
    parser.add_argument("--plot", metavar="FILE.svg", help="a drawing of the graph of layers")
    parser.add_argument("--smoke", action="store_true", help="few images, one epoch")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    (x_train, y_train), (x_test, y_test) = gpunn.datasets.digits.load_data()
    epochs, batch_size = options.epochs, 32
    if options.smoke:
        x_train, y_train, epochs = x_train[:64], y_train[:64], 1
    model = make_model()
    model.summary()
    if options.plot:
        gpunn.utils.plot_model(model, options.plot, show_shapes=True)
    steps = epochs * math.ceil(len(x_train) / batch_size)
    model.compile(
        gpunn.optimizers.AdamW(gpunn.optimizers.schedules.CosineDecay(0.003, steps)),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(
        x_train[..., None],
        y_train,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=(x_test[..., None], y_test),
    )
    loss, accuracy = model.evaluate(x_test[..., None], y_test, verbose=0)
    print(f"Test loss {loss:.4f}, test accuracy {accuracy:.4f} on {len(x_test)} images")


if __name__ == "__main__":
    main()
