"""header_words.py FUNCTION THREADS LOCK: calls it on one array, from one thread or several."""

import contextlib
import sys
import threading
import time

import headers
import numpy as np

function, threads, lock = getattr(headers, sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "lock"
array = np.arange(10)
function(array)  # learns what it puts back
guard = threading.Lock() if lock else contextlib.nullcontext()
start = threading.Barrier(threads)


def call():
    start.wait()
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        with guard:
            function(array)


if threads == 1:
    call()
else:
    workers = [threading.Thread(target=call) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
print("done")
