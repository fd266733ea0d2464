"""Ops that reshape, join and repeat: values and gradients on both devices, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, ShapeError
from tests.harness import check_op, rand

X = rand(2, 3, 4)
M = rand(3, 4, seed=1)
V = rand(5, seed=2)

# name: (operands, function of ops, the same of NumPy)
UNARY = {
    "reshape": (X, lambda x: ops.reshape(x, (-1, 4)), lambda x: x.reshape(-1, 4)),
    "ravel": (X, ops.ravel, np.ravel),
    "flatten": (X, lambda x: ops.flatten(x, 1), lambda x: x.reshape(len(x), np.prod(x.shape[1:]))),
    "transpose": (X, lambda x: ops.transpose(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    "permute": (X, lambda x: ops.permute(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    "swapaxes": (X, lambda x: ops.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, -1)),
    "moveaxis": (X, lambda x: ops.moveaxis(x, 0, 2), lambda x: np.moveaxis(x, 0, 2)),
    "squeeze": (X[:, :1], lambda x: ops.squeeze(x, 1), lambda x: np.squeeze(x, 1)),
    "expand_dims": (X, lambda x: ops.expand_dims(x, (0, -1)), lambda x: x[None, ..., None]),
    "broadcast_to": (X, lambda x: ops.broadcast_to(x, (2, *x.shape)),
                     lambda x: np.broadcast_to(x, (2, *x.shape))),
    "copy": (X, ops.copy, np.copy),
    "flip": (X, lambda x: ops.flip(x, (0, 2)), lambda x: np.flip(x, (0, 2))),
    "flipud": (M, ops.flipud, np.flipud),
    "fliplr": (M, ops.fliplr, np.fliplr),
    "rot90": (X, lambda x: ops.rot90(x, 3, (1, 2)), lambda x: np.rot90(x, 3, (1, 2))),
    "rearrange": (X, lambda x: ops.rearrange(x, "a b c -> (c a) b"),
                  lambda x: x.transpose(2, 0, 1).reshape(-1, x.shape[1])
                  if x.size else np.zeros((x.shape[2] * x.shape[0], x.shape[1]))),
    "pad": (M, lambda x: ops.pad(x, ((1, 2), (0, 3)), constant_values=2),
            lambda x: np.pad(x, ((1, 2), (0, 3)), constant_values=2)),
    "pad reflect": (M, lambda x: ops.pad(x, ((2, 1), (3, 0)), "reflect"),
                    lambda x: np.pad(x, ((2, 1), (3, 0)), "reflect")),
    "pad symmetric": (M, lambda x: ops.pad(x, 2, "symmetric"), lambda x: np.pad(x, 2, "symmetric")),
    "pad edge": (M, lambda x: ops.pad(x, 2, "edge"), lambda x: np.pad(x, 2, "edge")),
    "pad wrap": (M, lambda x: ops.pad(x, (1, 2), "wrap"), lambda x: np.pad(x, (1, 2), "wrap")),
    "tile": (M, lambda x: ops.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3))),
    "repeat": (M, lambda x: ops.repeat(x, 3, 1), lambda x: np.repeat(x, 3, 1)),
    "repeat each": (V, lambda x: ops.repeat(x, np.arange(x.shape[0])),
                    lambda x: np.repeat(x, np.arange(len(x)))),
    "roll": (M, lambda x: ops.roll(x, 5), lambda x: np.roll(x, 5)),
    "roll axes": (X, lambda x: ops.roll(x, (1, -2), (0, 2)), lambda x: np.roll(x, (1, -2), (0, 2))),
    "diff": (X, lambda x: ops.diff(x, 2, 1), lambda x: np.diff(x, 2, 1)),
    "split": (M, lambda x: ops.split(x, [1, 3], 1), lambda x: np.split(x, [1, 3], 1)),
    "array_split": (V, lambda x: ops.array_split(x, 3), lambda x: np.array_split(x, 3)),
    "hsplit": (M, lambda x: ops.hsplit(x, [1]), lambda x: np.hsplit(x, [1])),
    "vsplit": (M, lambda x: ops.vsplit(x, [1]), lambda x: np.vsplit(x, [1])),
    "dsplit": (X, lambda x: ops.dsplit(x, [1]), lambda x: np.dsplit(x, [1])),
    "unstack": (X, lambda x: ops.unstack(x, axis=1), lambda x: list(np.moveaxis(x, 1, 0))),
}  # fmt: skip

JOINED = {
    "concatenate": (M, M + 1, lambda x, y: ops.concatenate([x, y], 1),
                    lambda x, y: np.concatenate([x, y], 1)),
    "append": (M, V, ops.append, np.append),
    "stack": (M, M + 1, lambda x, y: ops.stack([x, y], -1), lambda x, y: np.stack([x, y], -1)),
    "vstack": (V, V + 1, lambda x, y: ops.vstack([x, y]), lambda x, y: np.vstack([x, y])),
    "hstack": (M, M + 1, lambda x, y: ops.hstack([x, y]), lambda x, y: np.hstack([x, y])),
    "dstack": (M, M + 1, lambda x, y: ops.dstack([x, y]), lambda x, y: np.dstack([x, y])),
    "meshgrid of others": (M, V, lambda x, y: ops.meshgrid(x, y), lambda x, y: np.meshgrid(x, y)),
    "meshgrid": (V, V[:2], lambda x, y: ops.meshgrid(x, y), lambda x, y: np.meshgrid(x, y)),
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name, device):
    x, function, reference = UNARY[name]
    check_op(function, x, reference=reference, device=device)


@pytest.mark.parametrize("name", JOINED)
def test_two_operands(name, device):
    x, y, function, reference = JOINED[name]
    check_op(function, x, y, reference=reference, device=device)


def test_shapes_of_scalars():
    assert ops.ravel(3.0).shape == (1,)
    assert ops.flatten(3.0).shape == (1,)
    assert ops.reshape(3, 1).numpy().tolist() == [3]
    assert ops.transpose(3.0).shape == ()
    assert ops.vstack([1.0, 2.0]).shape == (2, 1)
    assert ops.hstack([1.0, 2.0]).shape == (2,)
    assert ops.tile(2.0, 3).numpy().tolist() == [2, 2, 2]


def test_dtypes_join():
    y = ops.concatenate([np.zeros(1, "int32"), np.zeros(1, "float16")])
    assert y.dtype == "float16"
    assert ops.stack([np.zeros(1, "uint8"), np.zeros(1, "int8")]).dtype == "int16"


@given(hnp.mutually_broadcastable_shapes(num_shapes=1, max_side=4))
def test_broadcast_to_any_shape(shapes):
    (shape,), wanted = shapes.input_shapes, shapes.result_shape
    x = np.arange(np.prod(shape, dtype=int), dtype="float32").reshape(shape)
    assert np.array_equal(ops.broadcast_to(x, wanted).numpy(), np.broadcast_to(x, wanted))


@given(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4), st.data())
def test_tile_repeat_roll_pad_like_numpy(shape, data):
    x = np.arange(np.prod(shape), dtype="int32").reshape(shape)
    times = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=5))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    shift = data.draw(st.integers(-9, 9))
    width = data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    mode = data.draw(st.sampled_from(["constant", "symmetric", "edge", "wrap"]))
    assert np.array_equal(ops.tile(x, times).numpy(), np.tile(x, times))
    assert np.array_equal(ops.repeat(x, times[0], axis).numpy(), np.repeat(x, times[0], axis))
    assert np.array_equal(ops.roll(x, shift, axis).numpy(), np.roll(x, shift, axis))
    assert np.array_equal(ops.pad(x, width, mode).numpy(), np.pad(x, width, mode))


REFUSED = [
    (lambda: ops.reshape(M, (5, -1)), ShapeError, "12 values of shape (3, 4)"),
    (lambda: ops.transpose(M, (0, 0)), ShapeError, "once"),
    (lambda: ops.swapaxes(M, 0, 2), ShapeError, "axis 2 is out of range"),
    (lambda: ops.moveaxis(M, (0, 1), 0), ShapeError, "2 source axes but 1"),
    (lambda: ops.squeeze(M, 0), ShapeError, "size 3, not 1"),
    (lambda: ops.expand_dims(M, (0, 0)), ShapeError, "twice"),
    (lambda: ops.broadcast_to(M, (2, 4)), ShapeError, "(3, 4) cannot be broadcast"),
    (lambda: ops.rot90(V), ShapeError, "at least 2 dimensions"),
    (lambda: ops.flatten(X, 2, 1), ShapeError, "comes before"),
    (lambda: ops.rearrange(M, "a b -> a"), ArgumentError, "both sides"),
    (lambda: ops.rearrange(M, "(a b) c -> a b c", a=2), ShapeError, "cannot be split"),
    (lambda: ops.concatenate([M, X]), ShapeError, "(3, 4), (2, 3, 4)"),
    (lambda: ops.concatenate([M, M[:1]], 1), ShapeError, "differ in more than axis 1"),
    (lambda: ops.concatenate([]), ArgumentError, "at least one tensor"),
    (lambda: ops.stack([V, V[:1]]), ShapeError, "expected one shape"),
    (lambda: ops.split(V, 2), ShapeError, "use array_split"),
    (lambda: ops.unstack(V, 4), ShapeError, "size 5, not 4"),
    (lambda: ops.pad(M, (1, 2, 3)), ShapeError, "does not fit shape (3, 4)"),
    (lambda: ops.pad(M, -1), ArgumentError, "negative"),
    (lambda: ops.pad(M, 1, "reflct"), ArgumentError, "did you mean 'reflect'"),
    (lambda: ops.pad(M, 1, "edge", 3.0), ArgumentError, "go with mode 'constant'"),
    (lambda: ops.repeat(V, [1, 2]), ShapeError, "5 values"),
    (lambda: ops.repeat(V, -1), ArgumentError, "at least 0"),
    (lambda: ops.roll(M, (1, 2, 3), (0, 1)), ShapeError, "3 shifts"),
    (lambda: ops.diff(V, -1), ArgumentError, "at least 0"),
]


@pytest.mark.parametrize("call,error,said", REFUSED)
def test_refusals_say_why(call, error, said):
    with pytest.raises(error) as caught:
        call()
    assert said in str(caught.value)


def test_views_share_memory():
    x = gpunn.Tensor(np.zeros((3, 4), "float32"))
    for y in (ops.reshape(x, -1), ops.transpose(x), ops.flip(x), ops.expand_dims(x, 0)):
        assert np.shares_memory(x.array, y.array)
    assert not np.shares_memory(x.array, ops.copy(x).array)
