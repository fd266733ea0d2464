"""Softmax cross-entropy of integer labels: value and gradient in one launch."""

from gpunn.backend.cupy_ import cuda_type, row_threads, wide
from gpunn.backend.kernels import kernel


def _takes(target, output, from_logits=False, axis=-1, ignore_class=None) -> bool:
    shape = output.shape
    return (
        from_logits
        and output.dtype.kind == "f"
        and len(shape) > 0
        and shape[-1] > 0
        and axis in (-1, len(shape) - 1)
        and target.shape in (shape[:-1], (*shape[:-1], 1))
        and (ignore_class is None or ignore_class == int(ignore_class))
    )


@kernel("sparse_categorical_crossentropy", "cuda", ("int32", "int64", "uint8"), _takes)
def sparse_categorical_crossentropy(
    be, target, output, from_logits=False, axis=-1, ignore_class=None
):
    classes = output.shape[-1]
    rows = output.size // classes
    loss = be.empty(output.shape[:-1], output.dtype)
    dx = be.empty(output.shape, wide(output.dtype))
    threads = row_threads(classes)
    types = (cuda_type(t.dtype) for t in (loss, dx, target))
    be.launch(
        "cross_entropy",
        f"softmax_cross_entropy<{', '.join(types)}>",
        rows * threads,
        (
            loss,
            dx,
            be.xp.ascontiguousarray(target),
            be.xp.ascontiguousarray(output),
            rows,
            classes,
            be.xp.int32(ignore_class is not None),
            int(ignore_class or 0),
            be.noted.place("label", 0, classes),
        ),
        threads,
    )

    def pullback(dy, needs):
        return None, dx * dy[..., None] if needs[1] else None

    return loss, pullback
