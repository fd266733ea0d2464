"""Lora: fine-tuning by a product of two small matrices beside a kernel that stays as it is."""

from gpunn import ops
from gpunn.errors import ArgumentError, NotBuiltError
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.layer import Layer


def adaptable(name: str) -> property:
    """An attribute for a kernel: what is added to it, once it is, is part of what is got."""
    own = f"_{name}"

    def get(layer):
        kernel = getattr(layer, own)
        return kernel + layer._change_of(layer.lora_matrices[0]) if layer.lora_enabled else kernel

    return property(get, lambda layer, weight: setattr(layer, own, weight))


def without_product(layer) -> list:
    """A layer's own weights but for a and b, each with the value that a file of weights has."""
    own = layer._own_weights()
    if not getattr(layer, "lora_enabled", False):
        return [(v, v) for v in own]
    kernel, (a, b) = getattr(layer, f"_{layer.lora_kernel}"), layer.lora_matrices
    adapted = getattr(layer, layer.lora_kernel)
    return [(v, adapted if v is kernel else v) for v in own if v is not a and v is not b]


class Lora(Layer):
    """Adds to a layer's kernel, once it is asked for, lora_alpha / lora_rank times a b.

    Only a (of the kernel's shape, with lora_rank in place of its last axis) and b (lora_rank, last
    axis) are trained then. A subclass has the arguments `lora_rank` and `lora_alpha`, and
    `kernel = adaptable("kernel")`, and calls `_adapt` at the end of its `build`.

    A file of weights has the sum as the kernel, as in Keras; one of a whole model has all three.

    Source: Hu et al., 2021, https://arxiv.org/abs/2106.09685; keras.layers.Dense.enable_lora.
    """

    lora_kernel = "kernel"  # the attribute that holds it
    lora_enabled = False
    lora_rank = lora_alpha = None

    def _lora_arguments(self, rank, alpha) -> None:
        """Keep the constructor's arguments."""
        self.lora_rank = None if rank is None else positive_integer(self, "lora_rank", rank)
        self.lora_alpha = alpha

    def _adapt(self) -> None:
        """Enable it in `build`, if the constructor was told to."""
        if self.lora_rank is not None:
            self._add_matrices(self.lora_rank, self.lora_alpha, "he_uniform", "zeros")

    def enable_lora(
        self, rank, lora_alpha=None, a_initializer="he_uniform", b_initializer="zeros"
    ) -> None:
        """Freeze the kernel, and train a product of low rank beside it.

        A compiled model must be compiled again, as it trains other weights.

        Args:
            rank: how many columns a has, and rows b.
            lora_alpha: the product counts lora_alpha / rank times. Default: rank.
            a_initializer, b_initializer: default: "he_uniform", and "zeros", so that nothing
                changes at first.

        Raises:
            NotBuiltError: if the layer has no kernel yet.
            ArgumentError: if it is enabled already, or the kernel has a constraint.

        >>> layer = gpunn.layers.Dense(8)
        >>> layer.build((None, 16))
        >>> layer.enable_lora(2)
        >>> [v.shape for v in layer.trainable_weights]  # bias, a and b
        [(8,), (16, 2), (2, 8)]
        """
        if not self.built:
            raise wrong(self, "enable_lora() needs a kernel: build the layer first", NotBuiltError)
        if self.lora_enabled:
            raise wrong(self, "it is enabled already", ArgumentError)
        self._add_matrices(
            positive_integer(self, "rank", rank), lora_alpha, a_initializer, b_initializer
        )

    def _add_matrices(self, rank, alpha, a_initializer, b_initializer) -> None:
        kernel = getattr(self, f"_{self.lora_kernel}")
        if kernel.constraint is not None:
            raise wrong(self, "a kernel with a constraint cannot be adapted", ArgumentError)
        for end, shape, initializer in (
            ("a", (*kernel.shape[:-1], rank), a_initializer),
            ("b", (rank, kernel.shape[-1]), b_initializer),
        ):
            name = f"lora_{self.lora_kernel}_{end}"
            weight = self.add_weight(
                shape, initializer, dtype="float32", regularizer=kernel.regularizer, name=name
            )
            setattr(self, name, weight)
        kernel.trainable = False
        self.lora_enabled = True
        self.lora_rank = rank
        self.lora_alpha = rank if alpha is None else alpha

    @property
    def lora_matrices(self) -> tuple:
        """The weights a and b."""
        return tuple([getattr(self, f"lora_{self.lora_kernel}_{end}") for end in "ab"])

    def _change_of(self, rows):
        """lora_alpha / lora_rank times rows b, in the compute dtype."""
        change = ops.matmul(rows, self.lora_matrices[1]) * (self.lora_alpha / self.lora_rank)
        return ops.cast(change, self.compute_dtype)

    @classmethod
    def from_config(cls, config: dict):
        """A new layer of a config; in one of Keras' there is a quantization_config, which is None.

        >>> gpunn.layers.Dense.from_config({"units": 2, "quantization_config": None}).units
        2
        """
        if config.get("quantization_config", 0) is None:
            config = {k: v for k, v in config.items() if k != "quantization_config"}
        return super().from_config(config)

    def get_config(self) -> dict:
        """The arguments that make a layer like this one."""
        config = super().get_config()
        if self.lora_rank is None:
            config = {k: v for k, v in config.items() if k not in ("lora_rank", "lora_alpha")}
        return config
