"""sampler.py SECONDS THREADS NAME...: calls MODULE.FUNCTION for so long in each thread, all of
them in turn, then prints done."""
import importlib
import sys
import threading
import time

seconds, threads = float(sys.argv[1]), int(sys.argv[2])
functions = [getattr(importlib.import_module(module), name)
             for module, name in (word.split(".") for word in sys.argv[3:])]
barrier = threading.Barrier(threads)


def work():
    barrier.wait()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for function in functions:
            function(500)


workers = [threading.Thread(target=work) for _ in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print("done")
