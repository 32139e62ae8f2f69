"""Signals, debuggers and crashes in a real process: as they are bare."""

import os
import resource
import shutil
import signal
import subprocess
import textwrap

import pytest
from conftest import (BUILD, Outcome, assert_repeat_race, assert_silent, clean_environment,
                      read_log)
from test_process import RACE, compiler, racy, survivor  # noqa: F401 (racy is a fixture)

CRASHES = {
    "segv": ("ctypes.string_at(16)", signal.SIGSEGV),
    "abort": ("os.abort()", signal.SIGABRT),
    "kill": ("os.kill(os.getpid(), signal.SIGKILL)", signal.SIGKILL),  # as the OOM killer does
    "trap": ("os.kill(os.getpid(), signal.SIGTRAP)", signal.SIGTRAP),
    "bus": ("f.truncate(0); m[0]", signal.SIGBUS),
    "fpe": ("signal.raise_signal(signal.SIGFPE)", signal.SIGFPE),
    "ill": ("signal.raise_signal(signal.SIGILL)", signal.SIGILL),
}


# --- faulthandler -------------------------------------------------------------------


def test_faulthandler_comes_and_goes(run, racy, numpy_affected):  # noqa: F811
    """Enabled, disabled, registered and on a timer, around a race that is found all the same."""
    script = racy("""
        import faulthandler, signal, sys, tempfile
        def said(file):
            file.seek(0)
            return file.read()
        one, two, three = (tempfile.TemporaryFile("w+") for _ in range(3))
        faulthandler.register(signal.SIGUSR1, file=one, all_threads=True)
        faulthandler.dump_traceback_later(0.05, repeat=True, file=two)
        faulthandler.enable(file=three)
        assert faulthandler.is_enabled()
        asked = threading.Event()
        def ask():
            while not asked.wait(0.01):
                os.kill(os.getpid(), signal.SIGUSR1)
        thread = threading.Thread(target=ask)
        thread.start()
        race()
        faulthandler.disable()
        assert not faulthandler.is_enabled()
        race(3)
        faulthandler.enable(file=three)
        time.sleep(0.1)
        asked.set()
        thread.join()
        faulthandler.cancel_dump_traceback_later()
        faulthandler.unregister(signal.SIGUSR1)
        faulthandler.disable()
        print("Thread 0x" in said(one), "Timeout" in said(two), repr(said(three)))
    """)
    outcome = survivor(run.ftsan, numpy_affected, script)
    assert outcome.stdout == "True True ''\n", outcome
    assert_repeat_race(outcome, script)


@pytest.mark.parametrize("how", ["bare", "preload"])
def test_handlers_of_c_libraries(run, racy, numpy_affected, how):  # noqa: F811
    """sigaction() and signal() from C, installed when arrays are watched already."""
    script = racy("""
        import ctypes, mmap, signal, tempfile
        libc = ctypes.CDLL(None)
        seen = []
        HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int)
        handler = HANDLER(seen.append)
        libc.signal.restype = ctypes.c_void_p
        libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
        address = ctypes.cast(handler, ctypes.c_void_p).value
        np.repeat(shared, 2)
        assert not libc.signal(signal.SIGSEGV, address)
        assert not libc.signal(signal.SIGTRAP, address)
        if "FTSAN_OPTIONS" in os.environ:
            race()
        assert seen == [], seen
        signal.raise_signal(signal.SIGSEGV)
        signal.raise_signal(signal.SIGTRAP)
        assert libc.signal(signal.SIGSEGV, 0) == address
        print(seen)
    """)
    outcome = survivor(getattr(run, how), numpy_affected, script)
    assert outcome.stdout == f"[{signal.SIGSEGV:d}, {signal.SIGTRAP:d}]\n", outcome
    if how == "preload":
        assert_repeat_race(outcome, script)


# --- ends ---------------------------------------------------------------------------


def crash_program(how):
    statement = CRASHES[how][0]
    return textwrap.dedent(f"""\
        import ctypes, mmap, os, signal, tempfile, threading, time
        import numpy as np
        f = tempfile.TemporaryFile()
        f.truncate(4096)
        m = mmap.mmap(f.fileno(), 4096)
        shared = np.arange(10)
        def use():
            while True:
                assert shared.shape == (10,) and np.ones((2, 3)).sum() == 6
                time.sleep(0.001)
        threading.Thread(target=use, daemon=True).start()
        time.sleep(0.05)
        {statement}
    """)


def wait_status(command, environment, directory):
    """Of a process that may write a core."""
    def unlimited():
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    process = subprocess.Popen([str(word) for word in command], env=environment,
                               cwd=directory, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               preexec_fn=unlimited)
    status = os.waitpid(process.pid, 0)[1]
    process.returncode = status
    return status


@pytest.mark.parametrize("how", CRASHES)
def test_deadly_signals_and_cores(run, numpy_fixed, tmp_path, how):
    """The same signal, and a core where there is one bare; of a size that can be kept."""
    program = run.script(crash_program(how))
    sizes, statuses = [], []
    for preload in (False, True):
        directory = tmp_path / f"cwd-{preload}"
        directory.mkdir()
        environment = clean_environment({"OPENBLAS_NUM_THREADS": "1"})
        if preload:
            environment["LD_PRELOAD"] = str(BUILD / "libftsan.so")
            environment["FTSAN_OPTIONS"] = f"log='{directory}/log'"
        statuses.append(wait_status([numpy_fixed, program], environment, directory))
        cores = list(directory.glob("core*"))
        sizes.append(sum(core.stat().st_blocks * 512 for core in cores))
        for core in cores:
            core.unlink()
    assert os.WTERMSIG(statuses[0]) == CRASHES[how][1]
    assert statuses[1] == statuses[0], [hex(status) for status in statuses]
    assert bool(sizes[0]) == bool(sizes[1])
    # 128 MiB more is what its tables may be; the arena's pages are reserved only.
    assert sizes[1] < sizes[0] + (128 << 20), sizes


def test_a_killed_process_keeps_its_findings(run, racy, numpy_affected):  # noqa: F811
    """SIGKILL, by the OOM killer or anybody: what was found is told, and that it was killed."""
    script = racy("""
        import signal
        race()
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    outcome = survivor(run.ftsan, numpy_affected, script)
    assert outcome.status == 128 + signal.SIGKILL, outcome
    assert_repeat_race(outcome, script)
    assert "died of SIGKILL" in outcome.stderr, outcome


# --- debuggers ----------------------------------------------------------------------


def gdb():
    path = shutil.which("gdb")
    if path is None:
        pytest.skip("no gdb")
    return path


def test_under_gdb(run, racy, numpy_affected):  # noqa: F811
    """SIGSEGV goes to the program. gdb keeps SIGTRAP for itself: watchpoints and statics are off,
    and it stops at reads that collide, which are single-stepped, and is told to pass it on."""
    script = racy("race()")
    log = run.directory / "gdb.log"
    commands = ["set confirm off", "set debuginfod enabled off", "set startup-with-shell off",
                f"set environment LD_PRELOAD={BUILD}/libftsan.so",
                f"set environment FTSAN_OPTIONS=log='{log}':watch=0:statics=off",
                "handle SIGSEGV nostop noprint pass", "run", *["signal SIGTRAP"] * 20]
    command = [gdb(), "-q", "-nx", "-batch", *(word for text in commands for word in ("-ex", text)),
               "--args", numpy_affected, script]
    for _ in range(5):  # the race kills the program now and then, as it does bare
        done = subprocess.run([str(word) for word in command], env=clean_environment({}),
                              cwd=run.directory, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", timeout=120)
        if "terminated with" not in done.stdout:
            break
        log.unlink(missing_ok=True)
    if "exited with" not in done.stdout and "Operation not permitted" in done.stderr:
        pytest.skip("no ptrace here")
    assert "exited with code 0102" in done.stdout, done.stdout + done.stderr
    outcome = Outcome(0, done.stdout, done.stderr, {"log": read_log(log)})
    assert_repeat_race(outcome, script)


def test_gdb_attached_and_gone(run, numpy_fixed):
    """In the middle of a program whose threads use arrays: it goes on as if nothing was."""
    program = run.script("""\
import subprocess, sys, os, threading
import numpy as np
shared = np.arange(10)
stop = False
def use():
    while not stop:
        mine = np.ones((2, 3))
        mine.shape = (6,)
        assert shared.shape == (10,) and mine.sum() == 6
threads = [threading.Thread(target=use) for _ in range(3)]
for thread in threads: thread.start()
environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
for _ in range(2):
    done = subprocess.run([sys.argv[1], "-q", "-nx", "-batch", "-ex", "thread apply all bt 3",
                           "-p", str(os.getpid())], env=environment, capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=120)
stop = True
for thread in threads: thread.join()
print("refused" if "not permitted" in done.stderr else done.stdout.count("Thread ") >= 4)
""")
    outcome = run.ftsan(numpy_fixed, program, gdb())
    if outcome.stdout == "refused\n":
        pytest.skip("no ptrace here")
    assert outcome.stdout == "True\n", outcome
    assert_silent(outcome)


# --- interpreters and threads -------------------------------------------------------


def test_subinterpreters(run, racy, numpy_affected):  # noqa: F811
    """Threads in interpreters of their own, which NumPy refuses, beside a race."""
    script = racy("""
        import _interpreters
        results = []
        def inside():
            interpreter = _interpreters.create("legacy")
            failed = _interpreters.exec(interpreter, "sum(range(1000)); import json; json.dumps([1])")
            refused = _interpreters.exec(interpreter, "import numpy")
            _interpreters.destroy(interpreter)
            results.append((failed is None, refused is None))
        threads = [threading.Thread(target=inside) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        if "FTSAN_OPTIONS" in os.environ:
            race()
        print(results)
    """)
    bare = run.bare(numpy_affected, script)
    outcome = survivor(run.preload, numpy_affected, script)
    assert "(True, " in bare.stdout and outcome.stdout == bare.stdout, (bare, outcome)
    assert_repeat_race(outcome, script)


FOREIGN = """
#include <pthread.h>
static void *body(void *f) { ((void (*)(void))f)(); return 0; }
int in_thread(void (*f)(void))
{
	pthread_t thread;
	return pthread_create(&thread, 0, body, f) || pthread_join(thread, 0);
}
"""


@pytest.mark.parametrize("fixed", [False, True])
def test_threads_that_c_made(run, racy, numpy_affected, numpy_fixed, tmp_path, fixed):  # noqa: F811
    """Threads that CPython learns of at their first call, and that are gone behind it."""
    library = tmp_path / "foreign.so"
    subprocess.run([compiler("cc", "gcc", "clang"), "-shared", "-fPIC", "-pthread", "-xc", "-",
                    "-o", library], input=FOREIGN, text=True, check=True)
    script = run.script(RACE + textwrap.dedent(f"""
        import ctypes
        library = ctypes.CDLL("{library}")
        made = threading.Thread
        class Thread(made):  # RACE's threads, made by C
            def start(self):
                body = ctypes.CFUNCTYPE(None)(self.run)
                self.c = made(target=lambda: library.in_thread(body))
                self.c.start()
            def join(self):
                self.c.join()
        threading.Thread = Thread
        race(25)
        print("done")
    """))
    outcome = survivor(run.ftsan, numpy_fixed if fixed else numpy_affected, script)
    assert outcome.stdout == "done\n", outcome
    if fixed:
        assert_silent(outcome)
    else:
        assert_repeat_race(outcome, script)
