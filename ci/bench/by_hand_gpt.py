"""NumPy by hand: the training step of the small GPT; see `by_hand_dense.py`.

Scales and offsets of normalizations are multiplied into the kernels above them, and so is the
attention's. Its weights are never divided by their sums, but what they are multiplied with. Long
rows of passes go over parts that the cache holds.
"""

from math import pi, sqrt

import numpy as np
from by_hand import ONE, Adam, Flat, arrays, left, right, scalar, tiles
from by_hand_recurrent import classes, long_product, parts
from numpy import add, copyto, divide, dot, exp, matmul, maximum, multiply, subtract, tanh

HEADS, WIDTH, INNER = 4, 128, 512
HALF, SIX = scalar(0.5), scalar(6)
FIRST, THIRD = scalar(sqrt(2 / pi)), scalar(0.044715 * sqrt(2 / pi))  # of gelu's tanh
FOUR_FIRST = scalar(4 * sqrt(2 / pi))
EPS = scalar(1e-5)
CACHED = 1 << 16  # elements of a part
PART = 768  # rows of a long product


def product(a, b, c, rows, columns):
    """A function: c = a @ b. b is copied, a block's columns after each other."""
    of_a, of_b, of_c = left(a, rows), right(b, columns), tiles(c, rows, columns)
    (blocks,) = arrays(of_b.shape)

    def run():
        copyto(blocks, of_b)
        matmul(of_a, blocks, of_c)

    return run


def sum_of(b, out):
    """The function `long_product` makes, in parts that are best here."""
    return long_product(b, out, PART, 32)


def normalization(x, dx, normal, d_normal):
    """Functions: normal becomes x without mean and with variance 1; dx gets what d_normal says."""
    rows = len(x)
    mean, inverse, work = arrays((rows,), (rows,), x.shape)
    part = np.full(WIDTH, 1 / WIDTH, np.float32)
    mean_column, inverse_column = mean[:, None], inverse[:, None]

    def forward():
        dot(x, part, mean)
        subtract(x, mean_column, normal)
        multiply(normal, normal, work)
        dot(work, part, inverse)
        add(inverse, EPS, inverse)
        np.sqrt(inverse, inverse)
        divide(ONE, inverse, inverse)
        multiply(normal, inverse_column, normal)

    def backward():
        multiply(d_normal, normal, work)
        dot(work, part, mean)
        multiply(normal, mean_column, work)
        subtract(d_normal, work, work)
        dot(d_normal, part, mean)
        subtract(work, mean_column, work)
        multiply(work, inverse_column, work)
        add(dx, work, dx)

    return forward, backward


class Kernel:
    """A kernel below which a normalization lies, whose scale and offset are multiplied into it."""

    def __init__(self, normal, d_normal, out, given, gradients, blocks, factors=None):
        (self.w, self.b, self.scale, self.offset), self.gradients = given, gradients
        self.factors = np.ones(len(self.b), np.float32) if factors is None else factors
        inner, outer = self.w.shape
        self.scaled, self.raw, self.work = arrays(*[(inner, outer)] * 3)
        self.bias, self.d_bias = arrays((outer,), (outer,))
        self.ones, self.out = np.ones(len(normal), np.float32), out
        rows, columns, back_rows = blocks
        self.multiply = product(normal, self.scaled, out, rows, columns)
        self.multiply_back = product(out, self.scaled.T, d_normal, back_rows, 64)
        self.of_normal, self.sum = parts(normal, PART), sum_of(out, self.raw)

    def forward(self):
        multiply(self.w, self.factors, self.work)
        dot(self.offset, self.work, self.bias)
        multiply(self.work, self.scale[:, None], self.scaled)
        multiply(self.b, self.factors, self.d_bias)
        add(self.bias, self.d_bias, self.bias)
        self.multiply()
        add(self.out, self.bias, self.out)

    def backward(self):
        """Gradients of all, now that those of the results are in their place."""
        d_w, d_b, d_scale, d_offset = self.gradients
        self.sum(self.of_normal)
        dot(self.ones, self.out, d_b)
        multiply(d_b, self.factors, d_b)
        multiply(self.raw, self.factors, self.raw)
        multiply(self.raw, self.w, self.work)
        dot(self.work, np.ones(self.w.shape[1], np.float32), d_scale)
        dot(self.w, d_b, d_offset)
        multiply(self.raw, self.scale[:, None], d_w)
        multiply(self.offset[:, None], d_b, self.work)
        add(d_w, self.work, d_w)
        self.multiply_back()


def attention(qkv, out, d_out, examples, steps, bias):
    """Functions: out becomes what the heads attend to; qkv becomes its gradient, from d_out's."""
    split = qkv.reshape(examples, steps, 3, HEADS, -1)
    q, k, v = (split[:, :, i].swapaxes(1, 2) for i in range(3))
    size = q.shape[-1]
    o, do = (x.reshape(examples, steps, HEADS, size).swapaxes(1, 2) for x in (out, d_out))
    count = max(1, CACHED // (HEADS * steps * steps))
    weights, sums = arrays((examples, HEADS, steps, steps), (examples, HEADS, steps, 1))
    d_scores, top, work, means = arrays(
        (count, HEADS, steps, steps), (count, HEADS, steps, 1), (count, HEADS, steps, size),
        (count, HEADS, steps, 1),
    )  # fmt: skip
    dq, dk, dv = arrays(*[(count, HEADS, steps, size)] * 3)
    (turned,) = arrays((count, HEADS, size, steps))
    ones, ones_size = np.ones((steps, 1), np.float32), np.ones((size, 1), np.float32)
    groups = [
        [x[i : i + count] for x in (q, k, v, o, do, weights, sums)]
        for i in range(0, examples, count)
    ]

    def forward():
        for q, k, v, o, _, w, total in groups:
            copyto(turned, k.swapaxes(-1, -2))
            matmul(q, turned, w)
            add(w, bias, w)
            maximum.reduce(w, -1, None, top, True)
            subtract(w, top, w)
            exp(w, w)
            matmul(w, ones, total)
            matmul(w, v, work)
            divide(work, total, o)

    def backward():
        for q, k, v, o, do, w, total in groups:
            divide(do, total, do)
            multiply(do, o, work)
            matmul(work, ones_size, means)
            copyto(turned, v.swapaxes(-1, -2))
            matmul(do, turned, d_scores)
            subtract(d_scores, means, d_scores)
            multiply(d_scores, w, d_scores)
            matmul(w.swapaxes(-1, -2), do, dv)
            matmul(d_scores, k, dq)
            matmul(d_scores.swapaxes(-1, -2), q, dk)
            copyto(q, dq)
            copyto(k, dk)
            copyto(v, dv)

    return forward, backward


def gelu(z, y):
    """A function: y = gelu(z), and z becomes its derivative."""
    rows = CACHED // INNER
    work, sigma = arrays((rows, INNER), (rows, INNER))
    groups = [(z[i : i + rows], y[i : i + rows]) for i in range(0, len(z), rows)]

    def forward():
        for z, y in groups:
            multiply(z, z, work)
            multiply(work, THIRD, work)
            add(work, FIRST, work)
            multiply(work, z, sigma)
            tanh(sigma, sigma)
            multiply(sigma, HALF, sigma)
            add(sigma, HALF, sigma)
            multiply(z, sigma, y)
            multiply(work, SIX, work)
            subtract(work, FOUR_FIRST, work)
            multiply(work, y, work)
            subtract(ONE, sigma, z)
            multiply(work, z, work)
            add(work, sigma, z)

    return forward


def block(w, dw, x, dx, examples, steps, bias):
    """The two functions of a block, which changes x to its results and dx to their gradients."""
    rows = len(x)
    w_qkv, b_qkv, wo, bo, g1, b1, w1, c1, w2, c2, g2, b2 = w
    d_qkv, db_qkv, d_wo, d_bo, d_g1, d_b1, d_w1, d_c1, d_w2, d_c2, d_g2, d_b2 = dw
    normal1, normal2, qkv, o, z, y = arrays(
        *[(rows, WIDTH)] * 2, (rows, 3 * WIDTH), (rows, WIDTH), *[(rows, INNER)] * 2
    )
    more, d_normal, d_o, dy = arrays(*[(rows, WIDTH)] * 3, (rows, INNER))
    ones = np.ones(rows, np.float32)
    factors = np.repeat(np.array([(WIDTH / HEADS) ** -0.5, 1, 1], np.float32), WIDTH)
    first, back_first = normalization(x, dx, normal1, d_normal)
    second, back_second = normalization(x, dx, normal2, d_normal)
    to_qkv = Kernel(
        normal1,
        d_normal,
        qkv,
        (w_qkv, b_qkv, g1, b1),
        (d_qkv, db_qkv, d_g1, d_b1),
        (48, 128, 32),
        factors,
    )
    to_inner = Kernel(
        normal2, d_normal, z, (w1, c1, g2, b2), (d_w1, d_c1, d_g2, d_b2), (24, 256, 24)
    )
    attend, back_attend = attention(qkv, o, d_o, examples, steps, bias)
    activate = gelu(z, y)
    out, back_out = product(o, wo, more, 48, 128), product(dx, wo.T, d_o, 48, 128)
    outer, back_outer = product(y, w2, more, 24, 64), product(dx, w2.T, dy, 24, 256)
    of_o, of_y = parts(o, PART), parts(y, PART)
    sum_out, sum_outer = sum_of(dx, d_wo), sum_of(dx, d_w2)

    def forward():
        first()
        to_qkv.forward()
        attend()
        out()
        add(more, bo, more)
        add(x, more, x)
        second()
        to_inner.forward()
        activate()
        outer()
        add(more, c2, more)
        add(x, more, x)

    def backward():
        sum_outer(of_y)
        dot(ones, dx, d_c2)
        back_outer()
        multiply(z, dy, z)
        to_inner.backward()
        back_second()
        sum_out(of_o)
        dot(ones, dx, d_bo)
        back_out()
        back_attend()
        to_qkv.backward()
        back_first()

    return forward, backward


def gpt(weights, workload, given):
    """Tokens and positions, four blocks, a normalization and a dense layer of 64 classes."""
    examples, steps = workload.batch, workload.shape[0]
    rows = examples * steps
    shapes = [(WIDTH, 3 * WIDTH), (3 * WIDTH,), (WIDTH, WIDTH), *[(WIDTH,)] * 3]
    shapes += [(WIDTH, INNER), (INNER,), (INNER, WIDTH), *[(WIDTH,)] * 3]
    shapes = [(64, WIDTH), (steps, WIDTH), *shapes * 4, *[(WIDTH,)] * 2, (WIDTH, 64), (64,)]
    w, dw = Flat(shapes), Flat(shapes)
    for a, values in zip(w.views, together(weights), strict=True):
        a[...] = values
    (embedding, positions, *inner), (d_embedding, d_positions, *d_inner) = w.views, dw.views
    x, dx, normal, d_normal = arrays(*[(rows, WIDTH)] * 4)
    bias = np.triu(np.full((steps, steps), -np.inf, np.float32), 1)
    blocks = [
        block(inner[i : i + 12], d_inner[i : i + 12], x, dx, examples, steps, bias)
        for i in range(0, 48, 12)
    ]
    last, back_last = normalization(x, dx, normal, d_normal)
    (scale, offset, w_out, b_out), (d_scale, d_offset, d_w_out, d_b_out) = inner[48:], d_inner[48:]
    y, dy, work = arrays(*[(rows, WIDTH)] * 3)
    ones = np.ones(rows, np.float32)
    of_labels = classes(y, dy, w_out, b_out, d_w_out, d_b_out)
    sum_embedding = sum_of(dx, d_embedding)
    adam = Adam(w, dw, workload.rate, scale=rows)
    by_example, d_by_example = x.reshape(examples, -1), dx.reshape(examples, -1)

    def step(tokens, of_tokens, labels, labels_flat):
        embedding.take(tokens, 0, x, "clip")
        add(by_example, positions.reshape(-1), by_example)
        for forward, _ in blocks:
            forward()
        last()
        multiply(normal, scale, y)
        add(y, offset, y)
        loss = of_labels(labels, labels_flat)
        dot(ones, dy, d_offset)
        multiply(dy, normal, work)
        dot(ones, work, d_scale)
        multiply(dy, scale, d_normal)
        dx.fill(0)
        back_last()
        for _, backward in reversed(blocks):
            backward()
        sum_embedding(of_tokens)
        dot(ones[:examples], d_by_example, d_positions.reshape(-1))
        adam.step()
        return loss

    def prepared(x, y):
        one = np.eye(64, dtype=np.float32)
        labels = one[y.reshape(-1)]
        return x.reshape(-1).copy(), parts(one[x.reshape(-1)], PART), labels, labels.reshape(1, -1)

    return step, [prepared(x, y) for x, y in given]


def together(weights):
    """The weights with a kernel for queries, keys and values, and a bias."""
    found = weights[:2]
    for i in range(2, 66, 16):
        kernels, biases = weights[i : i + 6 : 2], weights[i + 1 : i + 6 : 2]
        found.append(np.concatenate([k.reshape(WIDTH, WIDTH) for k in kernels], 1))
        found.append(np.concatenate([b.reshape(-1) for b in biases]))
        found += [weights[i + 6].reshape(WIDTH, WIDTH), *weights[i + 7 : i + 16]]
    return found + weights[66:]
