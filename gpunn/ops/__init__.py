"""Differentiable functions of tensors, named and behaving as in `keras.ops`.

Importing the package gives `gpunn.Tensor` its operators and methods.
"""
# ruff: noqa: F403 - every module lists its public names in `__all__`

import sys

from gpunn.autograd import jvp, symbolic  # noqa: F401
from gpunn.ops import image, linalg, operators, traced, tracing  # noqa: F401
from gpunn.ops.activation import *
from gpunn.ops.arithmetic import *
from gpunn.ops.attention import *
from gpunn.ops.blocks import *
from gpunn.ops.choosing import *
from gpunn.ops.comparison import *
from gpunn.ops.complexes import *
from gpunn.ops.contraction import *
from gpunn.ops.control import *
from gpunn.ops.convolution import *
from gpunn.ops.core import *
from gpunn.ops.correlation import *
from gpunn.ops.counting import *
from gpunn.ops.creation import *
from gpunn.ops.ctc import *
from gpunn.ops.cumulative import *
from gpunn.ops.diagonals import *
from gpunn.ops.encoding import *
from gpunn.ops.exponential import *
from gpunn.ops.extrema import *
from gpunn.ops.factors import *
from gpunn.ops.flipping import *
from gpunn.ops.frames import *
from gpunn.ops.hyperbolic import *
from gpunn.ops.indexing import *
from gpunn.ops.integers import *
from gpunn.ops.joining import *
from gpunn.ops.logic import *
from gpunn.ops.losses import *
from gpunn.ops.magnitude import *
from gpunn.ops.nan import *
from gpunn.ops.noise import *
from gpunn.ops.normalization import *
from gpunn.ops.norms import *
from gpunn.ops.pooling import *
from gpunn.ops.probabilities import *
from gpunn.ops.products import *
from gpunn.ops.quantiles import *
from gpunn.ops.reduction import *
from gpunn.ops.repeating import *
from gpunn.ops.roots import *
from gpunn.ops.rounding import *
from gpunn.ops.scattering import *
from gpunn.ops.segment import *
from gpunn.ops.sequences import *
from gpunn.ops.shaping import *
from gpunn.ops.smooth import *
from gpunn.ops.solving import *
from gpunn.ops.sorting import *
from gpunn.ops.special import *
from gpunn.ops.spectra import *
from gpunn.ops.statistics import *
from gpunn.ops.trigonometry import *
from gpunn.ops.windows import *

__all__ = [name for name, thing in list(globals().items()) if callable(thing) and name[0] != "_"]

# What is asked of symbolic tensors themselves stays as it is.
_ABOUT = ("convert_to_numpy", "dtype", "is_tensor", "ndim", "shape", "size")
symbolic.make_symbolic_too(globals(), but=_ABOUT)
for _module in (image, linalg):
    symbolic.make_symbolic_too(vars(_module))

# Keras' narrower names for the same functions: `ops.nn.relu` is `ops.relu`.
nn = numpy = sys.modules[__name__]

# The bodies of ops run on these to be differentiated.
vars(traced.ops).update(globals())
