"""Initializer: a function from a shape to first values."""


class Initializer:
    """Makes first values of weights; derive from it to write one (Keras: `Initializer`).

    >>> class Rising(gpunn.initializers.Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return gpunn.ops.reshape(gpunn.ops.arange(shape[0], dtype=dtype), shape)
    >>> Rising()((3,), "float32").numpy()
    array([0., 1., 2.], dtype=float32)
    """

    def __call__(self, shape, dtype=None):
        """Values of a shape and dtype (default: floatx), on the current device."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(shape, dtype=None)")

    def get_config(self) -> dict:
        """The arguments that make an initializer like this one."""
        return {}

    @classmethod
    def from_config(cls, config: dict):
        """An initializer of a config that `get_config` made."""
        return cls(**config)

    def clone(self) -> "Initializer":
        """An initializer like this one; without a seed, it draws values of its own."""
        return type(self).from_config(self.get_config())
