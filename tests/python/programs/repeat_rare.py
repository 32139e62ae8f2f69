"""Two threads read the same array now and then: 20 calls each, at random times.

usage: python repeat_rare.py [THREADS [CALLS]]
"""

import random
import sys
import threading
import time

import numpy as np

THREADS, CALLS = [int(argument) for argument in sys.argv[1:]] or [2, 20]

shared = np.arange(1000)
start = threading.Barrier(THREADS)


def read(seed):
    pause = random.Random(seed)
    start.wait()
    for _ in range(CALLS):
        time.sleep(pause.random() / 500)
        np.repeat(shared, 2)


threads = [threading.Thread(target=read, args=(seed,)) for seed in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
