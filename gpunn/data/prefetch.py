"""Batches made ahead of time, on a thread."""

import contextlib
import contextvars
import queue
import threading

END = object()


def prefetch(iterable, ahead: int):
    """The items of an iterable; a thread makes up to `ahead` of them before they are asked for.

    An error in the thread is raised where its item would have come. The thread ends when the
    iteration does, finished or not.

    >>> list(prefetch(range(3), 2))
    [0, 1, 2]
    """
    items = queue.Queue(maxsize=ahead)
    stopped = threading.Event()

    def put(item) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                return items.put(item, timeout=0.1)

    def work() -> None:
        try:
            for item in iterable:
                put((item, None))
                if stopped.is_set():
                    return
            put((END, None))
        except BaseException as e:
            put((END, e))

    context = contextvars.copy_context()  # the device and seed in force here
    thread = threading.Thread(target=context.run, args=(work,), daemon=True, name="prefetch")
    thread.start()
    try:
        while True:
            item, error = items.get()
            if error is not None:
                raise error
            if item is END:
                return
            yield item
    finally:
        stopped.set()
        thread.join()
