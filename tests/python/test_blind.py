"""A run that watched nothing never looks like one that found nothing."""

import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import xml.etree.ElementTree

import pytest

from conftest import BUILD, build_extension, clean_environment

SHARED = """
import sys, threading
import numpy as np
a = np.zeros(100)
def work():
    for _ in range(400):
        a.sum()
threads = [threading.Thread(target=work) for _ in range(int(sys.argv[1]))]
for thread in threads: thread.start()
for thread in threads: thread.join()
if not threads: work()
"""


# NumPy releases the GIL in these.
LONG_LOOPS = """
import threading
import numpy as np
def work():
    a, own = np.ones(200000), np.ones(200000)
    for loop in [np.sqrt, np.sin, np.exp, np.log, np.negative, np.square, np.rint, np.cos] * 20:
        loop(a, out=own)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def first_line(outcome):
    """Of the summary: the findings come before it."""
    lines = [line for line in outcome.stderr.splitlines()
             if re.match(r"ftsan: (FOUND|CLEAN|NOTHING WATCHED)", line)]
    assert lines, outcome
    return lines[0]


@pytest.fixture
def shared(run):
    return run.script(SHARED)


def test_nothing_imported(run, interpreter):
    outcome = run.ftsan(interpreter, "-c", "pass")
    assert outcome.status == 67
    assert "NOTHING WATCHED (no extension module was loaded" in first_line(outcome)
    assert "ftsan: not watched: " in outcome.stderr
    assert run.ftsan(interpreter, "-c", "raise SystemExit(3)").status == 3
    assert run.ftsan(interpreter, "-c", "pass", options="blindcode=0").status == 0


def test_preloaded_alone(run, numpy_fixed, interpreter, shared):
    """Nobody gives a verdict on all processes then: the first one speaks for itself."""
    nothing = run.preload(interpreter, "-c", "pass")
    assert nothing.status == 0
    assert "NOTHING WATCHED in process " in nothing.stderr
    assert "(no extension module was loaded)" in nothing.stderr
    alone = run.preload(numpy_fixed, shared, "0")
    assert "(only one thread worked with arrays, and a race takes two)" in alone.stderr
    for quiet in (run.preload(numpy_fixed, shared, "3"),
                  run.preload(numpy_fixed, shared, "0", options="mode=latent"),
                  run.preload(interpreter, "-c", "pass", options="print=0")):
        assert (quiet.status, quiet.stderr) == (0, ""), quiet


@pytest.mark.parametrize("suffix", [None, ".so"], ids=["tagged", "plain"])
def test_one_thread_in_an_extension_without_numpy(run, interpreter, tmp_path, suffix):
    """The sampler is for any extension: what was missing is the second thread."""
    build_extension(interpreter, tmp_path, "statics_held", "-DMODULE=statics_held", suffix=suffix)
    program = "import statics_held"
    there = {"PYTHONPATH": str(tmp_path)}
    outcome = run.ftsan(interpreter, "-c", program, environment=there)
    assert outcome.status == 67
    assert "NOTHING WATCHED (no more than one thread was seen in code of extension modules (loaded: " \
           "statics_held), and a race takes two: call it from several threads" in first_line(outcome)
    preloaded = run.preload(interpreter, "-c", program, environment=there)
    assert "(no more than one thread was seen in code of extension modules, and a race takes two)" \
        in preloaded.stderr
    off = run.ftsan(interpreter, "-c", program, environment=there, options="sampler=off")
    assert off.status == 67 and "no extension module that ftsan covers" in first_line(off)


def test_races_need_threads(run, numpy_fixed, shared):
    alone = run.ftsan(numpy_fixed, shared, "0")
    assert alone.status == 67
    assert "only one thread worked with arrays" in first_line(alone)
    together = run.ftsan(numpy_fixed, shared, "3")
    assert together.status == 0
    assert "CLEAN (watched: shapes and strides of arrays (" in first_line(together)


def test_hazards_do_not(run, numpy_fixed, shared):
    outcome = run.ftsan(numpy_fixed, shared, "0", options="mode=latent")
    assert outcome.status == 0
    assert "CLEAN (watched: " in first_line(outcome)


def test_races_with_the_gil(run, numpy_fixed_gil, shared):
    turns = run.ftsan(numpy_fixed_gil, shared, "3")
    assert turns.status == 67
    assert "NOTHING WATCHED (the GIL was on" in first_line(turns)
    released = run.ftsan(numpy_fixed_gil, run.script(LONG_LOOPS))
    assert released.status == 0
    assert re.fullmatch(r"ftsan: CLEAN \(watched: memory instructions of extension modules, "
                        r"of threads that had released the GIL \([0-9]+ executed\)\)", first_line(released))
    latent = run.ftsan(numpy_fixed_gil, shared, "3", options="mode=latent")
    assert latent.status == 0
    assert "CLEAN" in first_line(latent)


def test_an_unknown_cpython(run, interpreter, tmp_path):
    """A copy of the interpreter whose table says that it is of a version to come."""
    binary = pathlib.Path(os.path.realpath(interpreter))
    data = bytearray(binary.read_bytes())
    tables = [match.start() for match in re.finditer(b"xdebugpy", data)
              if struct.unpack_from("<Q", data, match.start() + 8)[0] >> 24 == 3]
    assert tables
    for at in tables:
        struct.pack_into("<Q", data, at + 8, 0x036300f0)
    copy = tmp_path / "python"
    copy.write_bytes(data)
    copy.chmod(0o755)
    home = {"PYTHONHOME": str(binary.parents[1])}
    outcome = run.ftsan(copy, "-c", "import json", environment=home)
    assert outcome.status == 67
    assert re.search(r"NOTHING WATCHED \(CPython 3\.99\.0 is not known to this ftsan.*update ftsan",
                     first_line(outcome)), outcome
    doctor = subprocess.run([BUILD / "ftsan", "doctor", copy], capture_output=True, text=True,
                            env=clean_environment(home), timeout=120)
    assert doctor.returncode == 2, doctor.stdout


def test_an_old_cpython(run):
    """3.10 and before are told by their version, though they have no number for it."""
    home = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv"))
    old = [found for version in ("3.10", "3.9") for found in (
        shutil.which(f"python{version}"), *home.glob(f"versions/{version}.*/bin/python")) if found]
    old = [python for python in old if subprocess.run(
        [python, "-c", "import sys; sys.exit(sys.version_info >= (3, 11))"]).returncode == 0]
    if not old:
        pytest.skip("no CPython 3.9 or 3.10 here")
    outcome = run.ftsan(old[0], "-c", "import json")
    assert outcome.status == 67
    assert re.search(r"NOTHING WATCHED \(CPython 3\.(9|10)\.[1-9]\d* is not known to this ftsan, a "
                     r"release of CPython older", first_line(outcome)), outcome


# --- formats -------------------------------------------------------------------------------


@pytest.fixture
def blind_log(run, interpreter):
    run.ftsan(interpreter, "-c", "pass")
    return run.directory / "run-1" / "log"


def report(format, log, *arguments):
    return subprocess.run([BUILD / "ftsan", "report", "--format", format, *arguments, log],
                          capture_output=True, text=True, env=clean_environment({}), timeout=120)


def test_every_format_says_it(blind_log):
    assert report("text", blind_log).stdout.startswith("ftsan: NOTHING WATCHED (")
    summary = json.loads(report("json", blind_log).stdout)["summary"]
    assert summary["verdict"] == "nothing-watched"
    assert summary["verdict_text"].startswith("NOTHING WATCHED (")
    assert "reference counts" in summary["not_watched"]
    suite = xml.etree.ElementTree.fromstring(report("junit", blind_log).stdout)[0]
    assert int(suite.get("errors")) == 1
    assert len(suite.findall("testcase")) == int(suite.get("tests"))
    assert "NOTHING WATCHED" in suite.find("testcase/error").get("message")
    invocation, = json.loads(report("sarif", blind_log).stdout)["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["properties"]["verdict"] == "nothing-watched"
    assert '<p class="verdict nothing-watched">NOTHING WATCHED' in report("html", blind_log).stdout
    assert report("github", blind_log).stdout.startswith("::error title=ftsan::NOTHING WATCHED")


def test_status_of_reports(blind_log):
    assert report("text", blind_log).returncode == 0
    assert report("text", blind_log, "--exit-code").returncode == 67
    assert report("text", blind_log, "--baseline", blind_log).returncode == 67


# --- children --------------------------------------------------------------------------------

CHILDREN = """
import os, subprocess, sys
child = "import os; print(os.environ.get('LD_PRELOAD'), os.environ.get('X'))"
def go(**how):
    print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True,
                         **how).stdout.strip())
go()
go(env={"X": "1"})
go(env={"X": "2", "LD_PRELOAD": "libm.so.6"})
sys.stdout.flush()
os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-c", child], {"X": "3"}), 0)
pid = os.fork()
if pid == 0:
    os.environ.clear()
    os.execv(sys.executable, [sys.executable, "-c", child])
os.waitpid(pid, 0)
"""


def test_children_with_an_environment_of_their_own(run, interpreter):
    outcome = run.ftsan(interpreter, run.script(CHILDREN))
    library = str(BUILD / "libftsan.so")
    assert outcome.stdout.splitlines() == [f"{library} None", f"{library} 1",
                                           f"{library}:libm.so.6 2", f"{library} 3",
                                           f"{library} None"]
    # The one that was forked is there twice: before and after its exec.
    pids = {record["pid"] for record in outcome.records("process")}
    assert len(pids) == 6, outcome
    assert "without ftsan" not in outcome.stderr


def test_children_that_are_let_go(run, interpreter):
    outcome = run.ftsan(interpreter, run.script(CHILDREN), options="follow=0")
    assert outcome.stdout.splitlines()[1:] == ["None 1", "libm.so.6 2", "None 3", "None None"]
    name = os.path.basename(interpreter)
    assert re.search(rf"4 children were started without ftsan \({name}; follow=0",
                     first_line(outcome)), outcome
    lost = sum(record.get("children_lost", {}).get("n", 0)
               for record in outcome.records("coverage"))
    assert lost == 4


def test_without_the_command_too(run, interpreter):
    outcome = run.preload(interpreter, run.script(CHILDREN))
    assert outcome.stdout.splitlines()[1] == f"{BUILD / 'libftsan.so'} 1"


def test_an_inner_run_keeps_its_own(run, interpreter):
    """What has a library of ours in its environment is somebody else's."""
    source = run.script("""
import os, subprocess, sys
environment = {**os.environ, "LD_PRELOAD": "/nowhere/libftsan.so"}
subprocess.run([sys.executable, "-c", "import os; print(os.environ['LD_PRELOAD'])"],
               env=environment)
""")
    assert run.ftsan(interpreter, source).stdout == "/nowhere/libftsan.so\n"


# --- deaths ----------------------------------------------------------------------------------

DYING = """
import os, signal, sys, time
import numpy as np
a, end = np.zeros(100), time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    a.sum()
if sys.argv[1] == "interrupt":
    raise KeyboardInterrupt
os.system(f"kill -{sys.argv[1]} {os.getpid()}") if len(sys.argv) > 3 else os.kill(
    os.getpid(), int(sys.argv[1]))
time.sleep(5)
"""


@pytest.mark.parametrize("how, number", [("interrupt", signal.SIGINT), ("15", signal.SIGTERM),
                                         ("9", signal.SIGKILL)])
def test_who_dies_by_its_own_hand_has_told_all(run, numpy_fixed, how, number):
    outcome = run.ftsan(numpy_fixed, run.script(DYING), how, "0", options="mode=latent")
    assert outcome.status == 128 + number
    assert re.search(rf"process \d+ died of {number.name}\n", outcome.stderr), outcome
    end, = outcome.records("end")
    assert end["reason"] == "signal" and end["status"] == 128 + number
    assert outcome.coverage["operations_watched"] > 0


def test_who_is_killed_has_told_what_it_watched(run, numpy_fixed):
    outcome = run.ftsan(numpy_fixed, run.script(DYING), "9", "3", "from outside",
                        options="mode=latent")
    assert outcome.status == 137
    assert "died of SIGKILL\n" in outcome.stderr
    assert "wrote no end record: it was killed;" in outcome.stderr
    assert outcome.records("end") == []
    assert "CLEAN (watched: " in first_line(outcome)


def test_a_killed_child_is_told_of(run, interpreter):
    source = run.script("""
import os, signal, subprocess, sys
subprocess.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
subprocess.run(["sh", "-c", "kill -SEGV $$"])
subprocess.run([sys.executable, "-c", "import time; time.sleep(0)"])
""")
    outcome = run.ftsan(interpreter, source)
    assert sorted(record["signal"] for record in outcome.records("child")) == [9, 11]
    assert len(re.findall(r"process \d+ died of SIGKILL\n", outcome.stderr)) == 1
    assert len(re.findall(r"process \d+ died of SIGSEGV\n", outcome.stderr)) == 1


def test_a_signal_that_does_not_kill_ends_nothing(run, interpreter):
    source = run.script("""
import os, signal
signal.signal(signal.SIGTERM, lambda *_: None)
os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), 0)
os.kill(os.getpid(), signal.SIGCHLD)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGINT)
""")
    outcome = run.ftsan(interpreter, source)
    assert outcome.status == 67
    assert outcome.records("end")[-1]["reason"] == "exit"
    assert "died of" not in outcome.stderr
