"""Circle loss: embeddings whose like lie together."""

from gpunn import ops
from gpunn.autograd import cast, convert
from gpunn.errors import ShapeError
from gpunn.losses.loss import LossFunctionWrapper, labels_beside


def circle(
    y_true,
    y_pred,
    ref_labels=None,
    ref_embeddings=None,
    remove_diagonal=True,
    gamma=80,
    margin=0.4,
):
    """softplus(logsumexp over like pairs + logsumexp over unlike pairs) of scaled distances.

    Args:
        y_true: integer labels (n,).
        y_pred: embeddings (n, d) of length 1.
        ref_labels: labels (m,) of those to compare with; default: `y_true`.
        ref_embeddings: embeddings (m, d) to compare with; default: `y_pred`.
        remove_diagonal: whether an embedding is not compared with itself.
        gamma: the scale.
        margin: how strict it is.

    Returns:
        One value per embedding, (n,).

    Raises:
        ShapeError: if labels and embeddings do not fit.

    Source: Sun et al. 2020, "Circle loss"; Keras, `keras.losses.circle`.

    >>> gpunn.losses.circle([0, 0, 1], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).numpy().round(3)
    array([0., 0., 0.], dtype=float32)
    """
    y_pred = convert(y_pred)
    labels = cast(labels_beside(y_true, y_pred), "int32")
    others = y_pred if ref_embeddings is None else convert(ref_embeddings)
    other_labels = labels if ref_labels is None else labels_beside(ref_labels, y_pred)
    if y_pred.ndim != 2 or labels.size != len(y_pred) or other_labels.size != len(others):
        raise ShapeError(
            "circle: expected embeddings (n, d) with labels (n,), got embeddings of "
            f"{y_pred.shape} and {others.shape} with labels of {labels.shape} and "
            f"{other_labels.shape}"
        )
    like = ops.reshape(labels, (-1, 1)) == ops.reshape(cast(other_labels, "int32"), (1, -1))
    unlike = ops.logical_not(like)
    if remove_diagonal:
        same = ops.eye(labels.size, other_labels.size, dtype="bool")
        like = ops.logical_and(like, ops.logical_not(same))

    distance = ops.maximum(1.0 - ops.matmul(y_pred, ops.transpose(others)), 0.0)
    pull = -gamma * (distance + margin) * (margin - distance)
    push = gamma * ops.maximum(1.0 + margin - distance, 0.0) * (1.0 - margin - distance)
    return ops.softplus(_log_sum(pull, like) + _log_sum(push, unlike))


def _log_sum(values, where):
    return ops.logsumexp(ops.where(where, values, float("-inf")), axis=1)


class Circle(LossFunctionWrapper):
    """Pulls embeddings of one label together and pushes others away.

    Embeddings without a like or an unlike one in the batch cost nothing and do not count.

    Args:
        gamma: the scale.
        margin: how strict it is.
        remove_diagonal: whether an embedding is not compared with itself.
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.Circle`.

    >>> gpunn.losses.Circle()([0, 1], [[1.0, 0.0], [0.0, 1.0]]).item()
    0.0
    """

    integer_labels = True

    def __init__(
        self,
        gamma=80.0,
        margin=0.4,
        remove_diagonal=True,
        reduction="sum_over_batch_size",
        name="circle",
        dtype=None,
    ):
        options = {"gamma": gamma, "margin": margin, "remove_diagonal": remove_diagonal}
        super().__init__(circle, reduction, name, dtype, **options)

    def valid(self, y_true, values):
        return values > 0
