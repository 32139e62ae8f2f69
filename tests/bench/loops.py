"""A guest of the bench that stays: runs slices of small loops, as it is told.

usage: python loops.py [--thread]; on standard input lines "NAME ROUNDS", answered by the
nanoseconds of CPU that a round took, of all threads

--thread: there is a second thread, which sleeps; it made the array `theirs`
FTSAN_BENCH_CALLS: calls.so; FTSAN_BENCH_CYTHON: directory of the module `steps`
"""

import ctypes
import os
import sys
import threading
import time

import numpy as np

a = np.arange(10.0)
m = np.ones((3, 3))
theirs = a
empty = np.empty


class Library:
    """calls.so, if it is there."""

    def __init__(self, path):
        self.library = ctypes.CDLL(path) if path else None

    def __getattr__(self, name):
        function = getattr(self.library, name)
        function.restype, function.argtypes = ctypes.c_double, [ctypes.c_long]
        return function


calls = Library(os.environ.get("FTSAN_BENCH_CALLS"))

if os.environ.get("FTSAN_BENCH_CYTHON"):
    sys.path.insert(0, os.environ["FTSAN_BENCH_CYTHON"])
    import steps
    step = steps.STEPS[0]


def loop(statement):
    """A function that runs the statement so many times; a local name costs least."""
    space = dict(globals())
    exec("def run(n, np=np, a=a, m=m, theirs=theirs, empty=np.empty, range=range):\n"
         "    for _ in range(n):\n        " + statement.replace("\n", "\n        "), space)
    return space["run"]


LOOPS = {
    "pass": "pass",
    "np.empty(3)": "empty(3)",
    "np.empty((3, 3))": "empty((3, 3))",
    "np.empty((2, 2, 2, 2))": "empty((2, 2, 2, 2))",
    "a[1:]": "a[1:]",
    "m.T": "m.T",
    "m.reshape(9)": "m.reshape(9)",
    "a.shape": "a.shape",
    "a[1]": "a[1]",
    "a[1] = 2.0": "a[1] = 2.0",
    "a.sum()": "a.sum()",
    "a + a": "a + a",
    "np.add(a, a)": "np.add(a, a)",
    "np.concatenate((a, a))": "np.concatenate((a, a))",
    "np.repeat(a, 2)": "np.repeat(a, 2)",
    "a.copy()": "a.copy()",
    "Cython exception": "try:\n    step()\nexcept LookupError:\n    pass",
    "another thread's a[1]": "theirs[1]",
    "another thread's a.sum()": "theirs.sum()",
    "another thread's a + a": "theirs + theirs",
}


def keep_and_free(n, stride):
    """Arrays that live for about 15 ms; all but one in `stride` die at once, so that the
    others' pages are neighbours or not. What is counted is one that lived."""
    arrays = [empty(3) for _ in range(n * stride)]
    kept = arrays[::stride]
    del arrays
    time.sleep(0.015)
    for _ in range(64):
        empty(3)  # where no scout runs, allocations see to the time
    time.sleep(0.001)
    del kept


def shape_address(array):
    # Behind the object's head there are data, nd and dimensions (ndarraytypes.h).
    return ctypes.c_void_p.from_address(id(array) + object.__basicsize__ + 16).value


def trapped_stores(n):
    """Stores to the shape of an array that is old, of the value that is there already."""
    function = calls.bench_stores
    function.argtypes = [ctypes.c_long, ctypes.c_void_p]
    return function(n, shape_address(old))


old = np.empty((4, 4))

SPECIAL = {
    "array kept 10 ms, pages side by side": lambda n: keep_and_free(n, 1),
    "array kept 10 ms, page on its own": lambda n: keep_and_free(n, 3),
    "asleep for 16 ms": lambda n: [keep_and_free(0, 1) for _ in range(n)],
}
C_CALLS = {
    "PyMem_RawMalloc + PyMem_RawFree": "bench_raw_memory",
    "sigprocmask": "bench_sigprocmask",
    "4 mprotect, a page": "bench_four_mprotects",
    "protect, store, fault, unprotect": "bench_fault_cycle",
}


def measure(function, n):
    began = time.process_time_ns()
    function(n)
    return (time.process_time_ns() - began) / n


def answer(name, n, compiled):
    if name in SPECIAL:
        return measure(SPECIAL[name], n)
    if name == "trapped store":
        return trapped_stores(n)
    if name in C_CALLS:
        return getattr(calls, C_CALLS[name])(n)
    if name not in compiled:
        compiled[name] = loop(LOOPS[name])
    return measure(compiled[name], n)


def main():
    global theirs
    compiled = {}
    if "--thread" in sys.argv:
        made, rest = threading.Event(), threading.Event()

        def second():
            global theirs
            theirs = np.arange(10.0)
            made.set()
            rest.wait()

        threading.Thread(target=second, daemon=True).start()
        made.wait()
    for line in sys.stdin:
        name, _, n = line.rpartition(" ")
        print(answer(name, int(n), compiled), flush=True)


main()
