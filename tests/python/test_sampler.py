"""The sampler: programs that keep to the rules are silent, and their twins that don't are
found; what it does to a program changes no result."""

import shutil
import subprocess
import sys

import pytest

from conftest import BUILD, HERE, PROGRAMS, assert_silent, build_extension, has_findings, until
from test_doctor import PERF_EVENT_OPEN, REFUSE

LOCKED = ["mutex", "rwlock", "spin", "once", "lazy", "handed", "joined", "semaphore", "local",
          "recycled", "constant"]
BAD_LOCKED = {"bad_mutex": "bad_mutex_state", "bad_rwlock": "bad_rwlock_state",
              "bad_spin": "bad_spin_state", "bad_lazy": "bad_lazy_state",
              "bad_handed": "bad_queue"}
ATOMIC = ["relaxed", "released", "ordered", "count", "compare", "exchange", "spin", "pymutex",
          "single", "many", "versioned", "references", "replaced"]
BAD_ATOMIC = {"bad_count": "bad_counted", "bad_spin": "bad_spin_state",
              "bad_single": "bad_ring", "bad_replaced": "bad_held"}


@pytest.fixture(scope="module")
def modules(interpreter, tmp_path_factory):
    directory = tmp_path_factory.mktemp("sampler")
    for name in ("sampler_locks", "sampler_atomics", "sampler_relaxed"):
        build_extension(interpreter, directory, name, "-O2", "-pthread")
    return directory


def call(run, python, directory, module, names, seconds, options):
    return run.ftsan(python, PROGRAMS / "sampler.py", str(seconds), "4",
                     *(f"{module}.{name}" for name in names), options=options,
                     environment={"PYTHONPATH": str(directory)})


def counted(outcome, name):
    return sum(record["counters"][name] for record in outcome.records("coverage"))


@pytest.mark.parametrize("module, names, mode", [("sampler_locks", LOCKED, "race"),
                                                 ("sampler_atomics", ATOMIC, "race"),
                                                 ("sampler_atomics", ATOMIC, "all"),
                                                 ("sampler_relaxed", ["relaxed"], "race")],
                         ids=["locks", "atomics", "atomics-all", "relaxed"])
def test_who_keeps_to_the_rules_is_never_reported(run, interpreter, modules, module, names, mode):
    outcome = call(run, interpreter, modules, module, names, 2, f"mode={mode}")
    assert "done" in outcome.stdout, outcome
    assert_silent(outcome)
    # Silence means something only where threads were held.
    assert counted(outcome, "sampler_delays") > 50, outcome


def static_of(finding):
    return finding["object"].get("name", "").partition("[")[0]


@pytest.mark.parametrize("module, bad", [("sampler_locks", BAD_LOCKED),
                                         ("sampler_atomics", BAD_ATOMIC)],
                         ids=["locks", "atomics"])
def test_who_does_not_is_found(run, interpreter, modules, module, bad):
    missing = dict(bad)
    for _ in range(3):  # on a busy machine the two threads may hardly meet
        outcome = call(run, interpreter, modules, module, missing, 4, "mode=race")
        assert "done" in outcome.stdout, outcome
        assert outcome.status == (66 if outcome.findings else 0), outcome
        for finding in outcome.findings:
            assert finding["kind"] == "race" and finding["confidence"] == "confirmed", finding
            first, second = finding["stacks"][:2]
            assert first["tid"] != second["tid"], finding
            # Others are of a block that bad_lazy has made.
            assert static_of(finding) in ("", *bad.values()), finding
            for function in [name for name, static in bad.items() if static == static_of(finding)]:
                for stack in (first, second):
                    assert function in [frame.get("function") for frame in stack["frames"]], finding
                missing.pop(function, None)
        if not missing:
            break
    assert not missing, (missing, outcome)


TOTALS = """
import sys, threading
import sampler_locks

def work():
    for _ in range(4000):
        sampler_locks.total(100)

threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
n = 6 * 4000 * 100
sums = sampler_locks.sums()
print("right" if sums == (n, n, n % 256, n / 2, 2**64 - 1) else f"wrong {sums}")
"""


def test_stores_to_sealed_statics_are_made_once(run, interpreter, modules):
    """Both engines are at the same instructions: what they store to is sealed, and they are
    armed."""
    for _ in range(3):
        outcome = run.ftsan(interpreter, run.script(TOTALS),
                            options="mode=race:statics=sampler_locks*:sampler_rate=1000",
                            environment={"PYTHONPATH": str(modules)})
        assert "right" in outcome.stdout, outcome
        assert_silent(outcome)
        assert counted(outcome, "sampler_hits") > 100, outcome
        assert counted(outcome, "statics_traps") > 100, outcome


DIMS = """
import ctypes, threading
import numpy
import sampler_locks

arrays = [numpy.zeros((3, 4)) for _ in range(8)]
# PyArrayObject_fields: head, data, nd, dimensions.
dims = [ctypes.c_void_p.from_address(id(array) + object.__basicsize__ + 16).value
        for array in arrays]

def work(k):
    for i in range(300):
        sampler_locks.total_at(dims[(i + k) % 8], 10)

threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
seen = [tuple(ctypes.c_long.from_address(at + 8 * i).value for i in range(2)) for at in dims]
for at in dims:
    for i, value in enumerate((3, 4)):
        ctypes.c_long.from_address(at + 8 * i).value = value
n = 6 * 300 * 10
print("right" if sum(a for a, _ in seen) == 8 * 3 + n and
      sum(b for _, b in seen) == 8 * 4 + 2 * n else f"wrong {seen}")
"""


def test_stores_to_sealed_dims_are_made_once(run, numpy_fixed, tmp_path):
    build_extension(numpy_fixed, tmp_path, "sampler_locks", "-O2", "-pthread")
    for _ in range(3):
        outcome = run.ftsan(numpy_fixed, run.script(DIMS),
                            options="mode=race:statics=sampler_locks*:sampler_rate=1000",
                            environment={"PYTHONPATH": str(tmp_path)})
        assert "right" in outcome.stdout, outcome
        assert_silent(outcome)
        assert counted(outcome, "sampler_hits") > 100 and counted(outcome, "traps") > 100, outcome


def compiled(directory, name, source):
    """A library that is no extension module."""
    subprocess.run([shutil.which("cc") or "gcc", "-shared", "-fPIC", "-O2", "-o", directory / name,
                    HERE / source], check=True)
    return str(directory / name)


@pytest.mark.parametrize("refused", [[], ["EPERM"]], ids=["perf", "without-perf"])
def test_functions_threads_and_processes_end_as_without(run, interpreter, tmp_path, refused):
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    build_extension(interpreter, tmp_path, "sampler_life", "-O2", "-pthread",
                    "-Wl,--no-as-needed", "-lstdc++",
                    source=HERE / "sampler_life.cpp")
    environment = {"PYTHONPATH": str(tmp_path),
                   "SAMPLER_LIFE_OTHER": compiled(tmp_path, "libother.so", "sampler_other.c")}
    bare = run.bare(interpreter, PROGRAMS / "life.py", environment=environment)
    assert bare.status == 0 and bare.stdout.count("\n") == 7, bare
    under = [BUILD / "engine_under", *refused] if refused else []
    if under and not under[0].exists():
        pytest.skip("the build has no tests")
    for _ in range(2):
        outcome = run.preload(*under, interpreter, PROGRAMS / "life.py", options="mode=race:exitcode=0",
                              environment=environment)
        assert outcome.status == 0 and outcome.stdout == bare.stdout, outcome
        assert counted(outcome, "sampler_delays") > 20, outcome
        # What all threads store to on purpose, and nothing else.
        assert {static_of(finding) for finding in outcome.findings} <= {"shared", "counter",
                                                                       "signals"}, outcome


def test_a_finding_is_seen_again_alone(run, interpreter, modules, tmp_path):
    """By the option that it ends with; and what was mended is silent then."""
    outcome = until(has_findings, lambda: call(
        run, interpreter, modules, "sampler_atomics", ["bad_spin"], 2, "mode=race:statics=off"))
    assert outcome.findings, outcome
    focus = outcome.findings[0]["advice"].partition("focus=")[2]
    assert focus.startswith("sampler_atomics@") and "+0x" in focus, outcome

    again = call(run, interpreter, modules, "sampler_atomics", ["bad_spin"], 2,
                 f"mode=race:statics=off:focus={focus}")
    assert [static_of(finding) for finding in again.findings] == ["bad_spin_state"], again
    assert counted(again, "sampler_met") > 0, again
    # The same instructions, with a lock around them.
    mended = call(run, interpreter, modules, "sampler_atomics", ["spin"], 2,
                  f"mode=race:statics=off:focus={focus}")
    assert_silent(mended)
    assert counted(mended, "sampler_delays") > 5, mended
    # Of another module nothing is armed; of another build of this one, everything.
    other = call(run, interpreter, modules, "sampler_locks", ["bad_mutex"], 1,
                 f"mode=race:statics=off:focus={focus}")
    assert other.findings == [] and counted(other, "sampler_hits") == 0, other
    build_extension(interpreter, tmp_path, "sampler_atomics", "-O2", "-pthread", "-DANOTHER",
                    "-Wl,--build-id=0x00112233445566778899aabbccddeeff")
    rebuilt = call(run, interpreter, tmp_path, "sampler_atomics", ["bad_count", "bad_spin"], 4,
                   f"mode=race:statics=off:focus={focus}")
    assert "bad_counted" in [static_of(finding) for finding in rebuilt.findings], rebuilt


ISLICES = """
import itertools, sys, threading

ROUNDS, THREADS = 40, 4
lock = threading.Lock()
shared = []

def work(barrier):
    barrier.wait()
    for it in shared:
        for _ in range(12):
            if sys.argv[1] == "locked":
                with lock:
                    next(it, None)
            else:
                next(it, None)

for _ in range(ROUNDS):
    # What they iterate over outlives them: it is the count that races, and nothing dies.
    shared[:] = [itertools.islice(itertools.repeat(None), 9) for _ in range(300)]
    barrier = threading.Barrier(THREADS)
    threads = [threading.Thread(target=work, args=(barrier,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("done")
"""


def test_cpythons_own_modules_use_relaxed_atomics(run, interpreter, tmp_path):
    """The default of a socket's timeout, and the twin: an array, which has no lock for this."""
    outcome = run.ftsan(interpreter, run.script("""
import socket, threading, time
socket.socket().close()  # what the first one finds out of the kernel
end = time.monotonic() + 1.5
def sets():
    while time.monotonic() < end:
        for seconds in (1, 2, 3):
            socket.setdefaulttimeout(seconds)
def makes():
    while time.monotonic() < end:
        socket.socket().close()
threads = [threading.Thread(target=target) for target in (sets, makes, makes)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""), options="mode=race")
    assert outcome.status == 0 and outcome.findings == [], outcome
    assert sum(record["counters"]["sampler_met"] for record in outcome.records("coverage")) > 0


def test_the_interpreter_itself(run, interpreter):
    """Its own lists, locks, queues and threads are silent; an iterator that has no lock is
    found."""
    locked = run.ftsan(interpreter, run.script(ISLICES), "locked",
                       options="mode=race:modules=cpython")
    assert "done" in locked.stdout, locked
    assert_silent(locked)
    assert counted(locked, "sampler_delays") > 20, locked

    def found(outcome):
        return [finding for finding in outcome.findings if finding["kind"] == "race"]

    outcome = until(found, lambda: run.ftsan(interpreter, run.script(ISLICES), "shared",
                                             options="mode=race:modules=cpython"), 5)
    assert found(outcome), outcome
    for finding in found(outcome):
        assert "islice" in finding["object"]["description"], finding


def test_the_interpreter_is_sampled_by_its_name_alone(run, interpreter, modules):
    sites = {}
    for choice in ("cpython", "*", "sampler_locks"):
        outcome = call(run, interpreter, modules, "sampler_locks", ["mutex"], 0.3,
                       f"mode=race:modules={choice}")
        assert "done" in outcome.stdout, outcome
        engine, = (record for record in outcome.records("engine") if record["name"] == "sampler")
        assert engine["active"], engine
        sites[choice] = counted(outcome, "sampler_sites")
        assert ("the interpreter's own memory" in outcome.stderr) == (choice != "cpython"), outcome
    assert sites["cpython"] > 50000 and sites["sampler_locks"] < 5000, sites


STORES = """
import contextlib, ctypes, sys, threading, time
import sampler_locks

class Pair(ctypes.Structure):
    _fields_ = [("first", ctypes.c_long), ("second", ctypes.c_long), ("rest", ctypes.c_char * 200)]

pair = Pair()
address = ctypes.addressof(pair)
lock = threading.Lock() if sys.argv[1] == "locked" else contextlib.nullcontext()
end = time.monotonic() + float(sys.argv[2])

def counts():
    while time.monotonic() < end:
        with lock:
            sampler_locks.total_at(address, 3)

def stores():
    while time.monotonic() < end:
        for value in range(1, 200):
            with lock:
                ctypes.memset(address, value, 8)

threads = [threading.Thread(target=work) for work in (counts, counts, stores, stores)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
"""


def refused(python, script, *arguments):
    """The same without perf events."""
    return [sys.executable, "-c", REFUSE, PERF_EVENT_OPEN, 1, python, script, *arguments]


def test_a_store_by_code_that_is_not_sampled(run, interpreter, modules):
    """Where perf events are refused, libc's memset is seen by what it leaves alone."""
    script, settings = run.script(STORES), {"PYTHONPATH": str(modules)}
    options = "mode=race:modules=sampler_locks"
    locked = run.ftsan(*refused(interpreter, script, "locked", 3), options=options,
                       environment=settings)
    if locked.status == 77:
        pytest.skip("no seccomp filters here")
    assert "done" in locked.stdout, locked
    assert locked.status == 0 and locked.findings == [], locked  # two processes, by exec
    assert counted(locked, "sampler_delays") > 20, locked
    outcome = until(has_findings, lambda: run.ftsan(
        *refused(interpreter, script, "racy", 5), options=options, environment=settings), 4)
    assert "done" in outcome.stdout, outcome
    for finding in outcome.findings:
        assert finding["kind"] == "race" and finding["confidence"] == "probable", finding
        assert "who stored is not known" in finding["note"], finding
        frames = [frame.get("function") for frame in finding["stacks"][0]["frames"]]
        assert "total_at" in frames, finding
    assert outcome.findings and counted(outcome, "sampler_changed") > 0, outcome


def test_what_is_called_rarely(run, interpreter, modules):
    """A hundred calls a second in two threads, among others that never end."""
    hot = [f"sampler_locks.{name}" for name in ("mutex", "rwlock", "once", "semaphore", "local")]

    def attempt():
        outcome = run.ftsan(interpreter, PROGRAMS / "sampler_rare.py", "10",
                            "sampler_locks.bad_mutex", *hot, options="mode=race",
                            environment={"PYTHONPATH": str(modules)})
        assert "done" in outcome.stdout, outcome
        return outcome

    outcome = until(has_findings, attempt, 9)
    assert {static_of(finding) for finding in outcome.findings} == {"bad_mutex_state"}, outcome


ITEMS = """
import sys, threading, time
from sampler_items import Items

how, seconds = sys.argv[1], float(sys.argv[2])
shared = Items()
shared.fill(1)
end = time.monotonic() + seconds

def work(k):
    items = Items() if how == "private" else shared
    fill, total = ((items.locked_fill, items.locked_total) if how == "locked"
                   else (items.fill, items.total))
    value = 1
    while time.monotonic() < end:
        for _ in range(20):
            if k < 2 or how == "private":
                # Values come back: a store is often one of what is there.
                value = 1 if how == "constant" else 3 - value
                fill(value)
            if k >= 2:
                total()

threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
"""


@pytest.fixture(scope="module")
def items(interpreter, tmp_path_factory):
    directory = tmp_path_factory.mktemp("items")
    build_extension(interpreter, directory, "sampler_items", "-O2", "-pthread")
    return directory


def items_used(run, interpreter, items, how, seconds):
    outcome = run.ftsan(*refused(interpreter, run.script(ITEMS), how, seconds),
                        options="mode=race", environment={"PYTHONPATH": str(items)})
    if outcome.status == 77:
        pytest.skip("no seccomp filters here")
    assert "done" in outcome.stdout, outcome
    return outcome


def test_a_loop_is_followed_to_the_held_item(run, interpreter, items):
    """Without perf events: a site of a loop traps at any item, and goes on to the held one."""
    outcome = until(has_findings,
                    lambda: items_used(run, interpreter, items, "racy", 4), 4)
    assert counted(outcome, "sampler_followed") > 20, outcome
    for finding in outcome.findings:
        assert finding["kind"] == "race" and finding["confidence"] == "confirmed", finding
        frames = [{frame.get("function") for frame in stack["frames"]}
                  for stack in finding["stacks"][:2]]
        assert all({"fill_items", "total_items"} & names for names in frames), finding
        assert any("fill_items" in names for names in frames), finding


@pytest.mark.parametrize("how", ["locked", "private", "constant"])
def test_items_that_are_locked_private_or_constant(run, interpreter, items, how):
    outcome = items_used(run, interpreter, items, how, 3)
    assert outcome.status == 0 and outcome.findings == [], outcome
    assert counted(outcome, "sampler_delays") > 10, outcome
