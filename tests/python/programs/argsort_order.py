"""argsort_order.py [THREADS]: argsort(order=...) is told to read its array, and puts another
dtype into it while it works (numpy/_core/src/multiarray/methods.c, array_argsort())."""

import sys
import threading
import time

import numpy as np

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
array = np.array([(2, 1.5), (1, 0.5)] * 4, dtype=[("key", "i8"), ("value", "f8")])
start = threading.Barrier(threads)


def read():
    start.wait()
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        array.argsort(order="value")


workers = [threading.Thread(target=read) for _ in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(array.dtype.names)
