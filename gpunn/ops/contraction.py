"""einsum: sums of products named by letters, as a chain of matrix products.

Each step joins two operands by one (batched) matrix product, so that both devices use their BLAS
and the gradients are those of the steps.
"""

import itertools
import math
import re
import string

from gpunn.backend.dtypes import result_type
from gpunn.errors import ArgumentError, ShapeError
from gpunn.ops.arithmetic import multiply
from gpunn.ops.diagonals import diagonal
from gpunn.ops.products import matmul, together
from gpunn.ops.reduction import sum as sum_
from gpunn.ops.shaping import reshape, transpose

__all__ = ["einsum"]


def einsum(subscripts, *operands):
    """The sum of products that letters describe: one letter an axis, equal letters multiply.

    A letter that is not on the right of `->` is summed over; a letter twice in one operand is its
    diagonal; `...` stands for leading axes that are broadcast. Without `->` the result has every
    letter that stands once, in alphabetical order.

    Args:
        subscripts: such as `"bij,bjk->bik"`.
        *operands: as many tensors.

    Returns:
        A tensor in the common dtype (int32 for int8).

    Raises:
        ArgumentError: if the subscripts cannot be read or do not fit the number of operands.
        ShapeError: if they do not fit the operands' shapes.

    Source: `keras.ops.einsum`.

    >>> gpunn.ops.einsum("ij,j->i", [[1, 2], [3, 4]], [1, 10]).numpy().tolist()
    [21, 43]
    """
    xs = together(*operands)
    common = result_type(*(x.dtype for x in xs)) if xs else None
    labels, output = _read(subscripts, [x.ndim for x in xs])
    sizes = _sizes(subscripts, labels, xs)
    if unknown := [c for c in output if c not in sizes]:
        raise ArgumentError(f"einsum: {unknown[0]!r} of the result stands in no operand: "
                            f"{subscripts!r}")  # fmt: skip
    terms = [_without_ones(term, x, sizes) for term, x in zip(labels, xs, strict=True)]
    terms = [_diagonals(term, x.to("int32") if common == "int8" else x) for term, x in terms]
    terms = [
        _summed(term, x, set(output).union(*(t for j, (t, _) in enumerate(terms) if j != i)))
        for i, (term, x) in enumerate(terms)
    ]
    while len(terms) > 1:
        i, j = min(
            itertools.combinations(range(len(terms)), 2),
            key=lambda pair: _cost(terms, pair, output, sizes),
        )
        (first, a), (second, b) = terms[i], terms[j]
        terms = [t for k, t in enumerate(terms) if k not in (i, j)]
        kept = set(output).union(*(t for t, _ in terms))
        terms.append(_join(first, a, second, b, kept, sizes))
    term, y = terms[0]
    if term != output:
        y = transpose(y, axes=[term.index(c) for c in output])
    return y


def _read(subscripts: str, ndims: list[int]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, with `...` spelled out in spare letters."""
    text = re.sub(r"\s", "", str(subscripts)).replace("...", ".")
    left, arrow, output = text.partition("->")
    labels = left.split(",")
    if not re.fullmatch(r"[A-Za-z.,]*", left) or not re.fullmatch(r"[A-Za-z.]*", output):
        raise ArgumentError(f"einsum: cannot read {subscripts!r}: expected letters, ',', '...' and "
                            "one '->'")  # fmt: skip
    if len(labels) != len(ndims):
        raise ArgumentError(f"einsum: {subscripts!r} is for {len(labels)} operands, got "
                            f"{len(ndims)}")  # fmt: skip
    if any(term.count(".") > 1 for term in (*labels, output)):
        raise ArgumentError(f"einsum: '...' stands twice in one term of {subscripts!r}")
    spare = [c for c in string.ascii_letters if c not in text]
    dots = [ndim - len(term) + 1 for term, ndim in zip(labels, ndims, strict=True) if "." in term]
    widest = "".join(spare[: max(dots, default=0)])
    spelled = []
    for term, ndim in zip(labels, ndims, strict=True):
        width = ndim - len(term) + 1
        if "." in term and width >= 0:
            term = term.replace(".", widest[len(widest) - width :])
        if len(term) != ndim:
            raise ShapeError(f"einsum: {subscripts!r} names {len(term.replace('.', ''))} axes of "
                             f"an operand of {ndim} dimensions")  # fmt: skip
        spelled.append(term)
    if not arrow:
        once = [c for c in sorted(set(left) - {",", "."}) if left.count(c) == 1]
        output = "." + "".join(once)
    output = output.replace(".", widest)
    if len(set(output)) != len(output):
        raise ArgumentError(f"einsum: a letter stands twice in the result of {subscripts!r}")
    return spelled, output


def _sizes(subscripts, labels, xs) -> dict[str, int]:
    """The size of each letter; 1 stretches to any other."""
    sizes: dict[str, int] = {}
    for term, x in zip(labels, xs, strict=True):
        for c, n in zip(term, x.shape, strict=True):
            known = sizes.setdefault(c, n)
            if known == 1:
                sizes[c] = n
            elif n not in (1, known):
                raise ShapeError(
                    f"einsum: {subscripts!r} gives one axis the sizes {known} and {n}: shapes "
                    f"{', '.join(str(t.shape) for t in xs)}"
                )
    return sizes


def _without_ones(term, x, sizes):
    """The operand without axes of size 1 that stretch: a product does so by itself."""
    stretched = [i for i, c in enumerate(term) if x.shape[i] == 1 and sizes[c] != 1]
    if not stretched:
        return term, x
    kept = [i for i in range(len(term)) if i not in stretched]
    return "".join(term[i] for i in kept), reshape(x, newshape=tuple(x.shape[i] for i in kept))


def _diagonals(term, x):
    """The operand with each letter once."""
    while len(set(term)) < len(term):
        c = next(c for c in term if term.count(c) > 1)
        i = term.index(c)
        j = term.index(c, i + 1)
        x = diagonal(x, 0, i, j)
        term = term[:i] + term[i + 1 : j] + term[j + 1 :] + c
    return term, x


def _summed(term, x, kept):
    """The operand summed over letters that stand nowhere else."""
    lone = tuple(i for i, c in enumerate(term) if c not in kept)
    if not lone:
        return term, x
    return "".join(c for c in term if c in kept), sum_(x, axis=lone)


def _cost(terms, pair, output, sizes) -> int:
    """The size of what joining a pair makes."""
    i, j = pair
    others = set(output).union(*(t for k, (t, _) in enumerate(terms) if k not in pair))
    made = set(terms[i][0] + terms[j][0]) & others
    return math.prod(sizes[c] for c in made)


def _join(first, a, second, b, kept, sizes):
    """Two operands as one: a product over the letters that are in both and needed no more."""
    shared = [c for c in first if c in second and c in kept]
    summed = [c for c in first if c in second and c not in kept]
    left = [c for c in first if c not in second]
    right = [c for c in second if c not in first]
    term = "".join(shared + left + right)
    a = _ordered(first, a, shared + left + summed)
    if not summed:
        b = _ordered(second, b, shared + right)
        a = reshape(a, newshape=(*a.shape, *[1] * len(right)))
        b = reshape(
            b, newshape=(*b.shape[: len(shared)], *[1] * len(left), *b.shape[len(shared) :])
        )
        return term, multiply(a, b)
    b = _ordered(second, b, shared + summed + right)
    batch = [sizes[c] for c in shared]
    n, k, m = (math.prod(sizes[c] for c in group) for group in (left, summed, right))
    many = [math.prod(batch)] if shared else []
    y = matmul(reshape(a, newshape=(*many, n, k)), reshape(b, newshape=(*many, k, m)))
    return term, reshape(y, newshape=tuple(sizes[c] for c in term))


def _ordered(term, x, wanted):
    order = [term.index(c) for c in wanted]
    return x if order == list(range(len(order))) else transpose(x, axes=order)
