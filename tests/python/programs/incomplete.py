"""incomplete.py WHAT WHEN: arrays that another thread looks at while they are made.

WHAT is dims, flags, base (by functions of constructors.c), finalize (a subclass shows
itself) or like (an array made after the shape of one that a third thread changes).
WHEN is early, or late: complete before anybody else sees it.
"""

import queue
import sys
import threading
import time

import numpy as np

what, when = sys.argv[1:]
early = when == "early"
shown = queue.SimpleQueue()
seen = threading.Event()


def show(array):
    """Returns once another thread is looking."""
    seen.clear()
    shown.put(array)
    seen.wait()


class Shows(np.ndarray):
    def __array_finalize__(self, parent):
        if early and parent is not None:
            show(self)


def construct():
    if what == "dims":
        constructors.construct(show, early)
    elif what == "finalize":
        array = np.arange(24).view(np.int32, Shows)
        if not early:
            show(array)
    else:
        array = np.arange(24)
        finish = getattr(constructors, f"finish_{what}")
        if not early:
            finish(array)
        show(array)
        if early:
            finish(array)


def look():
    while (array := shown.get()) is not None:
        end = time.monotonic() + 0.02
        while time.monotonic() < end:
            if what == "finalize":
                array.shape
                array.strides
            else:
                constructors.look(array)
            seen.set()  # from now on the array is known to be shared


def reshape(array, lock):
    for i in range(2000):
        with lock:
            array.shape = (4, 6) if i % 2 else (24,)


def like():
    lock = threading.Lock()
    array = np.arange(24)
    time.sleep(0.02)
    third = threading.Thread(target=reshape, args=(array, lock))
    third.start()
    while third.is_alive():
        if early:
            try:
                constructors.like(array)
            except (MemoryError, ValueError):
                pass  # the race's own doing: a shape of two halves
        else:
            with lock:
                constructors.like(array)
    third.join()


if what != "finalize":
    import constructors
if what == "like":
    like()
else:
    other = threading.Thread(target=look, daemon=True)
    other.start()
    for _ in range(12):
        construct()
    shown.put(None)
    other.join()
print("done")
