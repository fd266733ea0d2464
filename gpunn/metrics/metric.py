"""Metric: numbers that grow batch by batch on the device, and are looked at once in a while."""

from contextlib import contextmanager

import numpy as np

from gpunn.autograd import Tensor, Variable, convert, wrap
from gpunn.backend import backend_of
from gpunn.backend.dtypes import is_float, standardize
from gpunn.errors import ArgumentError, ShapeError
from gpunn.naming import free_name
from gpunn.serialization import snake_case
from gpunn.tree import flatten, map_structure

# What built-in metrics sum in: in float32, the sum over a long epoch stops growing at 2^24.
SUM_DTYPE = "float64"


class Metric:
    """What is measured over many batches; subclasses give `update_state` and `result`.

    The state lies where the predictions lie: the first batch takes it there. No update reads it.

    Args:
        dtype: of the result, or a policy that computes in it; default: `floatx`.
        name: default: the class name in snake_case.

    Source: Keras, `keras.metrics.Metric`.

    >>> class Count(gpunn.metrics.Metric):
    ...     def __init__(self):
    ...         super().__init__(name="count")
    ...         self.seen = self.add_variable((), "zeros", name="seen")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.seen.assign_add(float(len(y_true)))
    ...     def result(self):
    ...         return self.seen
    >>> Count()([1, 2, 3], [1, 2, 4]).item()
    3.0
    """

    # "up" if more is better, "down" if less is: what callbacks with mode="auto" go by
    _direction: str | None = None

    def __init__(self, dtype=None, name=None):
        self.name = name or snake_case(type(self).__name__)
        self._dtype = standardize(getattr(dtype, "compute_dtype", dtype))
        self._variables = []
        self._be = None

    @property
    def dtype(self) -> str:
        """The dtype of the result."""
        return self._dtype.name

    @property
    def variables(self) -> list[Variable]:
        """The state: its own variables and those of the metrics that are attributes of it.

        They may lie in lists, tuples and dicts.
        """
        found = list(self._variables)
        for value in flatten(list(vars(self).values())):
            if isinstance(value, Metric):
                found += value.variables
            elif isinstance(value, Variable) and not any(v is value for v in found):
                found.append(value)
        return found

    def add_variable(self, shape, initializer="zeros", dtype=None, name=None) -> Variable:
        """New state, which `reset_state` sets to zero.

        Args:
            shape: its shape.
            initializer: "zeros", "ones", or a function `(shape, dtype) -> values`.
            dtype: default: that of the metric.
            name: its name. Default: "variable", or "variable_1", ... where there is that one.
        """
        name = name or free_name("variable", [v.name for v in self._variables])
        if isinstance(initializer, str) or initializer is None:
            initializer = _FILLERS[initializer]
        variable = Variable(initializer, shape, dtype or self._dtype, trainable=False, name=name)
        variable.path = f"{self.name}/{variable.name}"
        self._variables.append(variable)
        self._be = None
        return variable

    def add_weight(self, shape=(), initializer="zeros", dtype=None, name=None) -> Variable:
        """The same as `add_variable`, by Keras' older name."""
        return self.add_variable(shape, initializer, dtype, name)

    def update_state(self, *args, **kwargs) -> None:
        """Count one batch; to be written by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no update_state()")

    def result(self) -> Tensor:
        """The metric of all batches since the last reset; to be written by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no result()")

    def reset_state(self) -> None:
        """Forget all batches."""
        for variable in self.variables:
            variable.array.fill(0)

    def __call__(self, *args, **kwargs) -> Tensor:
        """Count one batch and give the result so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    # --- as functions of the state ---

    def stateless_update_state(self, metric_variables, *args, **kwargs) -> list[Tensor]:
        """The state that counting one batch makes of another; the metric's own stays.

        Args:
            metric_variables: values, one for each of `variables`.
            *args, **kwargs: what `update_state` takes.

        Returns:
            The new values.

        Raises:
            ArgumentError, ShapeError: if values do not fit the variables.

        Source: keras.Metric.stateless_update_state.

        >>> mean = gpunn.metrics.Mean()
        >>> state = mean.stateless_update_state(mean.variables, [1.0, 3.0])
        >>> mean.stateless_result(state).item(), mean.result().item()
        (2.0, 0.0)
        """
        with self._state_of(metric_variables):
            self.update_state(*args, **kwargs)
            return [wrap(v.array) for v in self.variables]

    def stateless_result(self, metric_variables) -> Tensor:
        """The result of a state; see `stateless_update_state`."""
        with self._state_of(metric_variables):
            return _of_its_own(self.result())

    def stateless_reset_state(self) -> list[Tensor]:
        """The state without any batch, as values; see `stateless_update_state`."""
        with self._state_of(self.variables):
            self.reset_state()
            return [wrap(v.array) for v in self.variables]

    @contextmanager
    def _state_of(self, values):
        """Inside, the variables are arrays with these values."""
        variables, values = self.variables, list(values)
        if len(values) != len(variables):
            raise ArgumentError(
                f"metric_variables: got {len(values)} values for {len(variables)} variables"
            )
        own = [v.array for v in variables]
        given = [convert(x, v.dtype, v.device) for x, v in zip(values, variables, strict=True)]
        for v, x in zip(variables, given, strict=True):
            if v.shape != x.shape:
                raise ShapeError(f"metric_variables: {v.path} has shape {v.shape}, got {x.shape}")
        for v, x in zip(variables, given, strict=True):
            v.array = backend_of(x.array).copy(x.array)
        try:
            yield
        finally:
            for v, array in zip(variables, own, strict=True):
                v.array = backend_of(v.array).asarray(array)  # where the batch has taken it
            for v in self.variables[len(variables) :]:  # made by the first batch
                v.array = backend_of(v.array).zeros(v.shape, v.dtype)

    def get_config(self) -> dict:
        """The arguments that make an equal metric."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config):
        """The metric of a config."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    # --- for metrics that compute on raw arrays ---

    def _backend(self, array):
        """The backend of an array, with the state taken to its device."""
        be = backend_of(array)
        if be is not self._be:
            for variable in self.variables:
                variable.move(be.device)
            self._be = be
        return be

    def _tensor(self, be, x) -> Tensor:
        """A result as a tensor of the metric's dtype, or `floatx` if that is not a float."""
        dtype = self._dtype if is_float(self._dtype) else standardize(None)
        return wrap(be.asarray(be.wrap(x), dtype))


def _of_its_own(result):
    """A result that is no variable, whose values will be others again."""
    return map_structure(lambda x: x.clone() if isinstance(x, Variable) else x, result)


_FILLERS = {None: np.zeros, "zeros": np.zeros, "ones": np.ones}
