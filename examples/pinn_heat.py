"""Heat in a rod: a network that solves a differential equation, seeing no solution of it.

    python examples/pinn_heat.py --plot heat.png     # needs matplotlib

A rod of length 1 is warm inside and kept at 0 at both ends, and its temperature u(x, t) follows

    du/dt = 0.1 d2u/dx2,    u(x, 0) = f(x) = sin(pi x) + sin(3 pi x) / 2,    u(0, t) = u(1, t) = 0.

The program looks for u as f(x) + t x (1 - x) N(x, t), where N is a small network: so u starts and
ends as it must, whatever N is. All that is left is the equation itself: the loss is the mean square
of what is missing in it at random points. It holds derivatives of u by x and t, and is itself
differentiated by the weights: `create_graph=True`. The exact solution is known here, and says how
good the network's is.
"""

import argparse
import math
import time

import numpy as np

import gpunn
from gpunn import ops
from gpunn.layers import Dense

CONDUCTIVITY = 0.1


def start(x, sin):
    return sin(math.pi * x) + 0.5 * sin(3 * math.pi * x)


def exact(x, t):
    def fade(k):
        return np.exp(-CONDUCTIVITY * (k * math.pi) ** 2 * t)

    return fade(1) * np.sin(math.pi * x) + 0.5 * fade(3) * np.sin(3 * math.pi * x)


class Temperature(gpunn.Model):
    """u at points (x, t)."""

    def __init__(self):
        super().__init__()
        self.network = gpunn.Sequential(
            [Dense(32, activation="tanh"), Dense(32, activation="tanh"), Dense(1)]
        )

    def call(self, points):
        x, t = points[:, :1], points[:, 1:]
        return start(x, ops.sin) + t * x * (1 - x) * self.network(points)


class Equation(gpunn.Model):
    """What is missing for the equation to hold at points (x, t): du/dt - 0.1 d2u/dx2."""

    def __init__(self, temperature):
        super().__init__()
        self.temperature = temperature

    @gpunn.enable_grad()  # in prediction, too
    def call(self, points):
        points = points.detach().requires_grad_()
        u = self.temperature(points)
        (du,) = gpunn.gradients(u.sum(), [points], create_graph=True)
        (dux,) = gpunn.gradients(du[:, 0].sum(), [points], create_graph=True)
        return du[:, 1] - CONDUCTIVITY * dux[:, 0]


def draw(path, temperature):
    import matplotlib.pyplot as plt

    x = np.linspace(0, 1, 101, dtype="float32")
    figure, axes = plt.subplots(figsize=(7, 4.5))
    for t in (0.0, 0.1, 0.3, 0.6, 1.0):
        points = np.stack([x, np.full_like(x, t)], axis=1)
        (line,) = axes.plot(x, temperature.predict(points, verbose=0)[:, 0], label=f"t = {t}")
        axes.plot(x[::5], exact(x[::5], t), "o", markersize=4, color=line.get_color())
    axes.set_xlabel("x")
    axes.set_ylabel("temperature")
    axes.set_title("The network (lines) and the exact solution (dots)")
    axes.legend()
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description="The heat equation by a network.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--epochs", type=int, default=600, help="of 8 steps each (default: 600)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and points")
    parser.add_argument("--plot", metavar="FILE", help="a picture of the temperature at five times")
    parser.add_argument("--smoke", action="store_true", help="two epochs, to see that it runs")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    random = np.random.default_rng(options.seed)
    epochs = 2 if options.smoke else options.epochs
    points = random.uniform(size=(8 * 256, 2)).astype("float32")
    temperature = Temperature()
    equation = Equation(temperature)
    rate = gpunn.optimizers.schedules.CosineDecay(0.01, 8 * epochs)
    equation.compile(gpunn.optimizers.Adam(rate), "mse", jit_compile=True)
    began = time.perf_counter()
    equation.fit(points, np.zeros(len(points)), batch_size=256, epochs=epochs, verbose=0)
    took = time.perf_counter() - began

    x, t = np.meshgrid(np.linspace(0, 1, 51), np.linspace(0, 1, 51))
    grid = np.stack([x.ravel(), t.ravel()], axis=1).astype("float32")
    found, solution = temperature.predict(grid, verbose=0)[:, 0], exact(x, t).ravel()
    error = np.abs(found - solution)
    print(f"{8 * epochs} steps in {took:.1f} s; the highest temperature is {solution.max():.2f}")
    print(f"Largest error on a grid of 51 x 51 points: {error.max():.4f}")
    print(f"Root of the mean squared error:            {np.sqrt((error**2).mean()):.4f}")
    if options.plot:
        draw(options.plot, temperature)


if __name__ == "__main__":
    main()
