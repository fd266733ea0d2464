"""Products of NumPy matrices in blocks, which some BLAS multiply as they lie.

OpenBLAS with AVX-512 has kernels for small products. For large ones it first copies the operands
into an order that suits its caches, which takes an eighth of a product of a hundred rows, and a
quarter if an operand is transposed. A stack of small products does without.
"""

from functools import lru_cache

import numpy as np

from gpunn.backend.threads import small_products

ROWS, LANES = 32, 16  # of a block: rows, at most, where there are many; columns of a register
TURNED, LONG = 1200, 128  # if the second operand is transposed: elements, at most; terms, at least
CACHED = 1 << 22  # bytes of both operands and the product: copies pay where caches hold less,
FEW, MORE = 64, 4  # or so many times less where there are few rows or columns


def multiply(be, function, a, b, out=None):
    """function(a, b, out), which is np.dot or np.matmul, in blocks where that is quicker."""
    blocks = _blocks(function, a, b)
    if blocks is None or (out is not None and _turned(out) is not False):
        return function(a, b, out=out)
    (rows, columns), leading, m, n = blocks, a.shape[:-2], a.shape[-2], b.shape[-1]
    if out is None:
        if b.shape[:-2] != leading:
            leading = np.broadcast_shapes(leading, b.shape[:-2])
        out = be.empty((*leading, m, n), a.dtype)
    stack_a = a.reshape(*a.shape[:-2], m // rows, 1, rows, -1)
    stack_b = b.reshape(*b.shape[:-2], 1, -1, n // columns, columns).swapaxes(-2, -3)
    stack = out.reshape(*out.shape[:-2], m // rows, rows, n // columns, columns).swapaxes(-2, -3)
    np.matmul(stack_a, stack_b, out=stack)
    return out


def _blocks(function, a, b) -> tuple[int, int] | None:
    """The rows and columns of the blocks of a product; None if it is better made as a whole."""
    if a.ndim < 2 or b.ndim < 2 or (function is np.dot and b.ndim > 2):
        return None
    small = small_products()
    if not small or a.size * b.shape[-1] <= small:
        return None
    if a.dtype.char not in "fd" or a.dtype.char != b.dtype.char or a.shape[-1] != b.shape[-2]:
        return None
    turned = _turned(b)
    if turned is None or _turned(a) is None:
        return None
    return _sizes(small, *a.shape[-2:], b.shape[-1], a.itemsize, turned)


def _turned(x) -> bool | None:
    """Whether a matrix lies column after column, not row after row; None if neither."""
    (rows, columns), (to_row, to_column), size = x.shape[-2:], x.strides[-2:], x.itemsize
    if to_column == size and to_row >= columns * size and not to_row % size:
        return False
    if to_row == size and to_column >= rows * size and not to_column % size:
        return True
    return None


@lru_cache(1024)
def _sizes(small, m, k, n, itemsize: int, turned: bool) -> tuple[int, int] | None:
    """The rows and columns of the blocks of an (m, k) by (k, n) product; None: as a whole."""
    if m * k * n <= small:
        return None
    most = small // k
    if turned:
        most = min(most, TURNED) if k >= LONG else 0
    allowed = CACHED * (MORE if min(m, n) <= FEW else 1)
    if most < ROWS * LANES or (m * k + k * n + m * n) * itemsize > allowed:
        return None
    rows = _divisor(m, ROWS, 4)
    columns = _divisor(n, most // rows, LANES)
    rows = _divisor(m, most // columns, 4)
    idle = -columns % LANES  # of the registers' lanes
    return (rows, columns) if rows >= 4 and 8 * idle <= columns else None


def _divisor(n: int, most: int, step: int) -> int:
    """The largest divisor of n up to `most`: a multiple of `step`, if there is one."""
    divisors = [i for i in range(1, min(n, most) + 1) if not n % i]
    return max([i for i in divisors if not i % step] or divisors)
