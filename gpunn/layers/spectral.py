"""SpectralNormalization: a layer whose kernel is kept at a largest singular value of 1."""

from gpunn import initializers
from gpunn.autograd import mutated
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.wrappers import Wrapper
from gpunn.ops.normalizers import spectral_normalization


class SpectralNormalization(Wrapper):
    """A layer whose kernel is divided by its largest singular value, in every training step.

    Args:
        layer: a layer with a `kernel` or `embeddings`.
        power_iterations: how many steps of the power iteration a call does. Default: 1.

    Call arguments:
        inputs: what the layer takes.
        training: True: first the kernel is normalized, in place; the gradient is that of the
            normalized kernel. Default: False.

    Shapes: as of the layer. Weights: those of the layer, and vector_u (1, units), never trained.

    Raises:
        ArgumentError: if power_iterations is not a positive integer, or the layer has no kernel.

    Source: keras.layers.SpectralNormalization; Miyato et al., 2018,
    https://arxiv.org/abs/1802.05957

    >>> layer = gpunn.layers.SpectralNormalization(gpunn.layers.Dense(1, use_bias=False))
    >>> abs(layer(np.ones((1, 1)), training=True).numpy()).round(3)
    array([[1.]], dtype=float32)
    """

    def __init__(self, layer, power_iterations=1, **kwargs):
        super().__init__(layer, **kwargs)
        self.power_iterations = positive_integer(self, "power_iterations", power_iterations)

    def build(self, input_shape):
        """Build the layer, and make the vector that the iteration goes on with."""
        super().build(input_shape)
        known = ("_kernel", "kernel", "_embeddings", "embeddings")
        names = [n for n in known if getattr(self.layer, n, None) is not None]
        if not names:
            raise wrong(self, f"expected a layer with a kernel, got {self.layer!r}")
        self._kernel_name = names[0]
        self.kernel = getattr(self.layer, names[0])
        self.vector_u = self.add_weight(
            (1, self.kernel.shape[-1]),
            initializers.TruncatedNormal(stddev=0.02),
            dtype=self.kernel.dtype,
            trainable=False,
            name="vector_u",
        )
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})

    def call(self, inputs, training=False):
        """Normalize the kernel if training, and apply the layer."""
        if not training:
            return self._to_compute_dtype(self.layer(inputs))
        kernel = spectral_normalization(
            self.kernel, self.vector_u, iterations=self.power_iterations, update=self._keep
        )
        setattr(self.layer, self._kernel_name, kernel)
        try:
            return self._to_compute_dtype(self.layer(inputs))
        finally:
            setattr(self.layer, self._kernel_name, self.kernel)

    def _keep(self, be, kernel, u) -> None:
        """Put the results of an iteration into the weights."""
        for weight, new in ((self.kernel, kernel), (self.vector_u, u)):
            mutated(weight.array)
            be.copyto(weight.array, new)

    def compute_output_shape(self, input_shape):
        """The shape of the layer's output."""
        return self.layer.compute_output_shape(input_shape)
