"""Regression on a table: how far a disease goes in a year, from ten measurements of a patient.

    python examples/regression_csv.py
    python examples/regression_csv.py --csv houses.csv --target price

Without --csv, scikit-learn's diabetes data (442 patients; B. Efron and others, 2004) are written to
diabetes.csv and read back. Columns may be numbers, yes/no or categories, and cells may be missing:
gpunn.data turns them into numbers, by what the training rows say. The table is cut into five parts;
each in turn is kept aside while a network learns from the other four, and the error is of rows that
were kept aside. Beside it stands the error of a straight line fitted by least squares.

It needs scikit-learn for its own data: pip install 'gpunn[sklearn]'
"""

import argparse
import csv
from pathlib import Path

import numpy as np

import gpunn
from gpunn.data import Features, Target, read_csv
from gpunn.layers import Dense, Dropout
from gpunn.regularizers import L2

PARTS = 5


def write_diabetes(path):
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*data.feature_names, "progression"])
        writer.writerows(np.column_stack([data.data, data.target]).tolist())


def make_model(width):
    return gpunn.Sequential(
        [
            gpunn.Input((width,)),
            Dense(32, activation="relu", kernel_regularizer=L2(0.01)),
            Dropout(0.2),
            Dense(16, activation="relu", kernel_regularizer=L2(0.01)),
            Dense(1),
        ]
    )


def errors(table, column, kept_aside, epochs):
    """The mean absolute errors of a network and of a straight line on the rows kept aside."""
    rows = np.flatnonzero(~kept_aside)
    features = Features.fit(table, rows, without=[column])
    target = Target.fit(table, column, "regression")[0].scaled_on(table.rows(rows))
    x, y = features.encode(table), target.encode(table)

    model = make_model(features.width)
    model.compile(gpunn.optimizers.Adam(0.003), "mae")
    model.fit(x[rows], y[rows], batch_size=32, epochs=epochs, verbose=0)
    network = target.values(model.predict(x[kept_aside], verbose=0))

    with_one = np.column_stack([x, np.ones(len(x))])
    slopes = np.linalg.lstsq(with_one[rows], y[rows])[0]
    line = target.values(with_one[kept_aside] @ slopes)

    truth = target.values(y[kept_aside])
    return np.abs(truth - network).mean(), np.abs(truth - line).mean()


def main():
    parser = argparse.ArgumentParser(description="Learns a number from the rows of a table.")
    parser.add_argument("--csv", metavar="FILE", help="a table with a header")
    parser.add_argument("--target", default="progression", help="the column to learn")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--epochs", type=int, default=60, help="passes over the data (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, shuffles and parts")
    parser.add_argument("--smoke", action="store_true", help="two epochs, to see that it runs")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    if options.csv is None:
        options.csv = Path("diabetes.csv")
        write_diabetes(options.csv)
    table = read_csv(options.csv)
    part = np.random.default_rng(options.seed).permutation(len(table)) % PARTS
    found = [
        errors(table, options.target, part == i, 2 if options.smoke else options.epochs)
        for i in range(PARTS)
    ]
    for i, (network, line) in enumerate(found, 1):
        print(f"part {i}: mean absolute error {network:.2f}, straight line {line:.2f}")
    network, line = np.mean(found, axis=0)
    print(f"{len(table)} rows: {options.target} is off by {network:.2f} on average", end="")
    print(f" (a straight line: {line:.2f})")


if __name__ == "__main__":
    main()
