"""sampler_rare.py SECONDS RARE HOT...: calls MODULE.FUNCTION of RARE a hundred times a second in
two threads each, and the HOT ones all the time in two others and between; then prints done."""
import importlib
import sys
import threading
import time


def function(word):
    module, name = word.split(".")
    return getattr(importlib.import_module(module), name)


seconds, rare, hot = float(sys.argv[1]), function(sys.argv[2]), [function(w) for w in sys.argv[3:]]
barrier = threading.Barrier(4)
INTERVAL = 0.01


def work(is_rare):
    barrier.wait()
    now = time.monotonic()
    end, due = now + seconds, now
    while now < end:
        if is_rare and now >= due:
            due += INTERVAL
            rare(2)  # the first one stores what is there, zeros
        for call in hot:
            call(20)
        now = time.monotonic()


workers = [threading.Thread(target=work, args=(i < 2,)) for i in range(4)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print("done")
