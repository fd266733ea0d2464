"""Keras' guide "Understanding masking & padding": its code, with the imports changed."""

import numpy as np
import pytest

import gpunn as keras
from gpunn import layers, ops
from gpunn.autograd import mask_of

RAW = [
    [711, 632, 71],
    [73, 8, 3215, 55, 927],
    [83, 91, 1, 645, 1253, 927],
]


def padded():
    return keras.utils.pad_sequences(RAW, padding="post")


def test_padding_sequence_data():
    assert padded().tolist() == [
        [711, 632, 71, 0, 0, 0],
        [73, 8, 3215, 55, 927, 0],
        [83, 91, 1, 645, 1253, 927],
    ]


def masked_embedding():
    embedding = layers.Embedding(input_dim=5000, output_dim=16, mask_zero=True)
    return embedding(padded())


def test_mask_generating_layers():
    mask = padded() != 0
    assert (masked_embedding()._keras_mask.numpy() == mask).all()
    masking_layer = layers.Masking()
    unmasked_embedding = ops.cast(
        ops.tile(ops.expand_dims(padded(), axis=-1), [1, 1, 10]), dtype="float32"
    )
    masked = masking_layer(unmasked_embedding)
    assert (masked._keras_mask.numpy() == mask).all()


@pytest.mark.parametrize("functional", [False, True])
def test_mask_propagation(functional):
    parts = [layers.Embedding(input_dim=5000, output_dim=16, mask_zero=True), layers.LSTM(32)]
    if functional:
        inputs = keras.Input(shape=(None,), dtype="int32")
        x = parts[0](inputs)
        outputs = parts[1](x)
        model = keras.Model(inputs, outputs)
    else:
        model = keras.Sequential(parts)
    x = padded()
    longer = np.pad(x, ((0, 0), (0, 4)))  # more padding changes nothing
    assert np.allclose(model(x), model(longer), atol=1e-6)
    again = keras.models.clone_model(model)
    again(x)
    again.set_weights(model.get_weights())
    assert np.allclose(again.predict(x, verbose=0), model(x), atol=1e-6)


def test_passing_mask_tensors_directly_to_layers():
    class MyLayer(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.embedding = layers.Embedding(input_dim=5000, output_dim=16, mask_zero=True)
            self.lstm = layers.LSTM(32)

        def call(self, inputs):
            x = self.embedding(inputs)
            # Note that you could also prepare a `mask` tensor manually.
            # It only needs to be a boolean tensor
            # with the right shape, i.e. (batch_size, timesteps).
            mask = self.embedding.compute_mask(inputs)
            output = self.lstm(x, mask=mask)  # The layer will ignore the masked values
            return output

    layer = MyLayer()
    x = np.random.default_rng(0).random((32, 10)) * 100
    x = x.astype("int32")
    assert layer(x).shape == (32, 32)


class TemporalSplit(keras.layers.Layer):
    """Split the input tensor into 2 tensors along the time dimension."""

    def call(self, inputs):
        # Expect the input to be 3D and mask to be 2D, split the input tensor into 2
        # subtensors along the time axis (axis 1).
        return ops.split(inputs, 2, axis=1)

    def compute_mask(self, inputs, mask=None):
        # Also split the mask into 2 if it presents.
        if mask is None:
            return None
        return ops.split(mask, 2, axis=1)


def test_supporting_masking_in_your_custom_layers():
    first_half, second_half = TemporalSplit()(masked_embedding())
    assert first_half._keras_mask.numpy().all()
    assert second_half._keras_mask.numpy().tolist() == (padded()[:, 3:] != 0).tolist()
    inputs = keras.Input((6,), dtype="int32")
    embedding = layers.Embedding(input_dim=5000, output_dim=16, mask_zero=True)
    first, second = TemporalSplit()(embedding(inputs))
    assert first._keras_mask.shape == second._keras_mask.shape == (None, 3)
    outputs = keras.Model(inputs, [first, second])(padded())
    assert [mask_of(y).shape for y in outputs] == [(3, 3), (3, 3)]


def test_custom_embedding():
    class CustomEmbedding(keras.layers.Layer):
        def __init__(self, input_dim, output_dim, mask_zero=False, **kwargs):
            super().__init__(**kwargs)
            self.input_dim = input_dim
            self.output_dim = output_dim
            self.mask_zero = mask_zero

        def build(self, input_shape):
            self.embeddings = self.add_weight(
                shape=(self.input_dim, self.output_dim),
                initializer="random_normal",
                dtype="float32",
            )

        def call(self, inputs):
            inputs = ops.cast(inputs, "int32")
            return ops.take(self.embeddings, inputs, axis=0)

        def compute_mask(self, inputs, mask=None):
            if not self.mask_zero:
                return None
            return ops.not_equal(inputs, 0)

    layer = CustomEmbedding(10, 32, mask_zero=True)
    x = np.random.default_rng(0).random((3, 10)) * 9
    x = x.astype("int32")
    y = layer(x)
    mask = layer.compute_mask(x)
    assert (mask.numpy() == (x != 0)).all() and (y._keras_mask.numpy() == (x != 0)).all()
    assert CustomEmbedding(10, 32)(x)._keras_mask is None


def test_opting_in_to_mask_propagation():
    class MyActivation(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            # Signal that the layer is safe for mask propagation
            self.supports_masking = True

        def call(self, inputs):
            return ops.relu(inputs)

    inputs = keras.Input(shape=(None,), dtype="int32")
    x = layers.Embedding(input_dim=5000, output_dim=16, mask_zero=True)(inputs)
    x = MyActivation()(x)  # Will pass the mask along
    assert x._keras_mask.shape == (None, None) and x._keras_mask.dtype == bool
    outputs = layers.LSTM(32)(x)  # Will receive the mask
    assert outputs._keras_mask is None

    model = keras.Model(inputs, outputs)
    x = np.random.default_rng(0).integers(0, 5000, size=(32, 100))
    y = model(x)
    x[:, 50:] = 0
    masked = model(x)
    assert y.shape == (32, 32) and not np.allclose(y, masked)
    assert np.allclose(masked, model(x[:, :50]), atol=1e-6)


def test_layers_that_need_mask_information():
    class TemporalSoftmax(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, inputs, mask=None):
            assert mask is not None
            broadcast_float_mask = ops.expand_dims(ops.cast(mask, "float32"), -1)
            inputs_exp = ops.exp(inputs) * broadcast_float_mask
            inputs_sum = ops.sum(inputs_exp * broadcast_float_mask, axis=1, keepdims=True)
            return inputs_exp / inputs_sum

    inputs = keras.Input(shape=(None,), dtype="int32")
    x = layers.Embedding(input_dim=10, output_dim=32, mask_zero=True)(inputs)
    x = layers.Dense(1)(x)
    outputs = TemporalSoftmax()(x)

    model = keras.Model(inputs, outputs)
    x = np.random.default_rng(0).integers(0, 10, size=(32, 100))
    y = model(x)
    assert (y.numpy()[..., 0][x == 0] == 0).all() and np.allclose(y.numpy().sum(1), 1, atol=1e-5)
    assert (y._keras_mask.numpy() == (x != 0)).all()
