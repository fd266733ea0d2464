"""CachedMultiHeadAttention: attention that keeps the keys and values of earlier steps."""

from gpunn import ops
from gpunn.layers.check import wrong
from gpunn.layers.head_attention import merged_mask, unmasked
from gpunn.layers.multi_head_attention import MultiHeadAttention


class CachedMultiHeadAttention(MultiHeadAttention):
    """`MultiHeadAttention` that can take keys and values from a cache, to generate step by step.

    Args:
        See `MultiHeadAttention`.

    Call arguments:
        query, value, key, attention_mask, return_attention_scores, training: see there.
        cache: tensor (batch, 2, S, num_heads, key_dim): the keys and values of all steps.
        cache_update_index: the step from which on the cache takes the keys and values of this
            call. Default: None, the cache stays as it is and is what is attended to.
        use_causal_mask: whether later positions are hidden; without a cache only. Default: False.

    Returns:
        The outputs; then the scores, if they are asked for; then the new cache, if there is one.

    Raises:
        ArgumentError: if there is an index and no cache, or a cache and use_causal_mask.

    Source: keras_hub.layers.CachedMultiHeadAttention.

    >>> layer = gpunn.layers.CachedMultiHeadAttention(num_heads=2, key_dim=3)
    >>> cache = np.zeros((1, 2, 5, 2, 3), "float32")
    >>> step = np.ones((1, 1, 8), "float32")
    >>> y, cache = layer(step, step, cache=cache, cache_update_index=0)
    >>> y.shape, cache.shape
    ((1, 1, 8), (1, 2, 5, 2, 3))
    """

    def call(
        self,
        query,
        value,
        key=None,
        attention_mask=None,
        cache=None,
        cache_update_index=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        """Attend, to the cache if there is one."""
        same = query is value and (key is None or key is value)
        query, value, key = unmasked(query, value, value if key is None else key)
        if cache is None:
            if cache_update_index is not None:
                raise wrong(self, f"cache_update_index={cache_update_index} needs a cache")
            queries, keys, values = self._heads(query, key, value, same)
        elif use_causal_mask:
            raise wrong(self, "with a cache give attention_mask instead of use_causal_mask")
        else:
            if cache_update_index is not None:
                new = ops.stack([self._key_dense(key), self._value_dense(value)], axis=1)
                cache = ops.slice_update(cache, [0, 0, cache_update_index, 0, 0], new)
            queries, keys, values = self._query_dense(query), cache[:, 0], cache[:, 1]
        y, scores = self._compute_attention(
            queries,
            keys,
            values,
            merged_mask(attention_mask=attention_mask),
            training,
            return_attention_scores,
            use_causal_mask,
        )
        y = self._output_dense(y)
        found = [y, *([scores] if return_attention_scores else []), cache]
        found = found if cache is not None else found[:-1]
        return tuple(found) if len(found) > 1 else y
