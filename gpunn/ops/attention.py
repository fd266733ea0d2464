"""Dot-product attention: every query takes the mean of the values, weighed by its keys' scores."""

import math

from gpunn.autograd import cast, convert, primitive
from gpunn.backend.dtypes import result_type
from gpunn.errors import ArgumentError, ShapeError
from gpunn.ops.attention_tiles import HIDDEN, AttentionCall, Rules, band
from gpunn.ops.products import together
from gpunn.ops.reduction import narrow, wide

__all__ = ["dot_product_attention"]

# A larger matrix of scores (in bytes) is never made as a whole, but in tiles, and once more for the
# gradient. With a causal mask half of the tiles are left out: a quarter of this is enough then.
LARGEST = 1 << 26


def dot_product_attention(
    query,
    key,
    value,
    bias=None,
    mask=None,
    scale=None,
    is_causal=False,
    flash_attention=None,
    attn_logits_soft_cap=None,
):
    """Scaled dot-product attention, `softmax(scale q k^T + bias) v` for every head.

    For long sequences the matrix of scores is never made as a whole: it is walked through in tiles
    that keep a running maximum and sum, forward and backward. On CUDA it never is, for heads of up
    to 256 features: one kernel each way, which also draws dropout anew for the gradient.

    Args:
        query: tensor of shape (batch, T, heads, n).
        key: tensor of shape (batch, S, key heads, n). Fewer key heads than heads are shared by
            groups of neighbours (grouped-query attention); their number must divide that of heads.
        value: tensor of shape (batch, S, key heads, m).
        bias: added to the scores; broadcasts to (batch, heads, T, S).
        mask: booleans that broadcast to the same: False hides a key from a query. A query from
            which everything is hidden takes the plain mean of all values.
        scale: a number. Default: 1 / sqrt(n).
        is_causal: whether keys after a query's own position are hidden from it.
        flash_attention: True: by tiles; False: with the whole matrix. Default: by size.
        attn_logits_soft_cap: must be None; Keras has it on TPUs alone.

    Returns:
        A tensor of shape (batch, T, heads, m).

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if attn_logits_soft_cap is given.

    Source: `keras.ops.dot_product_attention`; Vaswani et al., 2017,
    https://arxiv.org/abs/1706.03762; Dao et al., 2022, https://arxiv.org/abs/2205.14135

    >>> q, k, v = (np.ones((2, n, 8, 16), "float32") for n in (4, 6, 6))
    >>> gpunn.ops.dot_product_attention(q, k, v).shape
    (2, 4, 8, 16)
    """
    if attn_logits_soft_cap is not None:
        raise ArgumentError("dot_product_attention: attn_logits_soft_cap must be None")
    query, key, value = together(query, key, value)
    check_shapes("dot_product_attention", query, key, value)
    if bias is not None:
        bias = cast(
            convert(bias, device=query.device), result_type(*(x.dtype for x in (query, key, value)))
        )
    return attend(
        query,
        key,
        value,
        bias,
        as_mask(mask, query.device),
        scale=1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else float(scale),
        causal=bool(is_causal),
        tiles=flash_attention,
    )


def as_mask(mask, device):
    """A mask as a tensor of booleans on a device, or None."""
    if mask is None:
        return None
    mask = convert(mask, device=device)
    return mask if mask.dtype == bool else mask.to("bool")


def check_shapes(op: str, query, key, value) -> None:
    """Raise unless queries, keys and values of (batch, length, heads, size) fit."""
    q, k, v = query.shape, key.shape, value.shape
    if not len(q) == len(k) == len(v) == 4:
        why = "expected tensors of shape (batch, length, heads, size)"
    elif not q[0] == k[0] == v[0]:
        why = "the batches differ"
    elif k[1:3] != v[1:3]:
        why = "keys and values differ in length or heads"
    elif q[3] != k[3]:
        why = "the sizes of queries and keys differ"
    elif not k[2] or q[2] % k[2]:
        why = f"the {q[2]} heads of queries cannot share the {k[2]} of keys evenly"
    elif not k[1]:
        why = "there are no keys"
    else:
        return
    raise ShapeError(f"{op}: {why}: query {q}, key {k}, value {v}")


@primitive(promote="float")
def attend(
    be, q, k, v, bias=None, mask=None, /,
    scale=1.0, causal=False, window=None, zeros=False, rate=0.0, stream=None, tiles=None,
):  # fmt: skip
    """Attention of queries to keys, with everything that may take part.

    Args:
        q, k, v, bias, mask: as in `dot_product_attention`.
        scale: a number the scores are multiplied by.
        causal: whether later keys are hidden.
        window: hide keys that are at least so far away; None: none.
        zeros: whether a query from which everything is hidden gets zeros, not the mean.
        rate: the fraction of the probabilities that is set to 0 (dropout).
        stream: the random stream for that.
        tiles: whether to go by tiles; None: by size. With dropout it never does, but on CUDA.

    Returns:
        A tensor of shape (batch, T, heads, m).
    """
    if tiles is None:
        nbytes = q.shape[0] * q.shape[2] * q.shape[1] * k.shape[1] * q.dtype.itemsize
        tiles = nbytes > (LARGEST // 4 if causal or window is not None else LARGEST)
    work = AttentionCall(
        be, q, k, v, bias, mask, Rules(scale, causal, window, zeros), tiles and not rate
    )
    return work.forward(rate, stream), work.backward


@primitive(promote="float")
def attend_with_scores(
    be, q, k, v, bias=None, mask=None, /,
    scale=1.0, causal=False, window=None, zeros=False, rate=0.0, stream=None,
):  # fmt: skip
    """What `attend` gives, and the probabilities before dropout: (batch, heads, T, S)."""
    work = AttentionCall(be, q, k, v, bias, mask, Rules(scale, causal, window, zeros), False)

    def pullback(dys, needs):
        return work.backward(dys[0], needs, dys[1])

    return (work.forward(rate, stream), work.probabilities()), pullback


@primitive(promote="float")
def hide(be, scores, mask=None, /, causal=False):
    """Scores (..., T, S) of which some are so low that softmax gives them nothing.

    Args:
        scores: tensor.
        mask: broadcasts to the scores; 0 or False where they are hidden.
        causal: whether those after the diagonal are hidden.

    Returns:
        A tensor of the shape of the scores; its gradient is theirs.
    """
    low = None if mask is None else (1 - wide(mask)) * HIDDEN
    if causal:
        after = band(be, 0, *scores.shape[-2:], True, None, scores.dtype)
        low = after if low is None or after is None else be.xp.minimum(low, after)
    return scores if low is None else narrow(scores + low, scores.dtype), lambda dy, needs: (
        dy,
        None,
    )


@primitive
def causal_mask(be, x, /, rows, cols, start=0):
    """True where a query, the first at position `start`, does not come before a key: (1, T, S).

    Args:
        x: a tensor, which only says on what device.
        rows, cols: the number of queries and of keys.
        start: the position of the first query.
    """
    positions = be.xp.arange(rows)[:, None] + start
    return (positions >= be.xp.arange(cols)[None, :])[None], None
