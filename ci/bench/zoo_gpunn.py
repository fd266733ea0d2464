"""The nets of `zoo.py` with Keras' layers; each is a function of its input."""

import contend_gpunn
from zoo import NETS

import gpunn
from gpunn import layers as L


def mlp(x):
    for _ in range(3):
        x = L.ReLU()(L.BatchNormalization()(L.Dense(256, use_bias=False)(x)))
    return L.Dense(10)(x)


def conv(x, filters, taps=3, strides=1, activation=None):
    """A convolution with batch normalization."""
    y = L.Conv2D(filters, taps, strides, "same", use_bias=False)(x)
    y = L.BatchNormalization()(y)
    return y if activation is None else L.Activation(activation)(y)


def pooled(x):
    return L.Dense(10)(L.GlobalAveragePooling2D()(x))


def resnet(x):
    x = conv(x, 16, activation="relu")
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = conv(conv(x, filters, 3, strides, "relu"), filters)
        if strides > 1:
            x = conv(x, filters, 1, strides)
        x = L.ReLU()(L.Add()([x, y]))
    return pooled(x)


def densenet(x):
    for _ in range(4):
        y = L.ReLU()(L.BatchNormalization()(x))
        x = L.Concatenate()([x, L.Conv2D(12, 3, padding="same", use_bias=False)(y)])
    return pooled(x)


def mbconv(x):
    for _ in range(2):
        y = conv(x, 128, 1, activation="silu")
        y = L.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
        y = L.Activation("silu")(L.BatchNormalization()(y))
        gate = L.Conv2D(8, 1, activation="silu")(L.GlobalAveragePooling2D(keepdims=True)(y))
        gate = L.Conv2D(128, 1, activation="sigmoid")(gate)
        x = L.Add()([x, conv(L.Multiply()([y, gate]), 32, 1)])
    return pooled(x)


def norm(x):
    return L.LayerNormalization(epsilon=1e-6)(x)


def convnext(x):
    x = norm(L.Conv2D(48, 4, 4)(x))
    for _ in range(3):
        y = norm(L.DepthwiseConv2D(7, padding="same")(x))
        x = L.Add()([x, L.Dense(48)(L.Dense(192, activation="gelu")(y))])
    return L.Dense(10)(norm(L.GlobalAveragePooling2D()(x)))


def unet(x):
    def twice(x, filters):
        for _ in range(2):
            x = L.Conv2D(filters, 3, padding="same", activation="relu")(x)
        return x

    skipped = []
    for filters in (16, 32):
        skipped.append(twice(x, filters))
        x = L.MaxPooling2D()(skipped[-1])
    x = twice(x, 64)
    for filters, skip in zip((32, 16), reversed(skipped), strict=True):
        x = twice(L.Concatenate()([L.Conv2DTranspose(filters, 2, 2)(x), skip]), filters)
    return L.Conv2D(3, 1)(x)


def critic(x):
    for filters in (64, 128):
        x = L.LeakyReLU(negative_slope=0.2)(L.Conv2D(filters, 5, 2, "same")(x))
    return L.Dense(2)(L.Flatten()(x))


def vit(x):
    x = L.Reshape((64, 64))(L.Conv2D(64, 4, 4)(x))
    for _ in range(4):
        y = norm(x)
        x = L.Add()([x, L.MultiHeadAttention(4, 16)(y, y)])
        y = L.Dense(128, activation="gelu")(norm(x))
        x = L.Add()([x, L.Dense(64)(y)])
    return L.Dense(10)(L.GlobalAveragePooling1D()(norm(x)))


def wavenet(x):
    def causal(x, i, activation):
        return L.Conv1D(32, 2, 1, "causal", dilation_rate=2**i, activation=activation)(x)

    for i in range(6):
        y = L.Multiply()([causal(x, i, "tanh"), causal(x, i, "sigmoid")])
        x = L.Add()([x, L.Conv1D(32, 1)(y)])
    return L.Dense(10)(L.GlobalAveragePooling1D()(x))


def textcnn(x):
    x = L.Embedding(20000, 64)(x)
    for _ in range(2):
        x = L.Conv1D(64, 7, 3, activation="relu")(x)
    return L.Dense(2)(L.Dense(64, activation="relu")(L.GlobalMaxPooling1D()(x)))


def bilstm(x):
    x = L.Embedding(5000, 64, mask_zero=True)(x)
    x = L.Bidirectional(L.LSTM(64, return_sequences=True))(x)
    return L.Dense(2)(L.Bidirectional(L.LSTM(64))(x))


def lstms(x):
    for last in (False, False, True):
        x = L.LSTM(50, return_sequences=not last)(x)
    return L.Dense(10)(x)


class Contender(contend_gpunn.Contender):
    def net(self, workload, draw):
        (name,) = workload.net
        x = gpunn.Input(workload.shape, dtype="int32" if NETS[name].words else "float32")
        model = gpunn.Model(x, globals()[name](x))
        model.set_weights([draw(*w.shape) for w in model.weights])
        return model
