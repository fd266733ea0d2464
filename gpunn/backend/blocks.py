"""Products of NumPy matrices in blocks, which some BLAS multiply as they lie.

OpenBLAS with AVX-512 has kernels for small products. For large ones it first copies the operands
into an order that suits its caches, which takes an eighth of a product of a hundred rows, and a
quarter if an operand is transposed. A stack of small products does without; those whose right
operand is transposed take half as long again, so that it is worth a copy. What is better made so,
and in which blocks, was found by trials on a Zen 4.
"""

from functools import lru_cache

import numpy as np

from gpunn.backend.threads import small_products

# "Turned" is an operand that is transposed: it lies column after column.
ROWS, TURNED_ROWS = 16, 32  # rows of a block, at most; the second if the left operand is turned
LANES = 16  # columns that a register holds: a block has a multiple of it, if it can
NARROW = 128  # so few columns stay together: OpenBLAS itself is slow with them
LEAST = 512  # elements that a block must be allowed: smaller ones read more than copies would cost
# Where the right operand is turned, and not copied:
TURNED, LONG = 1200, 256  # elements of a block, at most; terms of a sum, at least
# Where it is worth a copy, in which a block's columns come after each other:
MANY = 512  # rows, at least
LARGE = 1 << 21  # bytes of both operands and the product, at least, if it is not turned
# Without such a copy, a product of more bytes than CACHED is made as a whole; MORE, where there are
# at most FEW rows or twice as many columns.
CACHED, FEW, MORE = 1 << 22, 64, 5 << 21
# Products that are small as they are, with a turned right operand:
DIRECT = 1024  # elements of the result, up to which they are quick
COPIED = 1 << 14  # bytes of the right operand, below which a copy makes others quicker


def multiply(be, function, a, b, out=None):
    """function(a, b, out), which is np.dot or np.matmul, in blocks where that is quicker."""
    blocks = _blocks(function, a, b)
    if blocks is None or (out is not None and _turned(out) is not False):
        return function(a, b, out=out)
    (rows, columns, packed), leading, m, n = blocks, a.shape[:-2], a.shape[-2], b.shape[-1]
    if out is None:
        if b.shape[:-2] != leading:
            leading = np.broadcast_shapes(leading, b.shape[:-2])
        out = be.empty((*leading, m, n), a.dtype)
    stack_a = a.reshape(*a.shape[:-2], m // rows, 1, rows, -1)
    stack_b = b.reshape(*b.shape[:-2], 1, -1, n // columns, columns).swapaxes(-2, -3)
    stack = out.reshape(*out.shape[:-2], m // rows, rows, n // columns, columns).swapaxes(-2, -3)
    np.matmul(stack_a, be.copy(stack_b) if packed else stack_b, out=stack)
    return out


def _blocks(function, a, b) -> tuple[int, int, bool] | None:
    """What `_sizes` says of a product."""
    if a.ndim < 2 or b.ndim < 2 or (function is np.dot and b.ndim > 2):
        return None
    small = small_products()
    if not small or a.size * b.shape[-1] <= small:
        return None
    if a.dtype.char not in "fd" or a.dtype.char != b.dtype.char or a.shape[-1] != b.shape[-2]:
        return None
    turned = _turned(a), _turned(b)
    if None in turned:
        return None
    return _sizes(small, *a.shape[-2:], b.shape[-1], a.itemsize, *turned)


def _turned(x) -> bool | None:
    """Whether a matrix lies column after column, not row after row; None if neither."""
    (rows, columns), (to_row, to_column), size = x.shape[-2:], x.strides[-2:], x.itemsize
    if to_column == size and to_row >= columns * size and not to_row % size:
        return False
    if to_row == size and to_column >= rows * size and not to_column % size:
        return True
    return None


@lru_cache(1024)
def _sizes(small, m, k, n, itemsize: int, turned_a, turned_b) -> tuple[int, int, bool] | None:
    """The rows and columns of the blocks of an (m, k) by (k, n) product, and whether the right
    operand is copied, a block's columns after each other; None if it is better made as a whole."""
    if m * k * n <= small:  # one of a stack
        slow = turned_b and not turned_a and m >= ROWS and m * n > DIRECT
        return (m, n, True) if slow and k * n * itemsize < COPIED else None
    most, nbytes = small // k, (m * k + k * n + m * n) * itemsize
    if most < LEAST or (turned_a and most < 2 * LEAST):
        return None
    narrow = 1 < n <= min(NARROW, most // ROWS)
    large = not narrow and nbytes > LARGE
    packed = m >= MANY and most >= 2 * LEAST and not turned_a and (turned_b or large)
    if not packed and not narrow and nbytes > (MORE if min(m, n / 2) <= FEW else CACHED):
        return None
    if not packed and turned_b:
        if k < (LONG if m > FEW else LONG // 4):
            return None
        most = min(most, TURNED)
    rows = _divisor(m, TURNED_ROWS if turned_a else ROWS, 4)
    columns = n if narrow else _divisor(n, most // rows, LANES)
    rows = _divisor(m, most // columns, 4)
    idle = 0 if narrow else -columns % LANES  # of the registers' lanes
    least = 8 if rows % 4 else 4  # OpenBLAS takes some rows at a time
    return (rows, columns, packed) if rows >= least and 8 * idle <= columns else None


def _divisor(n: int, most: int, step: int) -> int:
    """The largest divisor of n up to `most`: a multiple of `step`, if there is one."""
    divisors = [i for i in range(1, min(n, most) + 1) if not n % i]
    return max([i for i in divisors if not i % step] or divisors)
