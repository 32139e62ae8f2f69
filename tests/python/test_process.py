"""Life in a real process: what a program does besides computing goes on as it did."""

import os
import shutil
import signal
import subprocess
import textwrap

import pytest
from conftest import BLIND, PROGRAMS, assert_repeat_race, assert_silent, build_extension, until

HOT = PROGRAMS / "repeat_hot.py"

# Goes in front of the programs below. The calls of a round are few and seldom, because
# the bug kills programs that overdo it, and the array is old enough to be watched. On a
# busy machine two threads may not meet; rounds go on until the log tells of a finding.
RACE = """\
import os, re, threading, time
import numpy as np

shared = np.arange(1000)

def found():
    log = re.findall("log='([^']*)'", os.environ.get("FTSAN_OPTIONS", ""))
    names = [f"{log[-1]}.{os.getpid()}", log[-1]] if log else []
    for name in filter(os.path.exists, names):
        with open(name) as lines:
            return '"type":"finding"' in lines.read()
    return False

def race(n_rounds=25):
    global shared
    for _ in range(n_rounds):
        shared = np.arange(1000)
        time.sleep(0.02)
        start = threading.Barrier(2)
        def read(seed):
            start.wait()
            for i in range(20):
                time.sleep((i * 7 + seed * 3) % 10 / 10000)
                np.repeat(shared, 2)
        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        if found(): break

"""


@pytest.fixture
def racy(run):
    """A program: RACE, and what it does."""
    def make(body, name="script.py"):
        return run.script(RACE + textwrap.dedent(body), name)

    return make


def compiler(*names):
    for name in names:
        if shutil.which(name):
            return name
    pytest.skip(f"no {' or '.join(names)}")


# --- pytest and faulthandler --------------------------------------------------------


def pytest_command(python, *arguments):
    return [python, "-m", "pytest", "-p", "no:cacheprovider", *arguments]


def test_under_pytest(run, racy, numpy_affected):
    """pytest turns faulthandler on and captures the descriptors of its own process."""
    test = racy("""
        def test_race():
            race()
    """, "test_race.py")
    outcome = run.ftsan(*pytest_command(numpy_affected, test))
    assert "1 passed" in outcome.stdout, outcome
    assert outcome.status == 66, outcome
    assert_repeat_race(outcome, test)
    assert "WARNING: ftsan: data race" in outcome.stderr
    assert "WARNING: ftsan" not in outcome.stdout


def test_under_pytest_without_race(run, racy, numpy_fixed):
    test = racy("""
        def test_race():
            race()
    """, "test_race.py")
    outcome = run.ftsan(*pytest_command(numpy_fixed, test))
    assert "1 passed" in outcome.stdout, outcome
    assert_silent(outcome)


@pytest.mark.parametrize("how", ["bare", "ftsan", "preload"])
def test_real_crashes_stay_crashes(run, interpreter, how):
    script = run.script("""\
import ctypes, faulthandler
faulthandler.enable()
def culprit():
    ctypes.string_at(16)
culprit()
""")
    outcome = getattr(run, how)(interpreter, script)
    assert outcome.status == (128 if how == "ftsan" else 0) + (
        signal.SIGSEGV if how == "ftsan" else -signal.SIGSEGV), outcome
    assert "Fatal Python error: Segmentation fault" in outcome.stderr
    assert "in culprit" in outcome.stderr
    assert [f["kind"] for f in outcome.findings] == ([] if how == "bare" else ["crash"])


def test_crash_after_the_race(run, racy, numpy_affected):
    script = racy("""
        import ctypes, faulthandler
        faulthandler.enable()
        race()
        ctypes.string_at(16)
    """)
    outcome = survivor(run.ftsan, numpy_affected, script)
    assert outcome.status == 128 + signal.SIGSEGV, outcome
    assert "Fatal Python error: Segmentation fault" in outcome.stderr
    assert_repeat_race(outcome, script)


# --- children -----------------------------------------------------------------------


@pytest.mark.parametrize("module", ["math", "numpy"])
def test_fork_with_one_thread_is_no_news(run, numpy_affected, module):
    """CPython counts the threads before a fork and warns when there are several."""
    script = run.script(f"""\
import os, sys, time, {module}
time.sleep(0.05)
if os.fork() == 0:
    os._exit(3)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 3
print(len(os.listdir("/proc/self/task")), "thread")
""")
    command = [numpy_affected, "-W", "error::DeprecationWarning", script]
    bare, outcome = run.bare(*command), run.ftsan(*command, options="blindcode=0")
    # OpenBLAS has threads of its own, with and without ftsan.
    assert (outcome.status, outcome.stdout) == (bare.status, bare.stdout), outcome
    if module == "math":
        assert (outcome.status, outcome.stdout) == (0, "1 thread\n"), outcome


def test_forked_child_goes_on_detecting(run, racy, numpy_affected):
    script = racy("""
        import os
        pid = os.fork()
        if pid == 0:
            race()
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status == 0, status
        print(pid)
    """)
    outcome = run.ftsan(numpy_affected, script, environment={"OPENBLAS_NUM_THREADS": "1"})
    assert outcome.status == 66, outcome
    child = f"log.{outcome.stdout.strip()}"
    assert set(outcome.logs) == {"log", child}
    assert outcome.records("finding", "log") == []
    assert_repeat_race(outcome, script)


def test_parent_goes_on_detecting_after_fork(run, racy, numpy_affected):
    script = racy("""
        import os
        if os.fork() == 0:
            os._exit(0)
        os.wait()
        race()
    """)
    outcome = run.ftsan(numpy_affected, script, environment={"OPENBLAS_NUM_THREADS": "1"})
    assert outcome.status == 66, outcome
    assert_repeat_race(outcome, script)
    assert outcome.records("finding", "log")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(run, racy, numpy_affected, method):
    # Of the bug that is to be found a worker may die, and its result never comes.
    script = racy(f"""
        import multiprocessing, sys

        def worker(n):
            race()
            return n * 2

        if __name__ == "__main__":
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                results = pool.map_async(worker, [1, 2, 3], chunksize=1)
                try:
                    assert results.get(60) == [2, 4, 6]
                except multiprocessing.TimeoutError:
                    sys.exit("a worker has died")
                pool.close()
                pool.join()
    """)
    outcome = until(
        lambda outcome: "a worker has died" not in outcome.stderr,
        lambda: run.ftsan(numpy_affected, script, environment={"OPENBLAS_NUM_THREADS": "1"}))
    assert outcome.status == 66, outcome
    assert_repeat_race(outcome, script)
    assert outcome.records("finding", "log") == []


def test_subprocess_and_exec(run, racy, numpy_affected):
    inner = racy("race()", "inner.py")
    for body in (f"assert subprocess.run([sys.executable, {str(inner)!r}]).returncode in (0, 66)",
                 f"os.execv(sys.executable, [sys.executable, {str(inner)!r}])",
                 f"os._exit(0 if os.posix_spawn(sys.executable, [sys.executable, {str(inner)!r}],"
                 " os.environ) and os.wait()[1] in (0, 66 << 8) else 1)"):
        outer = run.script("import os, subprocess, sys\n" + body + "\n", "outer.py")
        outcome = run.ftsan(numpy_affected, outer)
        assert outcome.status == 66, (body, outcome)
        assert_repeat_race(outcome, inner)


def test_child_with_the_gil(run, interpreter):
    """The preloaded object is in every child process, whatever that is."""
    system = shutil.which("python3", path=os.defpath)
    if system is None:
        pytest.skip("no python3 of the system's")
    script = run.script(f"""\
import subprocess
print(subprocess.run([{system!r}, "-c", "import json, sys; print(json.dumps([6 * 7]))"],
                     capture_output=True, text=True, check=True))
""")
    outcome = run.ftsan(interpreter, script)
    assert_silent(outcome, BLIND)
    assert "stdout='[42]\\n', stderr=''" in outcome.stdout, outcome


def survivor(how, *command):
    """The race overflows NumPy's heap, and now and then the program dies of that, as it
    does bare. What it did before says nothing of what is tested: it runs again."""
    return until(lambda outcome: outcome.status not in (-6, -11, 134, 139),
                 lambda: how(*command), 5)


# --- things programs do to their process --------------------------------------------


@pytest.mark.parametrize("how", ["ftsan", "preload"])
def test_closed_descriptors(run, racy, numpy_affected, how):
    """Stores must never end up in a file that has taken a descriptor's number."""
    script = racy("""
        import os
        os.closerange(3, 1024)
        files = [open(f"user-{i}", "w+b") for i in range(100)]
        for file in files:
            file.write(b"x" * 4096)
            file.flush()
        race()
        for i in range(100):
            with open(f"user-{i}", "rb") as file:
                assert file.read() == b"x" * 4096, i
        print("clean")
    """)
    outcome = survivor(getattr(run, how), numpy_affected, script)
    assert "clean" in outcome.stdout, outcome
    assert outcome.status == 66, outcome
    assert_repeat_race(outcome, script)


def test_tracemalloc(run, racy, numpy_affected):
    script = racy("""
        import tracemalloc
        older = [np.arange(i) for i in range(1, 50)]
        tracemalloc.start()
        mixed = [np.arange(i) for i in range(1, 50)]
        race()
        del older
        tracemalloc.stop()
        del mixed
        after = [np.arange(i) for i in range(1, 50)]
        del after
        print("alive")
    """)
    outcome = survivor(run.ftsan, numpy_affected, script)
    assert (outcome.status, outcome.stdout) == (66, "alive\n"), outcome
    assert_repeat_race(outcome, script)


def test_many_short_threads(run, racy, numpy_affected):
    script = racy("""
        for _ in range(200):
            thread = threading.Thread(target=lambda: np.arange(10).sum())
            thread.start()
            thread.join()
        race()
        print("alive")
    """)
    outcome = survivor(run.ftsan, numpy_affected, script)
    assert (outcome.status, outcome.stdout) == (66, "alive\n"), outcome
    assert_repeat_race(outcome, script)


@pytest.mark.parametrize("end, status, bare", [
    ("os._exit(0)", 66, 66),
    ("os._exit(7)", 7, 7),
    ("sys.exit(7)", 7, 7),
    ("os.kill(os.getpid(), signal.SIGKILL)", 128 + 9, -9),
    ("os.abort()", 128 + 6, -6),
])
def test_ends(run, racy, numpy_affected, end, status, bare):
    script = racy(f"""
        import os, signal, sys
        race()
        {end}
    """)
    for how, expected in (("ftsan", status), ("preload", bare)):
        outcome = survivor(getattr(run, how), numpy_affected, script)
        assert outcome.status == expected, outcome
        assert_repeat_race(outcome, script)


@pytest.mark.parametrize("end, status", [("os._exit(7)", 7), ("pass", BLIND)])
def test_ends_without_race(run, racy, numpy_affected, end, status):
    script = racy(f"""
        import os
        time.sleep(0.02)
        np.repeat(shared, 2)
        {end}
    """)
    outcome = survivor(run.ftsan, numpy_affected, script)
    assert (outcome.status, outcome.findings) == (status, []), outcome


# --- extensions ---------------------------------------------------------------------


def test_exceptions_in_cpp(run, racy, numpy_affected):
    """The unwinder of ours must not take the place of the one that C++ throws with."""
    cxx = compiler("g++", "clang++")
    source = run.directory / "throws.cpp"
    source.write_text("""\
#include <stdexcept>
#include <string>

struct Guard {
	int *count;
	~Guard() { ++*count; }
};

static int deep(int n, int *unwound)
{
	Guard guard{unwound};
	if (n == 0)
		throw std::runtime_error("thrown");
	return deep(n - 1, unwound) + 1;
}

extern "C" int throws(int depth)
{
	int unwound = 0;
	try {
		deep(depth, &unwound);
	} catch (const std::exception &e) {
		return std::string(e.what()) == "thrown" ? unwound : -1;
	}
	return -2;
}
""")
    library = run.directory / "libthrows.so"
    subprocess.run([cxx, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    script = racy(f"""
        import ctypes
        throws = ctypes.CDLL({str(library)!r}).throws
        assert throws(20) == 21
        race()
        assert throws(20) == 21
        print("caught")
    """)
    outcome = survivor(run.ftsan, numpy_affected, script)
    assert (outcome.status, outcome.stdout) == (66, "caught\n"), outcome
    assert_repeat_race(outcome, script)


def wants_gil(run, python):
    """A directory with `wants_gil`, an extension that does not say it can do without."""
    source = run.directory / "wants_gil.c"
    source.write_text("""\
#include <Python.h>

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "wants_gil", .m_size = -1};

PyMODINIT_FUNC PyInit_wants_gil(void)
{
	return PyModule_Create(&module);
}
""")
    build_extension(python, run.directory, "wants_gil", source=source)
    return run.directory


@pytest.fixture
def gil_module(run, interpreter):
    return wants_gil(run, interpreter)


GIL = """\
import os, sys, warnings
warnings.simplefilter("ignore")
assert "PYTHON_GIL" not in os.environ
sys.path.insert(0, os.path.dirname(__file__))
import wants_gil
print(sys._is_gil_enabled())
"""


@pytest.mark.parametrize("how, flags, settings, enabled", [
    ("bare", [], {}, True),
    ("ftsan", [], {}, False),
    ("preload", [], {}, False),
    ("ftsan", [], {"arguments": ["--keep-gil"]}, True),
    ("ftsan", ["-X", "gil=0"], {"arguments": ["--keep-gil"]}, False),
    ("ftsan", ["-X", "gil=1"], {}, True),
    # These have the interpreter look at no variable.
    ("ftsan", ["-I"], {}, True),
    ("ftsan", ["-E"], {}, True),
    ("ftsan", ["-I", "-X", "gil=0"], {}, False),
    ("preload", [], {"options": "keep_gil=1"}, True),
    ("preload", [], {"options": "enabled=0"}, True),
])
def test_module_that_asks_for_the_gil(run, interpreter, gil_module, how, flags, settings, enabled):
    outcome = getattr(run, how)(interpreter, *flags, run.script(GIL), **settings)
    assert outcome.stdout == f"{enabled}\n", outcome
    if how != "bare" and settings.get("options") != "enabled=0":
        modules = outcome.coverage["gil_requested_by"]
        assert any("wants_gil" in module for module in modules), outcome.coverage
        assert outcome.coverage["gil"] == ("on" if enabled else "off")
    if how == "ftsan":
        assert ("ftsan: GIL on: threads took turns" in outcome.stderr) == enabled, outcome


@pytest.mark.parametrize("settings", [{"environment": {"PYTHON_GIL": "1"}}, {"flags": ["-X", "gil=1"]}],
                         ids=["PYTHON_GIL=1", "-X gil=1"])
def test_users_own_python_gil(run, interpreter, settings):
    """The user's word counts, and is told of, though no module asked for anything."""
    script = run.script("import sys; print(sys._is_gil_enabled())")
    outcome = run.ftsan(interpreter, *settings.get("flags", []), script,
                        environment=settings.get("environment", {}))
    assert outcome.stdout == "True\n", outcome
    assert outcome.coverage["gil"] == "on", outcome.coverage
    assert outcome.coverage["gil_requested_by"] == [], outcome.coverage


def test_a_module_that_declares_itself(run, interpreter, gil_module):
    """Twin of the first: nothing asks for the GIL, by whatever phases it is made."""
    outcome = run.ftsan(interpreter, "-c", "import _ctypes, _json, sys; print(sys._is_gil_enabled())")
    assert outcome.stdout == "False\n", outcome
    assert (outcome.coverage["gil"], outcome.coverage["gil_requested_by"]) == ("off", [])
    assert outcome.coverage["counters"]["modules_initialised"] > 0, outcome.coverage


def test_forced_gil_is_in_the_finding(run, racy, numpy_affected):
    wants_gil(run, numpy_affected)
    script = racy("""
        import wants_gil
        race()
    """)
    outcome = survivor(run.ftsan, numpy_affected, script)
    assert_repeat_race(outcome, script)
    assert {finding["gil_forced"] for finding in outcome.findings} == {True}
    outcome = run.ftsan(numpy_affected, racy("race()"))
    assert {finding["gil_forced"] for finding in outcome.findings} == {False}


# --- options ------------------------------------------------------------------------


def test_disabled(run, racy, numpy_affected):
    outcome = run.preload(numpy_affected, racy("race(1)"), options="enabled=0")
    assert (outcome.status, outcome.stderr, outcome.logs) == (0, "", {}), outcome


def test_disabled_by_the_command(run, racy, numpy_affected):
    outcome = run.ftsan(numpy_affected, racy("race(1)"), options="enabled=0")
    assert (outcome.status, outcome.findings) == (0, []), outcome


def test_help(run, interpreter):
    outcome = run.preload(interpreter, "-c", "print('not reached')", options="help=1")
    assert outcome.status == 0, outcome
    assert "not reached" not in outcome.stdout
    assert "window_us" in outcome.stdout + outcome.stderr


@pytest.mark.parametrize("options, message", [
    ("windws=3", "windws"),
    ("slots=many", "slots"),
    ("slots=1", "slots"),
    ("=1", ""),
])
def test_bad_options(run, interpreter, options, message):
    """The preloaded object says so and goes on; the command refuses."""
    outcome = run.preload(interpreter, "-c", "print('alive')", options=options)
    assert (outcome.status, outcome.stdout) == (0, "alive\n"), outcome
    assert "ftsan" in outcome.stderr and message in outcome.stderr, outcome
    outcome = run.ftsan(interpreter, "-c", "print('alive')", options=options)
    assert (outcome.status, outcome.stdout) == (125, ""), outcome
    assert message in outcome.stderr


def test_other_programs_are_left_alone(run):
    for how in ("ftsan", "preload"):
        outcome = getattr(run, how)("sh", "-c", "echo plain; exit 3")
        assert (outcome.status, outcome.stdout) == (3, "plain\n"), outcome
        assert outcome.findings == []
