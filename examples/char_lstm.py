"""Shakespeare letter by letter: an LSTM of 256 units learns to go on with a text.

    python examples/char_lstm.py                              # on the CPU: a few minutes
    python examples/char_lstm.py --text shakespeare.txt --epochs 3
    python examples/char_lstm.py --prompt "HERMIA:"

The network sees 64 characters and tells, after each of them, how probable every next one is. It
learns from the first nine tenths of a text (one play comes with the package); its loss on the last
tenth, in nats per character, is printed after each epoch (at best 1.72 with the defaults). Then it
writes: a character is drawn by the probabilities and read in turn. The state of the LSTM is carried
along, so that each step reads one character and not the whole text again.
"""

import argparse

import numpy as np

import gpunn
from gpunn.layers import LSTM, Dense, Embedding

LENGTH = 64  # characters of a training example


def examples_of(codes):
    """Runs of 64 characters that do not overlap, and the same moved on by one character."""
    count = (len(codes) - 1) // LENGTH
    x = codes[: count * LENGTH].reshape(count, LENGTH)
    y = codes[1 : count * LENGTH + 1].reshape(count, LENGTH)
    return x, y


def make_model(characters, units):
    return gpunn.Sequential(
        [
            gpunn.Input((LENGTH,), dtype="int32"),
            Embedding(characters, 64),
            LSTM(units, return_sequences=True),
            Dense(characters),  # the logarithm of each one's probability, up to a constant
        ]
    )


def write(model, codes, length, temperature, random):
    """The codes of so many characters that go on with a text."""
    embedding, lstm, dense = model.layers
    state, written = lstm.cell.get_initial_state(1), []
    with gpunn.no_grad():
        for i in range(len(codes) + length - 1):
            code = codes[i] if i < len(codes) else written[-1]
            output, state = lstm.cell(embedding(np.array([code])), state)
            if i >= len(codes) - 1:
                p = gpunn.ops.softmax(dense(output) / temperature).numpy()[0].astype("float64")
                written.append(random.choice(len(p), p=p / p.sum()))
    return written


def main():
    parser = argparse.ArgumentParser(description="Learns to go on with a text.")
    parser.add_argument("--text", metavar="FILE", help="default: A Midsummer Night's Dream")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--epochs", type=int, default=25, help="passes over the text (default: 25)")
    parser.add_argument("--units", type=int, default=256, help="of the LSTM (default: 256)")
    parser.add_argument("--prompt", default="LYSANDER:\n", help="what the network goes on with")
    parser.add_argument("--write", type=int, default=400, help="characters (default: 400)")
    parser.add_argument("--temperature", type=float, default=0.7, help="below 1: more careful")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, shuffles and text")
    parser.add_argument("--smoke", action="store_true", help="little of all, to see that it runs")
    options = parser.parse_args()
    if options.smoke:
        options.epochs, options.units, options.write = 1, 16, 20

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    text = gpunn.datasets.shakespeare.load_data(options.text)
    text = text[:4000] if options.smoke else text
    characters = sorted(set(text) | set(options.prompt))
    code_of = {c: i for i, c in enumerate(characters)}
    codes = np.array([code_of[c] for c in text], "int32")
    cut = len(codes) * 9 // 10

    model = make_model(len(characters), options.units)
    model.compile(
        gpunn.optimizers.Adam(0.004, clipnorm=1.0),
        gpunn.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    history = model.fit(
        *examples_of(codes[:cut]),
        batch_size=32,
        epochs=options.epochs,
        validation_data=examples_of(codes[cut:]),
    )
    print(f"Least validation loss {min(history.history['val_loss']):.3f} nats per character\n")
    prompt = [code_of[c] for c in options.prompt]
    random = np.random.default_rng(options.seed)
    written = write(model, prompt, options.write, options.temperature, random)
    print(options.prompt + "".join(characters[i] for i in written))


if __name__ == "__main__":
    main()
