"""Ops of CUDA libraries that are not there say so: the emulated device lacks some."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.errors import DeviceError

X = np.eye(3, dtype="float32")
OPS = {
    "fft": lambda x: ops.fft((x, x)),
    "rfft": ops.rfft,
    "irfft": lambda x: ops.irfft((x, x)),
    "stft": lambda x: ops.stft(ops.reshape(x, 9), 4, 2, 4),
    "cholesky": ops.cholesky,
    "qr": ops.qr,
    "svd": ops.svd,
    "eigh": ops.eigh,
    "det": ops.det,
    "slogdet": ops.slogdet,
    "inv": ops.inv,
    "pinv": ops.pinv,
    "solve": lambda x: ops.solve(x, x),
    "lstsq": lambda x: ops.lstsq(x, x),
    "solve_triangular": lambda x: ops.solve_triangular(x, x),
    "norm": lambda x: ops.norm(x, ord=2),
}


@pytest.mark.parametrize("name", OPS)
def test_the_library_is_named(name, cuda):
    x = gpunn.Tensor(X, device="cuda")
    try:
        OPS[name](x)
    except DeviceError as error:
        assert "() needs the CUDA library " in str(error) and 'x.to("cpu")' in str(error)
    else:
        pytest.skip("the library is here")
    OPS[name](x.to("cpu"))
