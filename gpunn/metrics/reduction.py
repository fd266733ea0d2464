"""Mean and Sum of values over batches, and the mean of any function of labels and predictions."""

from gpunn.autograd import Tensor, mask_of, no_grad, wrap
from gpunn.backend import backend_of
from gpunn.metrics.arrays import ratio, raw, raw_weights
from gpunn.metrics.metric import SUM_DTYPE, Metric
from gpunn.metrics.sums import mean_sums, samplewise


def _count(be, total, count, mean, n):
    """Count the mean of n samples."""
    total += mean * n
    count += n


def _add(be, total, count, batch, samples):
    total += batch
    count += samples


def _add_total(be, total, batch):
    total += batch


class Sum(Metric):
    """The weighted sum of all values.

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.Sum`.

    >>> gpunn.metrics.Sum()([1.0, 2.0, 4.0]).item()
    7.0
    """

    def __init__(self, name="sum", dtype=None):
        super().__init__(dtype, name)
        self.total = self.add_variable((), dtype=SUM_DTYPE, name="total")

    def update_state(self, values, sample_weight=None) -> None:
        """Add the values of a batch.

        Args:
            values: one or more per sample.
            sample_weight: a factor per sample, or per value.
        """
        values = raw(values)
        be = self._backend(values)
        if sample_weight is not None:
            weights = raw(sample_weight, beside=values)
            values, _ = samplewise(self.name, values, weights, lambda x, axes: x.sum(axes))
        if values.dtype.kind == "f":
            mean_sums(wrap(values.reshape(-1)), None, update=self._add)
        else:
            self._add(be, be.xp.sum(values), 0.0)

    def _add(self, be, total, count) -> None:
        be.in_one_launch(_add_total, (self.total.array, total))

    def result(self) -> Tensor:
        """The sum."""
        array = self.total.array
        return self._tensor(backend_of(array), array.copy())


class Mean(Metric):
    """The weighted mean of all values.

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.Mean`.

    >>> gpunn.metrics.Mean()([1.0, 2.0, 6.0], sample_weight=[1.0, 1.0, 0.0]).item()
    1.5
    """

    def __init__(self, name="mean", dtype=None):
        super().__init__(dtype, name)
        self.total = self.add_variable((), dtype=SUM_DTYPE, name="total")
        self.count = self.add_variable((), dtype=SUM_DTYPE, name="count")

    def update_state(self, values, sample_weight=None) -> None:
        """Count the values of a batch.

        Args:
            values: one or more per sample.
            sample_weight: how much each sample, or each value, counts.
        """
        values = raw(values)
        be = self._backend(values)
        if values.dtype.kind != "f":
            values = values.astype(self._dtype)
        if type(sample_weight) is int and not values.ndim:  # the mean of so many samples
            args = (self.total.array, self.count.array, values, float(sample_weight))
            be.in_one_launch(_count, args)
            return
        if sample_weight is not None:
            sample_weight = wrap(raw(sample_weight, values.dtype, beside=values))
        mean_sums(wrap(values), sample_weight, name=self.name, update=self._add)

    def _add(self, be, total, count) -> None:
        """Count a batch of which the sum and the weight are known."""
        be.in_one_launch(_add, (self.total.array, self.count.array, total, count))

    def result(self) -> Tensor:
        """The mean, or 0 before the first batch."""
        total, count = self.total.array, self.count.array
        be = backend_of(total)
        return self._tensor(be, ratio(be.xp, total, count))


class MeanMetricWrapper(Mean):
    """The mean of a function of labels and predictions, over what the predictions' mask leaves in.

    Args:
        fn: `fn(y_true, y_pred, **options)` gives one or more values per sample.
        name, dtype: as for `Metric`.
        **options: passed to fn, and attributes of the metric.

    Source: Keras, `keras.metrics.MeanMetricWrapper`.

    >>> metric = gpunn.metrics.MeanMetricWrapper(gpunn.losses.huber, delta=2.0)
    >>> metric([[0.0]], [[3.0]]).item()
    4.0
    """

    def __init__(self, fn, name=None, dtype=None, **options):
        super().__init__(name, dtype)
        self.fn = fn
        self.options = options
        vars(self).update(options)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:  # type: ignore[override]
        """Count a batch.

        Args:
            y_true: labels.
            y_pred: predictions.
            sample_weight: how much each sample counts.
        """
        mask = mask_of(y_pred)
        if mask is not None:
            sample_weight = self._masked(sample_weight, mask)
        with no_grad():
            self._count(y_true, y_pred, sample_weight)

    def _count(self, y_true, y_pred, sample_weight) -> None:
        """Count a batch without a mask."""
        super().update_state(self.fn(y_true, y_pred, **self.options), sample_weight)

    def _masked(self, sample_weight, mask) -> Tensor:
        """Sample weights that are 0 where the mask is False."""
        mask = raw(mask, self._dtype)
        if sample_weight is None:
            return wrap(mask)
        return wrap(mask * raw_weights(self.name, raw(sample_weight, self._dtype, mask), mask))

    def get_config(self) -> dict:
        config = {**super().get_config(), **self.options}
        if type(self) is MeanMetricWrapper:
            config["fn"] = self.fn
        return config
