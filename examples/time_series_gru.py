"""Sunspots a year ahead: a GRU reads 22 years of them and tells the next one.

    python examples/time_series_gru.py
    python examples/time_series_gru.py --plot sunspots.png    # needs matplotlib

The number of sunspots has been written down since 1700, and it rises and falls in about 11 years.
The network learns from the years before 1930, stops when the next thirty no longer get better, and
is judged on the years from 1960 on, which it has never seen. Two simple rules say what its error
is worth: that a year is like the one before, and a linear rule of the last 9 years, fitted to the
same years by least squares.
"""

import argparse

import numpy as np

import gpunn
from gpunn.layers import GRU, Dense

WINDOW = 22  # years that are read to tell the next: two cycles
VALIDATION, TEST = 1930, 1960  # the first years of these parts


def windows(series, years):
    """Every run of 22 years, the year after it, and which year that is."""
    runs = np.lib.stride_tricks.sliding_window_view(series, WINDOW)[:-1]
    return runs[..., None].astype("float32"), series[WINDOW:, None], years[WINDOW:]


def make_model():
    return gpunn.Sequential(
        [
            gpunn.Input((WINDOW, 1)),
            GRU(32, return_sequences=True),
            GRU(32),
            Dense(1),
        ]
    )


def rmse(truth, answer):
    return float(np.sqrt(np.mean((truth - answer) ** 2)))


def linear_rule(series, years, order=9):
    """What least squares on the years before 1930 says of every year from 1960 on."""
    rows = np.lib.stride_tricks.sliding_window_view(series, order)[:-1].astype("float64")
    rows = np.column_stack([rows, np.ones(len(rows))])
    next_year, years = series[order:], years[order:]
    fitted = np.linalg.lstsq(rows[years < VALIDATION], next_year[years < VALIDATION])[0]
    return rows[years >= TEST] @ fitted


def main():
    parser = argparse.ArgumentParser(description="Tells the sunspots of the next year.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--epochs", type=int, default=300, help="at most so many (default: 300)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and shuffles")
    parser.add_argument("--plot", metavar="FILE", help="a picture of the truth and the answers")
    parser.add_argument("--smoke", action="store_true", help="two epochs, to see that it runs")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    years, sunspots = gpunn.datasets.sunspots.load_data()
    x, y, of_year = windows(sunspots / 100, years)
    train, test = of_year < VALIDATION, of_year >= TEST
    validation = ~train & ~test

    model = make_model()
    model.compile(gpunn.optimizers.Adam(0.003), "mse")
    history = model.fit(
        x[train],
        y[train],
        batch_size=16,
        epochs=2 if options.smoke else options.epochs,
        validation_data=(x[validation], y[validation]),
        callbacks=[gpunn.callbacks.EarlyStopping(patience=40, restore_best_weights=True)],
        verbose=0,
    )
    truth, answer = 100 * y[test, 0], 100 * model.predict(x[test], verbose=0)[:, 0]
    print(f"{len(history.epoch)} epochs; error (rmse) in the {len(truth)} years from {TEST} on:")
    print(f"  the network            {rmse(truth, answer):.1f} sunspots")
    print(f"  linear rule of 9 years {rmse(truth, linear_rule(sunspots, years)):.1f}")
    print(f"  the year before        {rmse(truth, 100 * x[test, -1, 0]):.1f}")
    if options.plot:
        import matplotlib.pyplot as plt

        plt.figure(figsize=(9, 4))
        plt.plot(of_year[test], truth, "k.-", label="counted")
        plt.plot(of_year[test], answer, "C0-", label="told a year ahead")
        plt.ylabel("sunspots")
        plt.legend()
        plt.tight_layout()
        plt.savefig(options.plot)


if __name__ == "__main__":
    main()
