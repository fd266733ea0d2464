"""Ctrl-C: the first ends an epoch cleanly, the second interrupts."""

import signal
import threading
from contextlib import contextmanager


@contextmanager
def interruptible(model):
    """Turn the first Ctrl-C into a clean stop after the batch at hand."""
    model._interrupted = False
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGINT)
    if previous is not signal.default_int_handler:  # somebody else's handler stays in charge
        yield
        return

    def stop(signum, frame):
        if model._interrupted:
            raise KeyboardInterrupt
        model._interrupted = True
        model.stop_training = True

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
