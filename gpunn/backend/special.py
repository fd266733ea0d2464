"""Special functions in NumPy alone, for the CPU (CuPy has its own).

They compute in float64, within 1e-13; `erf` of float32 and below computes in float32, where speed
counts (GELU).
"""

import numpy as np

# erf in float64: W. J. Cody, "Rational Chebyshev approximations for the error function",
# Math. Comp. 23 (1969).
_P1 = (3.16112374387056560e00, 1.13864154151050156e02, 3.77485237685302021e02,
       3.20937758913846947e03, 1.85777706184603153e-1)  # fmt: skip
_Q1 = (2.36012909523441209e01, 2.44024637934444173e02, 1.28261652607737228e03,
       2.84423683343917062e03)  # fmt: skip
_P2 = (5.64188496988670089e-1, 8.88314979438837594e00, 6.61191906371416295e01,
       2.98635138197400131e02, 8.81952221241769090e02, 1.71204761263407058e03,
       2.05107837782607147e03, 1.23033935479799725e03, 2.15311535474403846e-8)  # fmt: skip
_Q2 = (1.57449261107098347e01, 1.17693950891312499e02, 5.37181101862009858e02,
       1.62138957456669019e03, 3.29079923573345963e03, 4.36261909014324716e03,
       3.43936767414372164e03, 1.23033935480374942e03)  # fmt: skip
_P3 = (3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
       1.60837851487422766e-2, 6.58749161529837803e-4, 1.63153871373020978e-2)  # fmt: skip
_Q3 = (2.56852019228982242e00, 1.87295284992346725e00, 5.27905102951428412e-1,
       6.05183413124413191e-2, 2.33520497626869185e-3)  # fmt: skip

# erf in float32: tanh(x P(x^2)), which is 1 by itself where x is large. P has the least error of
# its degree in atanh(erf(x)) / x, weighted as erf feels it; within 3e-7 of erf, relatively.
_P32 = tuple(map(np.float32, (1.418526732986e-07, -5.668481781343e-06, 8.763735244139e-05,
                              -6.197846789443e-04, -1.918308319921e-04, 1.027690558080e-01,
                              1.128379274301e00)))  # fmt: skip
_CHUNK = 32768  # elements whose temporaries stay in the cache


def erf(x: np.ndarray) -> np.ndarray:
    """The error function, in the dtype of x."""
    if x.dtype == np.float64:
        return _erf64(x)
    wide = np.ascontiguousarray(x, np.float32).reshape(-1)
    y = np.empty_like(wide)
    square = np.empty(min(wide.size, _CHUNK), np.float32)
    with np.errstate(all="ignore"):
        for start in range(0, wide.size, _CHUNK):
            x_part, y_part = wide[start : start + _CHUNK], y[start : start + _CHUNK]
            erf32(x_part, y_part, square[: x_part.size])
    return y.reshape(x.shape).astype(x.dtype, copy=False)


def erf32(x: np.ndarray, y: np.ndarray, square: np.ndarray) -> None:
    """Write erf of float32 numbers to y; `square` is an array to work in."""
    np.multiply(x, x, square)
    np.multiply(square, _P32[0], y)
    for c in _P32[1:-1]:
        y += c
        y *= square
    y += _P32[-1]
    y *= x
    np.tanh(y, y)


def _erf64(x: np.ndarray) -> np.ndarray:
    a = np.abs(x)
    with np.errstate(all="ignore"):
        small = x * _ratio(np.minimum(a * a, 0.25), _P1[4], _P1[:4], _Q1)
        y = np.where(a <= 0.46875, small, np.copysign(1.0 - _erfc(a), x))
    return np.where(np.isnan(x), x, y)


def _erfc(a: np.ndarray) -> np.ndarray:
    """1 - erf(a) for a >= 0.46875."""
    a = np.minimum(a, 6.0)  # erfc(6) is 2e-17; keeps exp and the ratios finite
    z = a * a
    with np.errstate(all="ignore"):
        tail = np.exp(-z)
        middle = tail * _ratio(a, _P2[8], _P2[:8], _Q2)
        inverse = 1.0 / np.maximum(z, 1e-300)
        r = inverse * _ratio(inverse, _P3[5], _P3[:5], _Q3)
        large = tail * (5.6418958354775628695e-1 - r) / np.maximum(a, 1e-150)
    return np.where(a <= 4.0, middle, large)


def _ratio(z, leading, p, q):
    """(leading z^n + p0 z^(n-1) + ... ) / (z^n + q0 z^(n-1) + ...), by Horner's rule."""
    num, den = leading * z, z
    for i in range(len(q) - 1):
        num = (num + p[i]) * z
        den = (den + q[i]) * z
    return (num + p[len(q) - 1]) / (den + q[len(q) - 1])


def erfinv(y: np.ndarray) -> np.ndarray:
    """The inverse error function, in the dtype of y: a rational start, then Halley's steps."""
    wide = y.astype(np.float64, copy=False)
    with np.errstate(all="ignore"):
        w = -np.log((1.0 - wide) * (1.0 + wide))
        # M. Giles, "Approximating the erfinv function" (2010)
        s = np.minimum(w, 5.0) - 2.5
        near = _horner(s, (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06,
                           0.00021858087, -0.00125372503, -0.00417768164, 0.246640727,
                           1.50140941))  # fmt: skip
        s = np.sqrt(np.maximum(w, 5.0)) - 3.0
        far = _horner(s, (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844,
                          0.00573950773, -0.0076224613, 0.00943887047, 1.00167406,
                          2.83297682))  # fmt: skip
        m = np.abs(wide)
        x = np.where(w < 5.0, near, far) * m
        # erfc(x) ~ exp(-x^2) / (x sqrt(pi)) far out, where the other two start too far off
        x = np.where(w > 16.0, np.sqrt(w - np.log(np.sqrt(np.pi * np.maximum(w, 1.0)) / 2)), x)
        for _ in range(3):
            error = np.where(m < 0.5, _erf64(x) - m, (1.0 - m) - _erfc(x))
            step = error / (2.0 / np.sqrt(np.pi) * np.exp(-x * x))
            x = x - step / (1.0 + x * step)
        x = np.copysign(x, wide)
    x = np.where(
        np.abs(wide) < 1.0, x, np.where(np.abs(wide) == 1.0, np.copysign(np.inf, wide), np.nan)
    )
    return x.astype(y.dtype, copy=False)


def _horner(x, coefficients):
    y = coefficients[0]
    for c in coefficients[1:]:
        y = y * x + c
    return y


# Stirling's series and its derivative, in 1/z^2 with the highest power first (Abramowitz and
# Stegun, "Handbook of Mathematical Functions", 6.1.41 and 6.3.18).
_STIRLING = (1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12)
_DIGAMMA = (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12)
_SHIFT = 10  # the series are good to 1e-16 from here on; recurrences lead up to it


def lgamma(x: np.ndarray) -> np.ndarray:
    """The logarithm of |gamma(x)|, in the dtype of x."""
    wide = x.astype(np.float64, copy=False)
    with np.errstate(all="ignore"):
        a = np.where(wide < 0.5, 1.0 - wide, wide)
        small = a < _SHIFT
        product = np.where(small, a, 1.0)
        for k in range(1, _SHIFT):
            product = product * np.where(small, a + k, 1.0)
        z = np.where(small, a + _SHIFT, a)
        series = _horner(1.0 / (z * z), _STIRLING) / z
        y = (z - 0.5) * np.log(z) - z + 0.5 * np.log(2 * np.pi) + series - np.log(product)
        mirrored = np.log(np.pi) - np.log(np.abs(_sin_pi(wide))) - y
    y = np.where(wide < 0.5, mirrored, y)
    return np.where(np.isinf(wide), np.inf, y).astype(x.dtype, copy=False)


def digamma(x, xp=np):
    """The derivative of `lgamma`, in the dtype of x; NaN at negative integers.

    Also for CuPy, whose own does not compile everywhere.
    """
    wide = x.astype(np.float64, copy=False)
    with np.errstate(all="ignore"):
        a = xp.where(wide < 0.5, 1.0 - wide, wide)
        small = a < _SHIFT
        z = xp.where(small, a + _SHIFT, a)
        square = 1.0 / (z * z)
        y = xp.log(z) - 0.5 / z - square * _horner(square, _DIGAMMA)
        for k in range(_SHIFT):
            y = y - xp.where(small, 1.0 / (a + k), 0.0)
        tangent = _sin_pi(wide, xp) / _sin_pi(wide + 0.5, xp)
        mirrored = y - np.pi / tangent
    y = xp.where(wide < 0.5, mirrored, y)
    pole = (wide == xp.floor(wide)) & (wide <= 0)
    y = xp.where(pole, xp.where(wide == 0, -xp.copysign(np.inf, wide), np.nan), y)
    return y.astype(x.dtype, copy=False)


def _sin_pi(x, xp=np):
    """sin(pi x), exact in its zeros."""
    r = x - 2.0 * xp.round(x / 2.0)  # in [-1, 1]
    r = xp.where(xp.abs(r) > 0.5, xp.copysign(1.0, r) - r, r)
    return xp.sin(np.pi * r)
