"""Losses of sequences whose alignment with their labels is not known."""

from gpunn import ops
from gpunn.errors import ShapeError
from gpunn.losses.loss import LossFunctionWrapper


def ctc(y_true, y_pred):
    """-log of the probability of labels, summed over all their alignments to the steps.

    Args:
        y_true: labels of shape (batch, labels) from 1 up; 0 fills rows up, and is the blank class.
        y_pred: logits of shape (batch, steps, classes).

    Returns:
        A tensor of shape (batch,).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Graves et al., 2006; Keras, `keras.losses.ctc`.

    >>> loss = gpunn.losses.ctc([[1, 0]], np.zeros((1, 2, 2), "float32"))
    >>> loss.numpy().round(4).tolist()
    [0.28769999742507935]
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, "int32").to(y_pred.device)
    if y_true.ndim != 2 or y_pred.ndim != 3:
        raise ShapeError(
            "ctc: expected labels of shape (batch, labels) and logits of shape "
            f"(batch, steps, classes), got {y_true.shape} and {y_pred.shape}"
        )
    counts = ops.count_nonzero(y_true, axis=-1)
    return ops.ctc_loss(y_true, y_pred, counts, counts * 0 + y_pred.shape[1])


class CTC(LossFunctionWrapper):
    """-log of the probability of labels, summed over all their alignments to the steps; see `ctc`.

    Args:
        reduction, name, dtype: as for `Loss`.

    Source: Graves et al., 2006; Keras, `keras.losses.CTC`.

    >>> round(gpunn.losses.CTC()([[1, 0]], np.zeros((1, 2, 2), "float32")).item(), 4)
    0.2877
    """

    def __init__(self, reduction="sum_over_batch_size", name="ctc", dtype=None):
        super().__init__(ctc, reduction, name, dtype)

    def call(self, y_true, y_pred):
        """The loss of each sequence; labels have one axis less than predictions."""
        return ops.cast(ctc(y_true, y_pred), y_pred.dtype)
