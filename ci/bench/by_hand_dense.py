"""NumPy by hand: the training steps of dense nets, a function for each.

A function gets the weights, the row of `workloads.py` and its batches. It returns the step, which
returns the loss, and the step's arguments for each batch.

In the small nets biases are columns of the weights, which a row of ones multiplies. A sigmoid is a
tanh: s(2z) = (1 + tanh z) / 2, with labels as -1 and 1.
"""

import numpy as np
from by_hand import INFINITY, ONE, ZERO, Adam, Flat, arrays, left, relu, right, scalar, tiles
from numpy import (
    add,
    copyto,
    divide,
    dot,
    exp,
    greater,
    log,
    matmul,
    maximum,
    multiply,
    subtract,
    tanh,
)


def with_ones(x):
    """Inputs (rows, n) with a column of ones, for a bias."""
    return np.concatenate([x, np.ones((len(x), 1), np.float32)], 1)


def with_bias(kernel, bias):
    """A kernel (inputs, outputs) and its bias, as outputs by inputs."""
    return np.concatenate([kernel, bias[None]]).T.copy()


def neuron(weights, workload, given):
    """7x3, one sigmoid unit: mean squared error, SGD."""
    n = workload.batch
    w = with_bias(*weights).T / 2
    dw, p, e, loss = arrays(w.shape, (n, 1), (n, 1), (1, 1))
    rate, mean = scalar(workload.rate / (8 * n)), scalar(1 / (4 * n))

    def step(x, y):
        dot(x, w, p)
        tanh(p, p)
        subtract(p, y, e)
        dot(e.T, e, loss)
        multiply(loss, mean, loss)
        multiply(p, p, p)
        subtract(ONE, p, p)
        multiply(p, e, p)
        dot(x.T, p, dw)
        multiply(dw, rate, dw)
        subtract(w, dw, w)
        return loss

    return step, [(with_ones(x), 2 * y - 1) for x, y in given]


class CrossEntropy:
    """Binary cross-entropy of logits (1, n) whose labels are 1 for no and -1 for yes."""

    def __init__(self, n):
        self.q, self.loss = arrays((1, n), (1, 1))
        self.mean = np.full((n, 1), 1 / n, np.float32)

    def __call__(self, z, y):
        """The mean loss; z becomes n times the gradient."""
        q, loss = self.q, self.loss
        multiply(z, y, z)
        exp(z, z)
        add(z, ONE, q)
        divide(z, q, z)
        multiply(z, y, z)
        log(q, q)
        return dot(q, self.mean, loss)


def small(weights, workload, given):
    """2-8-8-1: relu, relu, sigmoid; all with a column of examples."""
    n = workload.batch
    w, dw = Flat([(8, 3), (8, 9), (1, 9)]), Flat([(8, 3), (8, 9), (1, 9)])
    (w1, w2, w3), (dw1, dw2, dw3) = w.views, dw.views
    for a, k, b in zip(w.views, weights[::2], weights[1::2], strict=True):
        a[...] = with_bias(k, b)
    h1, h2 = np.ones((9, n), np.float32), np.ones((9, n), np.float32)
    z1, z2 = h1[:8], h2[:8]
    z3, dz1, dz2 = arrays((1, n), (8, n), (8, n))
    on1, on2 = np.empty(z1.shape, bool), np.empty(z2.shape, bool)
    k2, k3 = w2[:, :8].T, w3[:, :8].T
    h1t, h2t = h1.T, h2.T
    cross_entropy, adam = CrossEntropy(n), Adam(w, dw, workload.rate, scale=n)

    def step(xt, x, y):
        dot(w1, xt, z1)
        relu(z1, ZERO, INFINITY, z1)
        dot(w2, h1, z2)
        relu(z2, ZERO, INFINITY, z2)
        dot(w3, h2, z3)
        loss = cross_entropy(z3, y)
        dot(z3, h2t, dw3)
        dot(k3, z3, dz2)
        greater(z2, ZERO, on2)
        multiply(dz2, on2, dz2)
        dot(dz2, h1t, dw2)
        dot(k2, dz2, dz1)
        greater(z1, ZERO, on1)
        multiply(dz1, on1, dz1)
        dot(dz1, x, dw1)
        adam.step()
        return loss

    return step, [(with_ones(x).T.copy(), with_ones(x), 1 - 2 * y.T) for x, y in given]


def beginner(weights, workload, given):
    """20-64-1: relu, sigmoid; all with a column of examples."""
    n = workload.batch
    w, dw = Flat([(64, 21), (1, 65)]), Flat([(64, 21), (1, 65)])
    (w1, w2), (dw1, dw2) = w.views, dw.views
    w1[...], w2[...] = with_bias(*weights[:2]), with_bias(*weights[2:])
    h = np.ones((65, n), np.float32)
    z1, (z2, dz1) = h[:64], arrays((1, n), (64, n))
    on = np.empty(z1.shape, bool)
    k2, ht = w2[:, :64].T, h.T
    cross_entropy, adam = CrossEntropy(n), Adam(w, dw, workload.rate, scale=n)

    def step(xt, x, y):
        dot(w1, xt, z1)
        relu(z1, ZERO, INFINITY, z1)
        dot(w2, h, z2)
        loss = cross_entropy(z2, y)
        dot(z2, ht, dw2)
        multiply(k2, z2, dz1)
        greater(z1, ZERO, on)
        multiply(dz1, on, dz1)
        dot(dz1, x, dw1)
        adam.step()
        return loss

    return step, [(with_ones(x).T.copy(), with_ones(x), 1 - 2 * y.T) for x, y in given]


def digits(weights, workload, given):
    """784-512-256-10: relu, relu, softmax.

    The last kernel is turned, and the logits have a row for each class. With many rows it is worth
    a copy to have the blocks of the kernels each in one place.
    """
    n = workload.batch
    many = n >= 512
    shapes = [(784, 512), (512,), (512, 256), (256,), (10, 256), (10,)]
    w, dw = Flat(shapes), Flat(shapes)
    (w1, b1, w2, b2, w3, b3), (dw1, db1, dw2, db2, dw3, db3) = w.views, dw.views
    for a, given_w in zip(w.views, weights, strict=True):
        a[...] = given_w if given_w.shape == a.shape else given_w.T
    h1, h2, z3, dh1, dh2 = arrays((n, 512), (n, 256), (10, n), (n, 512), (n, 256))
    on1, on2 = np.empty(h1.shape, bool), np.empty(h2.shape, bool)
    top, total, picked, ones = *arrays((n,), (n,), (1,)), np.ones(n, np.float32)
    h1_rows, dh2_rows, h1t_rows = left(h1, 16), left(dh2, 16), left(h1.T, 64)
    w1_columns, w2_columns, w2t_columns = right(w1, 64), right(w2, 64), right(w2.T, 64)
    dh1_columns, dh2_columns = right(dh1, 128), right(dh2, 64)
    h1_tiles, h2_tiles, dh1_tiles = tiles(h1, 16, 64), tiles(h2, 16, 64), tiles(dh1, 16, 64)
    dw1_tiles, dw2_tiles = tiles(dw1, 56, 128), tiles(dw2, 64, 64)
    w1_blocks, w2t_blocks = w1_columns, w2t_columns
    if many:
        w1_blocks, w2t_blocks = arrays(w1_columns.shape, w2t_columns.shape)
    b3_column, h2t, h1t, z3t, z3_flat, ones_10 = (
        b3[:, None],
        h2.T,
        h1.T,
        z3.T,
        z3.ravel(),
        ones[:10],
    )
    adam = Adam(w, dw, workload.rate, scale=n)

    def step(x_rows, xt, xt_rows, labels, labels_flat):
        if many:
            copyto(w1_blocks, w1_columns)
            copyto(w2t_blocks, w2t_columns)
        matmul(x_rows, w1_blocks, h1_tiles)
        add(h1, b1, h1)
        relu(h1, ZERO, INFINITY, h1)
        matmul(h1_rows, w2_columns, h2_tiles)
        add(h2, b2, h2)
        relu(h2, ZERO, INFINITY, h2)
        dot(w3, h2t, z3)
        add(z3, b3_column, z3)
        maximum.reduce(z3, 0, None, top)
        subtract(z3, top, z3)
        dot(labels_flat, z3_flat, picked)
        exp(z3, z3)
        dot(ones_10, z3, total)
        divide(z3, total, z3)
        log(total, total)
        loss = (dot(total, ones) - picked) / n
        subtract(z3, labels, z3)
        dot(z3, h2, dw3)
        dot(z3, ones, db3)
        dot(z3t, w3, dh2)
        greater(h2, ZERO, on2)
        multiply(dh2, on2, dh2)
        matmul(dh2_rows, w2t_blocks, dh1_tiles)
        greater(h1, ZERO, on1)
        multiply(dh1, on1, dh1)
        if many:
            dot(h1t, dh2, dw2)
            dot(xt, dh1, dw1)
        else:
            matmul(h1t_rows, dh2_columns, dw2_tiles)
            matmul(xt_rows, dh1_columns, dw1_tiles)
        dot(ones, dh2, db2)
        dot(ones, dh1, db1)
        adam.step()
        return loss

    def prepared(x, y):
        labels = np.eye(10, dtype=np.float32)[y].T.copy()
        return left(x, 16), x.T, left(x.T, 56), labels, labels.reshape(1, -1)

    return step, [prepared(x, y) for x, y in given]


def autoencoder(weights, workload, given):
    """784-128-32-128-784: relu, relu, relu, sigmoid; mean squared error of the inputs.

    The labels of the sigmoid, which is a tanh, are 2x - 1.
    """
    n = workload.batch
    shapes = [a.shape for a in weights]
    w, dw = Flat(shapes), Flat(shapes)
    (w1, b1, w2, b2, w3, b3, w4, b4), (dw1, db1, dw2, db2, dw3, db3, dw4, db4) = w.views, dw.views
    for a, given_w in zip(w.views, weights, strict=True):
        a[...] = given_w
    h1, h2, h3, p, e = arrays((n, 128), (n, 32), (n, 128), (n, 784), (n, 784))
    dh1, dh2, dh3 = arrays((n, 128), (n, 32), (n, 128))
    on1, on2, on3 = (np.empty(h.shape, bool) for h in (h1, h2, h3))
    ones, half, (loss,) = np.ones(n, np.float32), scalar(0.5), arrays((1, 1))
    h1t, h2t, w2t, w3t = h1.T, h2.T, w2.T, w3.T
    w1_columns, w4_columns, w4t_columns = right(w1, 64), right(w4, 112), right(w4.T, 64)
    h3_rows, h3t_rows, h1_tiles = left(h3, 64), left(h3.T, 32), tiles(h1, 16, 64)
    p_rows, p_columns, p_tiles = left(p, 16), right(p, 112), tiles(p, 64, 112)
    dh1_columns, dh3_tiles = right(dh1, 128), tiles(dh3, 16, 64)
    dw1_tiles, dw4_tiles = tiles(dw1, 28, 128), tiles(dw4, 32, 112)
    mean = scalar(1 / (4 * n * 784))
    adam = Adam(w, dw, workload.rate, scale=2 * n * 784)

    def step(x_rows, xt_rows, y):
        matmul(x_rows, w1_columns, h1_tiles)
        add(h1, b1, h1)
        relu(h1, ZERO, INFINITY, h1)
        dot(h1, w2, h2)
        add(h2, b2, h2)
        relu(h2, ZERO, INFINITY, h2)
        dot(h2, w3, h3)
        add(h3, b3, h3)
        relu(h3, ZERO, INFINITY, h3)
        matmul(h3_rows, w4_columns, p_tiles)
        add(p, b4, p)
        multiply(p, half, p)
        tanh(p, p)
        subtract(p, y, e)
        dot(e.reshape(1, -1), e.reshape(-1, 1), loss)
        multiply(loss, mean, loss)
        multiply(p, p, p)
        subtract(ONE, p, p)
        multiply(p, e, p)
        matmul(h3t_rows, p_columns, dw4_tiles)
        dot(ones, p, db4)
        matmul(p_rows, w4t_columns, dh3_tiles)
        greater(h3, ZERO, on3)
        multiply(dh3, on3, dh3)
        dot(h2t, dh3, dw3)
        dot(ones, dh3, db3)
        dot(dh3, w3t, dh2)
        greater(h2, ZERO, on2)
        multiply(dh2, on2, dh2)
        dot(h1t, dh2, dw2)
        dot(ones, dh2, db2)
        dot(dh2, w2t, dh1)
        greater(h1, ZERO, on1)
        multiply(dh1, on1, dh1)
        matmul(xt_rows, dh1_columns, dw1_tiles)
        dot(ones, dh1, db1)
        adam.step()
        return loss

    return step, [(left(x, 16), left(x.T, 28), 2 * y - 1) for x, y in given]
