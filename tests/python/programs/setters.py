"""setters.py WHAT HOW: changes an array from one thread, or two.

WHAT: shape, strides, dtype, resize, setflags, setstate
HOW:  ww    two threads change it
      wr    one changes it, one reads it
      one   one thread does both, in turn
      lock  two threads change it, under a lock
      queue two threads hand it to each other
"""

import contextlib
import queue
import sys
import threading
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")
what, how = sys.argv[1:3]
SECONDS = 0.3
HARMLESS = ValueError, RuntimeError, TypeError, IndexError

base = np.arange(48)
array = base[:12] if what == "strides" else np.arange(24)
state = array.__reduce__()[2]
lock = threading.Lock() if how == "lock" else contextlib.nullcontext()


def change(i):
    odd = i % 2
    if what == "shape":
        array.shape = (4, 6) if odd else (24,)
    elif what == "strides":
        array.strides = (8,) if odd else (16,)
    elif what == "dtype":
        array.dtype = np.int32 if odd else np.int64
    elif what == "resize":
        array.resize((24,) if odd else (2, 12), refcheck=False)
    elif what == "setflags":
        array.setflags(write=bool(odd))
    elif what == "setstate":
        array.__setstate__(state)


def read(i):
    array.sum()
    array.shape
    array.strides
    array.flags.writeable


def often(step, start=None):
    if start:
        start.wait()
    end, i = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        with contextlib.suppress(*HARMLESS), lock:
            step(i)
        i += 1


def take_turns(step, mine, other):
    for i in range(300):
        mine.get(timeout=60)
        with contextlib.suppress(*HARMLESS):
            step(i)
        other.put(None)


def run(*threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if how == "one":
    often(lambda i: (change(i), read(i)))
elif how == "queue":
    here, there = queue.Queue(), queue.Queue()
    here.put(None)
    run(threading.Thread(target=take_turns, args=(change, here, there)),
        threading.Thread(target=take_turns, args=(read, there, here)))
else:
    start = threading.Barrier(2)
    run(threading.Thread(target=often, args=(change, start)),
        threading.Thread(target=often, args=(read if how == "wr" else change, start)))
print("done")
