"""Programs that die: the finding says of what, in which operation, and what the others did."""

import pathlib
import shutil
import subprocess

import pytest
from conftest import built
from deaths import ABRT, DEADLOCK, FPE, ILL, SEGV, the_crash, the_hang, the_only

# function: signal, confidence, part of the cause, part of the detail
SHAPES = {
    "wild_pointer()": (SEGV, "confirmed", "a pointer to nothing", "nothing is mapped at"),
    "no_address()": (SEGV, "confirmed", "a pointer to nothing", "no address but text"),
    "write_constant()": (SEGV, "confirmed", "may not be used that way", "a constant of crashing."),
    "jump()": (SEGV, "confirmed", "a NULL pointer", "a jump to no code: rip = 0x0 is NULL"),
    "stack_overflow()": (SEGV, "confirmed", "stack was used up", ""),
    "free_twice()": (ABRT, "probable", "freed twice", "double free"),
    "give_up()": (ABRT, "unknown", "gave up by itself", ""),
    "divide(1)": (FPE, "confirmed", "divided by zero", ""),
    "trap()": (ILL, "confirmed", "unreachable", ""),
    "null_node()": (SEGV, "confirmed", "a NULL pointer", ""),
    "Holder().null_field(False)": (SEGV, "confirmed", "a NULL pointer", "+0x18]: "),
}


@pytest.fixture(scope="session")
def extension(interpreter, tmp_path_factory):
    return built(interpreter, tmp_path_factory.mktemp("crashing"), "crashing")


@pytest.mark.parametrize("call", SHAPES)
def test_one_thread(run, interpreter, extension, call):
    number, confidence, cause, detail = SHAPES[call]
    script = run.script(f"import crashing\ndef culprit():\n    crashing.{call}\nculprit()\n")
    outcome = run.ftsan(interpreter, script, environment=extension)
    crash = the_crash(outcome, number)
    assert crash["confidence"] == confidence, crash
    assert cause in crash["death"]["cause"] and detail in crash["death"].get("detail", ""), crash
    assert crash["death"]["signal"] == number.name
    first = crash["stacks"][0]
    name = call.split("(")[-2].split(".")[-1].strip(")")
    if call != "stack_overflow()":  # 64 frames are kept
        assert name in first.get("operation", "") or name == "Holder", first
        assert any(f.get("function") == "culprit" for f in first["frames"]), first
    assert number.name in outcome.stderr, outcome


TWO = """
import crashing, threading, time
holder = crashing.Holder()
def other():
    {other}
def idle():
    time.sleep(60)
for target in (other, idle):
    threading.Thread(target=target, daemon=True).start()
def culprit():
    holder.null_field({wait})
{before}
culprit()
"""


def test_two_threads_at_one_object(run, interpreter, extension):
    script = run.script(TWO.format(other="holder.work()", wait=True, before=""))
    outcome = run.ftsan(interpreter, script, environment=extension)
    crash = the_crash(outcome, SEGV)
    assert "SIGSEGV in Holder.null_field while thread " in crash["title"], crash
    assert crash["title"].endswith("was in Holder.work of the same object"), crash
    assert crash["death"]["race"] and crash["death"]["relation"] == "object", crash
    first, second = crash["stacks"][:2]
    assert first["object"] == second["object"] and first["object_type"] == "Holder"
    assert any(f.get("function") == "other" for f in second["frames"]), second
    assert any(f.get("function") == "idle" for s in crash["stacks"][2:] for f in s["frames"])
    assert "Two threads at the same" in outcome.stderr


def test_two_threads_at_two_objects(run, interpreter, extension):
    """The other thread is told of, but not for the reason."""
    script = run.script(TWO.format(other="crashing.Holder().work()", wait=True, before=""))
    crash = the_crash(run.ftsan(interpreter, script, environment=extension), SEGV)
    assert "race" not in crash["death"], crash
    assert crash["death"].get("relation") in ("module", "method"), crash


@pytest.mark.parametrize("how", ["preload", "faulthandler"])
def test_who_reports_it_makes_no_difference(run, interpreter, extension, how):
    before = "import faulthandler; faulthandler.enable()" if how == "faulthandler" else ""
    script = run.script(TWO.format(other="holder.work()", wait=True, before=before))
    outcome = run.preload(interpreter, script, environment=extension)
    assert outcome.status == -SEGV, outcome
    assert "of the same object" in outcome.findings[0]["title"], outcome
    assert ("Fatal Python error" in outcome.stderr) == (how == "faulthandler"), outcome


@pytest.mark.parametrize("before", ["", "import faulthandler; faulthandler.enable()"])
def test_two_die_at_a_time(run, interpreter, extension, before):
    """The finding is of a fault, and not of what faulthandler sends after it."""
    script = run.script(f"""
import crashing, threading
{before}
start = threading.Barrier(2)
def culprit():
    start.wait()
    crashing.wild_pointer()
threading.Thread(target=culprit).start()
culprit()
""")
    crash = the_crash(run.ftsan(interpreter, script, environment=extension), SEGV)
    assert "nothing is mapped at" in crash["death"].get("detail", ""), crash
    assert "silent" not in crash["death"] and len(crash["stacks"]) == 2, crash


def test_what_was_lived_through_is_not_told(run, interpreter, extension):
    """A handler may be left by siglongjmp(): nobody says then that the fault is over."""
    script = run.script("""
import crashing, signal, threading
def culprit():
    crashing.recover()
    signal.pthread_kill(threading.get_ident(), signal.SIGSEGV)
thread = threading.Thread(target=culprit)
thread.start()
thread.join()
""")
    crash = the_crash(run.ftsan(interpreter, script, environment=extension), SEGV)
    assert "gave up by itself" in crash["death"]["cause"] and "detail" not in crash["death"], crash


def test_another_one_lived_through_a_fault(run, interpreter, extension):
    script = run.script("""
import crashing, faulthandler, threading, time
faulthandler.enable()
ready = threading.Event()
def other():
    crashing.recover()
    ready.set()
    time.sleep(60)
threading.Thread(target=other, daemon=True).start()
ready.wait()
crashing.wild_pointer()
""")
    crash = the_crash(run.ftsan(interpreter, script, environment=extension), SEGV)
    assert "nothing is mapped at" in crash["death"].get("detail", ""), crash


def test_two_others_at_one_object(run, interpreter, extension):
    """Who meets a corrupted heap need not have to do with it: the two that may have are told."""
    script = run.script("""
import crashing, threading, time
holder = crashing.Holder()
for _ in range(2):
    threading.Thread(target=holder.work, daemon=True).start()
time.sleep(0.3)
crashing.free_twice()
""")
    crash = the_crash(run.ftsan(interpreter, script, environment=extension), ABRT)
    assert crash["title"].startswith("SIGABRT in crashing.free_twice while thread "), crash
    assert crash["title"].count(" was in Holder.work") == 2, crash
    assert crash["title"].endswith(" of the same object"), crash
    assert crash["death"]["guilty"] == 3 and crash["death"]["relation"] == "object", crash


FATAL = """
import ctypes, os
{before}
ctypes.pythonapi.Py_FatalError(b"it is over")
"""


@pytest.mark.parametrize("before", ["", "import faulthandler; faulthandler.enable()"])
def test_a_fatal_error(run, interpreter, before):
    crash = the_crash(run.ftsan(interpreter, run.script(FATAL.format(before=before))), ABRT)
    assert crash["death"]["detail"].startswith("Fatal Python error: "), crash
    assert crash["death"]["detail"].endswith("it is over"), crash
    assert "interpreter gave up" in crash["death"]["cause"], crash


def test_a_fatal_error_of_a_child(run, interpreter):
    """Its parent was in the middle of such a message when it forked."""
    script = run.script("""
import ctypes, os
assert os.write(1, b"Fatal Python error: ") == 20
pid = os.fork()
if pid == 0:
    ctypes.pythonapi.Py_FatalError(b"it is over")
assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == 6
os.write(1, b"\\n")
""")
    crash = the_only(run.ftsan(interpreter, script), "crash", 66)
    assert crash["death"].get("detail", "").endswith("it is over"), crash


def test_an_abort_with_faulthandler(run, interpreter):
    """It prints "Fatal Python error: Aborted", which is no reason."""
    script = run.script("import faulthandler, os\nfaulthandler.enable()\nos.abort()\n")
    crash = the_crash(run.ftsan(interpreter, script), ABRT)
    assert "detail" not in crash["death"] and crash["confidence"] == "unknown", crash


def test_others_write_such_things(run, interpreter):
    """Of no importance; and what can't be written has the error that it has bare."""
    script = run.script("""
import ctypes, errno, os
assert os.write(1, b"Fatal Python error: ") == 20
assert os.write(1, b"not really") == 10 and os.write(1, b"\\n") == 1
libc = ctypes.CDLL(None, use_errno=True)
for n in (20, 21):
    assert libc.write(1, ctypes.c_void_p(8), n) == -1 and ctypes.get_errno() == errno.EFAULT
""")
    outcome = run.ftsan(interpreter, script)
    assert outcome.stdout == "Fatal Python error: not really\n" and outcome.findings == [], outcome


def test_the_core_is_of_the_instruction(run, interpreter, extension, tmp_path):
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    if shutil.which("gdb") is None or pattern.startswith("|") or "/" in pattern:
        pytest.skip("no gdb, or cores go elsewhere")
    script = run.script("import crashing\ncrashing.wild_pointer()\n")
    outcome = run.preload("sh", "-c", 'cd "$1" && ulimit -c unlimited && exec "$2" "$3"', "sh",
                          tmp_path, interpreter, script, environment=extension)
    core = next(tmp_path.glob("core*"), None)
    if core is None:
        pytest.skip("no core may be written here")
    shown = subprocess.run(["gdb", "-nx", "-batch", "-ex", "bt 1", interpreter, core],
                           capture_output=True, text=True, timeout=120).stdout
    core.unlink()
    assert len(outcome.findings) == 1 and "#0" in shown, (outcome, shown)
    assert "wild_pointer" in next(line for line in shown.splitlines() if line.startswith("#0"))


def test_nobody_dies(run, interpreter, extension):
    script = run.script("import crashing\nfor _ in range(1000):\n    crashing.nothing()\n")
    outcome = run.ftsan(interpreter, script, environment=extension)
    assert outcome.findings == [] and outcome.status in (0, 67), outcome


HANDLED = """
import crashing, ctypes, faulthandler, os, signal
libc = ctypes.CDLL(None)
libc.signal.restype = ctypes.c_void_p
for number in (signal.SIGABRT, signal.SIGFPE, signal.SIGILL):
    # Nobody has a handler as far as the program can tell.
    assert signal.getsignal(number) == signal.SIG_DFL
    assert not libc.signal(number, None), number
    seen = []
    signal.signal(number, lambda *_: seen.append(1))
    os.kill(os.getpid(), number)
    assert seen == [1]
    signal.signal(number, signal.SIG_IGN)
    os.kill(os.getpid(), number)
    signal.signal(number, signal.SIG_DFL)
    assert not libc.signal(number, None), number
print("fine")
"""


def test_handled_signals_are_the_programs(run, interpreter, extension):
    outcome = run.ftsan(interpreter, run.script(HANDLED), environment=extension)
    assert outcome.findings == [] and outcome.stdout == "fine\n", outcome


def test_a_signal_from_outside(run, interpreter, extension):
    script = run.script("import os, subprocess, sys\n"
                        "subprocess.run(['kill', '-ABRT', str(os.getpid())])\n")
    crash = the_crash(run.ftsan(interpreter, script, environment=extension), ABRT)
    assert crash["death"]["detail"].startswith("sent by process "), crash


def test_switched_off(run, interpreter, extension):
    script = run.script("import crashing\ncrashing.jump()\n")
    outcome = run.ftsan(interpreter, script, environment=extension, options="crash=0")
    assert outcome.status == 128 + SEGV and outcome.findings == [], outcome


def test_children_and_their_parents(run, interpreter, extension):
    """The child's is the child's; a forked child has its own."""
    script = run.script("""
import crashing, os
pid = os.fork()
if pid == 0:
    crashing.jump()
assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == 11
""")
    outcome = run.ftsan(interpreter, script, environment=extension)
    the_only(outcome, "crash", 66)


def test_with_a_gil(run, tmp_path):
    python = shutil.which("python3")
    environment = built(python, tmp_path, "crashing")
    script = run.script(TWO.format(other="holder.work()", wait=True, before=""))
    outcome = run.ftsan(python, script, environment=environment)
    assert outcome.status == 128 + SEGV, outcome
    assert outcome.findings[0]["title"].endswith("was in Holder.work of the same object"), outcome


def test_a_hang(run, interpreter):
    hang = the_hang(run, interpreter, DEADLOCK.format(lock="Lock", wait=""))
    functions = [f.get("function") for s in hang["stacks"] for f in s["frames"]]
    assert functions.count("both") == 2 and len(hang["stacks"]) == 3, hang


def test_an_end_in_time(run, interpreter):
    outcome = run.ftsan(interpreter, run.script(DEADLOCK.format(lock="Lock", wait="0.4")),
                        arguments=["--timeout", "30"])
    assert outcome.status in (0, 67) and outcome.findings == [], outcome
