"""statics.py CALLS THREADS NAME...: calls functions of statics_cases, then prints done."""
import sys
import threading

import statics_cases
import statics_package

calls, threads = int(sys.argv[1]), int(sys.argv[2])
left = []


def leftovers():
    """Locks that nobody releases, as Condition.wait() has one when its time is up."""
    for _ in range(40):
        left.append(threading.Lock())
        left[-1].acquire()


def named(name):
    if name == "leftovers":
        return leftovers
    return getattr(statics_package, name, None) or getattr(statics_cases, name)


functions = [named(name) for name in sys.argv[3:]]
barrier = threading.Barrier(threads)
lock = threading.Lock()


def work():
    barrier.wait()
    for _ in range(calls):
        for function in functions:
            function()


if threads == 1:
    work()
else:
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
print("done")
