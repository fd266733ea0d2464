"""Digits from random numbers: a variational autoencoder, with a training step of its own.

    python examples/variational_autoencoder.py --plot digits.png     # needs matplotlib

The encoder does not make a code of an image but a cloud of codes, by its mean and its variance. The
decoder sees one drawn from the cloud and makes the image again. The loss is how unlike it is, plus
how unlike the cloud is to the normal distribution (the Kullback-Leibler divergence): together an
upper bound of the surprise at the image, -log p(image). So codes drawn from the normal distribution
give new digits: the picture shows the plane of codes from -2 to 2, and what it is decoded to.

`fit` records the step, noise and all, and replays it: half the time that calls alone would take.
"""

import argparse

import numpy as np

import gpunn
from gpunn import ops
from gpunn.layers import Dense


class Autoencoder(gpunn.Model):
    """Encoder and decoder, and the step that trains them together."""

    def __init__(self, seed):
        super().__init__()
        self.encoder = gpunn.Sequential(
            [Dense(256, activation="relu"), Dense(64, activation="relu"), Dense(4)], name="encoder"
        )
        self.decoder = gpunn.Sequential(
            [Dense(64, activation="relu"), Dense(256, activation="relu"), Dense(64)], name="decoder"
        )
        self.noise = gpunn.random.SeedGenerator(seed)
        self.bound = gpunn.metrics.Mean(name="bound")
        self.divergence = gpunn.metrics.Mean(name="divergence")

    @property
    def metrics(self):
        return [self.bound, self.divergence]

    def call(self, images):
        """The logits of the images that the middles of the clouds are decoded to."""
        return self.decoder(self.encoder(images)[:, :2])

    def surprise(self, images):
        """The bound for each image, and the divergence that is a part of it."""
        mean, log_variance = ops.split(self.encoder(images), 2, axis=1)
        noise = gpunn.random.normal(mean.shape, seed=self.noise)
        logits = self.decoder(mean + ops.exp(0.5 * log_variance) * noise)
        unlike = ops.binary_crossentropy(images, logits, from_logits=True).sum(axis=1)
        divergence = 0.5 * (mean**2 + ops.exp(log_variance) - 1 - log_variance).sum(axis=1)
        return unlike + divergence, divergence

    def train_step(self, images):
        bound, divergence = self.surprise(images)
        bound.mean().backward()
        self.optimizer.step()
        return self._followed(bound, divergence)

    def test_step(self, images):
        return self._followed(*self.surprise(images))

    def _followed(self, bound, divergence):
        self.bound.update_state(bound)
        self.divergence.update_state(divergence)
        return {metric.name: metric.result() for metric in self.metrics}


def draw(path, model, test, labels):
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.4))
    middles = model.encoder.predict(test, verbose=0)[:, :2]
    dots = left.scatter(*middles.T, c=labels, cmap="tab10", s=14)
    left.legend(*dots.legend_elements(), title="digit", loc="best", fontsize=8)
    left.set_title("Where the test images' clouds lie")
    steps = np.linspace(-2, 2, 15, dtype="float32")
    codes = np.stack(np.meshgrid(steps, steps[::-1]), axis=-1).reshape(-1, 2)
    images = ops.sigmoid(model.decoder.predict(codes, verbose=0)).numpy()
    images = np.pad(images.reshape(15, 15, 8, 8), [(0, 0), (0, 0), (1, 1), (1, 1)])
    rows = images.swapaxes(1, 2).reshape(150, 150)
    right.imshow(rows, cmap="gray_r", extent=(-2, 2, -2, 2))
    right.set_title("What codes are decoded to")
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description="New digits by a variational autoencoder.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--epochs", type=int, default=100, help="passes over them (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, shuffles and noise")
    parser.add_argument("--plot", metavar="FILE", help="a picture of the codes and of new digits")
    parser.add_argument("--smoke", action="store_true", help="two epochs, to see that it runs")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    (x_train, _), (x_test, labels) = gpunn.datasets.digits.load_data()
    train, test = (x.reshape(-1, 64).astype("float32") / 16 for x in (x_train, x_test))
    model = Autoencoder(options.seed)
    model.compile(gpunn.optimizers.Adam(0.001))
    model.fit(train, batch_size=32, epochs=2 if options.smoke else options.epochs, verbose=0)
    found = model.evaluate(test, batch_size=256, verbose=0, return_dict=True)
    mean = np.clip(train.mean(axis=0), 1e-3, 1 - 1e-3)
    plain = -(test * np.log(mean) + (1 - test) * np.log(1 - mean)).sum(axis=1).mean()
    print(f"Bound of the surprise at {len(test)} test images, in nats an image:")
    print(f"  variational autoencoder, 2 numbers  {found['bound']:.2f}")
    print(f"    of it how clouds differ from all  {found['divergence']:.2f}")
    print(f"  the mean image, pixel by pixel      {plain:.2f}")
    if options.plot:
        draw(options.plot, model, test, labels)


if __name__ == "__main__":
    main()
