"""A hot loop's call site makes arrays that die at once, and later ones that threads share."""

import threading

import numpy as np


def make():
    return np.arange(1000)


for _ in range(5000):
    make()

shared = make()
start = threading.Barrier(2)


def read():
    for _ in range(100):
        if start.wait() == 0:
            globals()["shared"] = make()
        start.wait()
        for _ in range(10):
            np.repeat(shared, 2)


threads = [threading.Thread(target=read) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
