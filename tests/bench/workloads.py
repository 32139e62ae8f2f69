"""A guest of the bench that stays, like loops.py: what users do, in slices.

usage: python workloads.py; on standard input lines "NAME THREADS ROUNDS", answered by the
nanoseconds of CPU that a round took, of all threads: each of them does so many rounds
       python workloads.py --once NAME THREADS ROUNDS
"""

import sys
import threading
import time


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def moved(self, by):
        return Point(self.x + by, self.y - by)


def pure():
    """Objects, calls, dictionaries, strings, sorting: no extension has a part in it."""
    points = [Point(i * 0.5, i) for i in range(200)]
    moved = [point.moved(i) for i, point in enumerate(points)]
    words = {}
    for i, point in enumerate(moved):
        words.setdefault(f"key {i % 37}", []).append((point.x, str(point.y)))
    for pairs in words.values():
        pairs.sort(key=lambda pair: pair[1])
    text = ",".join(f"{key}={len(pairs)}" for key, pairs in sorted(words.items()))
    total = 0
    for i in range(1500):
        total += i * i % 7
    return text.upper().split(","), total


def make_small():
    import numpy as np
    m = np.ones((3, 3))

    def small():
        for _ in range(100):
            a = np.empty(3)
            b = a[1:]
            (b + b).sum()
            a.copy()
            m.reshape(9)[1]
            np.concatenate((a, a))
    return small


def make_groupby():
    import numpy as np
    import pandas as pd
    draw = np.random.default_rng(7)
    frame = pd.DataFrame({"k": draw.integers(0, 50, 4000), "s": draw.integers(0, 9, 4000),
                          "x": draw.random(4000), "y": draw.random(4000)})

    def groupby():
        frame.groupby("k").x.mean()
        frame.groupby(["k", "s"]).sum()
        frame.groupby("k").agg({"x": "max", "y": "std"})
        frame.groupby("s").x.transform("mean")
        frame.groupby("s").apply(lambda group: group.x.sum() - group.y.min())
    return groupby


def make_tree():
    import numpy as np
    from sklearn.tree import DecisionTreeClassifier
    draw = np.random.default_rng(7)
    x = draw.random((1500, 10))
    y = (x.sum(axis=1) + draw.random(1500) > 5.5).astype(int)

    def tree():
        DecisionTreeClassifier(max_depth=8, random_state=1).fit(x, y).predict(x)
    return tree


WORK = {"pure": lambda: pure, "small": make_small, "groupby": make_groupby, "tree": make_tree}
# What must be there so that ftsan has something to do with the interpreter's own work.
BESIDE = {"pure": "numpy"}


class Crew:
    """So many threads that stay, and do a slice together."""

    def __init__(self, work, n_threads):
        self.work, self.n_rounds = work, 0
        self.begin, self.end = (threading.Barrier(n_threads + 1) for _ in range(2))
        for _ in range(n_threads):
            threading.Thread(target=self.stay, daemon=True).start()

    def stay(self):
        while True:
            self.begin.wait()
            for _ in range(self.n_rounds):
                self.work()
            self.end.wait()

    def __call__(self, n_rounds):
        self.n_rounds = n_rounds
        self.begin.wait()
        self.end.wait()


def alone(work):
    def run(n_rounds):
        for _ in range(n_rounds):
            work()
    return run


def make(name, n_threads):
    if name in BESIDE:
        __import__(BESIDE[name])
    work = WORK[name]()
    return alone(work) if n_threads == 1 else Crew(work, n_threads)


def main():
    made = {}
    if "--once" in sys.argv:
        name, n_threads, n_rounds = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
        make(name, n_threads)(n_rounds)
        return
    for line in sys.stdin:
        name, n_threads, n_rounds = line.split()
        n_threads, n_rounds = int(n_threads), int(n_rounds)
        if (name, n_threads) not in made:
            made[name, n_threads] = make(name, n_threads)
        began = time.process_time_ns()
        made[name, n_threads](n_rounds)
        print((time.process_time_ns() - began) / n_rounds, flush=True)


main()
