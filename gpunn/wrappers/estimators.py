"""Models as estimators: what scikit-learn fits, scores, searches and puts into pipelines."""

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from gpunn import activations
from gpunn.errors import ArgumentError, ArgumentTypeError, DataError, NotBuiltError
from gpunn.models import Model
from gpunn.models.cloning import clone_model


class Estimator(BaseEstimator):
    """What the three estimators have in common."""

    _checks: dict = {}  # of the targets, for validate_data

    def __init__(self, model, warm_start=False, model_kwargs=None, fit_kwargs=None):
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def fit(self, X, y, sample_weight=None, **kwargs):
        """Train the model.

        Args:
            X: (n_samples, n_features): an array, a pandas table.
            y: the targets, one or a row for each sample.
            sample_weight: (n_samples,): weight of each sample in the loss. Default: all 1.
            **kwargs: for `Model.fit`, before those of `fit_kwargs`.

        Returns:
            The estimator itself.

        Raises:
            ValueError: from scikit-learn, if the data cannot be used; DataError, if all weights
                are zero or all labels alike.
            ArgumentTypeError: if `model` neither is nor gives a model.
            NotBuiltError: if the model is not compiled.
        """
        X, y = validate_data(self, X, y, **self._checks)
        if sample_weight is not None and not np.asarray(sample_weight).any():
            raise DataError("every weight in sample_weight is zero: nothing is left to learn from")
        y = self._encode(y)
        model = self._model_for(X, y)
        if not isinstance(model, Model):
            raise ArgumentTypeError(
                f"{type(self).__name__}: model must be a model or a function that returns one, got "
                f"{model!r}"
            )
        if not model.compiled:
            raise NotBuiltError(f"{model.name!r} is not compiled: call its compile() first")
        kwargs = {**(self.fit_kwargs or {}), **kwargs}
        if sample_weight is not None:
            kwargs["sample_weight"] = sample_weight
        self.history_ = model.fit(X, self._fitting(y, model), **kwargs)
        self.model_ = model
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags

    def _model_for(self, X, y):
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if isinstance(self.model, Model):
            return self.model if self.warm_start else clone_model(self.model)
        if callable(self.model):
            return self.model(X=X, y=y, **(self.model_kwargs or {}))
        return self.model

    def _encode(self, y):
        """The targets as rows."""
        self._one_target = y.ndim == 1
        return y.reshape(len(y), -1)

    def _fitting(self, y, model):
        """The encoded targets as this model takes them."""
        return y

    def _outputs(self, X):
        """What the fitted model gives."""
        check_is_fitted(self)
        return self.model_.predict(validate_data(self, X, reset=False), verbose=0)

    def _values(self, X):
        """The outputs in the shape of the targets."""
        y = self._outputs(X)
        return y[:, 0] if self._one_target and y.ndim == 2 and y.shape[1] == 1 else y


class SKLearnClassifier(ClassifierMixin, Estimator):
    """A model as a classifier of scikit-learn; labels are numbers or strings.

    Args:
        model: a compiled model, or a function `(X, y, **model_kwargs)` that returns one. A model
            is cloned for each `fit`; a function gets y with one column for each class. The model
            has one output for each class; of two classes it may have one, for the second.
        warm_start: whether `fit` goes on with the model of the last one, and takes a given model
            itself, not a clone. Default: False.
        model_kwargs: a dict of further arguments of the function. Default: none.
        fit_kwargs: a dict of arguments of `Model.fit`. Default: none.

    Attributes:
        model_: the fitted model.
        history_: the `History` of the last `fit`.
        classes_: the labels, sorted.
        n_features_in_: the number of features.

    `decision_function` gives the raw outputs, as in Keras; a score that needs one number for each
    sample of two classes, such as ROC AUC, is told `response_method="predict_proba"`.

    Source: keras.wrappers.SKLearnClassifier.

    >>> model = gpunn.Sequential([gpunn.Input((2,)), gpunn.layers.Dense(2, activation="softmax")])
    >>> model.compile("sgd", loss="categorical_crossentropy")
    >>> classifier = gpunn.wrappers.SKLearnClassifier(model, fit_kwargs={"verbose": 0})
    >>> classifier.fit([[0, 1], [1, 0]], ["no", "yes"]).predict_proba([[3, 4]]).shape
    (1, 2)
    """

    def predict(self, X):
        """The label of each sample, (n_samples,)."""
        outputs = self.decision_function(X)
        if outputs.ndim > 1:
            return self.classes_[outputs.argmax(axis=1)]
        second = outputs > (0 if _takes_logits(self.model_) else 0.5)
        return self.classes_[second.astype(int)]

    def predict_proba(self, X):
        """The probability of each class, (n_samples, n_classes), in the order of `classes_`.

        Raises:
            ArgumentError: if the outputs are no probabilities, and the loss takes no logits.
        """
        outputs = self.decision_function(X)
        if _takes_logits(self.model_):
            activation = activations.sigmoid if outputs.ndim == 1 else activations.softmax
            outputs = activation(outputs).numpy()
        if outputs.ndim == 1:
            outputs = np.stack([1 - outputs, outputs], axis=1)
        sums = outputs.sum(axis=1, keepdims=True)
        if (outputs < 0).any() or (sums == 0).any():
            raise ArgumentError(
                f"the outputs of {self.model_.name!r} are no probabilities: let it end in a softmax"
                " or sigmoid, or give it a loss with from_logits=True"
            )
        return outputs / sums

    def decision_function(self, X):
        """The raw outputs of the model: (n_samples, n_classes); (n_samples,) if it has only one."""
        outputs = self._outputs(X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def _encode(self, y):
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) == 1:
            raise DataError(f"a classifier needs more than one class, got {classes[0]!r} alone")
        self.classes_ = classes
        return np.eye(len(classes), dtype="float32")[codes]

    def _fitting(self, y, model):
        if y.shape[1] == 2 and model.built and model.outputs[0].shape[-1] == 1:
            return y[:, 1:]
        return y


class SKLearnRegressor(RegressorMixin, Estimator):
    """A model as a regressor of scikit-learn, of one or several targets.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: as for `SKLearnClassifier`; a function gets y
            with one column for each target.

    Attributes:
        model_: the fitted model.
        history_: the `History` of the last `fit`.
        n_features_in_: the number of features.

    Source: keras.wrappers.SKLearnRegressor.

    >>> model = gpunn.Sequential([gpunn.Input((2,)), gpunn.layers.Dense(1)])
    >>> model.compile("sgd", loss="mse")
    >>> regressor = gpunn.wrappers.SKLearnRegressor(model, fit_kwargs={"verbose": 0})
    >>> regressor.fit([[0, 1], [1, 0]], [0.5, 1.5]).predict([[3, 4]]).shape
    (1,)
    """

    _checks = {"multi_output": True, "y_numeric": True}

    def predict(self, X):
        """The target of each sample, in the shape of those that it was fitted to."""
        return self._values(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        tags.target_tags.multi_output = True
        return tags


class SKLearnTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """A model as a transformer of scikit-learn: a step of a pipeline, whose outputs are features.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: as for `SKLearnRegressor`.

    Attributes:
        model_: the fitted model.
        history_: the `History` of the last `fit`.
        n_features_in_: the number of features.

    Source: keras.wrappers.SKLearnTransformer.

    >>> model = gpunn.Sequential([gpunn.Input((2,)), gpunn.layers.Dense(2)])
    >>> model.compile("sgd", loss="mse")
    >>> transformer = gpunn.wrappers.SKLearnTransformer(model, fit_kwargs={"verbose": 0})
    >>> transformer.fit([[0, 1], [1, 0]], [[1, 0], [0, 1]]).transform([[3, 4]]).shape
    (1, 2)
    """

    _checks = {"multi_output": True, "y_numeric": True}

    def predict(self, X):
        """The outputs, in the shape of the targets that the model was fitted to."""
        return self._values(X)

    def transform(self, X):
        """The outputs of the model, (n_samples, n_outputs)."""
        return self._outputs(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.model_.outputs[0].shape[-1]


def _takes_logits(model) -> bool:
    """Whether the loss of a model makes the probabilities from its outputs."""
    return getattr(model._compile_arguments["loss"], "from_logits", False)
