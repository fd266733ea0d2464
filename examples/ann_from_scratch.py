"""One neuron from scratch, once as an article has it and once with the right gradient.

Seven people answer three questions with 0 or 1 (do you smoke, are you obese, do you exercise?). The
label says whether they have diabetes.

    z = sigmoid(x @ w + b)           the neuron's answer, between 0 and 1
    cost = sum((z - label)**2) / 2   what gradient descent makes small

The chain rule says how to change w:  dcost/dw = x.T @ ((z - label) * s), where s is the slope of
the sigmoid at x @ w + b. That slope is z * (1 - z), because z is the sigmoid *already*. A popular
article calls `sigmoid_derivative(z)` there, which takes the sigmoid of z once more:

    right:         z * (1 - z)                       from 0 to 0.25; small where the neuron is sure
    the article:   sigmoid(z) * (1 - sigmoid(z))     from 0.197 to 0.25, whatever the neuron says

The article's slope is almost a constant. So its program works: the signs are right, and every step
goes downhill. But it follows another function than the one it writes down, and (here) faster, as
the right slope all but vanishes once the neuron is sure of itself. After 25,000 epochs:

                      p(1,0,0)     p(0,1,0)
    the article     0.02262959   0.98778682
    right           0.05930351   0.96175397

The article prints 0.01031463 and 0.99440207. That is where its program is after 55,000 epochs: the
cell was run more than once, and went on from the weights that it had.

Below, both come from one training loop. gpunn finds the gradient itself, by `loss.backward()`; the
article's mistake is a sigmoid with the article's slope, and `check_gradients` finds it out.

    python examples/ann_from_scratch.py
    python examples/ann_from_scratch.py --device cuda
"""

import argparse

import numpy as np

import gpunn
from gpunn import ops

INPUTS = [[0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 1], [0, 1, 0]]
LABELS = [[1], [0], [0], [1], [1], [0], [1]]
LEARNING_RATE = 0.05


@gpunn.primitive
def article_sigmoid(be, x, /):
    """The sigmoid, with the slope that the article gives it."""
    xp = be.xp
    z = 1 / (1 + xp.exp(-x))

    def pullback(dz, needs):
        again = 1 / (1 + xp.exp(-z))  # the mistake: z is the sigmoid of x already
        return (dz * again * (1 - again),)

    return z, pullback


class Neuron:
    """Three weights and a bias, drawn as the article draws them."""

    def __init__(self, sigmoid=ops.sigmoid):
        random = np.random.RandomState(42)
        self.sigmoid = sigmoid
        self.weights = gpunn.Variable(random.rand(3, 1), dtype="float64")
        self.bias = gpunn.Variable(random.rand(1), dtype="float64")

    def __call__(self, inputs):
        return self.sigmoid(inputs @ self.weights + self.bias)

    def predict(self, *answers):
        """The probability of diabetes, for one person's answers."""
        return self(gpunn.Tensor([answers], dtype="float64")).item()


def train(neuron, epochs):
    """Gradient descent: `epochs` steps against the gradient of the cost of all seven people."""
    inputs = gpunn.Tensor(INPUTS, dtype="float64")
    labels = gpunn.Tensor(LABELS, dtype="float64")
    optimizer = gpunn.optimizers.SGD(LEARNING_RATE)
    optimizer.build([neuron.weights, neuron.bias])
    for _ in range(epochs):
        cost = ops.sum((neuron(inputs) - labels) ** 2) / 2
        cost.backward()  # the chain rule: fills the gradients of weights and bias
        optimizer.step()  # w = w - 0.05 * gradient


def show(name, epochs, neuron):
    first, second = neuron.predict(1, 0, 0), neuron.predict(0, 1, 0)
    print(f"{name:<12} {epochs:>7,} {first:>12.8f} {second:>12.8f}")


def check(sigmoid):
    """Whether the slope of a sigmoid is what differences say it is."""
    try:
        gpunn.check_gradients(sigmoid, np.linspace(-3, 3, 7))
    except gpunn.errors.GradientError as error:
        return f"WRONG: {error}"
    return "right"


def main():
    parser = argparse.ArgumentParser(description="One neuron from scratch, by the chain rule.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--smoke", action="store_true", help="few epochs, to see that it runs")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    epochs, more = (20, 10) if options.smoke else (25_000, 30_000)

    print(f"{'':<12} {'epochs':>7} {'p(1,0,0)':>12} {'p(0,1,0)':>12}")
    neuron = Neuron(article_sigmoid)
    train(neuron, epochs)
    show("the article", epochs, neuron)
    train(neuron, more)
    show("the article", epochs + more, neuron)
    neuron = Neuron()
    train(neuron, epochs)
    show("right", epochs, neuron)

    print("\nSlopes against central differences")
    print(f"the article  {check(article_sigmoid)}")
    print(f"right        {check(ops.sigmoid)}")


if __name__ == "__main__":
    main()
