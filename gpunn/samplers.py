"""Samplers: the next token of a text from its scores, and so token by token the whole of it.

    sampler = gpunn.samplers.TopKSampler(k=5, temperature=0.7, seed=1)
    text = sampler(next, prompt, index=number_of_tokens_given)

where `next(prompt, cache, index)` returns the scores (batch, vocabulary) of the token at `index`,
anything (Keras-hub: hidden states), and the cache after this step.
"""

from gpunn import ops, random
from gpunn.autograd import convert, no_grad
from gpunn.checks import check_integer, check_number
from gpunn.errors import ShapeError
from gpunn.guard import guard_functions
from gpunn.serialization import Registry

__all__ = [
    "GreedySampler", "RandomSampler", "Sampler", "TopKSampler", "TopPSampler", "deserialize", "get",
    "serialize",
]  # fmt: skip


class Sampler:
    """Writes texts token by token; subclasses say how a token is chosen, in `get_next_token`.

    Args:
        temperature: what scores are divided by: the higher, the more diverse. Default: 1.

    Call arguments:
        next: a function `(prompt, cache, index) -> (scores, anything, cache)` as above.
        prompt: integers (batch, length), of which those from `index` on are replaced.
        cache: what `next` gets at first. Default: None.
        index: the position of the first token to write. Default: 0.
        mask: booleans (batch, length), True where the prompt's token stays. Default: nowhere.
        stop_token_ids: tokens that end a text; all texts having one, the rest is not written.

    Raises:
        ArgumentError: if the temperature is not above 0.
        ShapeError: if the prompt is not a matrix.

    Source: keras_hub.samplers.Sampler.

    >>> scores = np.array([[0.0, 9.0, 1.0]], "float32")
    >>> sampler = gpunn.samplers.GreedySampler()
    >>> sampler(lambda prompt, cache, index: (scores, None, cache), np.zeros((1, 4), "int32"),
    ...         index=2).numpy()
    array([[0, 0, 1, 1]], dtype=int32)
    """

    def __init__(self, temperature=1.0):
        check_number("temperature", temperature, above=0)
        self.temperature = temperature

    def __call__(
        self,
        next,
        prompt,
        cache=None,
        index=0,
        mask=None,
        stop_token_ids=None,
        hidden_states=None,
        model=None,
    ):
        prompt = convert(prompt)
        if prompt.ndim != 2:
            raise ShapeError(f"expected a prompt of shape (batch, length), got {prompt.shape}")
        mask = None if mask is None else ops.cast(convert(mask, device=prompt.device), "bool")
        with no_grad():
            for at in range(int(index), prompt.shape[1]):
                if stop_token_ids is not None and _all_ended(
                    prompt, stop_token_ids, mask, slice(int(index), at)
                ):
                    break
                scores, _, cache = next(prompt, cache, at)
                token = self.get_next_token(self.compute_probabilities(scores))
                token = ops.cast(token, prompt.dtype)
                if mask is not None:
                    token = ops.where(mask[:, at], prompt[:, at], token)
                prompt = ops.slice_update(prompt, [0, at], ops.expand_dims(token, 1))
        return prompt

    def compute_probabilities(self, logits):
        """Probabilities of scores, in float32, at the sampler's temperature."""
        return ops.softmax(ops.cast(logits, "float32") / self.temperature)

    def get_next_token(self, probabilities):
        """The chosen token of each row of probabilities (batch, vocabulary)."""
        raise NotImplementedError(
            f"{type(self).__name__} must define get_next_token(probabilities)"
        )

    def get_config(self) -> dict:
        """The arguments that make a sampler like this one."""
        return {"temperature": self.temperature}

    @classmethod
    def from_config(cls, config: dict) -> "Sampler":
        """A sampler of a config made by `get_config`."""
        return cls(**config)


class GreedySampler(Sampler):
    """Always the most probable token.

    Source: keras_hub.samplers.GreedySampler.

    >>> gpunn.samplers.GreedySampler().get_next_token(np.array([[0.2, 0.5, 0.3]])).item()
    1
    """

    def get_next_token(self, probabilities):
        """The most probable token."""
        return ops.argmax(probabilities, axis=-1)


class RandomSampler(Sampler):
    """Any token, drawn with its probability.

    Args:
        seed: an integer for draws that can be repeated. Default: drawn from `gpunn.set_seed`'s.
        temperature: see `Sampler`.

    Source: keras_hub.samplers.RandomSampler.

    >>> gpunn.samplers.RandomSampler(seed=1).get_next_token(np.array([[0.0, 1.0, 0.0]])).item()
    1
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    def get_next_token(self, probabilities):
        """A token drawn."""
        return self._drawn(convert(probabilities))

    def _drawn(self, probabilities, tokens=None, keep=None):
        """One of each row drawn, those not kept never; `tokens` are what the columns stand for."""
        scores = ops.log(ops.maximum(probabilities, 1e-37))
        keep = probabilities > 0 if keep is None else ops.logical_and(keep, probabilities > 0)
        scores = ops.where(keep, scores, -1e30)
        found = random.categorical(scores, 1, seed=self.seed_generator)
        return ops.squeeze(
            found if tokens is None else ops.take_along_axis(tokens, found, axis=-1), axis=-1
        )

    def get_config(self) -> dict:
        """The arguments that make a sampler like this one."""
        return {**super().get_config(), "seed": self.seed}


class TopKSampler(RandomSampler):
    """One of the k most probable tokens, drawn with their probabilities.

    Args:
        k: how many. Default: 5.
        seed, temperature: see `RandomSampler`.

    Raises:
        ArgumentError: if k is less than 1.

    Source: keras_hub.samplers.TopKSampler; Fan et al., 2018, https://arxiv.org/abs/1805.04833

    >>> gpunn.samplers.TopKSampler(k=1).get_next_token(np.array([[0.2, 0.5, 0.3]])).item()
    1
    """

    def __init__(self, k=5, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        check_integer("k", k, 1)
        self.k = k

    def get_next_token(self, probabilities):
        """One of the best drawn."""
        probabilities = convert(probabilities)
        return self._drawn(*ops.top_k(probabilities, min(self.k, probabilities.shape[-1])))

    def get_config(self) -> dict:
        """The arguments that make a sampler like this one."""
        return {**super().get_config(), "k": self.k}


class TopPSampler(RandomSampler):
    """One of the fewest tokens whose probabilities add up to p, drawn with those.

    Args:
        p: the sum. Default: 0.1.
        k: if given, of the k most probable alone.
        seed, temperature: see `RandomSampler`.

    Raises:
        ArgumentError: if p is not from 0 to 1, or k is less than 1.

    Source: keras_hub.samplers.TopPSampler; Holtzman et al., 2019, https://arxiv.org/abs/1904.09751

    >>> gpunn.samplers.TopPSampler(p=0.4).get_next_token(np.array([[0.2, 0.5, 0.3]])).item()
    1
    """

    def __init__(self, p=0.1, k=None, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        check_number("p", p, low=0, high=1)
        if k is not None:
            check_integer("k", k, 1)
        self.p = p
        self.k = k

    def get_next_token(self, probabilities):
        """One of the best drawn."""
        probabilities = convert(probabilities)
        n = probabilities.shape[-1]
        best, tokens = ops.top_k(probabilities, n if self.k is None else min(self.k, n))
        before = ops.cumsum(best, axis=-1) - best  # of those that are more probable
        return self._drawn(best, tokens, before <= self.p)

    def get_config(self) -> dict:
        """The arguments that make a sampler like this one."""
        return {**super().get_config(), "p": self.p, "k": self.k}


def _all_ended(prompt, stop_token_ids, mask, written: slice) -> bool:
    """Whether every text has one of the tokens where it was written."""
    ids = [stop_token_ids] if isinstance(stop_token_ids, int) else list(stop_token_ids)
    ended = ops.isin(prompt[:, written], ids)
    if mask is not None:
        ended = ops.logical_and(ended, ops.logical_not(mask[:, written]))
    return bool(ops.all(ops.any(ended, axis=-1)).item())


REGISTRY = Registry(
    "sampler",
    Sampler,
    [GreedySampler, RandomSampler, TopKSampler, TopPSampler],
    aliases={
        "greedy": GreedySampler, "random": RandomSampler, "top_k": TopKSampler,
        "top_p": TopPSampler,
    },
)  # fmt: skip


def get(identifier):
    """The sampler that a class, name or config stands for; a sampler itself.

    Raises:
        ArgumentError: for an unknown name.
        ArgumentTypeError: for what is none of these.

    >>> gpunn.samplers.get("top_k").k
    5
    """
    return REGISTRY.get(identifier)


def serialize(sampler) -> dict | str | None:
    """The config of a sampler.

    >>> gpunn.samplers.serialize(gpunn.samplers.GreedySampler())["config"]
    {'temperature': 1.0}
    """
    return REGISTRY.serialize(sampler)


def deserialize(config, custom_objects: dict | None = None):
    """The sampler of a config made by `serialize`.

    >>> gpunn.samplers.deserialize({"class_name": "TopKSampler", "config": {"k": 3}}).k
    3
    """
    return REGISTRY.deserialize(config, custom_objects)


guard_functions(globals())
