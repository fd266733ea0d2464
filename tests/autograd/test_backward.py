import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.errors import DTypeError, GradientError, ShapeError
from tests.harness import assert_close, rand


def leaf(values, **options):
    return gpunn.Tensor(values, requires_grad=True, **options)


@gpunn.primitive
def halves(be, x, /):
    """Both halves of a vector: an op of two results."""
    n = len(x) // 2

    def pullback(dys, needs):
        halves.seen = [dy.copy() for dy in dys]
        return (be.xp.concatenate(dys),)

    return (x[:n], x[n:]), pullback


def test_product_rule(device):
    x, y = leaf(rand(3, 4)), leaf(rand(3, 4, seed=1))
    (x * y + x).sum().backward()
    assert_close(x.grad, y.numpy() + 1)
    assert_close(y.grad, x.numpy())


def test_same_tensor_twice(device):
    x = leaf([3.0, -2.0])
    (x * x * x).sum().backward()
    assert_close(x.grad, 3 * x.numpy() ** 2)


def test_gradients_add_up_until_cleared(device):
    x = leaf([1.0, 2.0])
    for n in (1, 2, 3):
        (x * 5.0).sum().backward()
        assert x.grad.numpy().tolist() == [5.0 * n, 5.0 * n]
    x.grad = None
    assert x.grad is None
    (x * 2.0).sum().backward()
    assert x.grad.numpy().tolist() == [2.0, 2.0]


@pytest.mark.parametrize("make", [leaf, gpunn.Variable])
def test_gradient_of_a_0d_tensor_is_an_array(make, device):
    x = make(2.0)
    for n in (1, 2, 3):
        (x * x).backward()
        assert x.grad.shape == () and type(x.grad.array) is type(x.array)
        assert x.grad.item() == 4 * n


def test_result_that_is_no_number_takes_its_gradient(device):
    x = leaf([1.0, 2.0, 3.0])
    (x * x).backward([1.0, 10.0, 100.0])
    assert x.grad.numpy().tolist() == [2.0, 40.0, 600.0]
    with pytest.raises(ShapeError, match=r"shape \(3,\) needs its gradient"):
        (x * x).backward()
    with pytest.raises(ShapeError, match=r"expected a gradient of shape \(3,\), got \(2,\)"):
        (x * x).backward([1.0, 2.0])


def test_seed_and_gradients_are_never_the_same_memory(device):
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    seed = gpunn.Tensor([1.0, 1.0])
    (x + y).backward(seed)
    for a, b in ((x.grad, seed), (y.grad, seed), (x.grad, y.grad)):
        assert a.array is not b.array
    x.grad.array[0] = 9
    assert seed.numpy().tolist() == [1.0, 1.0] and y.grad.numpy().tolist() == [1.0, 1.0]
    dx, dy = gpunn.autograd.gradients(x + y, [x, y], seed)
    dx.array[0] = 7
    assert seed.numpy().tolist() == [1.0, 1.0] and dy.numpy().tolist() == [1.0, 1.0]


def test_seed_of_another_dtype_is_cast():
    x = leaf([1.0, 2.0])
    (x * 2.0).backward(np.array([1.0, 2.0]))
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize(
    "shape", [(), (1,), (4,), (1, 4), (3, 1), (3, 4), (1, 1), (2, 1, 4), (2, 3, 4)]
)
def test_gradient_of_broadcast_operands(shape, device):
    x, y = leaf(rand(2, 3, 4)), leaf(rand(*shape, seed=1))
    dz = rand(2, 3, 4, seed=2)
    (x * y).backward(dz)
    assert_close(x.grad, np.broadcast_to(dz * y.numpy(), x.shape).astype("float32"), "gradient")
    full = dz * x.numpy()
    extra = full.ndim - y.ndim
    axes = tuple(i for i in range(3) if i < extra or y.shape[i - extra] == 1)
    assert_close(y.grad, full.sum(axes).reshape(shape).astype("float32"), "gradient")


def test_broadcast_half_precision_is_summed_in_single():
    x = leaf(np.ones(1, "float16"))
    (x * gpunn.Tensor(np.ones((4096, 1), "float16"))).backward(np.ones((4096, 1), "float16"))
    assert x.grad.dtype == np.float16 and x.grad.item() == 4096  # in float16 sums stop at 2048


def test_size_0(device):
    x, y = leaf(np.zeros((0, 3), "float32")), leaf([1.0, 2.0, 3.0])
    (x * y).sum().backward()
    assert x.grad.shape == (0, 3) and y.grad.numpy().tolist() == [0.0, 0.0, 0.0]


def test_unused_results_have_gradient_zero(device):
    x = leaf([1.0, 2.0, 3.0, 4.0])
    low, high = halves(x)
    assert low.requires_grad and high.requires_grad
    (high * high).sum().backward()
    assert x.grad.numpy().tolist() == [0.0, 0.0, 6.0, 8.0]
    assert halves.seen[0].tolist() == [0.0, 0.0]
    low, high = halves(x)
    x.grad = None
    (low + high * low).sum().backward()
    assert x.grad.numpy().tolist() == [4.0, 5.0, 1.0, 2.0]


def test_second_backward_says_what_to_do(device):
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    y.backward()
    with pytest.raises(GradientError, match=r"used up by an earlier backward.*retain_graph=True"):
        y.backward()
    assert x.grad.numpy().tolist() == [2.0, 4.0]


def test_second_backward_through_a_shared_part_changes_nothing():
    x = leaf([1.0, 2.0])
    shared = x * x
    first, second = shared.sum(), (shared * 3.0).sum()
    first.backward()
    with pytest.raises(GradientError, match="used up"):
        second.backward()
    assert x.grad.numpy().tolist() == [2.0, 4.0]


def test_retain_graph(device):
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    for n in (1, 2):
        y.backward(retain_graph=True)
        assert x.grad.numpy().tolist() == [2.0 * n, 4.0 * n]
    y.backward()
    with pytest.raises(GradientError, match="used up"):
        y.backward()


def test_retained_gradient_of_an_intermediate_result(device):
    x = leaf([1.0, 2.0])
    h = x * 3.0
    h.retain_grad()
    (h * h).sum().backward()
    assert h.grad.numpy().tolist() == [6.0, 12.0] and not h.is_leaf
    other = x * 3.0
    other.sum().backward()
    assert other.grad is None
    with pytest.raises(GradientError, match="does not require"):
        gpunn.Tensor([1.0]).retain_grad()


def test_retained_gradient_of_the_root_and_of_a_leaf():
    x = leaf([2.0])
    x.retain_grad()
    y = x * x
    y.retain_grad()
    y.backward([5.0])
    assert y.grad.numpy().tolist() == [5.0] and x.grad.numpy().tolist() == [20.0]


def test_backward_of_a_leaf():
    x = leaf([1.0, 2.0])
    x.backward([3.0, 4.0])
    assert x.grad.numpy().tolist() == [3.0, 4.0]


def test_what_requires_no_gradient():
    x = leaf([1.0])
    with gpunn.no_grad():
        y = x * 2.0
    assert not y.requires_grad and y.is_leaf
    with pytest.raises(GradientError, match="does not require a gradient"):
        y.backward()
    with pytest.raises(GradientError):
        (x.detach() * 2.0).backward()
    assert not (x > 0).requires_grad
    assert not ops.argmax(x).requires_grad


@pytest.mark.parametrize("dtype", ["int32", "bool", "uint8"])
def test_integers_have_no_gradient(dtype):
    with pytest.raises(DTypeError, match=f"only floats have gradients, not {dtype}"):
        gpunn.Tensor(np.ones(2, dtype), requires_grad=True)
    with pytest.raises(DTypeError):
        gpunn.Tensor(np.ones(2, dtype)).requires_grad_()
    assert not gpunn.Variable(np.ones(2, dtype)).trainable


def test_requires_grad_of_a_result_is_fixed():
    y = leaf([1.0]) * 2.0
    with pytest.raises(GradientError, match="leaves only"):
        y.requires_grad_(False)
    assert not y.detach().requires_grad


def test_gradient_can_be_set(device):
    x = leaf([1.0, 2.0])
    values = gpunn.Tensor([5.0, 6.0])
    x.grad = values
    assert x.grad.numpy().tolist() == [5.0, 6.0] and x.grad.array is not values.array
    (x * 2.0).sum().backward()
    assert x.grad.numpy().tolist() == [7.0, 8.0]
    x.grad = [1, 2]
    assert x.grad.dtype == np.float32
    with pytest.raises(ShapeError, match=r"shape \(3,\).*\(2,\)"):
        x.grad = [1.0, 2.0, 3.0]
    assert x.grad.numpy().tolist() == [1.0, 2.0]


def test_a_gradient_held_by_the_user_stays_as_it_was():
    x = leaf([1.0])
    (x * 2.0).backward()
    held = x.grad
    (x * 2.0).backward()
    assert held.item() == 2 and x.grad.item() == 4


def test_cast_and_mixed_precision_gradients():
    x = leaf(np.array([1.0, 2.0], "float64"))
    y = x.to("float32") * 3.0
    y.sum().backward()
    assert y.dtype == np.float32 and x.grad.dtype == np.float64
    assert x.grad.numpy().tolist() == [3.0, 3.0]


def test_moved_tensors_get_their_gradient_where_they_are(cuda):
    x = leaf([1.0, 2.0], device="cpu")
    y = x.to("cuda") * 3.0
    assert y.device == "cuda" and x.to("cpu") is x
    y.sum().backward()
    assert x.grad.device == "cpu" and x.grad.numpy().tolist() == [3.0, 3.0]


def test_dead_ends_cost_nothing():
    calls = []

    @gpunn.primitive
    def watched_dead_end(be, x, /):
        def pullback(dy, needs):
            calls.append(1)
            return (dy,)

        return x * 1, pullback

    x = leaf([1.0])
    watched_dead_end(x)
    (x * 2.0).backward()
    assert not calls


def test_needs_says_what_is_wanted():
    seen = []

    @gpunn.primitive
    def watched_needs(be, a, b, /):
        def pullback(dy, needs):
            seen.append(needs)
            return (dy * b if needs[0] else None, dy * a if needs[1] else None)

        return a * b, pullback

    x, c = leaf([2.0]), gpunn.Tensor([3.0])
    watched_needs(x, c).backward()
    watched_needs(c, x).backward()
    watched_needs(x, 2.0).backward()
    assert seen == [(True, False), (False, True), (True, False)]


def test_an_exception_in_a_pullback_leaves_the_engine_usable():
    @gpunn.primitive
    def fails_backward(be, x, /):
        def pullback(dy, needs):
            raise ZeroDivisionError("on purpose")

        return x * 1, pullback

    x = leaf([1.0])
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        (fails_backward(x) * 2.0).backward()
    assert x.grad is None
    (x * 2.0).backward()
    assert x.grad.item() == 2 and gpunn.autograd.is_grad_enabled()


def test_gradients_are_put_to_where_optimizers_keep_them(device):
    """As are those of a leaf that comes twice, and those that add up."""
    layer = gpunn.layers.Dense(20, "relu")
    with gpunn.device(device):
        x = gpunn.Tensor(rand(5, 20))
        y = layer(x)
        expected = []
        for loss in (ops.sum(y * y), ops.sum(ops.linear(layer.kernel, layer.kernel))):
            loss.backward()
            expected.append(layer.kernel.grad.numpy().copy())
            layer.kernel.grad = None
        gpunn.optimizers.SGD().build(layer.trainable_variables)
        for i, e in enumerate(expected):
            for times in (1, 2):
                y = layer(x)
                (
                    ops.sum(y * y) if i == 0 else ops.sum(ops.linear(layer.kernel, layer.kernel))
                ).backward()
                assert layer.kernel._grad is layer.kernel._grad_slot
                assert_close(layer.kernel.grad, times * e, rtol=1e-5)
            layer.kernel.grad = None
