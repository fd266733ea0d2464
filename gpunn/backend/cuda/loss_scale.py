"""A step by gradients of a scaled loss, decided on the device."""

from gpunn.backend.cupy_ import cuda_type, wide


def find_not_finite(be, found, gradients) -> None:
    """Set `found` (one int64) if a gradient is Inf or NaN."""
    types = f"{cuda_type(gradients.dtype)}, {cuda_type(wide(gradients.dtype))}"
    size = gradients.size
    be.launch("loss_scale", f"find_not_finite<{types}>", size, (found, gradients, size))


def decide(be, state, scale, used, flags, numbers, table, growth: int) -> None:
    """Decide on a step; the arguments are those of the kernel."""
    rows, width = table.host.shape
    arrays = (state, scale, used, flags, numbers, table.device)
    name = f"decide<{cuda_type(numbers.dtype)}>"
    be.launch("loss_scale", name, 1, (*arrays, rows, width, growth))
