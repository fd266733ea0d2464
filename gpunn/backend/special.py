"""erf and its inverse in NumPy alone, for the CPU (CuPy has its own); float64 inside, ~1e-15.

erf: W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969).
"""

import numpy as np

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


def erf(x: np.ndarray) -> np.ndarray:
    """The error function, in the dtype of x."""
    wide = x.astype(np.float64, copy=False)
    a = np.minimum(np.abs(wide), 6.0)  # erf(6) is 1 in float64; keeps exp and the ratios finite
    z = wide * wide
    with np.errstate(all="ignore"):
        small = wide * _ratio(np.minimum(z, 0.25), _P1[4], _P1[:4], _Q1)
        tail = np.exp(-a * a)
        middle = 1.0 - tail * _ratio(a, _P2[8], _P2[:8], _Q2)
        inverse = 1.0 / np.maximum(a * a, 1e-300)
        r = inverse * _ratio(inverse, _P3[5], _P3[:5], _Q3)
        large = 1.0 - tail * (5.6418958354775628695e-1 - r) / np.maximum(a, 1e-150)
    big = np.where(a <= 4.0, middle, large)
    y = np.where(np.abs(wide) <= 0.46875, small, np.copysign(big, wide))
    y = np.where(np.isnan(wide), wide, y)
    return y.astype(x.dtype, copy=False)


def _ratio(z, leading, p, q):
    """(leading z^n + p0 z^(n-1) + ... ) / (z^n + q0 z^(n-1) + ...), by Horner's rule."""
    num, den = leading * z, z
    for i in range(len(q) - 1):
        num = (num + p[i]) * z
        den = (den + q[i]) * z
    return (num + p[len(q) - 1]) / (den + q[len(q) - 1])


def erfinv(y: np.ndarray) -> np.ndarray:
    """The inverse error function, in the dtype of y: a rational start, then Newton's steps."""
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
        x = np.where(w < 5.0, near, far) * wide
        for _ in range(2):
            x = x - (erf(x) - wide) / (2.0 / np.sqrt(np.pi) * np.exp(-x * x))
    x = np.where(
        np.abs(wide) < 1.0, x, np.where(np.abs(wide) == 1.0, np.copysign(np.inf, wide), np.nan)
    )
    return x.astype(y.dtype, copy=False)


def _horner(x, coefficients):
    y = coefficients[0]
    for c in coefficients[1:]:
        y = y * x + c
    return y
