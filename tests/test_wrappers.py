import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import gpunn
from gpunn.errors import ArgumentError, ArgumentTypeError, DataError, NotBuiltError
from gpunn.layers import Dense
from gpunn.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

QUIET = {"epochs": 2, "verbose": 0}


@pytest.fixture(autouse=True)
def seeded():
    gpunn.set_seed(7)


class Perceptron:
    """A function that makes a model, of a name without an address: test names must last."""

    def __call__(self, X, y, loss="mse", activation=None, units=10, rate=0.05):
        gpunn.set_seed(3)  # each fit draws the same numbers
        inputs = gpunn.Input((X.shape[1],))
        hidden = Dense(units, activation="relu")(inputs)
        model = gpunn.Model(inputs, Dense(y.shape[1], activation=activation)(hidden))
        model.compile(gpunn.optimizers.Adam(rate), loss=loss)
        return model

    def __repr__(self):
        return "perceptron"

    def __deepcopy__(self, memo):  # as for functions
        return self


perceptron = Perceptron()


SOFTMAX = {"loss": "categorical_crossentropy", "activation": "softmax"}


def classifier(epochs=2, **kwargs):
    fit_kwargs = {"epochs": epochs, "verbose": 0}
    return SKLearnClassifier(perceptron, model_kwargs=SOFTMAX, fit_kwargs=fit_kwargs, **kwargs)


def compiled(outputs, loss, activation=None, features=4):
    layers = [gpunn.Input((features,)), Dense(outputs, activation=activation)]
    model = gpunn.Sequential(layers)
    model.compile(gpunn.optimizers.Adam(0.1), loss=loss)
    return model


IRIS_X, IRIS_Y = load_iris(return_X_y=True)
IRIS_X -= IRIS_X.mean(axis=0)
NAMES = np.array(["setosa", "versicolor", "virginica"])[IRIS_Y]

ROUNDED = "float32: equal to 1e-5 only"
RAW = "the decision function is the raw outputs, as in Keras"
FAILURES = {
    "SKLearnClassifier": {
        "check_sample_weight_equivalence_on_dense_data": ROUNDED,
        "check_classifiers_train": RAW,
        "check_classifiers_classes": RAW,
    },
    "SKLearnRegressor": {
        "check_sample_weight_equivalence_on_dense_data": ROUNDED,
        "check_regressor_multioutput": "float32 outputs",
    },
    "SKLearnTransformer": {"check_sample_weight_equivalence_on_dense_data": ROUNDED},
}


@parametrize_with_checks(
    [
        classifier(),
        SKLearnRegressor(perceptron, fit_kwargs=QUIET),
        SKLearnTransformer(perceptron, fit_kwargs=QUIET),
    ],
    expected_failed_checks=lambda estimator: FAILURES[type(estimator).__name__],
)
def test_the_checks_of_scikit_learn(estimator, check):
    if check.func.__name__ == "check_decision_proba_consistency":
        pytest.skip("it looks for ties to ten digits: in float32 the last bits decide")
    check(estimator)


def test_labels_may_be_strings():
    estimator = classifier(epochs=30).fit(IRIS_X, NAMES)
    assert estimator.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert estimator.n_features_in_ == 4
    assert set(estimator.predict(IRIS_X)) <= set(NAMES)
    assert estimator.score(IRIS_X, NAMES) > 0.9
    proba = estimator.predict_proba(IRIS_X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(
        estimator.classes_[proba.argmax(axis=1)], estimator.predict(IRIS_X)
    )
    np.testing.assert_array_equal(
        estimator.decision_function(IRIS_X), estimator.model_.predict(IRIS_X)
    )
    assert len(estimator.history_.history["loss"]) == 30


def test_pandas_tables_keep_their_names():
    table = pd.DataFrame(IRIS_X, columns=list("abcd"))
    estimator = classifier().fit(table, pd.Series(NAMES))
    assert estimator.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(table.rename(columns={"a": "z"}))


def test_a_pipeline_is_cross_validated_and_searched():
    pipeline = make_pipeline(StandardScaler(), classifier(epochs=20))
    assert cross_val_score(pipeline, IRIS_X, NAMES, cv=3).mean() > 0.85
    assert cross_val_score(pipeline, IRIS_X, NAMES, cv=2, scoring="roc_auc_ovr").mean() > 0.9
    search = GridSearchCV(
        classifier(epochs=5), {"model_kwargs": [{**SOFTMAX, "rate": r} for r in (1e-6, 0.02)]}, cv=2
    )
    search.fit(IRIS_X, NAMES)
    assert search.best_params_["model_kwargs"]["rate"] == 0.02
    assert search.predict(IRIS_X[:2]).shape == (2,)


def test_a_model_is_cloned_for_each_fit():
    model = compiled(3, "categorical_crossentropy", "softmax")
    before = model.get_weights()
    estimator = SKLearnClassifier(model, fit_kwargs=QUIET).fit(IRIS_X, IRIS_Y)
    assert estimator.model is model is not estimator.model_
    assert estimator.model_.optimizer is not model.optimizer
    for kept, weight in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(kept, weight)


def test_a_warm_start_goes_on():
    model = compiled(1, "mse")
    estimator = SKLearnRegressor(model, warm_start=True, fit_kwargs=QUIET).fit(IRIS_X, IRIS_Y)
    assert estimator.model_ is model
    estimator.fit(IRIS_X, IRIS_Y)
    assert estimator.model_ is model and int(model.optimizer.iterations) == 2 * 2 * 5
    assert clone(estimator).model is not model  # a fold of its own goes its own way

    built = SKLearnRegressor(perceptron, warm_start=True, fit_kwargs=QUIET).fit(IRIS_X, IRIS_Y)
    first = built.model_
    assert built.fit(IRIS_X, IRIS_Y).model_ is first


def test_clones_and_arguments():
    fit_kwargs = {"epochs": 1, "verbose": 0}
    estimator = SKLearnClassifier(perceptron, model_kwargs=SOFTMAX, fit_kwargs=fit_kwargs)
    copied = clone(estimator)
    assert copied.get_params() == estimator.get_params()
    copied.fit(IRIS_X, IRIS_Y, epochs=3)
    assert len(copied.history_.epoch) == 3
    assert fit_kwargs == {"epochs": 1, "verbose": 0}


def test_a_fitted_estimator_is_pickled():
    estimator = classifier().fit(IRIS_X, NAMES)
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.predict_proba(IRIS_X), estimator.predict_proba(IRIS_X))


@pytest.mark.parametrize("from_logits", [False, True])
def test_one_output_is_the_probability_of_the_second_class(from_logits):
    X, y = IRIS_X[:100], NAMES[:100]
    loss = gpunn.losses.BinaryCrossentropy(from_logits=from_logits)
    model = compiled(1, loss, None if from_logits else "sigmoid")
    estimator = SKLearnClassifier(model, fit_kwargs={"epochs": 20, "verbose": 0}).fit(X, y)
    assert estimator.score(X, y) == 1
    proba = estimator.predict_proba(X)
    assert proba.shape == (100, 2)
    np.testing.assert_array_equal(proba[:, 1] > 0.5, y == "versicolor")
    assert cross_val_score(estimator, X, y, cv=2, scoring="roc_auc").min() == 1


def test_logits_become_probabilities():
    model = compiled(3, gpunn.losses.CategoricalCrossentropy(from_logits=True))
    estimator = SKLearnClassifier(model, fit_kwargs=QUIET).fit(IRIS_X, IRIS_Y)
    logits = estimator.decision_function(IRIS_X).astype("float64")
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        estimator.predict_proba(IRIS_X), e / e.sum(axis=1, keepdims=True), rtol=1e-5
    )


def test_outputs_that_are_no_probabilities_are_refused():
    estimator = SKLearnClassifier(compiled(3, "mse"), fit_kwargs=QUIET).fit(IRIS_X, IRIS_Y)
    assert estimator.predict(IRIS_X).shape == (150,)
    with pytest.raises(ArgumentError, match="no probabilities"):
        estimator.predict_proba(IRIS_X * 100)


def test_a_weight_of_zero_hides_a_sample():
    wrong = np.where(np.arange(150) % 3 == 0, 2 - IRIS_Y, IRIS_Y)
    weights = (np.arange(150) % 3 > 0).astype(float)
    estimator = classifier(epochs=30).fit(IRIS_X, wrong, sample_weight=weights)
    assert estimator.score(IRIS_X, IRIS_Y) > 0.9


def test_a_regressor_of_several_targets():
    y = IRIS_X @ np.array([[1.0, 2], [0, 1], [1, 0], [2, 1]])
    estimator = SKLearnRegressor(perceptron, fit_kwargs={"epochs": 20, "verbose": 0}).fit(IRIS_X, y)
    assert estimator.predict(IRIS_X).shape == (150, 2)
    assert estimator.score(IRIS_X, y) > 0.8
    assert estimator.fit(IRIS_X, y[:, 0]).predict(IRIS_X).shape == (150,)


def test_a_transformer_gives_features():
    transformer = SKLearnTransformer(perceptron, fit_kwargs=QUIET)
    onehot = np.eye(3)[IRIS_Y]
    features = transformer.fit_transform(IRIS_X, onehot)
    assert features.shape == (150, 3)
    table = transformer.set_output(transform="pandas").transform(IRIS_X)
    assert table.columns[0] == "sklearntransformer0"
    pipeline = make_pipeline(
        FrozenEstimator(transformer.set_output(transform="default")), DecisionTreeClassifier()
    )
    assert pipeline.fit(IRIS_X, IRIS_Y).score(IRIS_X, IRIS_Y) > 0.9


def test_what_is_no_compiled_model_is_refused():
    with pytest.raises(ArgumentTypeError, match="model must be a model or a function"):
        SKLearnRegressor("dense").fit(IRIS_X, IRIS_Y)
    with pytest.raises(ArgumentTypeError, match="got None"):
        SKLearnRegressor(lambda X, y: None).fit(IRIS_X, IRIS_Y)
    with pytest.raises(NotBuiltError, match="not compiled"):
        SKLearnRegressor(gpunn.Sequential([Dense(1)])).fit(IRIS_X, IRIS_Y)
    with pytest.raises(DataError, match="more than one class"):
        classifier().fit(IRIS_X[:9], NAMES[:9])
    with pytest.raises(DataError, match="zero"):
        classifier().fit(IRIS_X, NAMES, sample_weight=np.zeros(150))


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(
        gpunn.errors.MissingDependencyError, match=r"pip install 'gpunn\[sklearn\]'"
    ):
        gpunn.wrappers.SKLearnRegressor  # noqa: B018
