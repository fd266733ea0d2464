"""A small GPT that writes like Shakespeare, character by character.

    python examples/tiny_gpt.py                               # on the CPU: some minutes
    python examples/tiny_gpt.py --text shakespeare.txt --steps 3000
    python examples/tiny_gpt.py --device cuda --prompt "HERMIA:"

Four transformer blocks of width 128 read up to 64 characters and tell, after each, how probable
every next one is. It learns from the first nine tenths of a text (one play comes with the package);
its loss on the last tenth, in nats per character, is printed as it goes (1.78 with the defaults).
Then it writes. The keys and values of what was read are kept in a cache, so that each new character
is read once; when the 64 places are full, it goes on from the last 32 characters.
"""

import argparse

import numpy as np

import gpunn
from gpunn import ops
from gpunn.layers import Dense, LayerNormalization, TokenAndPositionEmbedding, TransformerDecoder

CONTEXT, WIDTH, HEADS, BLOCKS = 64, 128, 4, 4


class Excerpts(gpunn.data.PyDataset):
    """Batches of text from random places, each with the same text one character further on."""

    def __init__(self, codes, steps, batch_size, seed):
        super().__init__()
        self.codes, self.steps, self.batch_size = codes, steps, batch_size
        self.random = np.random.default_rng(seed)

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        starts = self.random.integers(len(self.codes) - CONTEXT, size=(self.batch_size, 1))
        rows = starts + np.arange(CONTEXT)
        return self.codes[rows], self.codes[rows + 1]


def in_order(codes):
    """The whole of a text as runs of 64 characters, and the same one character further on."""
    count = (len(codes) - 1) // CONTEXT
    x, y = codes[: count * CONTEXT], codes[1 : count * CONTEXT + 1]
    return x.reshape(count, CONTEXT), y.reshape(count, CONTEXT)


def make_model(characters):
    blocks = [
        TransformerDecoder(4 * WIDTH, HEADS, dropout=0.1, activation="gelu", normalize_first=True)
        for _ in range(BLOCKS)
    ]
    return gpunn.Sequential(
        [
            gpunn.Input((CONTEXT,), dtype="int32"),
            TokenAndPositionEmbedding(characters, CONTEXT, WIDTH),
            *blocks,
            LayerNormalization(),
            Dense(characters),
        ]
    )


def scores_after(model, cache, tokens, index):
    """Scores of what comes after tokens (batch, length) that lie at `index`; and the new cache."""
    embed, *blocks, normalize, dense = model.layers
    x = embed.token_embedding(tokens)
    x = x + embed.position_embedding(x, start_index=index)
    caches = []
    for i, block in enumerate(blocks):
        x, kept = block(
            x, self_attention_cache=cache[:, i], self_attention_cache_update_index=index
        )
        caches.append(kept)
    return dense(normalize(x))[:, -1], ops.stack(caches, axis=1)


def write(model, prompt, length, sampler):
    """The codes of so many characters that go on with a prompt."""
    written = list(prompt)
    while len(written) < len(prompt) + length:
        known = written[-CONTEXT // 2 :]
        tokens = np.zeros((1, CONTEXT), "int32")
        tokens[0, : len(known)] = known
        cache = ops.zeros((1, BLOCKS, 2, CONTEXT, HEADS, WIDTH // HEADS))
        with gpunn.no_grad():
            _, cache = scores_after(model, cache, tokens[:, : len(known) - 1], 0)

        def next_scores(prompt, cache, index):
            scores, cache = scores_after(model, cache, prompt[:, index - 1 : index], index - 1)
            return scores, None, cache

        tokens = sampler(next_scores, tokens, cache, index=len(known)).numpy()[0]
        written += tokens[len(known) :].tolist()
    return written[: len(prompt) + length]


def main():
    parser = argparse.ArgumentParser(description="Learns to write like a text.")
    parser.add_argument("--text", metavar="FILE", help="default: A Midsummer Night's Dream")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--steps", type=int, default=2000, help="of training (default: 2000)")
    parser.add_argument("--batch-size", type=int, default=12, help="excerpts a step (default: 12)")
    parser.add_argument("--prompt", default="LYSANDER:\n", help="what the network goes on with")
    parser.add_argument("--write", type=int, default=400, help="characters (default: 400)")
    parser.add_argument("--temperature", type=float, default=0.8, help="below 1: more careful")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, excerpts and text")
    parser.add_argument("--smoke", action="store_true", help="four steps, to see that it runs")
    options = parser.parse_args()
    if len(options.prompt) < 2:
        parser.error("--prompt: at least two characters are needed")

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    text = gpunn.datasets.shakespeare.load_data(options.text)
    if options.smoke:
        text, options.steps, options.write, options.batch_size = text[:2000], 4, 8, 2
    characters = sorted(set(text) | set(options.prompt))
    code_of = {c: i for i, c in enumerate(characters)}
    codes = np.array([code_of[c] for c in text], "int32")
    cut = len(codes) * 9 // 10

    model = make_model(len(characters))
    steps_per_epoch = max(options.steps // 10, 1)
    schedule = gpunn.optimizers.schedules.CosineDecay(0.002, options.steps)
    model.compile(
        gpunn.optimizers.AdamW(schedule, weight_decay=0.01, clipnorm=1.0),
        gpunn.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.summary()
    history = model.fit(
        Excerpts(codes[:cut], steps_per_epoch, options.batch_size, options.seed),
        epochs=max(options.steps // steps_per_epoch, 1),
        validation_data=in_order(codes[cut:]),
    )
    print(f"Least validation loss {min(history.history['val_loss']):.3f} nats per character\n")
    prompt = [code_of[c] for c in options.prompt]
    sampler = gpunn.samplers.RandomSampler(seed=options.seed, temperature=options.temperature)
    written = write(model, prompt, options.write, sampler)
    print("".join(characters[i] for i in written))


if __name__ == "__main__":
    main()
