"""Four threads do nothing but repeat the same array.

usage: python repeat_hot.py [KIND [CALLS]]

KIND is what is shared: ndarray, or a subclass (matrix, masked, recarray, user).
"""

import sys
import threading

import numpy as np


class Mine(np.ndarray):
    pass


MAKE = {
    "ndarray": lambda: np.arange(1000),
    "matrix": lambda: np.matrix(np.arange(1000)),
    "masked": lambda: np.ma.MaskedArray(np.arange(1000)),
    "recarray": lambda: np.zeros(1000, dtype=[("x", "i8")]).view(np.recarray),
    "user": lambda: np.arange(1000).view(Mine),
}

kind = sys.argv[1] if len(sys.argv) > 1 else "ndarray"
calls = int(sys.argv[2]) if len(sys.argv) > 2 else 300
shared = MAKE[kind]()
start = threading.Barrier(4)


def read():
    start.wait()
    for _ in range(calls):
        try:
            np.ndarray.repeat(shared, 2, axis=0)
        except ValueError:
            pass  # the bug's own doing


threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
