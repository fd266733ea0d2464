"""JAX: the whole step jitted, its optimizer written out."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from workloads import EPOCHS, EPSILON, RATES, batches, split


def forward(hidden, top, p, x):
    """The logits where top is None, else the activated outputs."""
    for i in range(0, len(p), 2):
        x = x @ p[i] + p[i + 1]
        if i + 2 < len(p):
            x = hidden(x)
    return x if top is None else top(x)


def loss_of(kind, out, y):
    if kind == "mse":
        return jnp.mean((out - y) ** 2)
    if kind == "bce":
        p = jnp.clip(out, 1e-7, 1 - 1e-7)
        return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(out), y[:, None], 1))


class Contender:
    def __init__(self, workload, x, y, weights, threads, variant=""):
        hidden = jax.nn.relu if workload.hidden == "relu" else jax.nn.sigmoid
        top = None if workload.loss == "ce" else jax.nn.sigmoid
        net = partial(forward, hidden, top)
        rate = RATES[workload.optimizer]

        def cost(p, x, y):
            out = net(p, x)
            right = jnp.sum((out > 0.5) == y) if workload.kind == "fit" else 0.0
            return loss_of(workload.loss, out, y), right

        def train(state, x, y):
            p, m, v, t = state
            (loss, right), g = jax.value_and_grad(cost, has_aux=True)(p, x, y)
            t = t + 1
            if workload.optimizer == "sgd":
                p = [a - rate * b for a, b in zip(p, g, strict=True)]
            else:
                alpha = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
                m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
                v = [0.999 * a + 0.001 * b * b for a, b in zip(v, g, strict=True)]
                p = [
                    a - alpha * b / (jnp.sqrt(c) + EPSILON) for a, b, c in zip(p, m, v, strict=True)
                ]
            return (p, m, v, t), loss, right

        self.train = jax.jit(train, donate_argnums=0)
        self.test = jax.jit(cost)
        self.net = jax.jit(net)
        p = [jnp.asarray(w) for w in weights]
        zeros = [jnp.zeros_like(w) for w in p]
        self.state = (p, zeros, [jnp.zeros_like(w) for w in p], jnp.float32(0))
        self.x, self.y = x, y
        self.rng = np.random.default_rng(3)
        self.batches = [(jnp.asarray(a), jnp.asarray(b)) for a, b in batches(x, y, workload.batch)]
        self.kind, self.batch = workload.kind, workload.batch

    def losses(self, steps):
        if self.kind == "predict":
            return np.asarray(self.net(self.state[0], self.x)).reshape(-1).tolist()
        if self.kind == "fit":
            return self.epoch(shuffle=False)
        found = []
        for i in range(steps):
            self.state, loss, _ = self.train(self.state, *self.batches[i % len(self.batches)])
            found.append(float(loss))
        return found

    def step(self, times):
        given = self.batches
        for i in range(times):
            self.state, loss, _ = self.train(self.state, *given[i % len(given)])
        loss.block_until_ready()

    def epoch(self, shuffle=True):
        (x, y), (vx, vy) = split(self.x, self.y)
        order = self.rng.permutation(len(x)) if shuffle else np.arange(len(x))
        total = right = 0.0
        for i in range(0, len(x), self.batch):
            at = order[i : i + self.batch]
            self.state, loss, hits = self.train(self.state, x[at], y[at])
            total, right = total + loss * len(at), right + hits
        results = [float(total) / len(x), float(right) / len(x)]
        total = right = 0.0
        for i in range(0, len(vx), self.batch):
            loss, hits = self.test(self.state[0], vx[i : i + self.batch], vy[i : i + self.batch])
            total, right = total + loss * len(vx[i : i + self.batch]), right + hits
        results += [float(total) / len(vx), float(right) / len(vx)]
        return results[::2]

    def fit(self, times):
        for _ in range(times * EPOCHS):
            self.epoch()

    def predict(self, times):
        for _ in range(times):
            np.asarray(self.net(self.state[0], self.x))
