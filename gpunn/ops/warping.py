"""Values between the values: map_coordinates, affine, perspective and elastic transforms."""

import numpy as np

from gpunn.autograd import Tensor, convert
from gpunn.backend.conventions import channels_first
from gpunn.backend.dtypes import is_float
from gpunn.errors import ArgumentError, ShapeError, unknown
from gpunn.ops.constants import constant
from gpunn.ops.core import cast
from gpunn.ops.creation import zeros_like
from gpunn.ops.filtering import gaussian_blur
from gpunn.ops.joining import stack
from gpunn.ops.noise import gaussian_noise, stream_of
from gpunn.ops.resampling import image_axes
from gpunn.ops.sampling import affine_pixels, sample
from gpunn.ops.shaping import expand_dims, moveaxis, reshape, squeeze

__all__: list[str] = []  # public through `gpunn.ops.image`

ORDERS = {"nearest": 0, "bilinear": 1}
FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


def map_coordinates(inputs, coordinates, order, fill_mode="constant", fill_value=0.0):
    """The values at places between the elements of a tensor.

    Args:
        inputs: tensor of n dimensions.
        coordinates: tensor of shape (n, ...): where, along each axis.
        order: 0: the nearest value; 1: linear interpolation.
        fill_mode: what lies outside: "constant" (default); "nearest": the border; "wrap": the other
            end; "mirror": the mirror image about the last values; "reflect": about their edges.
        fill_value: of "constant". Default: 0.

    Returns:
        A tensor of shape (...) and the dtype of the inputs; integers are rounded. With order 1
        gradients flow to inputs and coordinates.

    Raises:
        ShapeError: if there is not one row of coordinates for each axis.
        ArgumentError: if order or fill_mode is not allowed.

    Source: `keras.ops.image.map_coordinates`.

    >>> x = np.array([[0.0, 1.0], [2.0, 3.0]])
    >>> gpunn.ops.image.map_coordinates(x, [[0.5, 1.0], [0.5, 0.5]], 1).numpy().tolist()
    [1.5, 2.5]
    """
    inputs = convert(inputs)
    if isinstance(coordinates, list | tuple):
        coordinates = stack([convert(c, device=inputs.device) for c in coordinates])
    coordinates = convert(coordinates, device=inputs.device)
    if coordinates.ndim < 2 or coordinates.shape[0] != inputs.ndim:
        raise ShapeError(
            f"map_coordinates: expected coordinates of shape ({inputs.ndim}, ...) for inputs of "
            f"shape {inputs.shape}, got {coordinates.shape}"
        )
    if order not in (0, 1):
        raise ArgumentError(f"map_coordinates: order must be 0 or 1, got {order!r}")
    _check_fill("map_coordinates", fill_mode)
    rows = expand_dims(expand_dims(inputs, 0), -1)
    y = _sampled(rows, expand_dims(coordinates, 0), order, fill_mode, fill_value)
    return squeeze(y, (0, -1))


def affine_transform(
    images,
    transform,
    interpolation="bilinear",
    fill_mode="constant",
    fill_value=0,
    data_format=None,
):
    """Images moved, turned, sheared or scaled.

    Pixel (x, y) of the result is that at (a0 x + a1 y + a2, b0 x + b1 y + b2) of the image.

    Args:
        images: tensor of shape (batch, rows, columns, channels) or (rows, columns, channels).
        transform: vector (a0, a1, a2, b0, b1, b2, 0, 0), or one for each image.
        interpolation: "bilinear" (default) or "nearest".
        fill_mode: what lies outside, see `map_coordinates`. Default: "constant".
        fill_value: of "constant". Default: 0.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of the shape and dtype of the images.

    Raises:
        ShapeError: if a shape does not fit.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.image.affine_transform`.

    >>> image = np.arange(4.0).reshape(2, 2, 1)
    >>> moved = gpunn.ops.image.affine_transform(image, [1, 0, 1, 0, 1, 0, 0, 0])
    >>> moved.numpy()[..., 0].tolist()
    [[1.0, 0.0], [3.0, 0.0]]
    """
    op = "affine_transform"
    images, batch, single = _batch(op, images, interpolation, fill_mode, data_format)
    transform = _points(transform, batch)
    transform = reshape(transform, (1, -1)) if transform.ndim == 1 else transform
    if transform.ndim != 2 or transform.shape[1] != 8 or transform.shape[0] not in (1, len(batch)):
        raise ShapeError(
            f"{op}: expected a transform of shape (8,) or ({len(batch)}, 8) for images of shape "
            f"{images.shape}, got {transform.shape}"
        )
    order = ORDERS[interpolation]
    if not (batch.requires_grad or transform.requires_grad):
        moved = affine_pixels(batch, transform, order=order, mode=fill_mode, fill=fill_value)
        return _as_given(moved, single, data_format)
    x, y = _grid(batch, transform.dtype)
    a0, a1, a2, b0, b1, b2 = (transform[:, i, None, None] for i in range(6))
    places = stack([y * b1 + x * b0 + b2, y * a1 + x * a0 + a2], 1)
    return _as_given(_sampled(batch, places, order, fill_mode, fill_value), single, data_format)


def perspective_transform(
    images, start_points, end_points, interpolation="bilinear", fill_value=0, data_format=None
):
    """Images seen from another side: four points are moved to four others.

    Args:
        images: tensor of shape (batch, rows, columns, channels) or (rows, columns, channels).
        start_points: where four points (x, y) are: (4, 2), or one for each image.
        end_points: where they shall be, of the same shape.
        interpolation: "bilinear" (default) or "nearest".
        fill_value: of what lies outside. Default: 0.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of the shape and dtype of the images.

    Raises:
        ShapeError: if a shape does not fit.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.image.perspective_transform`.

    >>> image, points = np.arange(4.0).reshape(2, 2, 1), [[0, 0], [1, 0], [0, 1], [1, 1]]
    >>> turned = [[1, 0], [1, 1], [0, 0], [0, 1]]
    >>> y = gpunn.ops.image.perspective_transform(image, points, turned)
    >>> y.numpy()[..., 0].round(3).tolist()
    [[2.0, 0.0], [3.0, 1.0]]
    """
    op = "perspective_transform"
    images, batch, single = _batch(op, images, interpolation, "constant", data_format)
    start, end = (_points(p, batch) for p in (start_points, end_points))
    if start.ndim == 2:
        start = expand_dims(start, 0)
    if end.ndim == 2:
        end = expand_dims(end, 0)
    if start.shape != end.shape or start.shape not in ((1, 4, 2), (len(batch), 4, 2)):
        raise ShapeError(
            f"{op}: expected start_points and end_points of shape (4, 2) or ({len(batch)}, 4, 2), "
            f"got {start.shape} and {end.shape}"
        )
    h = [v[:, None, None] for v in _homography(start, end)]
    x, y = _grid(batch, start.dtype)
    depth = h[6] * x + h[7] * y + 1
    places = stack([(h[3] * x + h[4] * y + h[5]) / depth, (h[0] * x + h[1] * y + h[2]) / depth], 1)
    order = ORDERS[interpolation]
    return _as_given(_sampled(batch, places, order, "constant", fill_value), single, data_format)


def _homography(start, end):
    """The numbers h of x = (h0 u + h1 v + h2) / (h6 u + h7 v + 1) and y likewise, for each image.

    Each four points are the image of the three axes and their sum under a matrix; the one matrix
    and the inverse of the other, up to a factor, make the way back.
    """
    there, back = _from_axes(start), _adjugate(_from_axes(end))
    h = [_dot3(row, column) for row in there for column in zip(*back, strict=True)]
    return [v / h[8] for v in h[:8]]


def _from_axes(points):
    """The rows of the matrices that take the axes and their sum to four points (batch, 4, 2)."""
    x, y = ([points[:, i, axis] for i in range(4)] for axis in range(2))
    one = x[0] * 0 + 1
    rows = [x[:3], y[:3], [one] * 3]
    share = [_dot3(row, [x[3], y[3], one]) for row in _adjugate(rows)]
    return [[value * s for value, s in zip(row, share, strict=True)] for row in rows]


def _adjugate(m):
    """The inverse of a matrix of three rows, times its determinant."""
    (a, b, c), (d, e, f), (g, h, i) = m
    return [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ]


def _dot3(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def elastic_transform(
    images,
    alpha=20.0,
    sigma=5.0,
    interpolation="bilinear",
    fill_mode="reflect",
    fill_value=0.0,
    seed=None,
    data_format=None,
):
    """Images stretched and squeezed at random, as if they were drawn on rubber.

    Each pixel moves by alpha times normal noise of deviation sigma, blurred by a Gaussian of
    deviation sigma.

    Args:
        images: tensor of shape (batch, rows, columns, channels) or (rows, columns, channels).
        alpha: how far. Default: 20.
        sigma: how smoothly. Default: 5.
        interpolation: "bilinear" (default) or "nearest".
        fill_mode: what lies outside, see `map_coordinates`. Default: "reflect".
        fill_value: of "constant". Default: 0.
        seed: an int, a `SeedGenerator` or a stream. Default: drawn from `gpunn.set_seed`'s.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of the shape and dtype of the images.

    Raises:
        ShapeError: if the images have another rank.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.image.elastic_transform`; Simard et al., 2003. The noise is another one.

    >>> gpunn.ops.image.elastic_transform(np.ones((4, 4, 1)), seed=1).numpy().mean().round(3)
    np.float64(1.0)
    """
    op = "elastic_transform"
    images, batch, single = _batch(op, images, interpolation, fill_mode, data_format)
    size = (int(6 * sigma) | 1,) * 2
    like = batch[..., 0] if is_float(batch.dtype) else cast(batch[..., 0], "float32")
    stream, moves = stream_of(seed), []
    for _ in range(2):
        moved = gaussian_noise(zeros_like(like), sigma, stream)
        blurred = gaussian_blur(expand_dims(moved, -1), size, (sigma, sigma), "channels_last")
        moves.append(blurred[..., 0])
    x, y = _grid(batch, like.dtype)
    places = stack([y + alpha * moves[1], x + alpha * moves[0]], 1)
    order = ORDERS[interpolation]
    return _as_given(_sampled(batch, places, order, fill_mode, fill_value), single, data_format)


# --- what they share ---


def _check_fill(op, mode) -> None:
    if mode not in FILL_MODES:
        raise unknown(f"fill_mode of {op}", mode, FILL_MODES)


def _batch(op, images, interpolation, fill_mode, data_format):
    """The images, a batch of them with channels last, and whether it was one image."""
    images = convert(images)
    *_, channels = image_axes(op, images, data_format)
    if interpolation not in ORDERS:
        raise unknown(f"interpolation of {op}", interpolation, ORDERS)
    _check_fill(op, fill_mode)
    batch = moveaxis(images, channels, -1)
    return images, expand_dims(batch, 0) if images.ndim == 3 else batch, images.ndim == 3


def _as_given(y, single, data_format):
    y = squeeze(y, 0) if single else y
    return moveaxis(y, -1, -3) if channels_first(data_format, "the result") else y


def _points(values, like) -> Tensor:
    """Floats on the device of the images."""
    values = convert(values, device=like.device)
    return values if is_float(values.dtype) else cast(values, "float32")


def _grid(batch, dtype):
    """The columns and rows of a batch of images: (1, 1, columns) and (1, rows, 1)."""
    rows, columns = batch.shape[1:3]
    x = constant(np.arange(columns).reshape(1, 1, -1), batch, dtype)
    return x, constant(np.arange(rows).reshape(1, -1, 1), batch, dtype)


def _sampled(batch, places, order, fill_mode, fill_value):
    if places.shape[0] != batch.shape[0]:
        places = places + constant(np.zeros((batch.shape[0], *(1,) * (places.ndim - 1))), places)
    return sample(batch, places, order=order, mode=fill_mode, fill=fill_value)
