"""Matrix products of CuPy arrays: the one place that decides how each is made.

Operands are handed to cuBLAS as they lie: transposed ones by a flag, those of a batch by strides or
by addresses. Halves are summed in float32. Only what cuBLAS cannot describe is copied first.
What does not fit raises ValueError, as NumPy does: the op that asked says which it is.
"""

from math import prod

import cupy
import numpy as np

from gpunn.backend import cublaslt
from gpunn.backend.cublas import DATA_TYPES, MOST, handle

# Multiplications of a product that takes about as long as launching the sums does. cuBLASLt has
# fewer algorithms with sums: of large products they were found to be slower than two launches.
MOST_WITH_SUMS = 1 << 27


def matmul(be, a, b, out=None):
    """a b over the last two axes, the axes before them broadcast; vectors as in NumPy.

    Halves are rounded once, or not at all where `out` is float32.
    """
    char = a.dtype.char
    if char not in DATA_TYPES or b.dtype.char != char or not a.size or not b.size:
        return cupy.matmul(a, b, out=out)
    if a.ndim == b.ndim == 1:
        return _inner(a, b, out)
    if a.ndim == 1 or b.ndim == 1:
        row = a.ndim == 1
        into = None if out is None else out[..., None, :] if row else out[..., None]
        y = matmul(be, a[None] if row else a, b if row else b[:, None], into)
        return out if out is not None else y[..., 0, :] if row else y[..., 0]
    shape_a, shape_b = a.shape, b.shape
    if shape_a[-1] != shape_b[-2]:
        raise ValueError(f"matrices of shapes {shape_a} and {shape_b} have no product")
    leading = shape_a[:-2]
    if shape_b[:-2] != leading:
        leading = np.broadcast_shapes(leading, shape_b[:-2])
    shape = (*leading, shape_a[-2], shape_b[-1])
    if out is None:
        out = cupy.empty(shape, a.dtype)
    elif out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, the product {shape}")
    lies = _lies(out)
    chars = char + out.dtype.char
    if lies is None or (chars[1] != char and chars not in ("ef", "Ef")):
        return _filled(out, matmul(be, a, b))
    lies_a, lies_b = _lies(a), _lies(b)
    if lies_a is None:
        a = cupy.ascontiguousarray(a)
        lies_a = _lies(a)
    if lies_b is None:
        b = cupy.ascontiguousarray(b)
        lies_b = _lies(b)
    sizes = shape_a[-2], shape_b[-1], shape_a[-1]
    if leading:
        _multiply_batch(be, chars, sizes, (a, *lies_a), (b, *lies_b), (out, *lies), leading)
    else:
        _multiply(
            chars, sizes, (a.data.ptr, *lies_a), (b.data.ptr, *lies_b), (out.data.ptr, *lies)
        )  # fmt: skip
    return out


def with_epilogue(be, epilogue, a, b, vector, out=None, mask=None):
    """a b and what goes with it in the same launch; None, and nothing is done, where nothing can.

    Args:
        epilogue: "bias" or "relu_bias": a b + vector, and max(that, 0), for vectors as long as rows
            of the result; "sums": a b, and vector becomes the sums of b over its rows;
            "relu_mask": "relu_bias", and the mask becomes where the result is positive;
            "relu_back": a b where a mask has that, else 0, and vector becomes its sums over rows.
        a, b: matrices, which may be a batch along one axis.
        vector: its values contiguous, of the dtype of the result; with a batch one for each.
        out: None, or an array for the result, of rows that are contiguous; of halves it may be
            float32.
        mask: of `relu_mask`, for the last two; a and b are no batch then.
    """
    char, leading = b.dtype.char, b.shape[:-2]
    lies_a, lies_b = _lies(a), _lies(b)
    chars = char + vector.dtype.char
    if chars not in cublaslt.DTYPES or not a.size or not b.size or not (lies_a and lies_b):
        return None
    if a.dtype != b.dtype or vector.strides[-1] != vector.itemsize:
        return None
    m, n, k = a.shape[-2], b.shape[-1], a.shape[-1]
    if epilogue in ("sums", "relu_back") and m * n * k > MOST_WITH_SUMS:
        return None
    y = cupy.empty((*leading, m, n), b.dtype) if out is None else out
    lies = _lies(y)
    if lies is None or lies[0] or y.dtype != vector.dtype:
        return None
    batch, step = None, 0
    if leading:
        axes = _joined_axes(leading, [_steps(x, leading) for x in (b, a, y)])
        if len(axes) != 1 or min(axes[0][1]) < 0:
            return None
        count, (step_b, step_a, step_y) = axes[0]
        batch = count, (step_b // b.itemsize, step_a // a.itemsize, step_y // y.itemsize)
        step = vector.strides[0] // vector.itemsize
    done = cublaslt.multiply(
        epilogue, (vector.data.ptr, step), chars, (n, m, k),
        (b.data.ptr, *lies_b), (a.data.ptr, *lies_a), (y.data.ptr, lies[1]), batch,
        0 if mask is None else mask.data.ptr,
    )  # fmt: skip
    return y if done else None


def relu_mask(rows: int, columns: int):
    """Room for a bit for each element of a matrix, as cuBLASLt lays them out."""
    return cupy.empty((rows, cublaslt.mask_lead(columns) // 8), np.uint8)


def dot(be, a, b, out=None):
    """`matmul` for matrices and vectors, which is all that `dot` is asked for in gpunn."""
    if a.ndim > 2 or b.ndim > 2 or not a.ndim or not b.ndim:
        return cupy.dot(a, b, out)
    return matmul(be, a, b, out)


def _inner(a, b, out):
    """The inner product of two vectors, as a 0-d array."""
    if len(a) != len(b):
        raise ValueError(f"vectors of {len(a)} and {len(b)} elements have no product")
    if a.dtype.char not in "fd" or len(a) > MOST or (out is not None and out.dtype != a.dtype):
        y = matmul(None, a[None], b[:, None]).reshape(())
        return y if out is None else _filled(out, y)
    if out is None:
        out = cupy.empty((), a.dtype)
    # BLAS counts backwards from the other end
    a, b = (cupy.ascontiguousarray(x) if x.strides[0] <= 0 else x for x in (a, b))
    handle().dot(len(a), a, b, out)
    return out


def _filled(out, values):
    cupy.copyto(out, values, casting="same_kind")
    return out


def _lies(x) -> tuple[bool, int] | None:
    """How matrices lie in memory: (column after column, elements to the next); None if neither."""
    rows, columns = x.shape[-2:]
    size = x.itemsize
    to_row, to_column = x.strides[-2:]
    if (to_column == size or columns == 1) and (rows == 1 or to_row >= columns * size):
        lead, flipped = (columns if rows == 1 else to_row // size), False
    elif (to_row == size or rows == 1) and (columns == 1 or to_column >= rows * size):
        lead, flipped = (rows if columns == 1 else to_column // size), True
    else:
        return None
    odd = any(step % size for step in x.strides)
    return None if odd or max(lead, rows, columns) > MOST else (flipped, max(lead, 1))


def _multiply(chars, sizes, a, b, y, batch=None) -> None:
    """y = a b for sizes (m, n, k), each as (address, column after column, lead).

    `chars` are of the dtypes of a and b, and of y.
    cuBLAS reads columns: a matrix that lies row after row is its own transpose to it.
    """
    (m, n, k), (address, columns, lead) = sizes, y
    if columns:
        left, right = ((x, not flipped, lead) for x, flipped, lead in (a, b))
    else:  # the transpose of y is that of b by that of a
        m, n, left, right = n, m, b, a
    handle().gemm(chars, (m, n, k), left, right, (address, lead), batch)


def _multiply_batch(be, chars, sizes, a, b, y, leading) -> None:
    """y = a b for each of the matrices along the leading axes, given as (array, how it lies)."""
    axes = _joined_axes(leading, [_steps(x[0], leading) for x in (a, b, y)])
    if len(axes) > 3:  # rare: copies have one axis for all
        a, b = (_whole(x[0], leading) for x in (a, b))
        axes = _joined_axes(leading, [_steps(x[0], leading) for x in (a, b, y)])
    if len(axes) > 1 or (axes and min(axes[0][1]) < 0):  # cuBLAS promises nothing for steps back
        table = _addresses(be, [x[0] for x in (a, b, y)], axes)
        first = table.data.ptr
        addresses, batch = [first + i * table.strides[0] for i in range(3)], table.shape[1]
    else:
        addresses, batch = [x[0].data.ptr for x in (a, b, y)], None
        if axes:
            count, steps = axes[0]
            items = (a[0].itemsize, b[0].itemsize, y[0].itemsize)
            step_a, step_b, step_y = (s // size for s, size in zip(steps, items, strict=True))
            # in the order that _multiply hands them over
            batch = count, (step_a, step_b, step_y) if y[1] else (step_b, step_a, step_y)
    a, b, y = ((address, *lies) for address, (_, *lies) in zip(addresses, (a, b, y), strict=True))
    _multiply(chars, sizes, a, b, y, batch)


def _steps(x, leading) -> list[int]:
    """Bytes from one matrix to the next along each leading axis; 0 where it is broadcast."""
    missing = len(leading) - (x.ndim - 2)
    own = [0 if n == 1 else step for n, step in zip(x.shape[:-2], x.strides[:-2], strict=True)]
    return [0] * missing + own


def _joined_axes(leading, steps) -> list[tuple[int, tuple[int, ...]]]:
    """The leading axes as (size, steps of each array), neighbours joined where all allow it."""
    axes: list[tuple[int, tuple[int, ...]]] = []
    for n, at in zip(leading, zip(*steps, strict=True), strict=True):
        if n == 1:
            continue
        if axes and all(outer == n * inner for outer, inner in zip(axes[-1][1], at, strict=True)):
            axes[-1] = (axes[-1][0] * n, at)
        else:
            axes.append((n, at))
    return axes


def _whole(x, leading):
    """A copy with all leading axes, and how it lies."""
    x = cupy.ascontiguousarray(cupy.broadcast_to(x, (*leading, *x.shape[-2:])))
    return x, False, x.shape[-1]


BATCH = np.dtype([("start", "u8"), ("steps", "i8", 3)])  # `struct Batch` of pointers.cu


def _addresses(be, arrays, axes):
    """The addresses of all matrices of three arrays, a row for each, computed on the device."""
    axes = [(1, (0, 0, 0))] * (3 - len(axes)) + axes
    batches = [
        np.array((x.data.ptr, [steps[i] for _, steps in axes]), BATCH)[()]
        for i, x in enumerate(arrays)
    ]
    (_, n1, n2), count = (n for n, _ in axes), prod(n for n, _ in axes)
    table = cupy.empty((3, count), np.uint64)
    be.launch("pointers", "pointers", count, (table, count, n1, n2, *batches))
    return table
