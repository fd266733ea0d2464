"""Flat memory: what becomes a view of what, and who takes part in a step."""

import gc

import numpy as np
import pytest

import gpunn
from gpunn import optimizers
from gpunn.autograd.home import home
from gpunn.errors import ArgumentError, ArgumentTypeError, GradientError, NotBuiltError, ShapeError
from tests.harness import assert_close

SHAPES = {"a": (3, 2), "b": (4,), "c": (1,), "d": (2, 2, 3)}


def make(dtype="float32"):
    r = np.random.RandomState(0)
    return [gpunn.Variable(r.randn(*s).astype(dtype), name=n) for n, s in SHAPES.items()]


def set_grads(variables, seed=1):
    r = np.random.RandomState(seed)
    for v in variables:
        v.grad = r.randn(*v.shape).astype(v.dtype)


def test_parameters_and_gradients_are_views_of_one_buffer(device):
    variables = make()
    before = [v.numpy() for v in variables]
    variables[1].grad = np.ones(4)  # a gradient from before the layout goes along
    optimizer = optimizers.Adam()
    optimizer.build(variables)
    assert len(optimizer._parts) == 1 and len(optimizer._whole.walks[0].stretches) == 1
    flat = home(variables[0]).flat
    for v, values in zip(variables, before):
        assert home(v).flat is flat and v.array.base is not None and v.device == device
        assert_close(v, values)
    assert variables[1]._grad is variables[1]._grad_slot
    assert variables[1].grad.numpy().tolist() == [1.0] * 4
    flat.params[:] = 7
    flat.grads[:] = 5
    assert all((v.numpy() == 7).all() for v in variables)
    assert (variables[1].grad.numpy() == 5).all()


def test_gaps_stay_zero(device):
    variables = make()
    optimizer = optimizers.RMSprop(0.1, weight_decay=0.1)
    optimizer.build(variables)
    for step in range(3):
        set_grads(variables, step)
        optimizer.step()
    flat = home(variables[0]).flat
    gaps = np.ones(flat.params.size, bool)
    for v in variables:
        gaps[home(v).start : home(v).start + v.size] = False
    be = flat.be
    assert not be.to_numpy(flat.params)[gaps].any() and not be.to_numpy(flat.grads)[gaps].any()


@pytest.mark.parametrize("rule", [c.__name__ for c in optimizers.REGISTRY.classes])
def test_large_variables_go_in_chunks(rule):
    """The same numbers as from many small variables, or from rules that see one variable."""
    r = np.random.RandomState(0)
    values, grads = r.randn(70_000).astype("f4"), r.randn(3, 70_000).astype("f4")
    whole = gpunn.Variable(values)
    parts = [gpunn.Variable(values[i : i + 7_000]) for i in range(0, 70_000, 7_000)]
    one, many = getattr(optimizers, rule)(0.01), getattr(optimizers, rule)(0.01)
    for g in grads:
        one.apply([g], [whole])
        many.apply([g[i : i + 7_000] for i in range(0, 70_000, 7_000)], parts)
    if one.elementwise:
        assert (whole.numpy() == np.concatenate([p.numpy() for p in parts])).all()
    else:
        assert np.isfinite(whole.numpy()).all()


@pytest.mark.parametrize("size, count", [(1, 1), (65_536, 1), (65_537, 2), (210_000, 4)])
def test_chunks_are_equal_and_even(size, count):
    """So that two threads have the same to do."""
    w = gpunn.Variable(np.ones(size, "f4"))
    optimizer = optimizers.Adam()
    optimizer.build([w])
    (walk,) = optimizer._plan([0]).walks
    sizes = [c.stop - c.start for c in walk._chunks(size)]
    assert sum(sizes) == size and len(sizes) == count
    assert max(sizes) - min(sizes) < 16 * count and len({*sizes[:-1]}) <= 1


def test_variables_without_gradient_and_frozen_ones_stay(device):
    variables = make()
    b, d = variables[1], variables[3]
    optimizer = optimizers.Adam(0.1, weight_decay=0.1)
    optimizer.build(variables)
    set_grads(variables)
    b.grad = None
    d.trainable = False
    before = [v.numpy() for v in variables]
    optimizer.step()
    moved = [(v.numpy() != old).any() for v, old in zip(variables, before)]
    assert moved == [True, False, True, False]
    state = optimizer.state_dict()
    assert not state["momentum/b"].any() and state["momentum/a"].any()
    assert not state["momentum/d"].any()
    assert all(v.grad is None for v in variables)
    d.trainable = True
    set_grads(variables)
    optimizer.step()
    assert all((v.numpy() != old).any() for v, old in zip(variables, before))


def test_a_missing_gradient_is_as_if_the_variable_were_not_there(device):
    a, b, c, d = make()
    alone = make()
    optimizer, other = optimizers.Adam(0.1), optimizers.Adam(0.1)
    optimizer.build([a, b, c, d])
    other.build(alone[:1] + alone[2:])
    for seed in range(3):
        set_grads([a, c, d], seed)
        set_grads(alone[:1] + alone[2:], seed)
        optimizer.step()
        other.step()
    for v, w in zip((a, c, d), alone[:1] + alone[2:]):
        assert (v.numpy() == w.numpy()).all()


def test_backward_fills_the_flat_gradient(device):
    w, b = gpunn.Variable(np.ones((3, 2), "f4")), gpunn.Variable(np.zeros(2, "f4"))
    optimizer = optimizers.SGD(0.5)
    optimizer.build([w, b])
    x = gpunn.Tensor(np.float32([[1, 2, 3]]))
    for _ in range(2):
        gpunn.ops.sum(gpunn.ops.matmul(x, w) + b).backward()
        assert w._grad is w._grad_slot and b._grad is b._grad_slot
        optimizer.step()
    assert_close(w, np.float32([[0, 0], [-1, -1], [-2, -2]]))
    assert_close(b, np.float32([-1, -1]))


def test_two_optimizers_share_variables(device):
    variables, alone = make(), make()
    first, second = optimizers.SGD(0.1, momentum=0.9), optimizers.Adam(0.1)
    first.build(variables[:3])
    second.build([variables[3], variables[1]])  # b lies in the first one's buffer
    assert home(variables[1]).flat is home(variables[0]).flat
    assert home(variables[3]).flat is not home(variables[0]).flat
    sgd, adam = optimizers.SGD(0.1, momentum=0.9), optimizers.Adam(0.1)
    for seed in range(3):
        set_grads(variables, seed)
        set_grads(alone, seed)
        grads = [v.numpy() * 0 + v.grad.numpy() for v in alone]
        sgd.apply(grads[:3], alone[:3])
        first.step()
        set_grads(variables, seed)
        adam.apply([grads[3], grads[1]], [alone[3], alone[1]])
        second.step()
    for v, w in zip(variables, alone):
        assert_close(v, w)


def test_a_new_optimizer_finds_the_old_layout(device):
    variables = make()
    optimizers.Adam().build(variables)
    flat = home(variables[0]).flat
    again = optimizers.SGD()
    again.build(variables)
    assert home(variables[0]).flat is flat
    assert len(again._whole.walks[0].stretches) == 1


def test_dtypes_have_buffers_of_their_own():
    variables = make("float32")[:2] + make("float64")[2:]
    optimizer = optimizers.Adam(0.1, global_clipnorm=1.0)
    optimizer.build(variables)
    assert sorted(p.dtype.name for p in optimizer._parts) == ["float32", "float64"]
    set_grads(variables)
    grads = [v.grad.numpy().copy() for v in variables]
    optimizer.step()
    norm = np.sqrt(sum((g.astype("f8") ** 2).sum() for g in grads))
    for name, g in zip(SHAPES, grads):
        assert_close(optimizer.state_dict()[f"momentum/{name}"], g / norm * 0.1, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_dtypes(device, dtype):
    variables = make(dtype)
    optimizer = optimizers.SGD(0.25)
    optimizer.build(variables)
    before = [v.numpy() for v in variables]
    for v in variables:
        v.grad = np.ones(v.shape)
    optimizer.step()
    for v, old in zip(variables, before):
        assert v.dtype == dtype
        assert_close(v, old - 0.25, dtype=dtype)


def test_variables_moved_to_another_device_keep_their_state(cuda):
    variables, alone = make(), make()
    optimizer, other = optimizers.Adam(0.1), optimizers.Adam(0.1)
    optimizer.build(variables)
    other.build(alone)
    for step in range(4):
        if step == 2:
            for v in variables:
                v.move("cuda")
        set_grads(variables, step)
        set_grads(alone, step)
        optimizer.step()
        other.step()
    for v, w in zip(variables, alone):
        assert v.device == "cuda"
        assert_close(v, w.numpy())


def test_a_change_after_the_forward_pass_is_seen(device):
    w = gpunn.Variable(np.ones(3, "f4"))
    optimizer = optimizers.SGD(0.1)
    optimizer.build([w])
    loss = gpunn.ops.sum(w * w)
    optimizer.apply([np.ones(3)])
    with pytest.raises(GradientError, match="changed in place"):
        loss.backward()


def test_clear_errors():
    a, b, c, d = make()
    optimizer = optimizers.SGD(0.1)
    with pytest.raises(NotBuiltError, match="build"):
        optimizer.step()
    with pytest.raises(NotBuiltError, match="build"):
        optimizer.apply([np.ones(3)])
    with pytest.raises(ArgumentTypeError, match=r"gpunn\.Variable"):
        optimizer.build([gpunn.Tensor([1.0])])
    with pytest.raises(ArgumentTypeError, match="int32"):
        optimizer.build([gpunn.Variable([1, 2])])
    optimizer.build([a, b])
    optimizer.build([a, b])  # nothing to do
    with pytest.raises(ArgumentError, match="'c'"):
        optimizer.build([a, b, c])
    with pytest.raises(ArgumentError, match="'c', 'd'"):
        optimizer.apply([np.ones(v.shape) for v in (a, c, d)], [a, c, d])
    with pytest.raises(GradientError, match="backward"):
        optimizer.step()
    with pytest.raises(ArgumentError, match="3 gradients for 2 variables"):
        optimizer.apply([None] * 3)
    with pytest.raises(ArgumentError, match="no gradient"):
        optimizer.apply([None, None])
    with pytest.raises(ArgumentError, match="twice"):
        optimizer.apply([np.ones(a.shape)] * 2, [a, a])
    before = [a.numpy(), b.numpy()]
    with pytest.raises(ShapeError, match=r"'b' has shape \(4,\)"):
        optimizer.apply([np.ones(a.shape), np.ones(5)])
    assert (a.numpy() == before[0]).all() and (b.numpy() == before[1]).all()
    assert int(optimizer.iterations) == 0


def test_missing_gradients_of_apply_are_warned_of(device):
    a, b, _, _ = make()
    optimizer = optimizers.SGD(0.1)
    before = b.numpy()
    with pytest.warns(UserWarning, match="'b'"):
        optimizer.apply_gradients([(np.ones(a.shape), a), (None, b)])
    assert (b.numpy() == before).all() and int(optimizer.iterations) == 1
    assert optimizer.apply([]) is None and int(optimizer.iterations) == 1


def test_the_gradients_given_to_apply_stay_as_they_are(device):
    variables = make()
    optimizer = optimizers.Adam(0.1, global_clipnorm=0.1, loss_scale_factor=2.0)
    grads = [gpunn.Tensor(np.ones(v.shape, "f4")) for v in variables]
    optimizer.apply(grads, variables)
    assert all((g.numpy() == 1).all() for g in grads)


def test_zero_grad():
    variables = make()
    optimizer = optimizers.SGD()
    optimizer.zero_grad()
    optimizer.build(variables)
    set_grads(variables)
    optimizer.zero_grad()
    assert all(v.grad is None for v in variables)


def test_an_optimizer_is_freed_without_the_collector():
    import weakref

    variables = make()
    optimizer = optimizers.Adam(clipnorm=1.0)
    optimizer.build(variables)
    set_grads(variables)
    gc.disable()
    try:
        gone = weakref.ref(optimizer)
        optimizer.step()
        del optimizer
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_gradients_are_cast_to_where_they_are_kept(dtype, device):
    v = gpunn.Variable(np.zeros(5, "float32"))
    gpunn.optimizers.SGD().build([v])
    x = gpunn.Tensor(np.arange(5.0) / 3, dtype=dtype)
    for times in (1, 2):
        (v.to(dtype) * x).sum().backward()
        assert v.grad.dtype == "float32" and v.grad.array is v._grad_slot
        assert np.array_equal(v.grad.numpy(), times * x.numpy().astype("float32"))


def test_gradients_of_halves_are_not_copied_twice(cuda):
    cudaemu = pytest.importorskip("cudaemu")
    with gpunn.device("cuda"):
        v = gpunn.Variable(np.zeros(5, "float32"))
        gpunn.optimizers.SGD().build([v])
        y, dy = v.to("float16"), gpunn.Tensor(np.ones(5), dtype="float16")
        with cudaemu.measure() as copies:
            y.backward(dy)
    assert copies.d2d == 0 and copies.kernels == 1
    assert v.grad.numpy().tolist() == [1] * 5
