"""Which of NumPy's functions a recording knows, and how each may be called."""

import numpy as np

# Those whose results have a shape that does not depend on values.
FUNCTIONS = {
    getattr(np, name)
    for name in (
        "where concatenate stack hstack vstack take take_along_axis roll tile tril triu diff pad "
        "broadcast_to moveaxis rollaxis transpose permute_dims swapaxes reshape ravel squeeze "
        "expand_dims flip sum prod max min amax amin mean var std any all argmax argmin argsort "
        "sort cumsum cumprod cumulative_sum clip round nan_to_num zeros_like ones_like full_like "
        "empty_like einsum tensordot outer trace diagonal atleast_1d atleast_2d searchsorted"
    ).split()
    if hasattr(np, name)
}
# Those that can write to `out=`, with the same bits.
WITH_OUT = {
    *("sum", "prod", "max", "min", "any", "all", "argmax", "argmin", "clip", "cumsum"),
    *("concatenate", "stack"),
}
# Those that give a view where they can, else a copy in C order.
RESHAPES = {np.reshape, np.ravel, np.ndarray.reshape, np.ndarray.ravel}
# Those that read no values: they are asked at once.
ABOUT = {np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj}
