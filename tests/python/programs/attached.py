"""Threads that work until the end is asked for: what `ftsan attach` comes to.

usage: python attached.py repeat | apart | graph | idle

Commands, one a line on stdin; each is answered by a line:
tables   in how many places of classes, ufuncs and descriptors is an address of libftsan.so?
raise    (graph) each thread raises on many lines of scikit-image's module, at once
fork     a child uses an array of before and one of its own
run FILE executes FILE, as sys.remote_exec() does
exec     becomes another program
load     loads a library that is not there, or unloads it if it is
block    a thread that blocks SIGTRAP, until the end
end      the threads end; have they computed what they should?
"""

import _ctypes
import array
import ctypes
import os
import random
import signal
import sys
import threading
import time
import warnings

# That forks and threads go badly together is known.
warnings.simplefilter("ignore")

THREADS = 4

# --- work -----------------------------------------------------------------------------


class Work:
    def __init__(self):
        self.stopping = threading.Event()
        self.wrong = 0
        self.threads = []

    def start(self):
        self.prepare()
        self.threads = [threading.Thread(target=self.until_end, args=(seed,))
                        for seed in range(THREADS)]
        for thread in self.threads:
            thread.start()

    def prepare(self):
        pass

    def until_end(self, seed):
        pause = random.Random(seed)
        while not self.stopping.is_set():
            self.step(pause, seed)

    def step(self, pause, seed):
        self.stopping.wait(0.01)

    def end(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return self.wrong


class Repeat(Work):
    """The threads read one array, which is another one every few milliseconds."""

    def prepare(self):
        import numpy
        self.np = numpy
        self.shared = numpy.arange(1000)

    def step(self, pause, seed):
        time.sleep(pause.random() / 500)
        if seed == 0 and pause.random() < 0.2:
            self.shared = self.np.arange(1000)
        try:
            self.wrong += self.np.repeat(self.shared, 2)[-1] != 999
        except ValueError:
            self.wrong += 1  # 2.2.1's own bug


class Apart(Repeat):
    """Each thread has an array of its own, so that 2.2.1 computes what it should."""

    def step(self, pause, seed):
        time.sleep(pause.random() / 500)
        own = self.np.arange(1000)
        for _ in range(5):
            self.wrong += self.np.repeat(own, 2)[-1] != 999


class Graph(Work):
    def prepare(self):
        import numpy
        import skimage.graph
        import skimage.graph._mcp
        self.np, self.graph, self.mcp = numpy, skimage.graph, skimage.graph._mcp
        self.costs = numpy.ones((8, 8))
        self.mistakes = self.make_mistakes()
        self.raising = threading.Event()
        self.done = threading.Barrier(THREADS + 1)
        for mistake in self.mistakes[:8]:  # the module has a cache, and it is in use
            self.make(mistake)

    def make_mistakes(self):
        graph, mcp, costs, np = self.graph, self.mcp, self.costs, self.np
        return [
            lambda: graph.MCP(), lambda: graph.MCP("x"), lambda: graph.MCP(np.float64(1)),
            lambda: graph.MCP(costs, offsets=[(1, 2, 3)]), lambda: graph.MCP(costs, offsets=3),
            lambda: graph.MCP(costs, sampling=3),
            lambda: graph.MCP(costs).find_costs([(100, 100)]),
            lambda: graph.MCP(costs).find_costs(3), lambda: graph.MCP(costs).find_costs([]),
            lambda: graph.MCP(costs).traceback((1, 1)), lambda: graph.MCP(costs).goal_reached(),
            lambda: mcp.make_offsets(), lambda: mcp.make_offsets("a", 1),
            lambda: mcp._offset_edge_map(), lambda: mcp._offset_edge_map(3, 3),
            lambda: mcp._offset_edge_map((3, 3), 3), lambda: graph.MCP_Geometric(3),
            lambda: graph.MCP_Connect(3), lambda: graph.MCP_Connect(costs).create_connection(1),
            lambda: graph.MCP_Flexible(costs).travel_cost("a", 1, 1),
            lambda: graph.MCP_Flexible(costs).update_node("a", 1, 1),
            lambda: mcp._unravel_index_fortran(3, "a"), lambda: mcp._reverse(3),
        ]

    def make(self, mistake):
        try:
            mistake()
        except Exception:
            return
        self.wrong += 1

    def step(self, pause, seed):
        path, cost = self.graph.route_through_array(self.costs, (0, 0), (7, 7))
        self.wrong += len(path) != 8 or cost <= 0
        if self.raising.is_set():
            mistakes = self.mistakes * 5
            pause.shuffle(mistakes)
            for mistake in mistakes:
                self.make(mistake)
            self.done.wait()
            self.raising.clear()

    def raise_all(self):
        self.raising.set()
        self.done.wait()


# --- commands -------------------------------------------------------------------------


def own_ranges():
    with open("/proc/self/maps") as maps:
        for line in maps:
            words = line.split()
            if words[-1].endswith("/libftsan.so"):
                yield [int(end, 16) for end in words[0].split("-")]


def count_words(object, size, ranges):
    words = array.array("Q", ctypes.string_at(id(object), size // 8 * 8))
    return sum(any(begin <= word < end for begin, end in ranges) for word in words)


def tables():
    import numpy as np
    ranges = list(own_ranges())

    class Mine(np.ndarray):
        pass

    classes = [Mine, np.matrix, np.recarray, np.memmap, np.char.chararray, np.ma.MaskedArray]
    found = sum(count_words(each, type.__basicsize__, ranges) for each in classes)
    for each in [*np.ndarray.__dict__.values(), *vars(np).values()]:
        if isinstance(each, (np.ufunc, type(np.ndarray.__len__))):
            found += count_words(each, type(each).__basicsize__, ranges)
    return found


def fork(work):
    import numpy as np
    old = np.arange(24.0).reshape(4, 6)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            new = np.arange(6.0).reshape(2, 3)
            new.shape = (3, 2)
            status = 0 if old.T.sum() == 276 and np.dot(new, new.T).shape == (3, 3) else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


LIBRARY = "libBrokenLocale.so.1"  # a small one of glibc's
loaded = []


def load():
    if loaded:
        _ctypes.dlclose(loaded.pop()._handle)
    else:
        loaded.append(ctypes.CDLL(LIBRARY))
    with open("/proc/self/maps") as maps:
        return LIBRARY in maps.read()


def block(work):
    def body():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTRAP])
        blocked.set()
        work.stopping.wait()

    blocked = threading.Event()
    threading.Thread(target=body).start()
    blocked.wait()


def run(path):
    with open(path) as script:
        exec(compile(script.read(), path, "exec"), {})


def main():
    work = {"repeat": Repeat, "apart": Apart, "graph": Graph, "idle": Work}[sys.argv[1]]()
    work.start()
    print("ready", flush=True)
    while True:
        command, _, argument = sys.stdin.readline().strip().partition(" ")
        if command in ("", "end"):
            print("end", work.end())
            return
        if command == "exec":
            os.execlp("sleep", "sleep", "60")
        answer = {"run": lambda: run(argument), "tables": tables, "load": load, "raise": lambda: work.raise_all(),
                  "fork": lambda: fork(work), "block": lambda: block(work)}[command]()
        print(command, answer, flush=True)


main()
