"""What the tests of crashes and hangs share."""

import signal

SEGV, ABRT, FPE, ILL = signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL
TIMED_OUT = 124

# Two threads, each with the lock that the other one waits for.
DEADLOCK = """
import threading
one, two, ready = threading.{lock}(), threading.{lock}(), threading.Barrier(2)
def both(first, second):
    with first:
        ready.wait()
        with second:
            pass
threads = [threading.Thread(target=both, args=pair, daemon=True) for pair in ((one, two), (two, one))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join({wait})
"""


def the_only(outcome, kind, *statuses):
    assert outcome.status in statuses, outcome
    assert [finding["kind"] for finding in outcome.findings] == [kind], outcome
    return outcome.findings[0]


def the_crash(outcome, number):
    crash = the_only(outcome, "crash", 128 + number)
    assert outcome.records("end")[-1]["reason"] == "signal", outcome
    return crash


def the_hang(run, python, script, statuses=(TIMED_OUT,), **settings):
    outcome = run.ftsan(python, run.script(script), arguments=["--timeout", "3"], **settings)
    return the_only(outcome, "hang", *statuses)
