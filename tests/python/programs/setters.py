"""setters.py WHAT HOW: one array, changed by a setter.

WHAT is shape, strides, dtype, resize, setflags or setstate. HOW is
ww     two threads change it
wr     one changes it, one reads it
one    one thread does both
lock   two threads, each turn under a lock
queue  two threads, which hand the array over to each other
"""

import queue
import sys
import threading
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")  # setting strides is deprecated
what, how = sys.argv[1:]
base = np.arange(48)
a = base[:12] if what == "strides" else np.arange(24)
state = a.__reduce__()[2]
lock = threading.Lock()
start = threading.Barrier(2)
time.sleep(0.02)  # so old that it is watched


def write(i):
    if what == "shape":
        a.shape = (4, 6) if i % 2 else (24,)
    elif what == "strides":
        a.strides = (8,) if i % 2 else (16,)
    elif what == "dtype":
        a.dtype = np.int32 if i % 2 else np.int64
    elif what == "resize":
        a.resize((24,) if i % 2 else (2, 12), refcheck=False)
    elif what == "setflags":
        a.setflags(write=bool(i % 2))
    elif what == "setstate":
        a.__setstate__(state)


def read(i):
    if what == "setflags":
        a.flags.writeable
    else:
        a.strides
        a.shape
        if i % 8 == 0:
            a.sum()


def turns(function):
    end = time.monotonic() + 0.15
    i = 0
    while time.monotonic() < end:
        try:
            function(i)
        except (ValueError, IndexError, RuntimeError, TypeError):
            if how not in ("ww", "wr"):
                raise
        i += 1


def locked(function):
    def turn(i):
        with lock:
            function(i)

    return turn


def side(function, wrap=lambda function: function):
    start.wait()
    turns(wrap(function))


def both(i):
    write(i)
    read(i)


def partner(mine, other, function):
    for i in range(300):
        mine.get(timeout=60)
        function(i)
        other.put(None)


if how == "one":
    turns(both)
    threads = []
elif how == "queue":
    queues = queue.Queue(), queue.Queue()
    threads = [threading.Thread(target=partner, args=(queues[i], queues[1 - i], [write, both][i]))
               for i in range(2)]
    queues[0].put(None)
else:
    wrap = [locked] if how == "lock" else []
    second = write if how == "ww" else read
    threads = [threading.Thread(target=side, args=(function, *wrap))
               for function in (write, second)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
