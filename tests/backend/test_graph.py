"""Graphs on CUDA: what they replay, what they read anew, and what they refuse."""

import numpy as np
import pytest

from gpunn.backend import Stream, get_backend
from gpunn.errors import CaptureError
from tests.harness import to_numpy


@pytest.fixture
def be(cuda):
    return get_backend("cuda")


@pytest.fixture
def graph(be):
    from gpunn.backend.graph import Graph

    return Graph(be)


def test_work_is_not_done_when_it_is_captured(be, graph):
    x, w = be.asarray(np.ones((2, 3), "f4")), be.asarray(np.ones((3, 4), "f4"))
    be.xp.add(be.dot(x, w), 1).sum(0)
    y = be.zeros((4,), "float32")
    with graph:
        be.copyto(y, be.xp.add(be.dot(x, w), 1).sum(0))
    assert not to_numpy(y).any()
    for i in range(3):
        x.fill(i)
        graph.run()
        np.testing.assert_array_equal(to_numpy(y), [2 * (3 * i + 1)] * 4)


def test_temporary_arrays_are_the_graphs_own(be, graph):
    """What is made after the capture does not overwrite what the graph keeps."""
    x = be.asarray(np.arange(1000, dtype="f4"))
    be.xp.sqrt(x * 2)
    with graph:
        y = be.xp.sqrt(x * 2)
    others = [be.full((1000,), -1, "float32") for _ in range(20)]
    graph.run()
    np.testing.assert_array_equal(to_numpy(y), np.sqrt(np.arange(1000, dtype="f4") * 2))
    assert all((to_numpy(o) == -1).all() for o in others)


def test_memory_is_given_back_with_the_graph(be):
    from gpunn.backend.graph import Graph

    x = be.zeros((1 << 23,), "float32")
    be.xp.add(x + 1, 2)
    be.empty_cache()
    free, little = be.memory().free, x.nbytes // 2  # a driver takes some for itself
    for _ in range(3):
        graph = Graph(be)
        with graph:
            be.xp.add(x + 1, 2)
        graph.run()
        assert be.memory().free <= free - x.nbytes
        del graph
        be.empty_cache()
        assert abs(be.memory().free - free) < little


@pytest.mark.parametrize("dtype", ("float32", "float64"))
def test_draws_go_on_where_the_stream_stands(be, graph, dtype):
    eager, captured, second = (Stream(3, name) for name in ("a", "a", "b"))
    other = Stream(3, "b")
    be.uniform(Stream(0), (5,), dtype)
    with graph:
        drawn = [be.uniform(s, (5,), dtype) for s in (captured, second, captured)]
    assert captured.position == second.position == 0
    for i in range(4):
        if i == 2:  # somebody else draws in between
            eager.words(1), captured.words(1)
        expected = [be.uniform(s, (5,), dtype) for s in (eager, other, eager)]
        graph.run()
        for x, e in zip(drawn, expected, strict=True):
            np.testing.assert_array_equal(to_numpy(x), to_numpy(e))
    assert (captured.position, second.position) == (eager.position, other.position) == (9, 4)


def test_numbers_are_read_at_each_run(be, graph):
    settings = {"rate": 0.5, "count": 7}
    x = be.zeros((3,), "float32")
    be.xp.add(x, be.zeros((), "float32"))
    with graph:
        rate = graph.number(lambda: settings["rate"], "float32")
        count = graph.number(lambda: settings["count"], "int64")
        y = x + rate
        n = count + 0
    for rate, count in ((0.5, 7), (0.1, -3), (1e-30, 2**40)):
        settings.update(rate=rate, count=count)
        graph.run()
        assert (to_numpy(y) == np.float32(rate)).all() and to_numpy(n) == count


def test_too_many_numbers(be, graph):
    with pytest.raises(CaptureError, match="at most 64 numbers"), graph:
        for _ in range(65):
            graph.number(lambda: 0.0, "float32")


def test_constants_made_in_a_capture_are_there(be, graph):
    key = ("test_graph", id(graph))
    with graph:
        be.const(key, lambda be: be.xp.arange(5, dtype="f4"))
    np.testing.assert_array_equal(to_numpy(be.const(key, None)), np.arange(5))


@pytest.mark.parametrize(
    "work",
    (
        lambda be, x: float(x.sum()),
        lambda be, x: x.get(),
        lambda be, x: be.xp.asarray(np.ones(3)),
        lambda be, x: x[x > 0],
        lambda be, x: be.xp.dot(x[:, None] + x, x[:, None] + x),
        lambda be, x: be.synchronize(),
    ),
    ids=("value", "copy to the host", "copy from the host", "mask", "dot of CuPy's", "wait"),
)
def test_what_cannot_be_captured(be, graph, work):
    from gpunn.backend.graph import Graph

    x = be.asarray(np.arange(3, dtype="f4"))
    work(be, x)
    with pytest.raises(CaptureError, match="refused it in a capture"), graph:
        x += 1
        work(be, x)
    np.testing.assert_array_equal(to_numpy(x), np.arange(3))
    again = Graph(be)  # the stream is as good as new
    with again:
        x += 1
    again.run()
    np.testing.assert_array_equal(to_numpy(x), np.arange(3) + 1)


def test_numbers_drawn_on_the_host_are_refused(be, graph):
    stream = Stream(1)
    with pytest.raises(CaptureError, match="drawn on the host"), graph:
        stream.words(3)
    stream.words(3)


def test_a_new_stream_is_refused(be, graph):
    with pytest.raises(CaptureError, match="keep one"), graph:
        Stream(1)


def test_the_host_fills_what_it_draws_before_each_run(be, graph):
    stream, same = Stream(1), Stream(1)
    with graph:
        y = be.from_host(Stream.normal, stream, (2, 3), np.float32) * 2
    for _ in range(3):
        graph.run()
        np.testing.assert_array_equal(to_numpy(y), same.normal((2, 3)).astype("f4") * 2)


@pytest.mark.parametrize("order", ["hd", "dh", "hdhhd", "ddhdh"])
def test_host_and_device_draw_of_one_stream_in_turn(be, graph, order):
    stream, same = Stream(1), Stream(1)

    def draw(kind, stream):
        if kind == "h":
            return be.from_host(Stream.normal, stream, (2,), np.float32)
        return be.uniform(stream, (2,))

    draw("d", Stream(2))  # loads the kernel
    with graph:
        made = [draw(kind, stream) + 0 for kind in order]
    for _ in range(3):
        graph.run()
        for kind, x in zip(order, made, strict=True):
            np.testing.assert_array_equal(be.to_numpy(x), be.to_numpy(draw(kind, same)))
    assert stream.position == same.position == 3 * len(order)


def test_an_error_of_the_work_is_its_own(be, graph):
    with pytest.raises(ZeroDivisionError), graph:
        1 / 0  # noqa: B018
    with graph:
        pass
    graph.run()


def test_what_products_work_in_outlives_the_thread_that_captured_them(be):
    import gc
    import threading
    import weakref

    from gpunn.backend import cublas
    from gpunn.backend.graph import Graph

    x, w, y = (be.asarray(np.ones(s, "f4")) for s in ((2, 3), (3, 4), (2, 4)))
    be.dot(x, w)
    kept, handles = [], []

    def capture():
        graph = Graph(be)
        with graph:
            be.dot(x, w, y)
            handles.append(weakref.ref(cublas.handle()))
        kept.append(graph)

    thread = threading.Thread(target=capture)
    thread.start()
    thread.join()
    gc.collect()
    assert handles[0]() is not None
    kept[0].run()
    np.testing.assert_array_equal(to_numpy(y), np.full((2, 4), 3))
    kept.clear()
    gc.collect()
    assert handles[0]() is None
