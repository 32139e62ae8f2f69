"""The tests of a small project with three bugs, one in each of its modules.

EXAMPLE_THREADS=N runs each test's calls in N threads, EXAMPLE_MENDED=1 calls what the
bugs were mended in.
"""

import os
import threading
import time

import halves
import numpy as np
import running
import tally

THREADS = int(os.environ.get("EXAMPLE_THREADS", "4"))
MENDED = os.environ.get("EXAMPLE_MENDED") == "1"
# Of all threads: a busy machine gives them less, so it takes longer. One meets nobody.
CPU_SECONDS = 0.8 if THREADS > 1 else 0.1
SECONDS_MOST = 10


def in_threads(call):
    start = threading.Barrier(THREADS)

    def body():
        start.wait()
        end, last = time.process_time() + CPU_SECONDS, time.monotonic() + SECONDS_MOST
        while time.process_time() < end and time.monotonic() < last:
            for _ in range(20):
                try:
                    call()
                except (IndexError, TypeError, ValueError):
                    pass  # what the bugs do to the program is not what is tested

    if THREADS == 1:
        return body()
    threads = [threading.Thread(target=body) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_sum_of_the_first_half():
    values = np.ones(1000)
    call = halves.sum_first_half_safely if MENDED else halves.sum_first_half
    in_threads(lambda: call(values))


def test_digest():
    call = tally.digest_safely if MENDED else tally.digest
    in_threads(lambda: call(b"0123456789"))


def test_running_mean():
    mean = running.LockedMean() if MENDED else running.Mean()
    in_threads(lambda: mean.add(1.0))


def test_what_threads_do_not_share():
    in_threads(lambda: running.LockedMean().add(np.ones(3).sum()))
