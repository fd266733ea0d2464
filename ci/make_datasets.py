"""Makes digits.npz and iris.csv in gpunn/datasets/data/; needs scikit-learn."""

import csv
from pathlib import Path

import numpy as np

DATA = Path(__file__).parents[1] / "gpunn" / "datasets" / "data"


def main() -> None:
    from sklearn.datasets import load_digits, load_iris

    digits = load_digits()
    np.savez_compressed(
        DATA / "digits.npz", x=digits.images.astype("uint8"), y=digits.target.astype("uint8")
    )
    iris = load_iris()
    dealt = np.arange(150).reshape(3, 50).T.ravel()
    with open(DATA / "iris.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            [*(n.removesuffix(" (cm)").replace(" ", "_") for n in iris.feature_names), "species"]
        )
        for i in dealt:
            writer.writerow([*iris.data[i], iris.target_names[iris.target[i]]])


if __name__ == "__main__":
    main()
