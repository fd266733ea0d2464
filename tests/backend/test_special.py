import numpy as np
import pytest
import scipy.special

from gpunn.backend import get_backend

REFERENCE = {
    "erf": scipy.special.erf,
    "erfinv": scipy.special.erfinv,
    "lgamma": scipy.special.gammaln,
    "digamma": scipy.special.digamma,
}


def points(name):
    rng = np.random.default_rng(0)
    if name == "erfinv":
        return np.concatenate(
            [rng.uniform(-1, 1, 5000), [1 - 1e-12, -1 + 1e-9, 1 - 2.0**-53, 0.0, 1e-300]]
        )
    x = np.concatenate(
        [rng.normal(0, 4, 5000), rng.uniform(0, 60, 2000), 10.0 ** rng.uniform(-12, 12, 500)]
    )
    return x[abs(x - np.round(x)) > 1e-2] if name in ("lgamma", "digamma") else x


@pytest.mark.parametrize("name", REFERENCE)
def test_float64(name, device):
    be = get_backend(device)
    x = points(name)
    y = be.to_numpy(getattr(be, name)(be.asarray(x)))
    expected = REFERENCE[name](x)
    tolerance = 1e-13 if device == "cpu" else 1e-12
    assert (abs(y - expected) <= tolerance * (1 + abs(expected))).all()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", REFERENCE)
def test_narrow_floats(name, dtype, device):
    be = get_backend(device)
    x = points(name)
    x = x[abs(x) < 1e4].astype(dtype)
    x = x[abs(x) < 1] if name == "erfinv" else x
    if name in ("lgamma", "digamma"):
        x = x[abs(x - np.round(x)) > 1e-2]
    y = be.to_numpy(getattr(be, name)(be.asarray(x)))
    assert y.dtype == dtype
    expected = REFERENCE[name](x.astype(np.float64))
    tolerance = {"float16": 2e-3, "float32": 1e-6}[dtype]
    assert (abs(y - expected) <= tolerance * (1 + abs(expected))).all()


def test_ends(device):
    be = get_backend(device)
    inf, nan = np.inf, np.nan
    cases = {
        "erf": ([0.0, -0.0, inf, -inf, nan, 30.0], [0.0, -0.0, 1.0, -1.0, nan, 1.0]),
        "erfinv": ([0.0, 1.0, -1.0, 2.0, nan], [0.0, inf, -inf, nan, nan]),
        "lgamma": ([1.0, 2.0, 0.0, -1.0, -7.0, inf, nan], [0.0, 0.0, inf, inf, inf, inf, nan]),
        "digamma": ([0.0, -1.0, -5.0, inf, nan], [-inf, nan, nan, inf, nan]),
    }
    for name, (x, expected) in cases.items():
        for dtype in ("float32", "float64"):
            y = be.to_numpy(getattr(be, name)(be.asarray(np.array(x, dtype))))
            np.testing.assert_allclose(y, expected, rtol=0, atol=1e-14, err_msg=name)
    y = be.to_numpy(be.erf(be.asarray(np.float32([-9, 9, 3.99, -4.01]))))
    assert abs(y).max() <= 1


@pytest.mark.parametrize("name", REFERENCE)
def test_shapes_and_strides(name, device):
    be = get_backend(device)
    function = getattr(be, name)
    for dtype in ("float32", "float64"):
        x = np.random.default_rng(1).uniform(0.1, 0.9, (6, 4)).astype(dtype)
        whole = be.to_numpy(function(be.asarray(x)))
        np.testing.assert_allclose(
            be.to_numpy(function(be.asarray(x).T[::2])), whole.T[::2], rtol=1e-6
        )
        for shape in [(0,), (3, 0), (), (1, 1)]:
            assert function(be.full(shape, 0.5, dtype)).shape == shape
    large = be.full((40_001,), 0.25, "float32")  # more than one chunk
    assert len(set(be.to_numpy(function(large)).tolist())) == 1


def test_erf_of_float32_relatively(device):
    be = get_backend(device)
    x = np.concatenate([np.linspace(-40, 40, 100_001), 10.0 ** np.arange(-30, 31)])
    x = x.astype(np.float32)
    y = be.to_numpy(be.erf(be.asarray(x)))
    np.testing.assert_allclose(y, scipy.special.erf(x.astype(np.float64)), rtol=4e-7)
    assert abs(y).max() <= 1
