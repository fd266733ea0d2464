"""Graph: work on a GPU that is captured once, by its driver, and launched again as a whole.

What the host knows anew at each launch (where random streams stand, a learning rate) lies in slots
of device memory, which one small kernel fills before the graph runs; it also fetches the batch.
"""

import threading
import weakref
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import cupy
import numpy as np

from gpunn.backend import cublas
from gpunn.backend.random import Stream, frozen
from gpunn.errors import CaptureError

SLOTS, ARRAYS = 64, 32  # `struct Given` of numbers.cu: what one launch can carry
GIVEN = np.dtype(
    [
        ("number", np.uint64, SLOTS),
        *[(name, np.uint64, ARRAYS) for name in ("from", "to")],
        ("bytes", np.int64, ARRAYS),
    ]
)


class _State(threading.local):
    """The graph that this thread captures, and the stream it does so on."""

    graph: "Graph | None" = None

    def __init__(self):
        self.streams: dict[int, cupy.cuda.Stream] = {}

    def stream(self, device: int):
        """A stream that no work outside of a capture waits for; kept, as cuBLAS is tied to it."""
        found = self.streams.get(device)
        if found is None:
            found = self.streams[device] = cupy.cuda.Stream(non_blocking=True)
        return found


_state = _State()


def capturing() -> "Graph | None":
    """The graph that is being captured by this thread."""
    return _state.graph


@contextmanager
def outside():
    """In a `with` block during a capture: work that is done at once, and once."""
    graph, _state.graph = _state.graph, None
    try:
        if graph is None:
            yield
        else:
            pool = cupy.get_default_memory_pool()
            with cupy.cuda.Stream.null, cupy.cuda.using_allocator(pool.malloc):
                yield
    finally:
        _state.graph = graph


def _is_refusal(error: BaseException | None) -> bool:
    """Whether it is CuPy that raised an error: an error of somebody's layer is his own."""
    if not isinstance(error, RuntimeError | NotImplementedError) or type(error) is CaptureError:
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return True
    return any(p.startswith("cupy") for p in Path(trace.tb_frame.f_code.co_filename).parts)


class Graph:
    """Captures the work of a `with` block, which is not done; `run` does it, again and again.

    Its temporary arrays lie in memory that belongs to the graph alone. Every kernel of the work
    must have run before. What a stream cannot capture, such as a look at values, raises
    CaptureError, and nothing has been changed on the device.

    Args:
        be: the backend of the device.
    """

    def __init__(self, be):
        self.backend = be
        self.results: list = []  # arrays of the graph that somebody reads after each run
        self.pool = cupy.cuda.MemoryPool()
        # a pool that is dropped does not give back what it has
        weakref.finalize(self, self.pool.free_all_blocks).atexit = False
        self._slots = be.zeros((SLOTS,), np.uint64)
        self._reads: list[Callable[[], int]] = []
        self._before: list[tuple[Callable, tuple]] = []
        self.sources: list = []  # contiguous arrays that the next run reads, for those `fed`
        self._fed: list = []
        self._draws: dict[Stream, tuple[int, int]] = {}
        self._graph = None

    def __enter__(self) -> "Graph":
        be = self.backend
        be.activate()
        be.start_graph(self)  # its memory takes the place of that of the steps before
        self._stream = _state.stream(be.device.index)
        self._contexts = [cupy.cuda.using_allocator(self.pool.malloc), self._stream]
        with self._stream:
            cublas.handle()  # making one is refused in a capture
        for context in self._contexts:
            context.__enter__()
        self._frozen = frozen.set(True)
        _state.graph = self
        self._stream.begin_capture()
        return self

    def __exit__(self, kind, error, trace) -> None:
        _state.graph = None
        frozen.reset(self._frozen)
        try:
            self._graph = self._stream.end_capture()
        except cupy.cuda.runtime.CUDARuntimeError as e:
            if error is None:
                error = e
        finally:
            for context in reversed(self._contexts):
                context.__exit__(None, None, None)
            del self._contexts
            self.backend.end_graph()
        if _is_refusal(error):
            raise CaptureError(f"the device refused it in a capture: {error}") from error

    def external(self, array):
        """What stands for somebody's array in the work: itself."""
        return array

    def fed(self, buffer):
        """A buffer that each run fills with what the next one of `sources` holds."""
        if len(self._fed) == ARRAYS:
            raise CaptureError(f"a graph takes at most {ARRAYS} arrays")
        self._fed.append(buffer)
        return buffer

    def note(self, form: str, fn: Callable, args: tuple, lasting: bool = True) -> None:
        """Have something done on the host before each run (form "do", as of a `Call`)."""
        self._before.append((fn, args))

    def number(self, read: Callable[[], float], dtype):
        """A 0-d array that holds what `read()` gives, anew before each run."""
        dtype = np.dtype(dtype)
        at = len(self._reads)
        if at == SLOTS:
            raise CaptureError(f"a graph takes at most {SLOTS} numbers")

        def bits() -> int:
            return int.from_bytes(np.asarray(read(), dtype).tobytes(), "little")

        self._reads.append(bits)
        return self._slots[at : at + 1].view(dtype)[:1].reshape(())

    def drawn(self, stream: Stream):
        """Where the position of a stream's next draw stands: (a slot, draws to add to it)."""
        found = self._draws.get(stream)
        if found is None:
            found = self.number(lambda: stream.position, np.uint64), 0
        slot, count = found
        self._draws[stream] = slot, count + 1
        return slot, count

    def run(self) -> None:
        """Do the work, in the order of the current stream."""
        for function, args in self._before:
            function(*args)
        if self._reads or self._fed:
            given = np.zeros((), GIVEN)
            given["number"][: len(self._reads)] = [read() for read in self._reads]
            for i, (x, buffer) in enumerate(zip(self.sources, self._fed, strict=True)):
                given["from"][i], given["to"][i] = x.data.ptr, buffer.data.ptr
                given["bytes"][i] = x.nbytes
            count, arrays = len(self._reads), np.int32(len(self._fed))
            work = max(SLOTS, *[-(-x.nbytes // 16) for x in self.sources], 0)
            self.backend.launch(
                "numbers", "set_given", work, (self._slots, count, arrays, given[()])
            )
            for stream, (_, count) in self._draws.items():
                stream.move(count)
        self._graph.launch()
        self.sources = []  # what they lie in may be used for other things, later in the stream
