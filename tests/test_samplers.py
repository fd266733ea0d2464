"""Samplers, and generation with a cache beside whole forward passes."""

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops, samplers
from gpunn.errors import ArgumentError, ArgumentTypeError, ShapeError
from tests.harness import assert_close

VOCABULARY, LENGTH, WIDTH, HEADS = 11, 7, 8, 2
SCORES = np.log(np.array([[0.1, 0.5, 0.25, 0.15], [0.7, 0.1, 0.1, 0.1]], "float32"))


class SmallGPT(gpunn.Model):
    """A language model with a cache for each block."""

    def __init__(self):
        super().__init__()
        self.embedding = layers.TokenAndPositionEmbedding(VOCABULARY, LENGTH, WIDTH)
        self.blocks = [layers.TransformerDecoder(16, HEADS, normalize_first=True) for _ in range(2)]
        self.norm = layers.LayerNormalization(epsilon=1e-5)

    def call(self, tokens, caches=None, index=0):
        x = self.embedding(tokens, start_index=index)
        kept = []
        for i, block in enumerate(self.blocks):
            if caches is None:
                x = block(x)
            else:
                x, cache = block(
                    x, self_attention_cache=caches[i], self_attention_cache_update_index=index
                )
                kept.append(cache)
        x = self.embedding.token_embedding(self.norm(x), reverse=True)
        return x if caches is None else (x, kept)


@pytest.fixture
def model(device):
    gpunn.set_seed(3)
    model = SmallGPT()
    model(np.zeros((1, LENGTH), "int32"))
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=w.shape) * 0.5 for w in model.get_weights()])
    return model


def empty_caches(batch):
    shape = (batch, 2, LENGTH, HEADS, WIDTH // HEADS)
    return [gpunn.Tensor(np.zeros(shape, "float32")) for _ in range(2)]


def test_cached_scores_are_those_of_the_whole_pass(model):
    tokens = np.random.default_rng(1).integers(0, VOCABULARY, (3, LENGTH)).astype("int32")
    whole = model(tokens).numpy()
    caches = empty_caches(3)
    scores, caches = model(tokens[:, :3], caches, 0)  # the prompt at once
    assert_close(scores, whole[:, :3], rtol=1e-5, atol=1e-5)
    for i in range(3, LENGTH):
        scores, caches = model(tokens[:, i : i + 1], caches, i)
        assert_close(scores[:, 0], whole[:, i], rtol=1e-5, atol=1e-5)


def test_cached_generation_writes_the_same_text(model):
    prompt = np.zeros((2, LENGTH), "int32")
    prompt[:, :2] = [[1, 2], [3, 4]]

    def whole(prompt, cache, index):
        return model(prompt)[:, index - 1], None, cache

    def cached(prompt, cache, index):
        scores, cache = model(prompt[:, index - 1 : index], cache, index - 1)
        return scores[:, 0], None, cache

    greedy = samplers.GreedySampler()
    expected = greedy(whole, prompt, index=2)
    _, caches = model(prompt[:, :1], empty_caches(2), 0)
    found = greedy(cached, prompt, cache=caches, index=2)
    assert found.dtype == "int32" and (found.numpy() == expected.numpy()).all()
    assert (found.numpy()[:, :2] == prompt[:, :2]).all() and (prompt[:, 2:] == 0).all()


def drawn(sampler, scores=SCORES, times=300):
    """The tokens that are drawn for each row."""
    probabilities = sampler.compute_probabilities(np.repeat(scores, times, 0))
    return sampler.get_next_token(probabilities).numpy().reshape(len(scores), times)


def test_random(device):
    found = drawn(samplers.RandomSampler(seed=1), times=4000)
    for row, scores in zip(found, SCORES, strict=True):
        assert abs(np.bincount(row, minlength=4) / 4000 - np.exp(scores)).max() < 0.04
    again = samplers.RandomSampler(seed=1)
    assert (drawn(again) == drawn(samplers.RandomSampler(seed=1))).all()
    assert (drawn(again) != drawn(samplers.RandomSampler(seed=1))).any()


def test_temperature():
    cold = drawn(samplers.RandomSampler(temperature=0.01, seed=1))
    assert (cold == [[1], [0]]).all()
    hot = drawn(samplers.RandomSampler(temperature=100.0, seed=1))
    assert (np.bincount(hot[1], minlength=4) > 40).all()


def test_top_k(device):
    found = drawn(samplers.TopKSampler(k=2, seed=1))
    assert set(found[0]) == {1, 2}
    assert (drawn(samplers.TopKSampler(k=1, seed=1)) == [[1], [0]]).all()
    assert set(drawn(samplers.TopKSampler(k=9, seed=1))[0]) == {0, 1, 2, 3}


def test_top_p(device):
    assert (drawn(samplers.TopPSampler(p=0.1, seed=1)) == [[1], [0]]).all()
    found = drawn(samplers.TopPSampler(p=0.6, seed=1))
    assert set(found[0]) == {1, 2} and set(found[1]) == {0}
    assert set(drawn(samplers.TopPSampler(p=1.0, k=3, seed=1))[0]) == {1, 2, 3}
    sure = np.array([[0.0, -np.inf, -np.inf]], "float32")
    assert (drawn(samplers.TopPSampler(p=1.0, seed=1), sure) == 0).all()


def counting(prompt, cache, index):
    """Scores that make each token the one before plus one."""
    return ops.one_hot(prompt[:, index - 1] + 1, 10) * 50.0, None, cache


def test_masks_and_ends():
    greedy = samplers.get("greedy")
    prompt = np.array([[1, 0, 0, 0, 0], [4, 0, 0, 0, 0]])
    assert greedy(counting, prompt, index=1).tolist() == [[1, 2, 3, 4, 5], [4, 5, 6, 7, 8]]
    mask = np.zeros(prompt.shape, bool)
    mask[0, 2] = True
    found = greedy(counting, prompt, index=1, mask=mask)
    assert found.tolist() == [[1, 2, 0, 1, 2], [4, 5, 6, 7, 8]]
    found = greedy(counting, prompt, index=1, stop_token_ids=[3, 5])
    assert found.tolist() == [[1, 2, 3, 0, 0], [4, 5, 6, 0, 0]]


def test_an_own_sampler():
    class Last(samplers.Sampler):
        def get_next_token(self, probabilities):
            return ops.argmax(probabilities * np.array([0.0, 0.0, 1.0, 1.0]), axis=-1)

    assert drawn(Last(), times=1).tolist() == [[2], [2]]
    with pytest.raises(NotImplementedError, match="get_next_token"):
        drawn(samplers.Sampler())


@pytest.mark.parametrize("name", ["GreedySampler", "RandomSampler", "TopKSampler", "TopPSampler"])
def test_configs(name):
    sampler = getattr(samplers, name)(temperature=0.5)
    config = sampler.get_config()
    assert type(sampler).from_config(config).get_config() == config
    again = samplers.deserialize(samplers.serialize(sampler))
    assert type(again) is type(sampler) and again.get_config() == config
    assert type(samplers.get(name)) is type(sampler)


def test_errors():
    for make, error in [
        (lambda: samplers.Sampler(temperature=0.0), ArgumentError),
        (lambda: samplers.TopKSampler(k=0), ArgumentError),
        (lambda: samplers.TopKSampler(k=1.5), ArgumentTypeError),
        (lambda: samplers.TopPSampler(p=1.5), ArgumentError),
        (lambda: samplers.get("beams"), ArgumentError),
        (lambda: samplers.GreedySampler()(counting, np.zeros(3, "int32")), ShapeError),
    ]:
        with pytest.raises(error):
            make()
