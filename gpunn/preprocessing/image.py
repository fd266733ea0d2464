"""The older home of pictures in `gpunn.utils` (`keras.preprocessing.image`), and `smart_resize`."""

from gpunn import ops
from gpunn.autograd import Tensor
from gpunn.data.pictures import array_to_img, img_to_array, load_img, save_img
from gpunn.guard import guard_functions

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img", "smart_resize"]


def smart_resize(x, size, interpolation="bilinear", data_format="channels_last"):
    """Images of another size that are not distorted: what does not fit is cut off at the edges.

    Args:
        x: an image (rows, columns, channels), or a batch of them.
        size: rows and columns.
        interpolation: as for `ops.image.resize`. Default: "bilinear".
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of a tensor, else a NumPy array.

    Raises:
        ShapeError: if x has another rank.
        ArgumentError: if the size is not two numbers, or another argument is unknown.

    Source: keras.preprocessing.image.smart_resize.

    >>> gpunn.preprocessing.image.smart_resize(np.ones((40, 60, 3)), (20, 20)).shape
    (20, 20, 3)
    """
    resized = ops.image.resize(
        x, size, interpolation, crop_to_aspect_ratio=True, data_format=data_format
    )
    return resized if isinstance(x, Tensor) else resized.numpy()


guard_functions(globals())
