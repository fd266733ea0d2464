"""The three products of a convolution by cuBLAS, with a matrix of what the windows see (im2col)."""

from math import prod

from gpunn.backend.cuda.window import window_of
from gpunn.backend.cupy_ import INDEX, cuda_type, index_type, pack, wide

STRIP = 1 << 26  # bytes of such a matrix: that of some images at a time


class Columns:
    """Products of arrays x (n, *size, groups * channels), y (n, *out, filters) and a kernel.

    Groups are batches of strided matrices: no operand of a product is copied.

    Args:
        be: the backend.
        images: n.
        dtype: of all arrays.
        kernel: the shape (*taps, channels, filters).
        win: the window.
        groups: of the channels and filters.
    """

    def __init__(self, be, images: int, dtype, kernel, win, groups: int):
        self.be, self.dtype, self.win, self.groups = be, dtype, win, groups
        self.channels, self.width = kernel[-2], prod(kernel[:-1])
        self.places = prod(win.out)
        # a window of one tap sees the array as it lies
        self.plain = win.size == win.out and prod(win.taps) == 1 and set(win.strides) == {1}
        of_image = self.places * groups * self.width * dtype.itemsize
        step = max(images if self.plain else STRIP // max(of_image, 1), 1)
        self.strips = [slice(i, min(i + step, images)) for i in range(0, images, step)]

    def correlate(self, x, kernel, y) -> None:
        """Fill y: what the windows see, times the kernel."""
        for s in self.strips:
            self.be.matmul(self._seen(x[s]), self._by_group(kernel), self._by_group(y[s]))

    def spread(self, y, kernel, x) -> None:
        """Fill x: y times the kernel, summed where it was seen from."""
        turned = self._by_group(kernel).swapaxes(1, 2)
        for s in self.strips:
            if self.plain:
                self.be.matmul(self._by_group(y[s]), turned, self._by_group(x[s]))
                continue
            columns = self._empty(y[s], wide(self.dtype))  # rounded when it is summed
            self.be.matmul(self._by_group(y[s]), turned, columns.swapaxes(0, 1))
            self._launch("from_columns", x[s], columns, x[s].size, wide(self.dtype))

    def weights(self, x, y, kernel) -> None:
        """Fill the kernel, or its gradient: what the windows see, times y, summed over places."""
        total = dw = self._by_group(kernel)
        dtype = wide(self.dtype) if len(self.strips) > 1 else dw.dtype
        if dtype != dw.dtype:
            total = self.be.empty(dw.shape, dtype)
        for s in self.strips:
            seen = self._seen(x[s]).swapaxes(1, 2)
            part = self.be.empty(dw.shape, dtype) if s.start else total
            self.be.matmul(seen, self._by_group(y[s]), part)
            if s.start:
                total += part
        if total is not dw:
            self.be.copyto(dw, total)
        if not self.strips:
            kernel.fill(0)

    def _by_group(self, x):
        """An array whose last axis are groups as (groups, rows, columns)."""
        return x.reshape(-1, self.groups, x.shape[-1] // self.groups).swapaxes(0, 1)

    def _empty(self, images, dtype):
        return self.be.empty((len(images) * self.places, self.groups, self.width), dtype)

    def _seen(self, x):
        """What the windows see of some images: (groups, places, taps * channels)."""
        if self.plain:
            return self._by_group(x)
        columns = self._empty(x, self.dtype)
        self._launch("to_columns", columns, x, columns.size)
        return columns.swapaxes(0, 1)

    def _launch(self, name, result, values, size: int, *more) -> None:
        """A kernel that moves packs of channels, of 16 bytes where they fit."""
        at_once = pack(self.dtype, self.channels, result, values)
        index = index_type(result.size, values.size)
        kinds = ", ".join(map(cuda_type, (self.dtype, *more)))
        counts = (self.groups, self.channels, size // at_once)
        args = (result, values, window_of(self.win, index), *map(INDEX[index], counts))
        self.be.launch("columns", f"{name}<{kinds}, {index}, {at_once}>", size // at_once, args)
