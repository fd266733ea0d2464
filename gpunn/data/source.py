"""Source: batches of tensors, epoch after epoch; `steps` cuts the data's passes into epochs."""

import itertools
import warnings


class Source:
    """What `fit`, `evaluate` and `predict` take their batches from.

    A pass goes once over all data. An epoch is a pass; with `steps`, it is so many batches, and the
    next epoch goes on where it ended.

    Attributes:
        num_batches: batches in an epoch, or None if that is not known.
        num_samples: rows of the data, or None if that is not known.
        batch_size: rows of a batch, or None if that is not known.
    """

    num_samples: int | None = None
    batch_size: int | None = None
    once = False  # whether there is one pass only, as of a generator
    is_gpunns = False  # whether no code but gpunn's runs while it makes a batch

    def __init__(self, batches_per_pass: int | None, steps: int | None):
        self.batches_per_pass = batches_per_pass
        self.steps = steps
        self._running = None  # the pass at hand
        self._seen = 0  # its batches so far
        self._ahead = []  # a batch of it that `ready` has looked at
        self._exhausted = False

    @property
    def num_batches(self) -> int | None:
        return self.steps or self.batches_per_pass

    def _pass(self):
        """The batches of one pass, each (x, y, sample_weight)."""
        raise NotImplementedError

    def first(self):
        """The first batch, if it can be had without taking it from those to come; else None."""
        return None

    def reset(self) -> None:
        """Start the next epoch at the beginning of the data, if that can be."""
        if not self.once:
            self._running = None

    def ready(self) -> bool:
        """Whether there is another epoch; if not, warns that a generator has come to its end."""
        if self.once and self._running is not None and not self._ahead:
            self._ahead = list(itertools.islice(self._running, 1))
            self._exhausted = not self._ahead
        if self._exhausted:
            warnings.warn(
                f"the data ended after {self._seen} batches, before the last epoch; training stops "
                "here. Give a generator that does not end with steps_per_epoch, or an object that "
                "can be iterated over again",
                stacklevel=3,
            )
        return not self._exhausted

    def epoch(self):
        """The batches of the next epoch: (x, y, sample_weight), of tensors nested as the data are.

        y and sample_weight may be None; the last batch of a pass may be smaller. A batch is valid
        until the next one is asked for.
        """
        resumed = self._running is not None and (self.steps is not None or self.once)
        if not resumed:
            self._running, self._seen = self._pass(), 0
        came = 0
        ahead, self._ahead = self._ahead, []
        for batch in itertools.islice(itertools.chain(ahead, self._running), self.steps):
            came += 1
            self._seen += 1
            yield batch
        if resumed and not came and not self.once:  # the pass had ended just there
            self._running = None
            yield from self.epoch()
            return
        ended = self.steps is None or came < self.steps
        if ended or self._seen == self.batches_per_pass:
            self._exhausted = self.once
            self._running = self._running if self.once else None
        if ended and self.steps is not None:
            warnings.warn(
                f"the data ended after {came} of {self.steps} batches of this epoch "
                f"({self._seen} in all): an epoch needs as many batches as `steps` says",
                stacklevel=2,
            )
