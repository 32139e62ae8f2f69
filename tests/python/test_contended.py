"""Who is named beside the one that died, or in a hang: by what they do, and who waits for whom."""

import shutil

import pytest
from conftest import built
from deaths import DEADLOCK, SEGV, TIMED_OUT, the_crash, the_hang


@pytest.fixture(scope="session")
def extension(interpreter, tmp_path_factory):
    return built(interpreter, tmp_path_factory.mktemp("contended"), "contended")


DIES = """
import contended, threading, time
shared, another = contended.Shared(), contended.Shared()
def other():
    while True:
        {object}.{use}()
        time.sleep({pause})
threading.Thread(target=other, daemon=True).start()
def culprit():
    shared.{die}()
culprit()
"""


def dies(run, python, extension, die, use, of="shared", pause=0.002):
    script = run.script(DIES.format(object=of, use=use, die=die, pause=pause))
    return the_crash(run.ftsan(python, script, environment=extension), SEGV)


def test_one_that_comes_a_moment_later(run, interpreter, extension):
    crash = dies(run, interpreter, extension, "die_alone", "visit")
    assert crash["title"].startswith("SIGSEGV in Shared.die_alone while thread "), crash
    assert crash["title"].endswith("was in Shared.visit of the same object"), crash
    assert crash["death"]["race"] and crash["death"]["relation"] == "object", crash


BROKEN = """
import contended, threading, time
shared, another = contended.Shared(), contended.Shared()
def use(it):
    while True:
        it.visit()
for it in ({objects}):
    threading.Thread(target=use, args=(it,), daemon=True).start()
time.sleep(0.2)
shared.broken() == 1
"""


def test_the_interpreter_meets_what_two_others_did(run, interpreter, extension):
    script = run.script(BROKEN.format(objects="shared, shared"))
    crash = the_crash(run.ftsan(interpreter, script, environment=extension), SEGV)
    assert crash["title"].count(" was in Shared.visit") == 2, crash
    assert crash["title"].endswith(" of the same object") and crash["death"]["race"], crash


def test_the_interpreter_and_two_at_two_objects(run, interpreter, extension):
    script = run.script(BROKEN.format(objects="shared, another"))
    crash = the_crash(run.ftsan(interpreter, script, environment=extension), SEGV)
    assert "Shared.visit" not in crash["title"] and "race" not in crash["death"], crash


LEAVES = """
import contended, os, sys, threading
shared, another = contended.Shared(), contended.Shared()
threading.Thread(target=shared.die, daemon=True).start()
while not shared.is_dying():
    another.visit()
for _ in range(50):
    another.visit()
{leave}
"""


@pytest.mark.parametrize("leave", ["sys.exit(0)", "os._exit(0)"])
def test_one_that_leaves_meanwhile(run, interpreter, extension, leave):
    """The process dies of the signal, as it does bare."""
    outcome = run.ftsan(interpreter, run.script(LEAVES.format(leave=leave)), environment=extension)
    the_crash(outcome, SEGV)


LOCKED = """
import contended, threading
shared, another = contended.Shared(), contended.Shared()
threading.Thread(target=shared.use_{how}, daemon=True).start()
def culprit():
    shared.die_{how}()
culprit()
"""


@pytest.mark.parametrize("how", ["locked", "in_section"])
def test_one_that_waits_its_turn(run, interpreter, extension, how):
    """It is told of, but it has not done anything yet."""
    script = run.script(LOCKED.format(how=how))
    crash = the_crash(run.ftsan(interpreter, script, environment=extension), SEGV)
    assert "waited for a lock in Shared.use_" + how in crash["title"], crash
    assert "race" not in crash["death"], crash


def test_one_that_waits_its_turn_with_a_gil(run, tmp_path):
    python = shutil.which("python3")
    extension = built(python, tmp_path, "contended")
    script = run.script(LOCKED.format(how="locked"))
    crash = the_crash(run.ftsan(python, script, environment=extension), SEGV)
    assert "waited for a lock in Shared.use_locked" in crash["title"], crash
    assert "race" not in crash["death"], crash


HANGS = """
import contended, threading
one, two = contended.Shared(), contended.Shared()
pairs = ((one, two), (two, one)) if {threads} == 2 else ((one, one),)
threads = [threading.Thread(target=first.{how}, args=(second,), daemon=True) for first, second in pairs]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
MODES = ("race", "latent")


def hangs(run, python, extension, script, mode="race", **settings):
    return the_hang(run, python, script, environment=extension, options="mode=" + mode, **settings)


def says_deadlock(hang, sure):
    title, cause, detail = hang["title"], hang["death"]["cause"], hang["death"]["detail"]
    assert title.count("thread ") == 1 and "waited for a lock in" in title, hang
    if sure is not None:  # whether locks are watched depends on what was imported
        assert cause.startswith("two threads " + ("wait" if sure else "probably wait")), hang
    assert cause.endswith("wait for each other's locks: a deadlock"), hang
    # The main thread may wait, too: for one of the two to end.
    waiting = 2 + detail.count("the main thread waits for the lock at")
    assert detail.count("waits for the lock at") == detail.count(" holds") == waiting, hang
    assert hang["death"]["guilty"] == 2, hang


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", ["take", "take_py"])
def test_two_native_locks(run, interpreter, extension, how, mode):
    """A mutex of libc says who has it; a PyMutex is in the object that the other works with."""
    hang = hangs(run, interpreter, extension, HANGS.format(how=how, threads=2), mode)
    says_deadlock(hang, sure=how == "take")


OF_THE_MODULE = """
import contended, threading
threads = [threading.Thread(target=contended.{one}_of_module, args=(0,), daemon=True),
           threading.Thread(target=contended.take_of_module, args=(1,), daemon=True)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("mode", MODES)
def test_two_locks_of_a_module(run, interpreter, extension, mode):
    """They are in no object: the two threads are the ones that are in the module."""
    hang = hangs(run, interpreter, extension, OF_THE_MODULE.format(one="take"), mode)
    says_deadlock(hang, sure=False)
    assert "take_of_module" in hang["title"], hang


@pytest.mark.parametrize("mode", MODES)
def test_who_has_a_modules_lock_is_elsewhere(run, interpreter, extension, mode):
    """One waits, and who has its lock has left the module, and the process."""
    hang = hangs(run, interpreter, extension, OF_THE_MODULE.format(one="keep"), mode)
    assert hang["death"]["cause"] == "nothing says why", hang
    assert " holds" not in hang["death"].get("detail", ""), hang


def test_one_lock_twice(run, interpreter, extension):
    hang = hangs(run, interpreter, extension, HANGS.format(how="take", threads=1))
    assert hang["death"]["cause"].startswith("a thread waits for a lock that it holds itself"), hang


def test_two_that_sleep_with_their_locks(run, interpreter, extension):
    # To be asked ends a sleep, and then the program ends by itself.
    hang = hangs(run, interpreter, extension, HANGS.format(how="sleep", threads=2),
                 statuses=(66, TIMED_OUT))
    assert hang["death"]["cause"] == "nothing says why" and "detail" not in hang["death"], hang


def test_one_does_not_end_and_is_waited_for(run, interpreter, extension):
    """What does not end is told of, rather than who waits for the end."""
    hang = hangs(run, interpreter, extension, HANGS.format(how="sleep", threads=1),
                 statuses=(66, TIMED_OUT))
    assert hang["title"].endswith("in Shared.sleep"), hang


WAITS = """
import contended, threading
thread = threading.Thread(target=threading.Event().wait, daemon=True)
thread.start()
thread.join()
"""


def test_all_wait(run, interpreter, extension):
    hang = hangs(run, interpreter, extension, WAITS)
    assert hang["title"].endswith("join"), hang
    assert hang["death"]["cause"] == "nothing says why", hang


def test_two_native_locks_with_a_gil(run, tmp_path):
    python = shutil.which("python3")
    extension = built(python, tmp_path, "contended")
    says_deadlock(hangs(run, python, extension, HANGS.format(how="take", threads=2)), sure=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lock", ["Lock", "RLock"])
def test_two_locks_of_python(run, interpreter, extension, lock, mode):
    if interpreter.minor < 14:
        pytest.skip("what a frame has on its stack is known since 3.14")
    says_deadlock(hangs(run, interpreter, extension, DEADLOCK.format(lock=lock, wait=""), mode), sure=None)
