"""What tests share: tolerances, `assert_close`, `check_op`, `golden`.

from tests.harness import assert_close, check_op, golden, rand
"""

import functools
import itertools
from pathlib import Path

import numpy as np
import pytest

import gpunn
from gpunn.errors import DeviceError

# dtype: (rtol, atol). An exact dtype (integers, bool) is compared exactly.
VALUE_TOLERANCE = {
    "bfloat16": (3e-2, 3e-2),
    "float16": (1e-2, 1e-2),
    "float32": (1e-5, 1e-6),
    "float64": (1e-11, 1e-12),
}
GRADIENT_TOLERANCE = {
    "bfloat16": (6e-2, 6e-2),
    "float16": (2e-2, 2e-2),
    "float32": (1e-4, 1e-5),
    "float64": (1e-6, 1e-8),
}
EPSILON = 2e-6  # half the step of a central difference in float64
GOLDEN = Path(__file__).parent / "golden"


@functools.cache
def cuda_problem() -> str | None:
    """Why CUDA cannot be used here, or None if it can."""
    try:
        gpunn.Tensor(np.zeros(1, np.float32), device="cuda")
    except DeviceError as error:
        return str(error)
    return None


def to_numpy(x) -> np.ndarray:
    """The values of a Tensor, a CuPy array or anything array-like."""
    if isinstance(x, gpunn.Tensor):
        return np.asarray(x.numpy())
    return np.asarray(x.get() if hasattr(x, "get") and hasattr(x, "dtype") else x)


def require_fft(device: str) -> None:
    """Skip the test where the device has no Fourier transforms: the emulated one has no cuFFT."""
    if device == "cuda":
        try:
            gpunn.backend.get_backend("cuda").xp.fft.fft(gpunn.Tensor([1.0], device="cuda").array)
        except Exception:
            pytest.skip("the emulated device has no cuFFT")


def rand(*shape, low=-2.0, high=2.0, seed=0) -> np.ndarray:
    """Uniform float64 values, the same at every call."""
    return np.random.default_rng(seed).uniform(low, high, shape)


def assert_close(actual, desired, kind="value", dtype=None, rtol=None, atol=None, label=""):
    """Equal shapes, and values equal within the table's tolerance; NaN equals NaN.

    Args:
        actual: what is tested: a Tensor or an array.
        desired: what it should be.
        kind: "value" or "gradient": which table.
        dtype: the dtype to look up; default: that of `actual`.
        rtol, atol: instead of the table's.
        label: said first when they differ.
    """
    a, d = to_numpy(actual), to_numpy(desired)
    assert a.shape == d.shape, f"{label} shape {a.shape}, expected {d.shape}"
    table = VALUE_TOLERANCE if kind == "value" else GRADIENT_TOLERANCE
    default = table.get(np.dtype(dtype or a.dtype).name, (0, 0))
    rtol = default[0] if rtol is None else rtol
    atol = default[1] if atol is None else atol
    wide = np.result_type(np.float64, a, d)
    a, d = a.astype(wide), d.astype(wide)
    with np.errstate(all="ignore"):
        near = np.isfinite(d) & (np.abs(a - d) <= atol + rtol * np.abs(d))
        good = near | (a == d) | ((a != a) & (d != d))
    if not good.all():
        np.testing.assert_allclose(a, d, rtol, atol, err_msg=label)


@functools.cache
def golden(family: str) -> dict[str, np.ndarray]:
    """The reference arrays of tests/golden/FAMILY.npz, made by tests/golden/make_FAMILY.py."""
    path = GOLDEN / f"{family}.npz"
    assert path.exists(), f"{path.name} is missing: run tests/golden/make_{family}.py"
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def scattered(array, device="cpu") -> gpunn.Tensor:
    """The values of `array` in a Tensor whose memory is transposed, reversed and full of holes.

    The holes are NaN (integers: 113), so that one who ignores the strides is found out.
    """
    array = np.asarray(array)
    if array.ndim == 0 or array.dtype == bool:
        return gpunn.Tensor(array.copy(), device=device)
    hole = np.nan if array.dtype.kind == "f" else 113
    base = np.full([2 * n for n in array.shape[::-1]], hole, array.dtype)
    every = (slice(None, None, -2), *[slice(1, None, 2)] * (array.ndim - 1))
    base.T[every] = array
    there = gpunn.Tensor(base, device=device).array
    return gpunn.Tensor(there.T[every])


def check_op(
    fn,
    *operands,
    reference=None,
    device="cpu",
    grad=True,
    wrt=None,
    dtypes=None,
    rtol=None,
    atol=None,
    edges=True,
    twice=True,
    second=True,
):
    """Everything that is asked of an op, on one device.

    - The values are those of `reference`, in the operands' dtype (float16, float32, float64 on the
      CPU; float32 on CUDA) and on their device.
    - The float64 gradient along a random direction is the central difference; that in float32
      agrees with it (on the CPU). So is the gradient of that gradient.
    - The operands come back unmodified.
    - The same holds for non-contiguous operands, for operands cut down to size 1 and to size 0
      (where the reference takes them), and for one tensor given twice.

    Choose float operands away from kinks and ties: a central difference there means nothing.

    Args:
        fn: takes Tensors in place of the array operands; gives a Tensor or a tuple of them.
        operands: arrays (float ones are cast to each dtype); anything else is passed as it is.
        reference: takes NumPy arrays, floats as float64; default: `fn` itself in float64 on the
            CPU, so that only the devices and dtypes are compared.
        device: "cpu" or "cuda".
        grad: False for an op without a gradient: then no result may require one.
        wrt: positions of the operands to differentiate by; default: all float arrays.
        dtypes: float dtypes to compare values in.
        rtol, atol: instead of the table's for values in float32; None: the table's.
        edges: whether to try size 0 and size 1.
        twice: whether to try the same tensor in place of the first two operands of one shape.
        second: False for an op that has no second derivative.
    """
    check = _Check(fn, reference, device, grad, wrt, rtol, atol)
    operands = [np.asarray(x) if isinstance(x, list | np.ndarray | np.generic) else x
                for x in operands]  # fmt: skip
    floats = [i for i, x in enumerate(operands) if _is_float(x)]
    if dtypes is None:
        dtypes = ("float32", "float64", "float16") if device == "cpu" else ("float32",)
    if not floats:
        dtypes = dtypes[:1]
    for dtype in dtypes:
        check.values(operands, dtype)
    check.values(operands, dtypes[0], scatter=True)
    if grad:
        contiguous = check.gradient(operands)
        if device == "cpu":
            check.compare_gradients(operands, contiguous, "float64", scatter=True)
            if "float32" in dtypes:
                check.compare_gradients(operands, contiguous, "float32")
            if second:
                check.second_order(operands)
    if edges:
        check.edge([_cut(x, 1) for x in operands], "size 1")
        check.edge([_cut(x, 0) for x in operands], "size 0")
    if twice:
        for i, j in itertools.combinations(floats, 2):
            if operands[i].shape == operands[j].shape:
                check.twice(operands, i, j)
                break


def _is_float(x) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def _cut(x, n):
    """The first element along every axis, or no rows of the first axis."""
    if not isinstance(x, np.ndarray) or x.ndim == 0:
        return x
    return x[:0] if n == 0 else x[(slice(0, 1),) * x.ndim]


def _results(y) -> list:
    return list(y) if isinstance(y, tuple | list) else [y]


class _Check:
    def __init__(self, fn, reference, device, grad, wrt, rtol, atol):
        self.fn, self.device, self.grad, self.wrt = fn, device, grad, wrt
        self.reference = reference or self.on_cpu
        self.rtol, self.atol = rtol, atol
        self.random = np.random.default_rng(0)

    def on_cpu(self, *operands):
        with gpunn.device("cpu"):
            given = [gpunn.Tensor(x) if isinstance(x, np.ndarray) else x for x in operands]
            return tuple(to_numpy(y) for y in _results(self.fn(*given)))

    def expected(self, operands):
        wide = [x.astype(np.float64) if _is_float(x) else x for x in operands]
        return [np.asarray(to_numpy(y)) for y in _results(self.reference(*wide))]

    def differentiable(self, operands):
        if self.wrt is not None:
            return self.wrt
        return [i for i, x in enumerate(operands) if _is_float(x)]

    def run(self, operands, scatter=False, leaves=(), same=None):
        """`fn` on tensors of the operands, of which those in `leaves` require gradients."""
        given = []
        for x in operands:
            if isinstance(x, np.ndarray):
                x = scattered(x, self.device) if scatter else gpunn.Tensor(x, device=self.device)
            given.append(x)
        if same:
            given[same[1]] = given[same[0]]
        for i in leaves:
            given[i].requires_grad_()
        with gpunn.device(self.device):
            results = _results(self.fn(*given))
        return given, results

    def unmodified(self, given, before, label):
        for i, (tensor, x) in enumerate(zip(given, before, strict=True)):
            if isinstance(x, np.ndarray):
                same = np.array_equal(to_numpy(tensor), x, equal_nan=x.dtype.kind == "f")
                assert same, f"{label}: operand {i} was changed in place"

    def lies_right(self, tensor, dtype, label):
        assert isinstance(tensor, gpunn.Tensor), f"{label}: {type(tensor).__name__}, not a Tensor"
        where = type(tensor.array).__module__.split(".")[0]
        wanted = "numpy" if self.device == "cpu" else "cupy"
        assert where == wanted, f"{label}: the result is a {where} array on {self.device}"
        assert dtype is None or tensor.dtype == dtype, (
            f"{label}: the result is {tensor.dtype}, expected {dtype}"
        )

    def values(self, operands, dtype, scatter=False, same=None, label=""):
        label = f"{label or 'values'} ({dtype}{', non-contiguous' if scatter else ''})"
        cast = [x.astype(dtype) if _is_float(x) else x for x in operands]
        has_floats = any(_is_float(x) for x in cast)
        expected = self.expected(cast)
        before = [x.copy() if isinstance(x, np.ndarray) else x for x in cast]
        leaves = () if self.grad else self.differentiable(cast)
        given, results = self.run(cast, scatter, leaves, same)
        self.unmodified(given, before, label)
        for result in () if self.grad else results:
            assert not result.requires_grad, f"{label}: requires a gradient, and should not"
        assert len(results) == len(expected), f"{label}: {len(results)} results"
        for result, e in zip(results, expected, strict=True):
            if e.dtype.kind == "f":
                self.lies_right(result, dtype if has_floats else None, label)
                strict = dtype == "float32"
                rtol, atol = (self.rtol, self.atol) if strict else (None, None)
                assert_close(result, e, rtol=rtol, atol=atol, label=label)
            else:
                self.lies_right(result, None, label)
                kinds = {"b": "b"}.get(e.dtype.kind, "iu")
                assert result.dtype.kind in kinds, f"{label}: {result.dtype}, not {e.dtype}"
                assert_close(result, e, label=label)

    def backward(self, operands, leaves, scatter=False, same=None, label="gradient"):
        """Seeds for the differentiable results, and the gradients of the leaves."""
        before = [x.copy() if isinstance(x, np.ndarray) else x for x in operands]
        given, results = self.run(operands, scatter, leaves, same)
        tracked = [y for y in results if y.requires_grad]
        assert tracked, f"{label}: no result requires a gradient"
        random = np.random.default_rng(1)
        seeds = [random.uniform(-1, 1, y.shape) for y in results]
        seeded = [
            (y, gpunn.Tensor(w.astype(y.dtype), device=self.device))
            for y, w in zip(results, seeds, strict=True)
            if y.requires_grad
        ]
        if len(seeded) == 1:
            seeded[0][0].backward(seeded[0][1])
        else:
            functools.reduce(lambda a, b: a + b, [(y * w).sum() for y, w in seeded]).backward()
        self.unmodified(given, before, label)
        grads = []
        for i in leaves:
            dx, x = given[i].grad, operands[i]
            if dx is not None:
                self.lies_right(dx, x.dtype, f"{label} of operand {i}")
                assert dx.shape == x.shape, f"{label} of operand {i}: shape {dx.shape}"
            grads.append(np.zeros(x.shape) if dx is None else to_numpy(dx).astype(np.float64))
        weights = [w if y.requires_grad else None for y, w in zip(results, seeds, strict=True)]
        return weights, grads

    def gradient(self, operands, same=None, label="gradient"):
        """The float64 gradients, after comparing them with a central difference."""
        wide = [x.astype(np.float64) if _is_float(x) else x for x in operands]
        leaves = self.differentiable(wide)
        weights, grads = self.backward(wide, leaves, same=same, label=label)
        if same:  # one leaf in two places: its gradient is that of both together
            assert np.array_equal(grads[leaves.index(same[0])], grads[leaves.index(same[1])])
            grads = [dx for i, dx in zip(leaves, grads, strict=True) if i != same[1]]
            leaves = [i for i in leaves if i != same[1]]

        def loss(step, directions):
            moved = list(wide)
            for i, v in directions.items():
                moved[i] = wide[i] + step * v
            if same:
                moved[same[1]] = moved[same[0]]
            results = self.run(moved, same=same)[1]
            terms = [
                to_numpy(y) * w for y, w in zip(results, weights, strict=True) if w is not None
            ]
            return sum(float(t.sum()) for t in terms), sum(float(abs(t).sum()) for t in terms)

        def compare(positions):
            directions = {i: self.random.uniform(-1, 1, wide[i].shape) for i in positions}
            (up, size), (down, _) = loss(EPSILON, directions), loss(-EPSILON, directions)
            numeric = (up - down) / (2 * EPSILON)
            terms = [g * directions[i] for i, g in zip(leaves, grads, strict=True)
                     if i in directions]  # fmt: skip
            analytic = sum(float(t.sum()) for t in terms)
            scale = sum(float(abs(t).sum()) for t in terms)
            rtol, atol = GRADIENT_TOLERANCE["float64"]
            ok = abs(numeric - analytic) <= rtol * scale + atol * (1 + size)
            return ok, f"analytic {analytic!r}, central difference {numeric!r}"

        ok, text = compare(leaves)
        if not ok:
            each = {i: compare([i]) for i in leaves}
            lines = [f"operand {i}: {'ok' if good else said}" for i, (good, said) in each.items()]
            raise AssertionError("\n  ".join([f"{label}: {text}", *lines]))
        return grads

    def compare_gradients(self, operands, expected, dtype, scatter=False):
        cast = [x.astype(dtype) if _is_float(x) else x for x in operands]
        leaves = self.differentiable(cast)
        label = f"gradient ({dtype}{', non-contiguous' if scatter else ''})"
        _, grads = self.backward(cast, leaves, scatter, label=label)
        for i, dx, e in zip(leaves, grads, expected, strict=True):
            rtol, atol = GRADIENT_TOLERANCE[dtype]
            atol = atol * max(1.0, float(abs(e).max(initial=0)))
            name = f"{label} of operand {i}"
            assert_close(dx, e, "gradient", dtype, rtol, atol, label=name)

    def second_order(self, operands):
        """The float64 gradient of the gradient, against a central difference."""
        wide = [x.astype(np.float64) if _is_float(x) else x for x in operands]
        leaves = self.differentiable(wide)

        def fn(*given):
            xs = [gpunn.Tensor(x) if isinstance(x, np.ndarray) else x for x in wide]
            for i, x in zip(leaves, given, strict=True):
                xs[i] = x
            return self.fn(*xs)

        gpunn.check_gradients(fn, *[wide[i] for i in leaves], order=2, rtol=1e-4, atol=1e-6)

    def edge(self, operands, label):
        """Values and gradients of operands cut down, if the reference takes them at all."""
        try:
            self.expected(operands)
        except Exception:
            return
        self.values(operands, "float32", label=label)
        if self.grad:
            self.gradient(operands, label=label)

    def twice(self, operands, i, j):
        operands = list(operands)
        operands[j] = operands[i]
        try:
            self.expected(operands)
        except Exception:
            return
        self.values(operands, "float32", same=(i, j), label="same tensor twice")
        leaves = self.differentiable(operands)
        if self.grad and i in leaves and j in leaves:
            self.gradient(operands, same=(i, j), label="same tensor twice")
