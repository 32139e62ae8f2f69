"""Asking ftsan, in this process, for a finding of the kind `hang`: every thread's stack."""

import contextlib
import ctypes
import os
import signal
import threading

# Of detector/base/hang.h: what the value of the signal begins with.
MARK = 0x6674680000000000


def ask(seconds):
    """seconds: for how long it was waited. From any thread, where ftsan is loaded."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sigqueue.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
    libc.sigqueue(os.getpid(), signal.SIGTRAP, MARK | int(seconds))


@contextlib.contextmanager
def watch(seconds):
    """Asks once if what is inside has not ended after so many seconds; 0: never."""
    if not seconds:
        yield
        return
    timer = threading.Timer(seconds, ask, [seconds])
    timer.name, timer.daemon = "ftsan-timeout", True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
