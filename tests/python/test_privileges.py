"""Guarded buffers need no privilege: everything is dropped, and the findings are the same."""

import shutil

import pytest
from conftest import BUILD, PROGRAMS, REPEAT, assert_repeat_race, assert_silent, until

# No capability is left, none can be had, and perf_event_open is refused besides.
BARE_HANDS = ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--",
              BUILD / "engine_under", "EPERM"]
PROGRAM = """\
import runpy, sys
status = dict(line.split(":\\t") for line in open("/proc/self/status") if ":\\t" in line)
assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0, status
assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2", status
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print("done")
"""


@pytest.fixture
def dropped(run):
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv (package util-linux)")

    def call(python, program, mode):
        script = run.script(PROGRAM, "dropped.py")
        return run.ftsan(*BARE_HANDS, python, script, PROGRAMS / program, options=f"mode={mode}")

    return call


def test_race(dropped, numpy_affected):
    outcome = until(lambda outcome: any(finding["kind"] == "race" for finding in outcome.findings),
                    lambda: dropped(numpy_affected, "repeat_rare.py", "race"), REPEAT)
    assert_repeat_race(outcome, PROGRAMS / "repeat_rare.py")


def test_hazard(dropped, numpy_affected):
    outcome = dropped(numpy_affected, "repeat_once.py", "latent")
    assert (outcome.status, outcome.stdout) == (66, "done\n"), outcome
    assert [f["object"]["operation"] for f in outcome.findings] == ["ndarray.repeat"], outcome


@pytest.mark.parametrize("mode", ["race", "latent"])
def test_silent(dropped, numpy_fixed, mode):
    outcome = dropped(numpy_fixed, "repeat_rare.py", mode)
    assert outcome.stdout.endswith("done\n"), outcome
    assert_silent(outcome)
