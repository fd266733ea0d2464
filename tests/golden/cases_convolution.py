"""The convolution and pooling layers that are compared with Keras, and their inputs' shapes."""

L1, L2 = {"l1": 0.1}, {"l2": 0.2}
FIRST = {"data_format": "channels_first"}
SAME = {"padding": "same"}
SHAPES = {1: (2, 9, 4), 2: (2, 7, 6, 4), 3: (2, 5, 4, 6, 4)}
SHAPES_FIRST = {1: (2, 4, 9), 2: (2, 4, 7, 6), 3: (2, 4, 5, 4, 6)}
SMALL = {1: (2, 4, 3), 2: (2, 3, 4, 3), 3: (2, 2, 3, 2, 3)}
SMALL_FIRST = {1: (2, 3, 4), 2: (2, 3, 3, 4), 3: (2, 3, 2, 3, 2)}

# name: (class, arguments, inputs); arguments that end in _regularizer are of L1L2
CASES = {}


def add(name, cls, arguments, shapes, ranks=(1, 2, 3), ending=""):
    """The case for each rank; a `list` holds an argument's value by axis, cut to the rank."""
    for rank in ranks:
        cut = {k: v[:rank] if isinstance(v, list) else v for k, v in arguments.items()}
        CASES[f"{name}_{rank}d"] = (f"{cls}{rank}D{ending}", cut, shapes[rank])


conv = {"filters": 6, "kernel_size": [3, 2, 3]}
add("conv", "Conv", conv, SHAPES)
add("conv_same", "Conv", {**conv, **SAME}, SHAPES)
add("conv_strides", "Conv", {**conv, "strides": [2, 3, 2]}, SHAPES)
add("conv_strides_same", "Conv", {**conv, "strides": 2, **SAME, "activation": "tanh"}, SHAPES)
add("conv_dilated", "Conv", {**conv, "dilation_rate": 2, **SAME}, SHAPES)
add("conv_groups", "Conv", {**conv, "groups": 2, **SAME}, SHAPES)
add("conv_groups_strides", "Conv", {**conv, "groups": 2, "strides": 2}, SHAPES)
add("conv_depthwise", "Conv", {**conv, "filters": 8, "groups": 4}, SHAPES, (2,))
add("conv_one_tap", "Conv", {"filters": 5, "kernel_size": 1}, SHAPES)
add("conv_one_tap_strides", "Conv", {"filters": 5, "kernel_size": 1, "strides": 2}, SHAPES, (2,))
add("conv_first", "Conv", {**conv, **FIRST, **SAME}, SHAPES_FIRST)
add("conv_first_strides", "Conv", {**conv, **FIRST, "strides": 2}, SHAPES_FIRST, (2,))
causal = {**conv, "padding": "causal"}
add("conv_causal", "Conv", causal, SHAPES, (1,))
add("conv_causal_dilated", "Conv", {**causal, "dilation_rate": 3}, SHAPES, (1,))
add("conv_causal_strides", "Conv", {**causal, "strides": 2, **FIRST}, SHAPES_FIRST, (1,))
CASES["conv_regularized"] = (
    "Conv2D",
    {
        "filters": 2,
        "kernel_size": 3,
        "activation": "relu",
        "kernel_regularizer": L1,
        "bias_regularizer": L2,
        "activity_regularizer": L2,
    },
    (2, 5, 5, 3),
)
CASES["conv_no_bias"] = ("Conv2D", {**conv, "kernel_size": 2, "use_bias": False}, (2, 5, 5, 3))

transposed = {"filters": 5, "kernel_size": [3, 2, 3]}
for padding in ("valid", "same"):
    both = {**transposed, "padding": padding}
    add(f"transpose_{padding}", "Conv", both, SMALL, ending="Transpose")
    add(f"transpose_strides_{padding}", "Conv", {**both, "strides": [2, 3, 2]}, SMALL,
        ending="Transpose")  # fmt: skip
    add(f"transpose_extra_{padding}", "Conv",
        {**both, "strides": [2, 3, 2], "output_padding": [1, 2, 0]}, SMALL,
        ending="Transpose")  # fmt: skip
add("transpose_extra_none", "Conv",
    {**transposed, "strides": 2, "output_padding": 0, **SAME}, SMALL, (1, 2),
    ending="Transpose")  # fmt: skip  # in 3D XLA breaks off
add("transpose_dilated", "Conv", {**transposed, "dilation_rate": 2, **SAME}, SMALL,
    ending="Transpose")  # fmt: skip
add("transpose_apart", "Conv", {"filters": 2, "kernel_size": 2, "strides": 3}, SMALL, (1, 2),
    ending="Transpose")  # fmt: skip
add("transpose_first", "Conv", {**transposed, "strides": 2, **FIRST, "use_bias": False},
    SMALL_FIRST, ending="Transpose")  # fmt: skip

depthwise = {"kernel_size": [3, 2]}
add("depthwise", "DepthwiseConv", depthwise, SHAPES, (1, 2))
add("depthwise_more", "DepthwiseConv", {**depthwise, "depth_multiplier": 2, "strides": 2, **SAME},
    SHAPES, (1, 2))  # fmt: skip
add("depthwise_dilated", "DepthwiseConv", {**depthwise, "dilation_rate": 2}, SHAPES, (1, 2))
add("depthwise_first", "DepthwiseConv", {**depthwise, "depth_multiplier": 3, **FIRST},
    SHAPES_FIRST, (1, 2))  # fmt: skip
CASES["depthwise_regularized"] = (
    "DepthwiseConv2D",
    {"kernel_size": 2, "depthwise_regularizer": L1, "bias_regularizer": L2},
    (2, 4, 4, 3),
)
separable = {"filters": 3, "kernel_size": [3, 2]}
add("separable", "SeparableConv", separable, SHAPES, (1, 2))
add("separable_more", "SeparableConv",
    {**separable, "depth_multiplier": 2, "strides": 2, **SAME, "activation": "relu"},
    SHAPES, (1, 2))  # fmt: skip
add("separable_first", "SeparableConv", {**separable, "dilation_rate": 2, **FIRST},
    SHAPES_FIRST, (1, 2))  # fmt: skip

for kind in ("Max", "Average"):
    name = f"{kind.lower()}_pool"
    add(name, f"{kind}Pooling", {"pool_size": 2}, SHAPES)
    add(f"{name}_same", f"{kind}Pooling", {"pool_size": [3, 2, 3], **SAME}, SHAPES)
    add(f"{name}_overlap", f"{kind}Pooling", {"pool_size": 3, "strides": [1, 2, 1]}, SHAPES)
    add(f"{name}_overlap_same", f"{kind}Pooling", {"pool_size": 3, "strides": 2, **SAME}, SHAPES)
    add(f"{name}_gaps", f"{kind}Pooling", {"pool_size": 2, "strides": 3}, SHAPES, (2,))
    add(f"{name}_first", f"{kind}Pooling", {"pool_size": 2, **FIRST, **SAME}, SHAPES_FIRST)
    add(f"global_{name}", f"Global{kind}Pooling", {}, SHAPES)
    add(f"global_{name}_first", f"Global{kind}Pooling", {"keepdims": True, **FIRST}, SHAPES_FIRST)
    add(f"adaptive_{name}", f"Adaptive{kind}Pooling", {"output_size": [4, 3, 2]}, SHAPES)
    add(f"adaptive_{name}_first", f"Adaptive{kind}Pooling", {"output_size": 3, **FIRST},
        SHAPES_FIRST)  # fmt: skip

add("up", "UpSampling", {"size": 2}, SMALL)
add("up_factors", "UpSampling", {"size": [3, 1, 2], **FIRST}, SMALL_FIRST, (2, 3))
for how in ("bilinear", "bicubic", "lanczos3", "lanczos5"):
    add(f"up_{how}", "UpSampling", {"size": [2, 3], "interpolation": how}, SMALL, (2,))
add("up_bilinear_first", "UpSampling", {"size": 2, "interpolation": "bilinear", **FIRST},
    SMALL_FIRST, (2,))  # fmt: skip

BORDERS = [(2, 1), (0, 1), (1, 0)]
add("zeros", "ZeroPadding", {}, SMALL)
add("zeros_each", "ZeroPadding", {"padding": BORDERS}, SMALL, (2, 3))
add("zeros_first", "ZeroPadding", {"padding": [2, 1, 0], **FIRST}, SMALL_FIRST, (2, 3))
add("zeros_two", "ZeroPadding", {"padding": (2, 1)}, SMALL, (1,))
add("zeros_two_first", "ZeroPadding", {"padding": (0, 3), **FIRST}, SMALL_FIRST, (1,))
add("crop", "Cropping", {}, SHAPES)
add("crop_each", "Cropping", {"cropping": BORDERS}, SHAPES, (2, 3))
add("crop_first", "Cropping", {"cropping": [2, 1, 0], **FIRST}, SHAPES_FIRST, (2, 3))
add("crop_two", "Cropping", {"cropping": (0, 3)}, SHAPES, (1,))
