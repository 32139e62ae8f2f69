"""numpy#28197: np.repeat() writes to the shape of the array that it only reads."""

import signal

import pytest
from conftest import PROGRAMS, REPEAT, assert_repeat_race, assert_silent, has_findings, until

HOT = PROGRAMS / "repeat_hot.py"
RARE = PROGRAMS / "repeat_rare.py"
SHORT_LIVED = PROGRAMS / "repeat_short_lived.py"
EXIT_FINDINGS = 66

# A program with this bug may die of it, but not of anything else.
DEATHS = {-signal.SIGSEGV, -signal.SIGABRT, 128 + signal.SIGSEGV, 128 + signal.SIGABRT}

# The rare program's threads meet by chance. The thorough run, on a machine of its own,
# expects them to meet each time; a busy machine may need more than one try.
TRIES = 1 if REPEAT >= 20 else 3

repeated = pytest.mark.parametrize("attempt", range(REPEAT))
preloaded = pytest.mark.parametrize("how", ["ftsan", "preload"])


@repeated
@preloaded
@pytest.mark.parametrize("program", [HOT, RARE], ids=["hot", "rare"])
def test_affected(run, numpy_affected, program, how, attempt):
    # The rare one does not die of it alone, but may where a window makes it more likely.
    outcome = until(
        lambda outcome: outcome.findings and not (program is RARE and outcome.status in DEATHS),
        lambda: getattr(run, how)(numpy_affected, program), TRIES)
    assert_repeat_race(outcome, program)
    if outcome.status not in DEATHS or program is RARE:
        assert outcome.status == EXIT_FINDINGS, outcome
    assert "WARNING: ftsan: data race" in outcome.stderr
    assert "SUMMARY: ftsan: data race" in outcome.stderr


@repeated
@preloaded
@pytest.mark.parametrize("program", [HOT, RARE], ids=["hot", "rare"])
def test_fixed(run, numpy_fixed, program, how, attempt):
    outcome = getattr(run, how)(numpy_fixed, program)
    assert_silent(outcome)
    # Silence counts only if the arrays were looked at.
    assert outcome.coverage["buffers_guarded"] >= 40, outcome.coverage


@pytest.mark.parametrize("kind", ["matrix", "masked", "recarray", "user"])
def test_subclasses(run, numpy_affected, numpy_fixed, kind):
    outcome = run.ftsan(numpy_affected, HOT, kind)
    assert_repeat_race(outcome, HOT)
    assert_silent(run.ftsan(numpy_fixed, HOT, kind))


def test_a_hot_site_comes_back(run, numpy_affected, numpy_fixed):
    """Once one of its arrays lives on, or is shared, all are guarded again."""
    outcome = until(has_findings, lambda: run.ftsan(numpy_affected, SHORT_LIVED))
    assert_repeat_race(outcome, SHORT_LIVED)
    outcome = run.ftsan(numpy_fixed, SHORT_LIVED)
    assert_silent(outcome)
    assert 4000 < outcome.coverage["buffers_left_out"]["short_lived"] < 6500, outcome.coverage
    outcome = run.ftsan(numpy_fixed, SHORT_LIVED, options="short_lived=0")
    assert outcome.coverage["buffers_left_out"]["short_lived"] == 0, outcome.coverage


def test_arrays_of_ones_own_are_no_race(run, numpy_affected):
    """The same stores, each thread on an array of its own."""
    assert_silent(run.ftsan(numpy_affected, run.script("""\
import threading
import numpy as np

def read():
    mine = np.arange(1000)
    for _ in range(2000):
        np.repeat(mine, 2)

threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
""")))


def test_a_lock_is_no_race(run, numpy_affected):
    assert_silent(run.ftsan(numpy_affected, run.script("""\
import threading
import numpy as np

shared = np.arange(1000)
lock = threading.Lock()

def read():
    for _ in range(1000):
        with lock:
            np.repeat(shared, 2)

threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
""")))
