"""The tests of a small project with two bugs: one of its own, one of NumPy's."""

import threading

import halves
import numpy as np


def in_threads(call, n=4, calls=60):
    start = threading.Barrier(n)

    def body():
        start.wait()
        for _ in range(calls):
            try:
                call()
            except (IndexError, TypeError, ValueError):
                pass  # what the bugs do to the program is not what is tested

    threads = [threading.Thread(target=body) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_sum_of_the_first_half():
    values = np.ones(1000)
    in_threads(lambda: halves.sum_first_half(values))


def test_sum_of_the_first_half_safely():
    values = np.ones(1000)
    in_threads(lambda: halves.sum_first_half_safely(values))
    assert halves.sum_first_half_safely(values) == 500


def test_order_by_a_field():
    rows = np.zeros(300, dtype=[("name", "i4"), ("age", "i4")])
    rows["age"] = np.arange(300)[::-1]
    in_threads(lambda: np.argsort(rows, order="age"), n=2, calls=40)


def test_no_threads():
    assert np.argsort(np.arange(3)).tolist() == [0, 1, 2]
