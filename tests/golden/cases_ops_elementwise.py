"""Cases of elementwise ops, reductions and activations: shared by make_ops_elementwise.py (Keras)
and tests/ops (gpunn).

`CASES` is {label: (op, operands, options)}; `POINTS` likewise, at ties, zeros and infinities, where
gradients are a convention; `DTYPES` names the ops whose results' dtypes are compared.
"""

import numpy as np

INF, NAN = np.inf, np.nan


def draw(seed: str, shape, low=-2.0, high=2.0):
    """Uniform numbers that float32 holds, as float64; NumPy's legacy stream never changes."""
    random = np.random.RandomState(sum(map(ord, seed)))
    return random.uniform(low, high, shape).astype("float32").astype("float64")


WHOLE = (-2.0, 2.0)
POSITIVE = (0.1, 3.0)
UNARY = {  # op: the domain
    **dict.fromkeys(["absolute", "fabs", "negative", "square", "sign", "cbrt"], WHOLE),
    **dict.fromkeys(["sqrt", "rsqrt", "reciprocal", "log", "log2", "log10"], POSITIVE),
    **dict.fromkeys(["exp", "exp2", "expm1", "sinh", "cosh", "tanh", "arcsinh", "i0"], WHOLE),
    **dict.fromkeys(["sin", "cos", "arctan", "sinc", "deg2rad", "rad2deg", "angle"], WHOLE),
    **dict.fromkeys(["erf", "erfc", "floor", "ceil", "trunc", "real", "imag", "conj"], WHOLE),
    **dict.fromkeys(["arcsin", "arccos", "arctanh", "erfinv"], (-0.9, 0.9)),
    "tan": (-1.2, 1.2),
    "arccosh": (1.1, 4.0),
    "log1p": (-0.9, 3.0),
    "round": (-9.0, 9.0),
    "conjugate": WHOLE,
    "abs": WHOLE,
}
PREDICATES = ["isnan", "isinf", "isfinite", "isposinf", "isneginf", "isreal", "signbit"]
BINARY = {  # op: the domains of its operands
    **dict.fromkeys(["add", "subtract", "multiply", "maximum", "minimum"], (WHOLE, WHOLE)),
    **dict.fromkeys(["fmax", "fmin", "hypot", "arctan2", "logaddexp"], (WHOLE, WHOLE)),
    **dict.fromkeys(["divide", "true_divide", "divide_no_nan"], (WHOLE, POSITIVE)),
    **dict.fromkeys(["floor_divide", "mod", "fmod"], (WHOLE, POSITIVE)),
    "logaddexp2": (WHOLE, WHOLE),
    "power": (POSITIVE, WHOLE),
    "heaviside": (WHOLE, WHOLE),
    "nextafter": (WHOLE, WHOLE),
}
COMPARISONS = ["equal", "not_equal", "greater", "greater_equal", "less", "less_equal"]
LOGICAL = ["logical_and", "logical_or", "logical_xor"]
BITS = ["bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm"]
SHIFTS = ["left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift"]
ACTIVATIONS = {  # op: sets of options
    **dict.fromkeys(["relu", "relu6", "sigmoid", "silu", "swish", "softplus", "softsign"], ({},)),
    **dict.fromkeys(["log_sigmoid", "hard_sigmoid", "hard_silu", "hard_swish", "selu"], ({},)),
    **dict.fromkeys(["hard_tanh", "tanh_shrink", "sparse_plus", "sparse_sigmoid"], ({},)),
    "leaky_relu": [{}, {"negative_slope": 0.01}, {"negative_slope": 1.5}],
    "elu": [{}, {"alpha": 0.5}],
    "celu": [{}, {"alpha": 0.5}],
    "gelu": [{"approximate": True}, {"approximate": False}],
    "glu": [{}, {"axis": 0}],
    "hard_shrink": [{}, {"threshold": 1.0}],
    "soft_shrink": [{}, {"threshold": 1.0}],
    "squareplus": [{}, {"b": 0.5}],
    "threshold": [{"threshold": 0.5, "default_value": -3.0}],
    "softmax": [{}, {"axis": 0}, {"axis": (0, 1)}],
    "log_softmax": [{}, {"axis": 0}, {"axis": (0, 1)}],
    "sparsemax": [{}, {"axis": 0}],
}
AXES = [{}, {"axis": 1}, {"axis": (0, -1)}, {"axis": -1, "keepdims": True}]
REDUCTIONS = {
    **dict.fromkeys(["sum", "mean", "prod", "max", "min", "amax", "amin", "ptp"], AXES),
    **dict.fromkeys(["var", "std", "median", "logsumexp", "any", "all"], AXES),
    **dict.fromkeys(["nansum", "nanmean", "nanprod", "nanmax", "nanmin"], AXES),
    **dict.fromkeys(["nanvar", "nanstd", "nanmedian"], AXES),
    **dict.fromkeys(["argmax", "argmin", "nanargmax", "nanargmin"], (*AXES[:2], AXES[3])),
    **dict.fromkeys(["cumsum", "cumprod", "nancumsum", "nancumprod"], (*AXES[:2], {"axis": -1})),
    "count_nonzero": AXES[:3],
    "average": AXES[:3],
    "normalize": [{}, {"axis": 1}, {"order": 1}, {"order": 3, "axis": 0}],
    "moments": [{"axes": 0}, {"axes": (0, 2), "keepdims": True}],
    "trapezoid": [{}, {"dx": 0.5, "axis": 0}],
}
QUANTILES = [
    {"q": 0.3},
    {"q": [0.0, 0.25, 1.0], "axis": 1},
    {"q": 0.6, "axis": (0, 2), "keepdims": True},
    *({"q": 0.45, "axis": 0, "method": m} for m in ("lower", "higher", "midpoint", "nearest")),
]


def _cases():
    made = {}

    def case(op, *operands, **options):
        tag = ",".join(f"{k}={v}" for k, v in options.items())
        label = f"{op}({tag})"
        made[label if label not in made else f"{label}#2"] = (op, operands, options)

    for op, domain in UNARY.items():
        case(op, draw(op, (3, 4), *domain))
    case("round", draw("round", (5,), -9, 9), decimals=1)
    for op in PREDICATES:
        case(op, np.array([0.5, -0.0, -3.0, INF, -INF, NAN]))
    for op, (first, second) in BINARY.items():
        case(op, draw(op, (2, 3, 4), *first), draw(op + "2", (3, 1), *second))
    case("power", draw("power", (5,), *POSITIVE), 3)
    case("ldexp", draw("ldexp", (3,)), np.array([-2, 0, 3], "int32"))
    for op in COMPARISONS:
        case(op, np.array([1.0, 2.0, 3.0, NAN]), np.array([2.0, 2.0, 2.0, NAN]))
    for op in LOGICAL:
        case(op, np.array([0, 0, 2, 3], "int32"), np.array([0, 1, 0, 4], "int32"))
    case("logical_not", np.array([0.0, 1.0, NAN]))
    for op in BITS:
        case(op, np.array([12, 7, 0, 9], "int32"), np.array([18, 3, 5, 6], "int32"))
    for op in SHIFTS:
        case(op, np.array([12, -7, 1], "int32"), np.array([1, 2, 5], "int32"))
    for op in ("bitwise_not", "bitwise_invert"):
        case(op, np.array([12, -7, 0], "int32"))
    near = np.array([1.0, 1.0 + 1e-6, 1.1, INF, INF, NAN])
    for op in ("isclose", "allclose"):
        case(op, near, np.array([1.0, 1.0, 1.0, INF, -INF, NAN]))
        case(op, near[[0, 2, 5]], np.array([1.0, 1.0, NAN]), rtol=0.2, equal_nan=True)
    case("isin", np.array([1, 2, 3, 4], "int32"), np.array([4, 2], "int32"))
    case("isin", np.array([1, 2, 3, 4], "int32"), np.array([4, 2], "int32"), invert=True)
    case("clip", draw("clip", (3, 4)), -0.5, 1.0)
    case("clip", draw("clip", (3, 4)), draw("low", (4,), -1, 0), draw("high", (3, 1), 0, 1))
    case("nan_to_num", np.array([1.0, NAN, 3.0]), nan=7.0)
    case("nan_to_num", np.array([1.0, INF, -INF]), posinf=8.0, neginf=-9.0)
    for op, several in ACTIVATIONS.items():
        for options in several:
            case(op, draw(op, (4, 6), -4, 4), **options)
    for op, several in REDUCTIONS.items():
        for options in several:
            x = draw(op, (3, 4, 5))
            if op.startswith("nan"):
                x[0, :, 1] = x[1, 2] = NAN
                x[2, 1, 3] = NAN
                if "arg" in op or options == AXES[3]:
                    x[1, 2, 0] = 0.5
            case(op, x, **options)
    for op in ("max", "min"):
        case(op, draw(op, (3, 4)), axis=1, initial=0.5)
    case("average", draw("average", (3, 4)), weights=draw("w", (3, 4), 0.1, 1), axis=0)
    case("average", draw("average", (3, 4)), weights=draw("w", (4,), 0.1, 1), axis=1)
    case("trapezoid", draw("trapezoid", (3, 4)), x=np.array([0.0, 0.5, 2.0, 2.5]))
    for options in QUANTILES:
        percent = (np.array(options["q"]) * 100).tolist()
        x = draw("quantile", (3, 4, 5))
        case("quantile", x, **options)
        case("percentile", x, **{**options, "q": percent})
        x = x.copy()
        x[0, :, 1] = x[2, 1, 3] = NAN
        case("nanquantile", x, **options)
        case("nanpercentile", x, **{**options, "q": percent})
    return made


CASES = _cases()

EXTREME = np.array([-INF, -1e4, -100.0, -20.0, 20.0, 100.0, 1e4, INF])
ZEROS = np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 5.0], [1.0, 2.0, 3.0]])
POINTS = {
    "maximum ties": ("maximum", (np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])), {}),
    "minimum ties": ("minimum", (np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])), {}),
    "max ties": ("max", (np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]),), {"axis": 1}),
    "min ties": ("min", (np.array([[1.0, 1.0, 3.0], [2.0, 2.0, 2.0]]),), {"axis": 1}),
    "absolute at 0": ("absolute", (np.array([-1.0, 0.0, 1.0]),), {}),
    "relu at 0": ("relu", (np.array([-1.0, 0.0, 1.0]),), {}),
    "leaky_relu at 0": ("leaky_relu", (np.array([-1.0, 0.0, 1.0]),), {}),
    "elu at 0": ("elu", (np.array([-1.0, 0.0, 1.0]),), {"alpha": 0.5}),
    "hard_tanh at its bounds": ("hard_tanh", (np.array([-2.0, -1.0, 1.0, 2.0]),), {}),
    "power of 0": ("power", (np.array([0.0, 0.0, 0.0, 2.0]), np.array([0.0, 1.0, 2.0, 0.0])), {}),
    "power of negatives": ("power", (np.array([-2.0, -3.0]), 3), {}),
    "prod with zeros": ("prod", (ZEROS,), {"axis": 1}),
    "cumprod with zeros": ("cumprod", (ZEROS,), {"axis": 1}),
    "var of one": ("var", (np.array([[1.0], [2.0]]),), {"axis": 1}),
    "mod of negatives": ("mod", (np.array([-7.0, 7.0]), np.array([3.0, -3.0])), {}),
    "fmod of negatives": ("fmod", (np.array([-7.0, 7.0]), np.array([3.0, -3.0])), {}),
    "sinc near 0": ("sinc", (np.array([1e-3, 0.05, 0.099, 0.101, -0.2]),), {}),
    "divide_no_nan by 0": (
        "divide_no_nan",
        (np.array([1.0, 0.0, 2.0]), np.array([0.0, 0.0, 4.0])),
        {},
    ),
    "normalize zeros": ("normalize", (np.array([[0.0, 0.0], [3.0, 4.0]]),), {}),
    "sigmoid far out": ("sigmoid", (EXTREME[1:-1],), {}),
    "tanh far out": ("tanh", (EXTREME[1:-1],), {}),
    "softplus far out": ("softplus", (EXTREME[1:-1],), {}),
    "log_sigmoid far out": ("log_sigmoid", (EXTREME[1:-1],), {}),
    "silu far out": ("silu", (EXTREME[1:-1],), {}),
    "gelu far out": ("gelu", (EXTREME[1:-1],), {}),
    "softmax far out": ("softmax", (np.array([[1e4, 0.0, -1e4], [1e30, 1e30, -INF]]),), {}),
    "log_softmax far out": ("log_softmax", (np.array([[1e4, 0.0, -1e4]]),), {}),
    "logsumexp far out": ("logsumexp", (np.array([[1e4, 1e4], [-INF, 3.0]]),), {"axis": 1}),
    "logaddexp far out": ("logaddexp", (np.array([1e4, -INF]), np.array([1e4, 2.0])), {}),
    "sparsemax ties": ("sparsemax", (np.array([[1.0, 1.0, -3.0], [5.0, 0.0, 0.0]]),), {}),
    "erfc far out": ("erfc", (np.array([-5.0, 0.5, 3.0, 6.0, 9.0]),), {}),
}

ALL_DTYPES = ["bool", "uint8", "int8", "int16", "int32", "float16", "float32"]
PAIRS = [
    *(("bool", "bool"), ("uint8", "uint8"), ("int32", "int32"), ("int8", "int32")),
    *(("int32", "float32"), ("int32", "float16"), ("float16", "float32"), ("bool", "float16")),
    *(("uint8", "int8"), ("int32", 2), ("int32", 2.5), ("bool", 2), ("bool", 2.5)),
    *(("float16", 2.5), ("uint8", 2), ("float32", 2)),
]
UNARY_DTYPES = [*UNARY, *PREDICATES, "logical_not", "nan_to_num", "bitwise_not"]
REDUCTION_DTYPES = [op for op in REDUCTIONS if op not in ("moments", "trapezoid")]
BINARY_DTYPES = [*BINARY, *COMPARISONS, *LOGICAL, *BITS, *SHIFTS]
