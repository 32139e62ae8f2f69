"""life.py: functions of sampler_life in four threads, beside collections that stop
all threads and interpreters that come and go; prints what each came to."""
import gc
import threading

import sampler_life

try:
    import _interpreters as interpreters
except ImportError:
    interpreters = None

CALLS = {"exception": 1500, "jump": 1500, "signalling": 1600, "thread": 640, "forking": 640,
         "unload": 1280, "attached": 3000}
ROUNDS = 4
results = {name: [] for name in CALLS}
barrier = threading.Barrier(4)
over = threading.Event()


def work():
    barrier.wait()
    for _ in range(ROUNDS):
        for name, n in CALLS.items():
            results[name].append(getattr(sampler_life, name)(n))


def collect():
    while not over.wait(0.002):
        gc.collect(0)


def interpret():
    while not over.wait(0.05):
        one = interpreters.create()
        failed = interpreters.exec(one, "import sampler_life; sampler_life.attached(100)")
        assert failed is None, failed
        interpreters.destroy(one)


others = [threading.Thread(target=collect)]
if interpreters is not None:
    others.append(threading.Thread(target=interpret))
workers = [threading.Thread(target=work) for _ in range(4)]
for thread in others + workers:
    thread.start()
for worker in workers:
    worker.join()
over.set()
for thread in others:
    thread.join()
for name, values in results.items():
    print(name, len(values), *sorted(set(values)))
