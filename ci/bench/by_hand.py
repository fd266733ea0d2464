"""What steps by hand share: memory, products in blocks, Adam."""

from math import prod, sqrt

import numpy as np
from numpy import add, divide, multiply, subtract
from workloads import EPSILON

CHUNK = 53_760  # elements of five arrays that the second-level cache holds


def scalar(number) -> np.ndarray:
    """A number as a 0-d array, which NumPy need not convert at each call."""
    return np.array(number, np.float32)


ZERO, ONE, INFINITY = scalar(0), scalar(1), scalar(np.inf)
relu = np.clip  # (z, ZERO, INFINITY, h): a maximum with one number is slower


class Memory:
    """Zeros for all arrays: so large a vector gets huge pages, where it is written to."""

    def __init__(self, size=1 << 26):
        self.all = np.zeros(size, np.float32)
        self.used = -self.all.ctypes.data % 64 // 4

    def array(self, shape):
        """An array that begins where a line of the cache does."""
        start = self.used
        self.used += -(-prod(shape) // 16) * 16
        return self.all[start : start + prod(shape)].reshape(shape)


MEMORY = Memory()


def arrays(*shapes):
    """Arrays of zeros."""
    return [MEMORY.array(shape) for shape in shapes]


class Flat:
    """Arrays that are views of one vector."""

    def __init__(self, shapes):
        start = MEMORY.used
        self.views = arrays(*shapes)
        self.all = MEMORY.all[start : MEMORY.used]


class Adam:
    """Adam in ten passes: moments without their factors 1 - beta, which the rate makes up for.

    What it makes of the gradients is left in them, as they are not needed any more.
    """

    B1, B2 = scalar(0.9), scalar(0.999)

    def __init__(self, w, dw, rate, scale=1.0):
        """Gradients are `scale` times what they should be."""
        self.w, self.dw, self.rate = w.all, dw.all, rate
        m, v = arrays(self.w.shape, self.w.shape)
        self.chunks = [
            [x[i : i + CHUNK] for x in (self.w, self.dw, m, v)] for i in range(0, m.size, CHUNK)
        ]
        self.epsilon = scalar(EPSILON * scale / sqrt(1 - 0.999))
        self.alpha = scalar(0)
        self.t = 0

    def step(self):
        self.t += 1
        bias = sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
        self.alpha[...] = self.rate * bias * (1 - 0.9) / sqrt(1 - 0.999)
        b1, b2, epsilon, alpha = self.B1, self.B2, self.epsilon, self.alpha
        for w, g, m, v in self.chunks:
            multiply(m, b1, m)
            add(m, g, m)
            multiply(g, g, g)
            multiply(v, b2, v)
            add(v, g, v)
            np.sqrt(v, g)
            add(g, epsilon, g)
            divide(m, g, g)
            multiply(g, alpha, g)
            subtract(w, g, w)


def left(a, rows):
    """A matrix as a stack of its rows, some at a time, for products with `right`.

    OpenBLAS multiplies small matrices as they lie, and copies large ones first.
    """
    return a.reshape(-1, 1, rows, a.shape[1])


def right(b, columns):
    """A matrix as a stack of its columns, some at a time."""
    return b.reshape(1, len(b), -1, columns).swapaxes(1, 2)


def tiles(c, rows, columns):
    """A matrix as what a product of `left` and `right` writes."""
    return c.reshape(-1, rows, c.shape[1] // columns, columns).swapaxes(1, 2)
