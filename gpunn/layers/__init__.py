"""Layers: weights, and functions of tensors that use them (Keras: `keras.layers`)."""

from gpunn.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from gpunn.layers.adaptive_pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)
from gpunn.layers.attention import AdditiveAttention, Attention
from gpunn.layers.borders import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from gpunn.layers.cached_attention import CachedMultiHeadAttention
from gpunn.layers.categories.encoding import CategoryEncoding, Discretization
from gpunn.layers.categories.hashing import HashedCrossing, Hashing
from gpunn.layers.categories.lookup import IntegerLookup, StringLookup
from gpunn.layers.categories.text import TextVectorization
from gpunn.layers.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from gpunn.layers.convolution import Conv1D, Conv2D, Conv3D
from gpunn.layers.convolution_transpose import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from gpunn.layers.core import Identity, Lambda, Masking
from gpunn.layers.dense import Dense
from gpunn.layers.depthwise import (
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
)
from gpunn.layers.einsum_dense import EinsumDense
from gpunn.layers.embedding import Embedding
from gpunn.layers.global_pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
from gpunn.layers.group_normalization import (
    GroupNormalization,
    RMSNormalization,
    UnitNormalization,
)
from gpunn.layers.grouped_query_attention import GroupQueryAttention
from gpunn.layers.images.blurring import RandomErasing, RandomGaussianBlur, RandomSharpness
from gpunn.layers.images.chains import AugMix, Pipeline, RandAugment
from gpunn.layers.images.colors import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from gpunn.layers.images.distortion import RandomElasticTransform, RandomPerspective
from gpunn.layers.images.geometry import (
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from gpunn.layers.images.local_contrast import ContrastLimitedAdaptiveHistogramEqualization
from gpunn.layers.images.mixing import CutMix, MixUp
from gpunn.layers.images.sizes import CenterCrop, RandomCrop, Resizing
from gpunn.layers.images.tones import (
    AutoContrast,
    Equalization,
    RandomInvert,
    RandomPosterization,
    Solarization,
)
from gpunn.layers.input import Input, InputLayer
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.layer import Layer
from gpunn.layers.merged import (
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from gpunn.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
)
from gpunn.layers.multi_head_attention import MultiHeadAttention
from gpunn.layers.normalization import BatchNormalization, LayerNormalization
from gpunn.layers.owner import name_scope
from gpunn.layers.policy import DTypePolicy, dtype_policy, set_dtype_policy
from gpunn.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from gpunn.layers.positions import PositionEmbedding, RotaryEmbedding, SinePositionEncoding
from gpunn.layers.preprocessing import Normalization, Rescaling
from gpunn.layers.recurrent import GRU, LSTM, SimpleRNN
from gpunn.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from gpunn.layers.remat_scope import RematScope
from gpunn.layers.rnn import RNN, StackedRNNCells
from gpunn.layers.rnn_cells import GRUCell, LSTMCell, SimpleRNNCell
from gpunn.layers.shaping import Flatten, Permute, RepeatVector, Reshape
from gpunn.layers.spectral import SpectralNormalization
from gpunn.layers.spectrograms import MelSpectrogram, STFTSpectrogram
from gpunn.layers.token_embedding import ReversibleEmbedding, TokenAndPositionEmbedding
from gpunn.layers.transformer import TransformerDecoder, TransformerEncoder
from gpunn.layers.upsampling import UpSampling1D, UpSampling2D, UpSampling3D
from gpunn.layers.wrappers import Bidirectional, TimeDistributed, Wrapper
from gpunn.naming import clear_session
from gpunn.serialization import Registry

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "ActivityRegularization",
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "Add",
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "AugMix",
    "AutoContrast",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNormalization",
    "Bidirectional",
    "CachedMultiHeadAttention",
    "CategoryEncoding",
    "CenterCrop",
    "Concatenate",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "CutMix",
    "DTypePolicy",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Discretization",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Equalization",
    "Flatten",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GroupNormalization",
    "GroupQueryAttention",
    "HashedCrossing",
    "Hashing",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "IntegerLookup",
    "LSTMCell",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "MelSpectrogram",
    "Minimum",
    "MixUp",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "Pipeline",
    "PositionEmbedding",
    "RMSNormalization",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RematScope",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "ReversibleEmbedding",
    "RotaryEmbedding",
    "STFTSpectrogram",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "SimpleRNN",
    "SimpleRNNCell",
    "SinePositionEncoding",
    "Softmax",
    "Solarization",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SpectralNormalization",
    "StackedRNNCells",
    "StringLookup",
    "Subtract",
    "TextVectorization",
    "TimeDistributed",
    "TokenAndPositionEmbedding",
    "TransformerDecoder",
    "TransformerEncoder",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "Wrapper",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "average",
    "clear_session",
    "concatenate",
    "deserialize",
    "dot",
    "dtype_policy",
    "get",
    "maximum",
    "minimum",
    "multiply",
    "name_scope",
    "serialize",
    "set_dtype_policy",
    "subtract",
]

REGISTRY = Registry(
    "layer",
    Layer,
    [v for v in list(globals().values()) if isinstance(v, type) and Layer in v.__mro__[1:]],
    module="gpunn.layers",
)

# Keras' other names
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
GlobalAvgPool1D, GlobalMaxPool1D = GlobalAveragePooling1D, GlobalMaxPooling1D
GlobalAvgPool2D, GlobalMaxPool2D = GlobalAveragePooling2D, GlobalMaxPooling2D
GlobalAvgPool3D, GlobalMaxPool3D = GlobalAveragePooling3D, GlobalMaxPooling3D
Convolution1D, Convolution1DTranspose = Conv1D, Conv1DTranspose
Convolution2D, Convolution2DTranspose = Conv2D, Conv2DTranspose
Convolution3D, Convolution3DTranspose = Conv3D, Conv3DTranspose
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D


def get(identifier):
    """The layer that a class, name or config stands for; a layer itself.

    Raises:
        ArgumentError: for an unknown name.
        ArgumentTypeError: for what is none of these.

    >>> gpunn.layers.get("flatten").name.startswith("flatten")
    True
    """
    return REGISTRY.get(identifier)


def serialize(layer) -> dict | str | None:
    """The config of a layer, from which `deserialize` makes its like, without weights.

    Source: keras.layers.serialize.

    >>> gpunn.layers.serialize(gpunn.layers.Flatten())["class_name"]
    'Flatten'
    """
    return REGISTRY.serialize(layer)


def deserialize(config, custom_objects: dict | None = None):
    """The layer of a config made by `serialize`.

    Args:
        config: `{"class_name": ..., "config": {...}}`.
        custom_objects: classes of yours by name; they win over gpunn's.

    Raises:
        SerializationError: if it is no such config.
        ArgumentError: for an unknown class.

    Source: keras.layers.deserialize.

    >>> config = gpunn.layers.serialize(gpunn.layers.Dense(3))
    >>> gpunn.layers.deserialize(config).units
    3
    """
    return REGISTRY.deserialize(config, custom_objects)
