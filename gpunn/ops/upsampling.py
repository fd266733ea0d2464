"""up_sample: every value several times along each axis."""

from gpunn.autograd import primitive
from gpunn.ops.reduction import narrow, wide

__all__ = []  # public through the layers


@primitive
def up_sample(be, x, /, factors):
    """Repeat the values along each axis.

    Args:
        x: tensor of any shape.
        factors: how many times, for each axis.

    Returns:
        A tensor whose sizes are `factors` times those of x.

    >>> gpunn.ops.upsampling.up_sample([[1, 2]], factors=(2, 2)).numpy().tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    thin = [n for size in x.shape for n in (size, 1)]
    parts = [n for pair in zip(x.shape, factors, strict=True) for n in pair]
    y = be.empty(tuple(parts), x.dtype)
    be.copyto(y, x.reshape(thin))

    def pullback(dy, needs):
        dx = wide(dy).reshape(parts)
        for axis, factor in enumerate(factors, 1):  # adding slices beats a sum over short axes
            copies = [dx[(*[slice(None)] * axis, i)] for i in range(factor)]
            dx = copies[0]
            if factor > 1:
                dx = dx + copies[1]
            for other in copies[2:]:
                dx += other
        dx = narrow(dx, dy.dtype)
        return (dx.reshape(x.shape),)

    return y.reshape([n * factor for n, factor in zip(x.shape, factors, strict=True)]), pullback
