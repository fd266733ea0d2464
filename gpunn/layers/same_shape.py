"""SameShape: what layers share that change values and not shapes."""

from gpunn.layers.layer import Layer


class SameShape(Layer):
    """A layer whose outputs have the shape, and the mask, of its inputs."""

    supports_masking = True

    def compute_output_shape(self, input_shape):
        """The shape of the inputs."""
        return tuple(input_shape)
