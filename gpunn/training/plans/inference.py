"""InferenceStep: predictions by plans that are made ahead, for batches of given sizes."""

from gpunn.autograd import no_grad, wrap
from gpunn.backend import backend_of, one_blas_thread, quiet
from gpunn.data import pack_x_y_sample_weight
from gpunn.errors import ArgumentError
from gpunn.layers import tree
from gpunn.training.plans.captured import MOST_PLANS, CapturedStep


class InferenceStep(CapturedStep):
    """A captured step of prediction whose plans are there before the first batch is.

    Args:
        batch_sizes: rows of the batches that there are plans for.
        pad: whether a batch of another size is filled up to the next of these.
    """

    def __init__(self, batch_sizes, pad: bool = False):
        super().__init__(kind="predict")
        sizes = [batch_sizes] if isinstance(batch_sizes, int) else list(batch_sizes)
        if not sizes or any(type(n) is not int or n < 1 for n in sizes):
            raise ArgumentError(f"batch_sizes must be numbers of rows, not {batch_sizes!r}")
        if len(sizes) > MOST_PLANS:
            raise ArgumentError(f"at most {MOST_PLANS} batch_sizes, got {len(sizes)}")
        self.sizes = sorted(set(sizes))
        self.pad = pad

    def __reduce__(self):
        return InferenceStep, (self.sizes, self.pad)

    def make_plans(self, model, rows) -> None:
        """Make the plans.

        Args:
            model: a built one.
            rows: gives inputs of a number of rows: tensors, nested as the model takes them.

        Raises:
            CaptureError: if a step cannot be recorded.
        """
        for size in self.sizes:
            with no_grad(), quiet(), one_blas_thread:
                self.prepare(model, pack_x_y_sample_weight(rows(size)))

    def __call__(self, model, batch, unchanged: bool = False):
        rows = next(tree.leaves(batch)).shape[0]
        size = next((n for n in self.sizes if n >= rows), rows) if self.pad else rows
        if size == rows:
            return super().__call__(model, batch, unchanged)
        y = super().__call__(model, tree.map(lambda x: _padded(x, size), batch), unchanged)
        return tree.map(lambda t: wrap(t.array[:rows]), y)


def _padded(x, size: int):
    """Rows of zeros after those of x."""
    be = backend_of(x.array)
    full = be.zeros((size, *x.shape[1:]), x.array.dtype)
    be.copyto(full[: x.shape[0]], x.array)
    return wrap(full)
