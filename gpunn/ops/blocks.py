"""Pixels as channels and windows as columns: space_to_depth, unfold, and their ways back."""

from gpunn.autograd import convert, primitive
from gpunn.backend.conventions import channels_first
from gpunn.errors import ShapeError
from gpunn.ops.shaping import reshape, transpose
from gpunn.ops.spatial import numbers

__all__ = ["depth_to_space", "fold", "space_to_depth", "unfold"]


def depth_to_space(x, block_size, data_format="channels_last"):
    """Channels as squares of pixels: sizes grow by the block, channels shrink by its square.

    Args:
        x: tensor of shape (batch, rows, columns, channels).
        block_size: height and width of a square.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of shape (batch, rows * block, columns * block, channels / block^2).

    Raises:
        ShapeError: if x has another rank, or the channels do not make squares.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.depth_to_space`.

    >>> gpunn.ops.depth_to_space(np.arange(4).reshape(1, 1, 1, 4), 2).numpy()[0, :, :, 0].tolist()
    [[0, 1], [2, 3]]
    """
    x, block, first = _images("depth_to_space", x, block_size, data_format)
    batch, rows, columns, channels = _sizes(x, first)
    if channels % block**2:
        raise ShapeError(f"depth_to_space: {channels} channels do not make squares of {block}")
    fewer = channels // block**2
    if first:  # the channels' squares lie side by side
        y = transpose(reshape(x, (batch, fewer, block, block, rows, columns)), (0, 1, 4, 2, 5, 3))
        return reshape(y, (batch, fewer, rows * block, columns * block))
    y = transpose(reshape(x, (batch, rows, columns, block, block, fewer)), (0, 1, 3, 2, 4, 5))
    return reshape(y, (batch, rows * block, columns * block, fewer))


def space_to_depth(x, block_size, data_format="channels_last"):
    """Squares of pixels as channels: the way back of `depth_to_space`.

    Args:
        x: tensor of shape (batch, rows, columns, channels).
        block_size: height and width of a square.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of shape (batch, rows / block, columns / block, channels * block^2).

    Raises:
        ShapeError: if x has another rank, or the pixels do not make squares.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.space_to_depth`.

    >>> gpunn.ops.space_to_depth(np.arange(4).reshape(1, 2, 2, 1), 2).numpy().ravel().tolist()
    [0, 1, 2, 3]
    """
    x, block, first = _images("space_to_depth", x, block_size, data_format)
    batch, rows, columns, channels = _sizes(x, first)
    if rows % block or columns % block:
        raise ShapeError(
            f"space_to_depth: {rows} x {columns} pixels do not make squares of {block}"
        )
    high, wide, more = rows // block, columns // block, channels * block**2
    if first:
        y = transpose(reshape(x, (batch, channels, high, block, wide, block)), (0, 1, 3, 5, 2, 4))
        return reshape(y, (batch, more, high, wide))
    y = transpose(reshape(x, (batch, high, block, wide, block, channels)), (0, 1, 3, 2, 4, 5))
    return reshape(y, (batch, high, wide, more))


def _images(op, x, block_size, data_format):
    """The images as a tensor, the block's size, and whether channels come first."""
    x = convert(x)
    (block,) = numbers(op, "block_size", block_size, 1, low=2)
    if x.ndim != 4:
        raise ShapeError(f"{op}: expected a tensor of 4 axes, got shape {x.shape}")
    return x, block, channels_first(data_format, op)


def _sizes(x, first):
    """Batch, rows, columns and channels."""
    batch, *sizes = x.shape
    return (batch, *sizes[1:], sizes[0]) if first else x.shape


# --- windows as columns ---


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    """The windows over images as columns (im2col).

    Args:
        x: tensor of shape (batch, channels, rows, columns).
        kernel_size: of the windows.
        dilation: how far their values lie apart. Default: 1.
        padding: how many zeros are put around the images. Default: 0.
        stride: how far windows move. Default: 1.

    Returns:
        A tensor of shape (batch, channels * kernel size, places).

    Raises:
        ShapeError: if x has another rank, or a window does not fit.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.unfold`.

    >>> gpunn.ops.unfold(np.ones((1, 2, 4, 4)), 2, stride=2).shape
    (1, 8, 4)
    """
    x = convert(x)
    if x.ndim != 4:
        raise ShapeError(f"unfold: expected (batch, channels, rows, columns), got {x.shape}")
    return _unfold(x, grid=_grid("unfold", x.shape[2:], kernel_size, dilation, padding, stride))


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Columns added up to the images that they are windows over (col2im).

    Args:
        x: tensor of shape (batch, channels * kernel size, places).
        output_size: (rows, columns) of the images.
        kernel_size, dilation, padding, stride: as for `unfold`.

    Returns:
        A tensor of shape (batch, channels, rows, columns).

    Raises:
        ShapeError: if x does not fit.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.fold`.

    >>> x = gpunn.ops.unfold(np.ones((1, 1, 3, 3)), 2)
    >>> gpunn.ops.fold(x, (3, 3), 2).numpy()[0, 0].tolist()
    [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    x = convert(x)
    grid = _grid("fold", output_size, kernel_size, dilation, padding, stride)
    (_, taps, places, *_) = grid
    if x.ndim != 3 or x.shape[1] % len(taps) or x.shape[2] != places[0] * places[1]:
        raise ShapeError(
            f"fold: expected x of shape (batch, channels * {len(taps)}, {places[0] * places[1]}), "
            f"got {x.shape}"
        )
    return _fold(x, grid=grid)


def _grid(op, size, kernel_size, dilation, padding, stride):
    """Padded sizes, where each tap begins, how many places there are, strides and padding."""
    size = numbers(op, "output_size", tuple(size), 2)
    kernel, apart = (numbers(op, n, v, 2) for n, v in
                     (("kernel_size", kernel_size), ("dilation", dilation)))  # fmt: skip
    strides, around = numbers(op, "stride", stride, 2), numbers(op, "padding", padding, 2, low=0)
    padded = tuple([n + 2 * p for n, p in zip(size, around, strict=True)])
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, apart, strict=True)]
    places = tuple([(n - r) // s + 1 for n, r, s in zip(padded, reach, strides, strict=True)])
    if min(places) < 1:
        raise ShapeError(f"{op}: a window of {kernel} does not fit images of {padded}")
    taps = [(i * apart[0], j * apart[1]) for i in range(kernel[0]) for j in range(kernel[1])]
    return padded, taps, places, strides, around


@primitive
def _unfold(be, x, /, grid):
    return _columns(be, x, grid), lambda dy, needs: (_added(be, dy, grid),)


@primitive
def _fold(be, x, /, grid):
    return _added(be, x, grid), lambda dy, needs: (_columns(be, dy, grid),)


def _tap(grid, at):
    """The index of a tap's values in padded images."""
    _, _, places, strides, _ = grid
    axes = zip(at, places, strides, strict=True)
    return (slice(None), slice(None), *[slice(a, a + (n - 1) * s + 1, s) for a, n, s in axes])


def _columns(be, x, grid):
    padded, taps, places, _, (above, left) = grid
    batch, channels, rows, columns = x.shape
    whole = be.zeros((batch, channels, *padded), x.dtype)
    be.copyto(whole[:, :, above : above + rows, left : left + columns], x)
    y = be.empty((batch, channels, len(taps), *places), x.dtype)
    for i, at in enumerate(taps):
        be.copyto(y[:, :, i], whole[_tap(grid, at)])
    return y.reshape(batch, channels * len(taps), places[0] * places[1])


def _added(be, x, grid):
    padded, taps, places, _, (above, left) = grid
    batch, channels = x.shape[0], x.shape[1] // len(taps)
    parts = x.reshape(batch, channels, len(taps), *places)
    y = be.zeros((batch, channels, *padded), x.dtype)
    for i, at in enumerate(taps):
        y[_tap(grid, at)] += parts[:, :, i]
    rows, columns = padded[0] - 2 * above, padded[1] - 2 * left
    return y[:, :, above : above + rows, left : left + columns]
