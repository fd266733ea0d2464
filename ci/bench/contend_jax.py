"""JAX: the whole step jitted, its optimizer written out."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from workloads import EPOCHS, EPSILON, NORM, batches, split


def conv(x, w, b, padding="valid"):
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, w, (1, 1), padding, dimension_numbers=layout) + b


def norm(x, gamma, beta):
    mean, variance = jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))
    return (x - mean) / jnp.sqrt(variance + NORM["epsilon"]) * gamma + beta, mean, variance


def pool(x):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "valid")


def lstm(x, kernel, recurrent, bias):
    def step(state, z):
        h, c = state
        i, f, g, o = jnp.split(z + h @ recurrent, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zeros = jnp.zeros((len(x), len(recurrent)), x.dtype)
    return scanned(step, (zeros, zeros), x @ kernel + bias)


def gru(x, kernel, recurrent, bias):
    def step(h, inputs):
        a, b = jnp.split(inputs, 3, -1), jnp.split(h @ recurrent + bias[1], 3, -1)
        z, r = jax.nn.sigmoid(a[0] + b[0]), jax.nn.sigmoid(a[1] + b[1])
        h = z * h + (1 - z) * jnp.tanh(a[2] + r * b[2])
        return h, h

    return scanned(step, jnp.zeros((len(x), len(recurrent)), x.dtype), x @ kernel + bias[0])


def scanned(step, first, x):
    """The states after each step of sequences (batch, steps, n)."""
    return jax.lax.scan(step, first, x.swapaxes(0, 1))[1].swapaxes(0, 1)


def layer_norm(x, gamma, beta):
    x = x - x.mean(-1, keepdims=True)
    return x / jnp.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * gamma + beta


def block(x, *p):
    wq, bq, wk, bk, wv, bv, wo, bo, g1, b1, w1, c1, w2, c2, g2, b2 = p
    h = layer_norm(x, g1, b1)
    q, k, v = [jnp.einsum("btn,nhd->bthd", h, w) + b for w, b in ((wq, bq), (wk, bk), (wv, bv))]
    y = jax.nn.dot_product_attention(q, k, v, is_causal=True)
    x = x + jnp.einsum("bthd,hdn->btn", y, wo) + bo
    return x + jax.nn.gelu(layer_norm(x, g2, b2) @ w1 + c1) @ w2 + c2


LAYERS = {
    "tokens": (2, lambda x, w, at, *sizes: w[x] + at[: x.shape[1]]),
    "block": (16, lambda x, *p: block(x, *p[:16])),
    "layernorm": (2, layer_norm),
    "dense": (2, lambda x, w, b, n: x @ w + b),
    "conv": (2, lambda x, w, b, n, padding="valid": conv(x, w, b, padding)),
    "embed": (1, lambda x, w, *sizes: w[x]),
    "lstm": (3, lambda x, *p: lstm(x, *p[:3])),
    "gru": (3, lambda x, *p: gru(x, *p[:3])),
    "pool": (0, pool),
    "flatten": (0, lambda x: x.reshape(len(x), -1)),
    "relu": (0, jax.nn.relu),
    "sigmoid": (0, jax.nn.sigmoid),
}  # how many weights, and a function of the inputs, them and the arguments


def forward(words, p, x):
    """The outputs, and the weights with the moving statistics of the batch in them."""
    given, after = iter(p), []
    for name, *args in words:
        if name == "norm":
            gamma, beta, *moving = [next(given) for _ in range(4)]
            x, *batch = norm(x, gamma, beta)
            m = NORM["momentum"]
            moving = [m * a + (1 - m) * b for a, b in zip(moving, batch, strict=True)]
            after += [gamma, beta, *map(jax.lax.stop_gradient, moving)]
        else:
            count, run = LAYERS[name]
            own = [next(given) for _ in range(count)]
            x = run(x, *own, *args)
            after += own
    return x, after


def loss_of(kind, out, y):
    if kind == "mse":
        return jnp.mean((out - y) ** 2)
    if kind == "bce":
        p = jnp.clip(out, 1e-7, 1 - 1e-7)
        return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(out), y[..., None], -1))


class Contender:
    def __init__(self, workload, x, y, weights, threads, variant=""):
        net = partial(forward, workload.layers)
        rate = workload.rate

        def cost(p, x, y):
            out, after = net(p, x)
            right = jnp.sum((out > 0.5) == y) if workload.kind == "fit" else 0.0
            return loss_of(workload.loss, out, y), (right, after)

        def train(state, x, y):
            p, m, v, t = state
            (loss, (right, after)), g = jax.value_and_grad(cost, has_aux=True)(p, x, y)
            p, t = after, t + 1
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
        self.net = jax.jit(lambda p, x: net(p, x)[0])
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
            loss, (hits, _) = self.test(
                self.state[0], vx[i : i + self.batch], vy[i : i + self.batch]
            )
            total, right = total + loss * len(vx[i : i + self.batch]), right + hits
        results += [float(total) / len(vx), float(right) / len(vx)]
        return results[::2]

    def fit(self, times):
        for _ in range(times * EPOCHS):
            self.epoch()

    def predict(self, times):
        for _ in range(times):
            np.asarray(self.net(self.state[0], self.x))
