"""The first Keras program of many beginners, on gpunn.

Between the two lines of dashes is the program as it is written for Keras; only its three imports
from `keras` are imports from `gpunn`. It makes 1,000 rows of 20 numbers in two classes, trains a
network with one hidden layer on 800 of them, and tells the classes of the other 200: nineteen of
twenty are right. How many depends on the data drawn more than on the network: with other values of
`random_state` both gpunn and Keras get between 0.83 and 0.97. (It even uses `predict_classes`,
which Keras itself no longer has.)

    python examples/keras_quickstart.py                  # on the CPU
    python examples/keras_quickstart.py --device cuda    # the same on a GPU

It needs scikit-learn for the data: pip install 'gpunn[sklearn]'
"""

import argparse

import gpunn


def program(epochs=10):
    # --------------------------------------------------------------------------------------------
    from sklearn.datasets import make_classification
    from sklearn.metrics import accuracy_score
    from sklearn.model_selection import train_test_split

    from gpunn.layers import Dense
    from gpunn.models import Sequential
    from gpunn.optimizers import Adam

    # Data: 1,000 samples with 20 features, in two classes
    X, y = make_classification(n_samples=1000, n_features=20, random_state=0)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)

    # The network
    model = Sequential()
    model.add(Dense(units=64, activation="relu", input_dim=20))
    model.add(Dense(units=1, activation="sigmoid"))

    # How it learns
    model.compile(
        optimizer=Adam(learning_rate=0.001), loss="binary_crossentropy", metrics=["accuracy"]
    )

    # Train it
    history = model.fit(
        X_train, y_train, epochs=epochs, batch_size=32, validation_data=(X_test, y_test)
    )

    # Use it
    y_pred = model.predict_classes(X_test)
    accuracy = accuracy_score(y_test, y_pred)
    print(f"Accuracy: {accuracy * 100:.2f}%")
    # --------------------------------------------------------------------------------------------
    return model, history, accuracy


def main():
    parser = argparse.ArgumentParser(description="The first Keras program of many beginners.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto (default: cpu)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and shuffles")
    parser.add_argument("--smoke", action="store_true", help="two epochs only, to see that it runs")
    options = parser.parse_args()

    gpunn.set_device(options.device)
    gpunn.set_seed(options.seed)
    model, history, _ = program(epochs=2 if options.smoke else 10)
    print(f"Parameters: {model.count_params():,}")
    print(f"History: {', '.join(sorted(history.history))}")


if __name__ == "__main__":
    main()
