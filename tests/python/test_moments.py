"""It dies at a hard moment: others are in malloc, in dlopen, in fork, or held by the sampler."""

import pytest
from conftest import REPEAT, built
from deaths import SEGV, the_only

DIED = 128 + SEGV


@pytest.fixture(scope="session")
def extension(interpreter, tmp_path_factory):
    return built(interpreter, tmp_path_factory.mktemp("moments"), "moments")


def died(run, interpreter, extension, call):
    script = run.script("import moments, sys\nmoments.set_library(sys.argv[1])\n"
                        f"print(moments.{call})\n")
    return run.ftsan(interpreter, script, extension["PYTHONPATH"] + "/moments.so",
                     environment=extension)


@pytest.mark.parametrize("what", ["malloc", "dlopen", "fork", "store"])
def test_others_are_in_the_middle_of_it(run, interpreter, extension, what):
    for _ in range(REPEAT):
        crash = the_only(died(run, interpreter, extension, f"die_while('{what}')"), "crash", DIED)
        assert crash["title"].startswith("SIGSEGV in moments.die_while"), crash
        assert "a NULL pointer" in crash["death"]["cause"], crash


@pytest.mark.parametrize("where", ["prepare", "after"])
def test_who_forks_dies(run, interpreter, extension, where):
    crash = the_only(died(run, interpreter, extension, f"die_at_fork('{where[0]}')"), "crash", DIED)
    assert crash["title"].startswith("SIGSEGV in moments.die_at_fork"), crash


@pytest.mark.parametrize("where", ["child", "new"])
def test_the_child_dies_at_once(run, interpreter, extension, where):
    outcome = died(run, interpreter, extension, f"die_at_fork('{where[0]}')")
    assert "die_at_fork" in the_only(outcome, "crash", 66)["title"], outcome
    assert int(outcome.stdout) == SEGV, outcome


def test_it_dies_while_a_hang_is_told(run, interpreter, extension):
    """The main thread tells, another one dies: both are findings."""
    script = run.script("import moments, signal, threading\n"
                        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                        "thread = threading.Thread(target=moments.die_in_a_hang)\n"
                        "thread.start()\nthread.join()\n")
    outcome = run.ftsan(interpreter, script, environment=extension, arguments=["--timeout", "2"])
    assert [f["kind"] for f in outcome.findings] == ["hang", "crash"], outcome
    assert "moments.die_in_a_hang" in outcome.findings[1]["title"], outcome
