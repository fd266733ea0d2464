"""TakesWords: what lets a model be given arrays of str, which stay on the host."""

from gpunn.autograd import Tensor, convert, wrap
from gpunn.backend import Device, current_device, device
from gpunn.backend.words import is_words, words
from gpunn.errors import DataError, DTypeError
from gpunn.layers import Layer
from gpunn.layers.categories.host import HostLayer
from gpunn.tree import flatten


class TakesWords(Layer):
    """A layer that may be called on words, if a layer in it looks them up."""

    @property
    def device(self) -> Device:
        """Where the weights lie; the current device as long as there are none."""
        first = self.first_weight()
        return current_device() if first is None else first.device

    def takes_words(self, part: str = "x") -> bool:
        """Whether x may be words; targets and weights are numbers."""
        return part == "x" and any(isinstance(layer, HostLayer) for layer in self.walk())

    def __call__(self, *args, **kwargs):
        if any(map(_may_be_words, flatten(args))):
            with device(self.device):  # the numbers made of them are wanted there
                return super().__call__(*args, **kwargs)
        return super().__call__(*args, **kwargs)

    def _to_input(self, x):
        return self._or_words(x, super()._to_input)

    def _to_given(self, x, dtype, device):
        """A tensor on the device of anything; of words on the host."""
        return self._or_words(x, lambda x: convert(x, dtype, device))

    def _or_words(self, x, to_tensor):
        if isinstance(x, Tensor) and is_words(x):
            return x
        try:
            return to_tensor(x)
        except (DTypeError, DataError):
            text = words(x) if self.takes_words() else None
            if text is None:
                raise
            return wrap(text)


def _may_be_words(x) -> bool:
    return getattr(getattr(x, "dtype", None), "kind", "") in ("U", "O") or isinstance(x, str)
