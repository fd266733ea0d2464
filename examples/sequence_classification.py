"""Who speaks? Speeches of any length, told apart by a bidirectional GRU with masks.

    python examples/sequence_classification.py

In A Midsummer Night's Dream lovers, fairies and artisans talk, each in their way: some in rhyme,
some in prose. The network gets a speech as a list of words, two or two hundred of them, and says
who of the three it is from. Speeches of a batch are filled up with zeros to the longest;
`Embedding(mask_zero=True)` makes the mask that tells the layers above to skip them. Words that the
training speeches do not have are all read as one unknown word.

The 377 speeches are cut into five parts; each in turn is kept aside while the network learns from
the others. Beside it, what is reached by always guessing the most frequent group.
"""

import argparse
import re

import numpy as np

import gpunn
from gpunn.layers import GRU, Bidirectional, Dense, Dropout, Embedding, GlobalAveragePooling1D

SPEAKERS = {
    "lovers": ["LYSANDER", "DEMETRIUS", "HERMIA", "HELENA"],
    "fairies": ["OBERON", "TITANIA", "PUCK", "Fairy"],
    "artisans": ["QUINCE", "BOTTOM", "FLUTE", "SNOUT", "SNUG", "STARVELING"],
}
PARTS = 5


def speeches():
    """The speeches of the three groups, and the number of the group of each."""
    group_of = {name: i for i, names in enumerate(SPEAKERS.values()) for name in names}
    texts, groups = [], []
    for block in re.split(r"\n\n+", gpunn.datasets.shakespeare.load_data()):
        name, _, text = block.partition(":\n")
        if name in group_of:
            texts.append(" ".join(text.split()))
            groups.append(group_of[name])
    return np.array(texts), np.array(groups)


def make_model(words):
    return gpunn.Sequential(
        [
            Embedding(words, 32, mask_zero=True),
            Dropout(0.5),
            Bidirectional(GRU(24, return_sequences=True)),
            GlobalAveragePooling1D(),  # over the words that are there
            Dropout(0.5),
            Dense(len(SPEAKERS), activation="softmax"),
        ]
    )


def main():
    parser = argparse.ArgumentParser(description="Tells who speaks in a play.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--epochs", type=int, default=25, help="passes over them (default: 25)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, shuffles and parts")
    parser.add_argument("--smoke", action="store_true", help="short speeches, one part, one epoch")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    texts, groups = speeches()
    part = np.random.default_rng(options.seed).permutation(len(texts)) % PARTS
    right = []
    for i in range(1 if options.smoke else PARTS):
        train, test = part != i, part == i
        to_numbers = gpunn.layers.TextVectorization(
            max_tokens=1000, output_sequence_length=6 if options.smoke else 120
        )
        to_numbers.adapt(texts[train])
        model = make_model(to_numbers.vocabulary_size())
        model.compile(
            gpunn.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        model.fit(
            to_numbers(texts[train]).numpy(),
            groups[train],
            batch_size=32,
            epochs=1 if options.smoke else options.epochs,
            verbose=0,
        )
        said = model.predict(to_numbers(texts[test]).numpy(), verbose=0).argmax(axis=1)
        right.append(np.mean(said == groups[test]))
        print(f"part {i + 1}: {right[-1]:.3f} of {test.sum()} speeches right")
    counts = np.bincount(groups)
    print(f"{np.mean(right):.3f} of the speeches right; ", end="")
    print(f"the most frequent of {', '.join(SPEAKERS)}: {counts.max() / counts.sum():.3f}")


if __name__ == "__main__":
    main()
