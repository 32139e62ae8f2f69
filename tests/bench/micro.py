"""Small things: calls in loops, the engines in C, start-up."""

import json
import subprocess

import measure
import setups
from setups import CONFIGURATIONS, Unavailable

SLICE_NS = 3e6
ROUNDS_MOST = {"asleep for 16 ms": 10}
# So many at a time; more of them would be too many from one line of Python to be all sealed.
KEPT = {"array kept 10 ms, pages side by side": 200, "array kept 10 ms, page on its own": 200}
FOUR_CALLS = "4 mprotect, a page"
LOOPS = ["pass", "np.empty(3)", "np.empty((3, 3))", "np.empty((2, 2, 2, 2))", "a[1:]", "m.T",
         "m.reshape(9)", "a.shape", "a[1]", "a[1] = 2.0", "a.sum()", "a + a", "np.add(a, a)",
         "np.concatenate((a, a))", "np.repeat(a, 2)", "a.copy()", "Cython exception",
         "PyMem_RawMalloc + PyMem_RawFree", "sigprocmask"]
SHARED = ["np.empty(3)", "np.empty((3, 3))", "a[1:]", "a[1]", "a + a", "another thread's a[1]",
          "another thread's a.sum()", "another thread's a + a", "asleep for 16 ms"]


def start_workers(directory, set_number, *arguments, options=""):
    more = {"FTSAN_BENCH_CALLS": str(setups.built("tests/bench/calls.so"))}
    try:
        more["FTSAN_BENCH_CYTHON"] = str(setups.cython_module(directory))
    except Unavailable:
        pass
    return {name: measure.Worker(
                [setups.python("numpy-fixed"), setups.HERE / "loops.py", *arguments],
                setups.environment(name, directory / f"loops-{set_number}-{name[0]}.%p", more,
                                   options),
                directory)
            for name in CONFIGURATIONS}


def rounds_for(worker, name):
    """How often the loop goes round in a slice; the first rounds warm it up."""
    worker.ask(name, 3)
    n = 10
    while (ns := worker.ask(name, n)) * n < SLICE_NS / 4 and n < 1e7:
        n *= 4
    return max(1, min(ROUNDS_MOST.get(name, 10**9), int(SLICE_NS / max(ns, 0.1))))


def measure_loops(group, names, directory, n_sets, n_rounds, *arguments):
    """Each set of processes has another layout of memory, and as many rounds."""
    rows = {name: group.row(name, "ns") for name in names}
    try:
        setups.cython_module(directory)
    except Unavailable as error:
        if "Cython exception" in rows:
            names = [name for name in names if name != "Cython exception"]
            rows["Cython exception"].skip("all", str(error))
    for set_number in range(n_sets):
        workers = start_workers(directory, set_number, *arguments)
        n_times = {name: rounds_for(workers["bare"], name) for name in names}
        for worker in workers.values():
            for name in names:
                worker.ask(name, min(n_times[name], 2000))
        for name in names:
            for _, configuration in measure.interleaved(workers, n_rounds):
                rows[name].add(configuration,
                               workers[configuration].ask(name, n_times[name]))
        for worker in workers.values():
            worker.close()
    return rows


def loops(quick, directory):
    n_sets, n_rounds = (3, 7) if quick else (8, 15)
    group = measure.Group("Loops, one thread", "CPU time of a round, NumPy fixed.")
    measure_loops(group, LOOPS, directory, n_sets, n_rounds)
    yield group
    group = measure.Group("Loops, a second thread alive", "The scout's CPU time counts, too.")
    measure_loops(group, SHARED, directory, n_sets, n_rounds, "--thread")
    yield group
    yield published_arrays(directory, n_sets, n_rounds)


def published_arrays(directory, n_sets, n_rounds):
    """What arrays that live for 10 ms cost. The machine's speed changes from one moment to
    the next, so the calls that they are compared with are made right beside them."""
    group = measure.Group("Arrays that are published", "They live for 15 ms, a second thread is "
                          "alive, and short_lived=0, or one in 32 would be guarded. Over bare: "
                          "next to four mprotect calls of the same round.")
    rows = {name: group.row(name, "ns") for name in KEPT}
    over = {name: group.row(f"{name}: over bare", "ns", reference=FOUR_CALLS) for name in KEPT}
    for set_number in range(n_sets):
        workers = start_workers(directory, f"kept-{set_number}", "--thread",
                                options=":short_lived=0")
        for name, n in KEPT.items():
            for worker in workers.values():
                for _ in range(8):  # until the quarantine is full
                    worker.ask(name, n)
            for _ in range(n_rounds):
                published_round(workers, name, n, rows[name], over[name])
        for worker in workers.values():
            worker.close()
    return group


def published_round(workers, name, n, row, over):
    bare = workers["bare"].ask(name, n)
    row.add("bare", bare)
    four = []
    for mode in ("bare again", *setups.MODES):
        four.append(workers["bare"].ask(FOUR_CALLS, 100))
        took = workers[mode].ask(name, n)
        row.add(mode, took)
        if mode in setups.MODES:
            over.add(mode, max(0, took - bare))
    over.add(FOUR_CALLS, sum(four) / len(four))


def stores(quick, directory):
    """A trapped store in a whole process, next to the least that a trap takes."""
    group = measure.Group("A trapped store in Python's process",
                          "By ctypes, to the shape of an old array; no window.")
    row = group.row("trapped store", "ns", reference="protect, store, fault, unprotect")
    cycle = "protect, store, fault, unprotect"
    for set_number in range(2 if quick else 5):
        workers = start_workers(directory, f"stores-{set_number}")
        for _ in range(5):
            workers["race"].ask("array kept 10 ms, pages side by side", 100)  # `old` gets old
        for _ in range(20):
            row.add(cycle, workers["bare"].ask(cycle, 100))
            row.add("race", workers["race"].ask("trapped store", 100))
        for worker in workers.values():
            worker.close()
    yield group


def engine(quick, directory):
    group = measure.Group("The engines, in C", "Each next to its reference, slice by slice.",
                          columns=("reference", "ftsan"))
    done = subprocess.run([setups.built("tests/bench/bench_engine"), "15" if quick else "60"],
                          cwd=directory, capture_output=True, text=True)
    rows = {}
    for line in done.stdout.splitlines():
        record = json.loads(line)
        if record["name"] not in rows:
            rows[record["name"]] = group.row(record["name"], "ns", reference="reference",
                                             note=record.get("reference", ""))
        row = rows[record["name"]]
        if "skipped" in record:
            row.skip("ftsan", record["skipped"])
            continue
        if record["reference"] != "nothing":
            row.add("reference", record["reference_ns"])
        row.add("ftsan", record["ns"])
    if done.returncode != 0:
        group.row("bench_engine", "ns").skip("all", f"status {done.returncode}: {done.stderr}")
    yield group


PROGRAMS = {"python -c pass": "pass", "python -c 'import numpy'": "import numpy"}


def startup(quick, directory):
    group = measure.Group("Start-up and end", "CPU time of the process, and of the clock.")
    python = setups.python("numpy-fixed")
    command = "ftsan run"
    for name, program in PROGRAMS.items():
        cpu, wall = group.row(name, "ms"), group.row(f"{name}, by the clock", "ms")
        rss = group.row(f"{name}, peak RSS", "MiB")
        for i, configuration in measure.interleaved((*CONFIGURATIONS, command),
                                                    15 if quick else 100):
            log = directory / f"startup-{i}.%p"
            before = [setups.built("ftsan"), "run", "--log", log, "--"] \
                if configuration == command else []
            done = measure.run([*before, python, "-c", program],
                               setups.environment(configuration, log), directory, timeout=None)
            cpu.add(configuration, done.cpu * 1000)
            wall.add(configuration, done.seconds * 1000)
            rss.add(configuration, done.rss)
    yield group
