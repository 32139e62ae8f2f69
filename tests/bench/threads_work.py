"""usage: python threads_work.py THREADS CALLS: that many calls in all, shared out.

Each thread works on arrays of its own and looks at one that all of them share. Prints
JSON: seconds of the clock and of CPU for the calls.
"""

import json
import sys
import threading
import time

import numpy as np

n_threads, n_calls = int(sys.argv[1]), int(sys.argv[2])
shared = np.arange(100.0)
start = threading.Barrier(n_threads + 1)


def work():
    start.wait()
    for _ in range(n_calls // n_threads):
        mine = np.empty(3)
        mine[1:] + shared[2]
        shared.sum()


threads = [threading.Thread(target=work) for _ in range(n_threads)]
for thread in threads:
    thread.start()
start.wait()
began, cpu = time.monotonic(), time.process_time()
for thread in threads:
    thread.join()
print(json.dumps({"wall": time.monotonic() - began, "cpu": time.process_time() - cpu}))
