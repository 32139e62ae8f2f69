"""Who is named beside the one that died, or in a hang: by what they do, and who waits for whom."""

import shutil

import pytest
from test_crash import SEGV, built, the_crash


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


LEAVES = """
import contended, os, sys, threading
shared, another = contended.Shared(), contended.Shared()
threading.Thread(target=shared.die, daemon=True).start()
while not shared.is_dying():
    another.visit()
for _ in range(5):
    another.visit()
{leave}
"""


@pytest.mark.parametrize("leave", ["sys.exit(0)", "os._exit(0)"])
def test_one_that_leaves_meanwhile(run, interpreter, extension, leave):
    """The process dies of the signal, as it does bare."""
    outcome = run.ftsan(interpreter, run.script(LEAVES.format(leave=leave)), environment=extension)
    assert "race" not in the_crash(outcome, SEGV)["death"], outcome


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
