"""Gradients of gradients; `check_op` checks those of every op."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.autograd import check_gradients, gradients
from gpunn.errors import GradientError, ShapeError
from gpunn.ops.nan import _fill_nan
from tests.harness import assert_close, golden, rand, to_numpy


def leaf(values, device="cpu"):
    return gpunn.Tensor(values, device=device).requires_grad_()


# --- orders ---


def test_four_derivatives_of_tanh(device):
    x = leaf(np.linspace(-1, 1, 5), device)
    y = ops.tanh(x)
    found = []
    for _ in range(4):
        (y,) = gradients(y.sum(), [x], create_graph=True)
        found.append(y)
    t = np.tanh(np.linspace(-1, 1, 5))
    s = 1 - t * t
    for y, expected in zip(found, (s, -2 * t * s, s * (6 * t * t - 2), 8 * t * s * (2 - 3 * t * t)),
                           strict=True):  # fmt: skip
        assert_close(y, expected)
        assert y.device == device


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * x * x + 1 / x,
        lambda x: ops.sin(x) * ops.exp(-x),
        lambda x: ops.log(x) ** 2,
        lambda x: ops.sqrt(x) * ops.sigmoid(x),
        lambda x: ops.softplus(x) / x,
        lambda x: ops.logsumexp(x * x),
        lambda x: ops.gelu(x).mean(),
    ],
)
def test_third_derivatives(f):
    check_gradients(f, rand(4, low=0.5, high=2.0), order=3)


CASES = {
    "cast": lambda x: (x.to("float32") * 2.0).to("float64") ** 3 * 0 + x**3,
    "conv_transpose": lambda x: ops.conv_transpose(
        ops.reshape(x, (1, 3, 2, 2)), np.ones((2, 2, 3, 2)) * x[:2, :2].sum(), strides=2
    ),
    "index": lambda x: x[[0, -1, 0], 1:] ** 2 * x[..., ::-1][:, None].sum(),
    "saturate_cast": lambda x: ops.saturate_cast(x**3, "float64"),
    "nan": lambda x: ops.nanmean(x * x) * ops.nanstd(x) + ops.nansum(_fill_nan(x, value=0.0) ** 3),
    "loss": lambda x: gpunn.losses.mean_squared_error(x, x * x),
    "moments": lambda x: ops.moments(x**2, axes=0)[1],
    "masked_moments": lambda x: gpunn.layers.BatchNormalization(dtype="float64")(
        ops.reshape(x, (1, 3, 4)), training=True, mask=np.array([[True, True, False]])
    ),
    "several results": lambda x: ops.stack(ops.split(x * x, 2, axis=1)[::-1]) ** 2,
    "attention": lambda x: ops.dot_product_attention(*([ops.reshape(x, (1, 3, 2, 2))] * 3)),
}


@pytest.mark.parametrize("case", CASES)
def test_second_derivatives(case):
    check_gradients(CASES[case], rand(3, 4, low=0.5, high=2.0), order=2, rtol=1e-4, atol=1e-6)


def test_gradients_in_place_are_seen():
    """A body may change what it made in place: the gradient is that of what it ends with."""

    @gpunn.primitive
    def steps(be, x, /):
        y = be.empty((2, *x.shape), x.dtype)
        y[0] = x
        be.copyto(y[1], x * x)
        first = y[0]
        first *= 3
        y[1] += first
        seen = y.reshape(-1)
        seen -= 1
        slope = 3 + 2 * x

        def pullback(dy, needs):
            dx = be.zeros(x.shape, dy.dtype)
            dx += dy[0] * 3
            dx += dy[1] * slope
            return (dx,)

        return y, pullback

    check_gradients(lambda x: steps(x * x), rand(3), order=3, rtol=1e-4)


# --- networks, against JAX ---


def network(device):
    data = golden("higher")
    given = {name: gpunn.Tensor(data[name], device=device) for name in data}
    weights = [given[f"{kind}{i}"].requires_grad_() for i in range(3) for kind in "wb"]

    def apply(x):
        for i in range(3):
            x = ops.linear(x, *weights[2 * i : 2 * i + 2])
            x = ops.tanh(x) if i < 2 else x
        return x

    return given, weights, apply


def test_the_residual_of_a_differential_equation(device):
    """u_t = u_xx of a network, its mean square differentiated by the weights."""
    given, weights, apply = network(device)
    x = given["x"].requires_grad_()
    (du,) = gradients(apply(x).sum(), [x], create_graph=True)
    (duu,) = gradients(du[:, 0].sum(), [x], create_graph=True)
    residual = du[:, 1] - duu[:, 0]
    loss = (residual * residual).mean()
    assert_close(residual, given["residual"])
    loss.backward()
    for w, name in zip(weights, ("w0", "b0", "w1", "b1", "w2"), strict=False):
        assert_close(w.grad, given[f"residual_{name}"], "gradient")
    assert weights[-1].grad is None  # the last bias adds a constant to u


def test_a_gradient_penalty(device):
    given, weights, apply = network(device)
    x = given["x"].requires_grad_()
    (dx,) = gradients(apply(x).sum(), [x], create_graph=True)
    length = ops.sqrt((dx * dx).sum(axis=1))
    penalty = ((length - 1.0) ** 2).mean()
    assert_close(penalty, given["penalty"])
    for dw, name in zip(
        gradients(penalty, weights), ("w0", "b0", "w1", "b1", "w2", "b2"), strict=True
    ):
        if name == "b2":
            assert dw is None
        else:
            assert_close(dw, given[f"penalty_{name}"], "gradient")


def test_nested_grad_and_hessian(device):
    given, _, apply = network(device)
    point = to_numpy(given["x"])[0]
    f = lambda x: apply(x[None]).sum()  # noqa: E731
    assert_close(gpunn.hessian(f)(point), given["hessian"], "gradient")
    second = gpunn.grad(lambda x: gpunn.grad(f)(x)[0])(point)
    assert_close(second, given["hessian"].numpy()[0], "gradient")
    v = np.array([1.0, -2.0])
    (product,) = gpunn.hvp(f, (point,), (v,))
    assert_close(product, given["hessian"].numpy() @ v, "gradient")


def test_jacobian_and_jvp(device):
    given, _, apply = network(device)
    x = to_numpy(given["x"])
    jacobian = gpunn.jacobian(apply)(x)
    assert jacobian.shape == (5, 1, 5, 2) and jacobian.device == device
    v = rand(5, 2)
    value, moved = gpunn.jvp(apply, (x,), (v,))
    assert_close(value, apply(gpunn.Tensor(x)).numpy())
    assert_close(moved, np.tensordot(jacobian.numpy(), v, 2), "gradient")
    dx, dy = gpunn.jacobian(lambda x, y: x * ops.sum(y), (0, 1))([1.0, 2.0], [3.0])
    assert dx.numpy().tolist() == [[3.0, 0.0], [0.0, 3.0]] and dy.numpy().tolist() == [[1.0], [2.0]]
    assert gpunn.jacobian(lambda x: gpunn.Tensor([1.0]))([1.0]).numpy().tolist() == [[0.0]]
    assert gpunn.jvp(lambda x: gpunn.Tensor([1.0]), ([1.0],), ([1.0],))[1].tolist() == [0.0]


def test_jvp_of_a_pair(device):
    x = gpunn.Tensor([1.0, 2.0], device=device)
    for jvp in (gpunn.jvp, ops.jvp, ops.linalg.jvp):
        y, moved, rest = jvp(lambda x: (ops.sin(x), {"twice": 2 * x}), [x], [x], has_aux=True)
        assert_close(y, np.sin([1.0, 2.0]))
        assert_close(moved, np.cos([1.0, 2.0]) * [1.0, 2.0])
        assert rest["twice"].tolist() == [2.0, 4.0]
    with pytest.raises(TypeError, match="must give a pair"):
        ops.jvp(ops.sin, [x], [x], has_aux=True)


def test_directions_are_checked():
    with pytest.raises(ShapeError, match="jvp: 1 arguments and 2 tangents"):
        gpunn.jvp(ops.tanh, ([1.0],), ([1.0], [2.0]))
    with pytest.raises(ShapeError, match=r"hvp: a tangent of shape \(2,\) for an argument of"):
        gpunn.hvp(ops.sum, ([1.0],), ([1.0, 2.0],))


# --- what is differentiated by what ---


def test_grad_knows_what_else_its_value_depends_on():
    w = gpunn.Variable([2.0])
    slope = gpunn.grad(lambda x: (w * x * x).sum())([3.0])
    assert slope.requires_grad  # 2 w x
    assert gradients(slope.sum(), [w])[0].tolist() == [6.0]
    value, slope = gpunn.value_and_grad(lambda x: (w * x * x).sum())([3.0])
    assert gradients(value + slope.sum(), [w])[0].tolist() == [15.0]
    for options in ({"create_graph": False}, {}):
        with gpunn.no_grad() if not options else gpunn.enable_grad():
            value, slope = gpunn.value_and_grad(lambda x: (w * x).sum(), **options)([3.0])
        assert not value.requires_grad and not slope.requires_grad
    assert not gpunn.grad(lambda x: (x * x).sum())([3.0]).requires_grad
    x = leaf([3.0])
    slope = gpunn.grad(lambda x: (x * x * x).sum())(x)
    assert gradients(slope.sum(), [x])[0].tolist() == [18.0]


def test_gradients_by_a_result_on_the_way():
    x = leaf([3.0])
    h = x * x
    y = (h * h * x).sum()
    dh, dx = gradients(y, [h, x], create_graph=True)
    assert (dh.item(), dx.item()) == (2 * 9 * 3, 5 * 81)
    (dhh,) = gradients(dh.sum(), [h], create_graph=True)
    assert dhh.item() == 6
    dh, dx = gradients(y, [h, x])
    assert (dh.item(), dx.item()) == (2 * 9 * 3, 5 * 81)


def test_sums_of_numbers_without_axes(device):
    x = leaf(np.float64(3.0), device)
    h = x * x
    dh, dx = gradients(h * h + h, [h, x])
    assert (dh.item(), dx.item()) == (19.0, 114.0) and dh.device == dx.device == device
    h = x * x
    y = gpunn.checkpoint(lambda x: x * h + h + h * h, x)
    assert gradients(y, [x])[0].item() == 27 + 6 + 108


def test_only_what_is_wanted_is_computed():
    asked = []

    @gpunn.primitive
    def product(be, x, w, /):
        def pullback(dy, needs):
            asked.append(needs)
            return dy * w if needs[0] else None, dy * x if needs[1] else None

        return x * w, pullback

    x, w = leaf([2.0]), leaf([3.0])
    gradients(product(x, w).sum(), [x])
    gradients(product(x, w).sum(), [w], create_graph=True)
    assert asked == [(True, False), (False, True)]


def test_the_graph_is_kept_and_freed():
    x = leaf([2.0])
    y = (x * x * x).sum()
    gradients(y, [x], create_graph=True)
    gradients(y, [x], retain_graph=True)
    gradients(y, [x], create_graph=True, retain_graph=False)
    with pytest.raises(GradientError, match="used up"):
        gradients(y, [x], create_graph=True)


def test_a_change_in_place_is_found_out():
    w, x = gpunn.Variable([2.0]), leaf([3.0])
    y = (ops.exp(w) * x).sum()
    w.assign([1.0])
    with pytest.raises(GradientError, match="an operand of exp was changed in place"):
        gradients(y, [x], create_graph=True)


def test_backward_can_create_the_graph(device):
    x = leaf([2.0], device)
    (x * x * x).sum().backward(create_graph=True)
    assert x.grad.tolist() == [12.0] and x.grad.requires_grad
    penalty = (x.grad * x.grad).sum()
    x.grad = None
    penalty.backward()
    assert x.grad.tolist() == [2 * 12.0 * 12.0] and not x.grad.requires_grad


def test_a_recorded_step_gives_the_same_bits(device):
    class Slope(gpunn.Sequential):
        @gpunn.enable_grad()
        def call(self, x, training=None):
            x = x.detach().requires_grad_()
            return gpunn.gradients(super().call(x).sum(), [x], create_graph=True)[0]

    weights = []
    for captured in (False, True):
        gpunn.set_seed(1)
        with gpunn.device(device):
            model = Slope([gpunn.layers.Dense(6, activation="tanh"), gpunn.layers.Dense(1)])
            model.compile(gpunn.optimizers.Adam(0.01), "mse", jit_compile=captured)
            model.fit(rand(24, 3), np.ones((24, 3)), batch_size=8, epochs=3, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        assert np.array_equal(one, other)


# --- ops without a second derivative ---


def test_the_op_is_named():
    @gpunn.primitive
    def by_hand(be, x, /):
        return x * x, lambda dy, needs: (dy * be.xp.unwrap(2 * x),)

    x = leaf([2.0])
    with pytest.raises(GradientError, match=r"no second derivative of by_hand.*no op for .*unwrap"):
        gradients(by_hand(x).sum(), [x], create_graph=True)
    stream = gpunn.backend.Stream(1, "test")

    @gpunn.primitive
    def noisy(be, x, /, stream):
        noise = be.uniform(stream, x.shape)
        return x * noise, lambda dy, needs: (dy * noise,)

    y = noisy(x, stream).sum()
    with pytest.raises(GradientError, match=r"no second derivative of noisy.*random numbers"):
        gradients(y, [x], create_graph=True)
    assert stream.position == 1


def test_dropout_has_the_same_mask_again():
    x = leaf(np.ones(20))
    y = ops.noise.dropout(x * x, 0.5, gpunn.backend.Stream(1, "test"))
    (dx,) = gradients((y * y).sum(), [x], create_graph=True)
    (dxx,) = gradients(dx.sum(), [x])
    assert_close(dxx, np.where(y.numpy() > 0, 48.0, 0.0))


def test_custom_gradient_is_differentiated_as_it_is_written():
    @ops.custom_gradient
    def log1pexp(x):
        e = ops.exp(x)
        return ops.log(1 + e), lambda upstream: upstream * (1 - 1 / (1 + e))

    check_gradients(log1pexp, rand(3), order=2)

    @ops.custom_gradient
    def halved(x, y):
        return x * y, lambda upstream: (upstream * y / 2, None)

    x, y = leaf([3.0]), leaf([5.0])
    dx, dy = gradients(halved(x, y).sum(), [x, y], create_graph=True)
    assert dx.item() == 2.5 and dy is None
    assert gradients(dx.sum(), [y])[0].item() == 0.5
