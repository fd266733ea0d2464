"""Batches of arrays: rows shuffled on the host, gathered where they lie."""

import math

from gpunn.autograd import mutated, wrap
from gpunn.backend import backend_of, current_seed, get_backend
from gpunn.backend.rows import Rows
from gpunn.data.gathered import Gathered
from gpunn.data.nested import filler
from gpunn.data.source import Source

SMALL = 32 << 20  # bytes: up to here, all rows are permuted at once, before each epoch
ON_GPU = 0.5  # of the free memory of a GPU: up to here, data are moved there as a whole
MOST_VIEWS = 1 << 12  # up to here, views of the batches are made once and kept


class ArraySource(Source):
    """Batches of consecutive or shuffled rows of arrays.

    Args:
        nesting: how the arrays make up x, y and sample_weight.
        arrays: of equal length.
        batch_size: default: 32, or what makes `steps` batches of all rows.
        shuffle: whether rows are permuted before each pass.
        steps: batches per epoch; default: all.
        device: where the batches shall lie.
        stream: the random stream of the permutations; the same on every device.
    """

    is_gpunns = True

    def __init__(self, nesting, arrays, batch_size, shuffle, steps, device, stream):
        rows = self.num_samples = arrays[0].shape[0]
        if batch_size is None:
            batch_size = math.ceil(rows / steps) if steps else 32
        self.batch_size = batch_size
        super().__init__(math.ceil(rows / batch_size), steps)
        self._be = get_backend(device)
        size = sum(a.nbytes for a in arrays)
        moved = sum(a.nbytes for a in arrays if backend_of(a) is not self._be)
        if self._be.kind == "cpu" or moved <= ON_GPU * self._be.memory().unused:
            arrays = self._be.send(arrays)
        self._send = self._be.staging()
        self._stream = stream
        if shuffle and stream is None:
            self._stream = current_seed().stream("shuffle")
        self._shuffle = shuffle and rows > 1
        self._here = all(backend_of(a) is self._be for a in arrays)
        self._by_rows = self._shuffle and self._here and self._be.kind == "cuda"
        if self._by_rows:
            arrays = [self._be.xp.ascontiguousarray(a) for a in arrays]
        self._fill, self._arrays = filler(nesting), arrays
        self._buffers = self._views = None
        if self._shuffle and self._here and not self._by_rows and size <= SMALL:
            self._buffers = [self._be.empty(a.shape, a.dtype) for a in arrays]
        if self.batches_per_pass <= MOST_VIEWS and (self._buffers or not self._shuffle):
            self._views = list(self._slices(self._buffers or arrays))

    def first(self):
        """The first batch of rows that are not shuffled."""
        arrays = next(self._slices(self._arrays))
        return self._fill([wrap(a) for a in (arrays if self._here else self._be.send(arrays))])

    def _slices(self, arrays):
        for start in range(0, self.num_samples, self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield [a[rows] for a in arrays]

    def _pass(self):
        if not self._shuffle:
            batches = self._views or self._slices(self._arrays)
        else:
            order = self._stream.permutation(self.num_samples)
            if self._by_rows:
                yield from self._rows(order)
                return
            batches = self._permuted(order) if self._buffers else self._gathered(order)
        fill, send = self._fill, self._send
        for arrays in batches:
            yield fill([wrap(a) for a in (arrays if self._here else send(arrays))])

    def _permuted(self, order):
        """All rows permuted at once: a batch is a view then."""
        be = self._be
        order = be.asarray(order)
        for buffer, array in zip(self._buffers, self._arrays, strict=True):
            mutated(buffer)
            be.copyto(buffer, be.take(array, order))
        return self._views or self._slices(self._buffers)

    def _rows(self, order):
        """On a GPU, where the rows of each batch lie: its graph gathers them as well."""
        order = self._be.asarray(order)
        for start in range(0, self.num_samples, self.batch_size):
            stop = min(start + self.batch_size, self.num_samples)
            yield self._fill([Gathered(Rows(a, order, start, stop)) for a in self._arrays])

    def _gathered(self, order):
        """Each batch gathered from the rows where they lie."""
        backends = [backend_of(a) for a in self._arrays]
        orders = {be: be.asarray(order) for be in set(backends)}
        for start in range(0, self.num_samples, self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield [
                be.take(a, orders[be][rows]) for a, be in zip(self._arrays, backends, strict=True)
            ]
