"""Staging: batches of the host on their way to a GPU, copied while it computes.

A batch goes through pinned memory to a buffer on the device, on a stream of its own, in one copy.
There are two of each, used in turn, so that a copy runs beside the step of the batch before. Events
keep the order: pinned memory is not written before its copy is done, nor is a buffer before the
steps that read it; and steps wait for the copy.
"""

import sys
import weakref
from typing import Any

import cupy
import numpy as np

from gpunn.backend.shared import Shared
from gpunn.backend.words import is_words

ALIGNMENT = 256  # bytes: where each array of a batch starts
TO_DEVICE = 1  # cudaMemcpyHostToDevice


class Staging:
    """Sends batches (lists of arrays) of one data set to a device."""

    def __init__(self, be):
        self._be = be
        be.activate()  # an event belongs to a device
        self._slots = (_Slot(), _Slot())
        self._count = 0
        self._stream: Any = None

    def __call__(self, arrays: list) -> list:
        """The arrays on the device; those of the host are views of a buffer that is used again.

        That is when nobody has them any more, and two batches later at the soonest.
        """
        self._be.activate()
        moves = [isinstance(a, np.ndarray) and not is_words(a) for a in arrays]
        host = [a for a, moved in zip(arrays, moves, strict=True) if moved]
        if not host:
            return self._be.send(arrays)
        if self._stream is None:
            self._stream = cupy.cuda.Stream(non_blocking=True)
            weakref.finalize(self, self._stream.synchronize).atexit = False
        starts, size = [], 0
        for a in host:
            starts.append(size)
            size += -(-a.nbytes // ALIGNMENT) * ALIGNMENT
        now = cupy.cuda.get_current_stream()
        before, slot = self._slots[(self._count + 1) % 2], self._slots[self._count % 2]
        self._count += 1
        before.used.record(now)
        self._prepare(slot, size, now)
        for a, start in zip(host, starts, strict=True):
            part = slot.pinned.host[start : start + a.nbytes]
            np.copyto(part.view(a.dtype).reshape(a.shape), a)
        self._stream.wait_event(slot.used)
        cupy.cuda.runtime.memcpyAsync(
            slot.device.data.ptr, int(slot.pinned.device), size, TO_DEVICE, self._stream.ptr
        )
        slot.copied.record(self._stream)
        now.wait_event(slot.copied)
        sent = iter(
            slot.device[start : start + a.nbytes].view(a.dtype).reshape(a.shape)
            for a, start in zip(host, starts, strict=True)
        )
        return [
            next(sent) if moved else self._be.send([a])[0]
            for a, moved in zip(arrays, moves, strict=True)
        ]

    def _prepare(self, slot: "_Slot", size: int, now) -> None:
        """Make a slot ready to be written on the host."""
        if not slot.copied.done:
            slot.copied.synchronize()
        if slot.pinned is None or slot.pinned.host.size < size:
            slot.pinned = Shared((size,), np.uint8)
        if slot.device is None or slot.device.size < size or slot.holders() > slot.own_holders:
            slot.device = cupy.empty(size, np.uint8)
            slot.own_holders = slot.holders()
            slot.used.record(now)  # work that is under way may still use this memory


class _Slot:
    """One of the two ways that batches take."""

    def __init__(self):
        self.pinned: Shared | None = None
        self.device: Any = None
        self.own_holders = 0
        self.copied = cupy.cuda.Event(disable_timing=True)
        self.used = cupy.cuda.Event(disable_timing=True)

    def holders(self) -> int:
        """How many arrays there are on the device's buffer: each holds its memory."""
        return sys.getrefcount(self.device.data.mem)
