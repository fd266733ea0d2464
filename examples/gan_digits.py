"""Digits that never were: two networks against each other, with a training step of their own.

    python examples/gan_digits.py --plot digits.png     # needs matplotlib

The generator makes images of random numbers; the critic gives high marks to images of the data set
and low ones to the generator's, and the generator learns to be marked high. Their difference in
marks measures how far the two kinds of images lie apart (the Wasserstein distance) as long as the
critic is not steep, so the loss of the critic holds a penalty for the length of its gradient by the
image: a gradient that is differentiated by the weights (WGAN-GP, Gulrajani et al., 2017).
A classifier that knows real digits says how sure it is of what the generated images show.

`fit` records the step, with both optimizers and the gradient of a gradient, and replays it: a
quarter of the time that calls alone would take.
"""

import argparse

import numpy as np

import gpunn
from gpunn import ops
from gpunn.layers import Dense, LeakyReLU

CODES = 16  # random numbers for an image
ROUNDS = 3  # steps of the critic for one of the generator
PENALTY = 5.0


class Adversaries(gpunn.Model):
    """Generator and critic, and the step that trains them against each other."""

    def __init__(self, seed):
        super().__init__()
        self.generator = gpunn.Sequential(
            [
                gpunn.Input((CODES,)),
                Dense(128, activation="relu"),
                Dense(128, activation="relu"),
                Dense(64, activation="sigmoid"),
            ]
        )
        self.critic = gpunn.Sequential(
            [gpunn.Input((64,)), Dense(128), LeakyReLU(0.2), Dense(128), LeakyReLU(0.2), Dense(1)]
        )
        self.noise = gpunn.random.SeedGenerator(seed)
        self.built = True  # both networks are

    def compile(self, rate):
        super().compile()
        self.generators = gpunn.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9)
        self.critics = gpunn.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9)

    def make(self, count):
        return self.generator(gpunn.random.normal((count, CODES), seed=self.noise))

    def steepness(self, real, made):
        """The penalty for gradients of another length than 1, between real and made images."""
        where = gpunn.random.uniform((len(real), 1), seed=self.noise)
        images = (made + where * (real - made)).detach().requires_grad_()
        (slope,) = gpunn.gradients(self.critic(images).sum(), [images], create_graph=True)
        length = ops.sqrt((slope * slope).sum(axis=1) + 1e-12)
        return ((length - 1) ** 2).mean()

    def train_step(self, real):
        for _ in range(ROUNDS):
            with gpunn.no_grad():
                made = self.make(len(real))
            distance = self.critic(real).mean() - self.critic(made).mean()
            loss = PENALTY * self.steepness(real, made) - distance
            weights = self.critic.trainable_variables
            self.critics.apply(gpunn.gradients(loss, weights), weights)
        loss = -self.critic(self.make(len(real))).mean()
        weights = self.generator.trainable_variables
        self.generators.apply(gpunn.gradients(loss, weights), weights)
        return {"distance": distance}


def make_judge(images, labels, epochs):
    judge = gpunn.Sequential(
        [gpunn.Input((64,)), Dense(64, activation="relu"), Dense(10, activation="softmax")]
    )
    judge.compile("adam", "sparse_categorical_crossentropy")
    judge.fit(images, labels, batch_size=64, epochs=epochs, verbose=0)
    return judge


def draw(path, made, real):
    import matplotlib.pyplot as plt

    figure, cells = plt.subplots(1, 2, figsize=(9, 5))
    for axes, images, title in ((cells[0], made, "Made"), (cells[1], real, "Real")):
        images = np.pad(images[:100].reshape(10, 10, 8, 8), [(0, 0), (0, 0), (1, 1), (1, 1)])
        axes.imshow(images.swapaxes(1, 2).reshape(100, 100), cmap="gray_r")
        axes.set_title(title)
        axes.axis("off")
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description="New digits by adversarial networks.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--epochs", type=int, default=100, help="passes over them (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, shuffles and noise")
    parser.add_argument("--plot", metavar="FILE", help="a picture of made and of real digits")
    parser.add_argument("--smoke", action="store_true", help="one epoch, to see that it runs")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    (x_train, y_train), (x_test, _) = gpunn.datasets.digits.load_data()
    real, test = (x.reshape(-1, 64).astype("float32") / 16 for x in (x_train, x_test))
    judge = make_judge(real, y_train, epochs=1 if options.smoke else 60)
    model = Adversaries(options.seed)
    model.compile(0.0005)
    model.fit(real, batch_size=64, epochs=1 if options.smoke else options.epochs, verbose=0)
    made = model.make(1000).numpy()
    print("How sure a classifier is of the digit that an image shows, and what digits it sees:")
    for name, images in (("made", made), ("real", test)):
        marks = judge.predict(images, verbose=0)
        share = np.bincount(marks.argmax(axis=1), minlength=10) / len(marks)
        shares = " ".join(f"{s:4.0%}" for s in share)
        print(f"  {name}  {marks.max(axis=1).mean():.2f}   0 to 9: {shares}")
    if options.plot:
        draw(options.plot, made, test)


if __name__ == "__main__":
    main()
