"""usage: python live_arrays.py N [--thread]: N live arrays of three numbers.

Prints JSON: peak resident MiB, nanoseconds to make and to free one, CPU milliseconds of
ftsan's scout in a second of rest (null: there is none)
"""

import glob
import json
import os
import resource
import sys
import threading
import time

import numpy as np

n = int(sys.argv[1])
if "--thread" in sys.argv:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def scout_seconds():
    for task in glob.glob("/proc/self/task/*"):
        with open(f"{task}/stat", encoding="utf-8") as file:
            name, _, fields = file.read().partition("(")[2].rpartition(")")
        if name == "ftsan-scout":
            user, system = fields.split()[11:13]
            return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return None


empty = np.empty
began = time.process_time_ns()
arrays = [empty(3) for _ in range(n)]
made = time.process_time_ns()
time.sleep(0.1)
before = scout_seconds()
time.sleep(1)
after = scout_seconds()
freeing = time.process_time_ns()
del arrays
freed = time.process_time_ns()
print(json.dumps({"rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                  "make": (made - began) / n, "free": (freed - freeing) / n,
                  "scout": None if after is None else 1000 * (after - before)}))
