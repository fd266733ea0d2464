"""Graph: work on a GPU that is captured once, by its driver, and launched again as a whole.

What the host knows anew at each launch (where random streams stand, a learning rate, where the
batch lies) it writes to memory that it shares with the GPU. The graph's first kernel reads that,
puts the numbers into slots of device memory, and fetches the batch.
"""

import threading
import weakref
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import cupy
import numpy as np

from gpunn.backend import cublas
from gpunn.backend.late import make_all
from gpunn.backend.random import Renewed, Stream, frozen
from gpunn.backend.rows import Rows
from gpunn.backend.shared import Shared
from gpunn.errors import CaptureError, NotLoadedError

# `struct Given` of numbers.cu, in words of 8 bytes: what one launch can carry
SLOTS, ARRAYS = 64, 32
GIVEN = SLOTS + 5 * ARRAYS
AHEAD = 16  # launches that the host may be ahead of the GPU


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
_ready: set[tuple] = set()  # see `Graph.ready`


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
    must have run before: those that say that they have not (`ready`) are loaded after the block,
    which raises NotLoadedError then. What a stream cannot capture, such as a look at values, raises
    CaptureError, and nothing has been changed on the device.

    Args:
        be: the backend of the device.
        fed: contiguous arrays that each run fills with what `sources` holds.
    """

    def __init__(self, be, fed=()):
        if len(fed) > ARRAYS:
            raise CaptureError(f"a graph takes at most {ARRAYS} arrays, not {len(fed)}")
        self.backend = be
        self.results: list = []  # arrays of the graph that somebody reads after each run
        self.pool = cupy.cuda.MemoryPool()
        self.sources: list = []  # what the next run reads: contiguous arrays, or Rows
        self._fed = list(fed)
        self._slots = be.zeros((SLOTS,), np.uint64)
        self._reads: list[Callable[[], int]] = []
        self._before: list[tuple[Callable, tuple]] = []
        self._draws: dict[Stream, int] = {}  # how many
        self._positions: dict[Stream, cupy.ndarray] = {}  # the slots where they stand
        self._graph = None
        self._not_ready: dict[tuple, None] = {}  # in the order of the work
        self.takes_arrays = False  # whether the host's arrays that take part never change
        self._lifted: list = []  # those arrays, as they were and on the device
        self._ring = Shared((AHEAD, GIVEN), np.uint64)
        self._counts = be.zeros((2,), np.uint32)  # launches, and blocks that are done with one
        self._read = [cupy.cuda.Event(disable_timing=True) for _ in range(AHEAD)]
        self._runs = 0
        device = cupy.cuda.Device(be.device.index)
        weakref.finalize(self, _let_go, device, self.pool, self._ring, self._read).atexit = False

    def __enter__(self) -> "Graph":
        be = self.backend
        be.activate()
        make_all()  # what was asked for before is no part of this graph
        be.start_graph(self)  # its memory takes the place of that of the steps before
        self._stream = _state.stream(be.device.index)
        self._contexts = [cupy.cuda.using_allocator(self.pool.malloc), self._stream]
        with self._stream:
            # making one is refused in a capture, and so may be loading a kernel; what it works in
            # lasts as long as the graph
            self._products = cublas.handle()
        be.function("numbers", "set_given")
        for context in self._contexts:
            context.__enter__()
        self._frozen = frozen.set(True)
        _state.graph = self
        self._stream.begin_capture()
        size = max(SLOTS, *[-(-x.nbytes // 16) for x in self._fed], 0)
        counts = self._counts[0:1], self._counts[1:2]
        lengths = np.int32(SLOTS), np.int32(len(self._fed))
        ring = self._ring.device, np.uint32(AHEAD)
        be.launch("numbers", "set_given", size, (self._slots, *lengths, *ring, *counts))
        return self

    def __exit__(self, kind, error, trace) -> None:
        if error is None:
            make_all()
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
        if error is None and self._not_ready:
            for kernel, _, kinds in self._not_ready:
                kernel(*[1.0 if kind is None else cupy.ones(kind[1:], kind[0]) for kind in kinds])
            _ready.update(self._not_ready)
            raise NotLoadedError("kernels were not loaded; they are now")

    def external(self, array):
        """What stands for somebody's array in the work: itself."""
        return array

    def lift(self, x: np.ndarray):
        """An array of the host's as a constant on the device."""
        with outside():
            found = cupy.asarray(x)
        self._lifted.append((x, x.copy(), found))
        return found

    def require_same_arrays(self) -> None:
        """Raise if an array that was taken for a constant has been changed since."""
        if any(x.tobytes() != then.tobytes() for x, then, _ in self._lifted):
            raise CaptureError("an array that takes part is changed while it runs")

    def ready(self, kernel, args) -> bool:
        """Whether an elementwise kernel has been loaded for arguments like these.

        If not, it is to be left out: the work is captured again, when it is.
        """
        kinds = tuple(
            [
                (x.dtype, *[min(n, 2) for n in x.shape]) if isinstance(x, cupy.ndarray) else None
                for x in args
            ]
        )
        key = (kernel, self.backend.device.index, kinds)
        if key not in _ready:
            self._not_ready[key] = None
        return key in _ready

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
        if type(stream) is Renewed:
            raise CaptureError("a new random stream at every step cannot be recorded: keep one")
        if stream not in self._positions:
            self._positions[stream] = self.number(lambda: stream.position, np.uint64)
        return self._positions[stream], self._next_draw(stream)

    def _next_draw(self, stream: Stream) -> int:
        count = self._draws.get(stream, 0)
        self._draws[stream] = count + 1
        return count

    def from_host(self, draw, stream: Stream, shape, dtype):
        """An array that the host fills with `draw(stream, shape)` before each run."""
        count = self._next_draw(stream)
        with outside():
            drawn = self.backend.empty(shape, dtype)

        def fill():
            drawn.set(draw(stream.ahead(count), shape).astype(dtype))

        self._before.append((fill, ()))
        return drawn

    def run(self) -> None:
        """Do the work, in the order of the current stream."""
        self.backend.activate()
        for function, args in self._before:
            function(*args)
        at = self._runs % AHEAD
        if self._runs >= AHEAD and not self._read[at].done:
            self._read[at].synchronize()  # the GPU has yet to read what stands there
        given = self._ring.host[at]
        given[: len(self._reads)] = [read() for read in self._reads]
        lying = [
            word
            for x, buffer in zip(self.sources, self._fed, strict=True)
            for word in (*_lying(x), buffer.data.ptr)
        ]
        given[SLOTS : SLOTS + len(lying)] = lying
        self._graph.launch()
        self._read[at].record()
        self._runs += 1
        for stream, count in self._draws.items():
            stream.move(count)
        self.sources = []  # what they lie in may be used for other things, later in the stream


def _lying(x) -> tuple[int, int, int, int]:
    """Where an array or Rows lies: from where, which rows (0: all), bytes of one, how many."""
    if type(x) is Rows:
        source, order = x.source, x.order
        row = source.nbytes // len(source)
        return source.data.ptr, order.data.ptr + order.itemsize * x.start, row, x.shape[0]
    return x.data.ptr, 0, x.nbytes, 1


def _let_go(device, pool, ring, read) -> None:
    """Give back the memory of a graph, which may still be running."""
    for event in read:
        if not event.done:
            event.synchronize()
    del ring
    with device:
        pool.free_all_blocks()  # a pool that is dropped does not give back what it has
