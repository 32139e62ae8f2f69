"""What every free-threaded interpreter must show, with the newest NumPy there is for it."""

import subprocess

import pytest
from conftest import BUILD, PROGRAMS, assert_silent, build_extension, clean_environment, until

EXIT_FINDINGS = 66
TRIES = 5
ARGSORT = "array_argsort"

ORDER = """\
import numpy as np
array = np.array([(2, 1.5), (1, 0.5)] * 4, dtype=[("key", "i8"), ("value", "f8")])
"""

NAMES = """\
import sys, threading
sys.argv = ["", "2"]
source = open(%r).read()
made = threading.Thread
threading.Thread = lambda *arguments, **more: made(*arguments, **more, name="reader")
exec(source)
"""


def functions_of(finding):
    return {frame.get("function") for stack in finding["stacks"] for frame in stack["frames"]}


def test_hazard(run, numpy_fixed):
    """Open in 2.5.5: the array that is sorted gets another dtype meanwhile."""
    outcome = run.ftsan(numpy_fixed, run.script(ORDER + "array.argsort(order='value')\n"),
                        options="mode=latent")
    assert outcome.status == EXIT_FINDINGS, outcome
    finding, = outcome.findings
    assert (finding["kind"], finding["confidence"]) == ("hazard", "latent"), finding
    assert ARGSORT in functions_of(finding), finding
    lines = [frame["line"] for frame in finding["stacks"][0]["frames"]
             if frame["type"] == "python" and frame["file"].endswith("script.py")]
    assert lines == [3], finding


def test_no_hazard(run, numpy_fixed):
    outcome = run.ftsan(numpy_fixed, run.script(
        ORDER + "array['value'].argsort()\narray.take([0, 1])\n"),
        options="mode=latent")
    assert_silent(outcome)


def raced(run, *command):
    """The confirmed races of the first run that has one. With this bug a program may also
    die, or wait for ever."""
    def races(outcome):
        return [finding for finding in outcome.findings
                if (finding["kind"], finding["confidence"]) == ("race", "confirmed")]

    outcome = until(races, lambda: run.ftsan("timeout", "-k", "1", "20", *command), TRIES)
    assert races(outcome), outcome
    return races(outcome)


def test_race(run, numpy_fixed):
    assert any(ARGSORT in functions_of(race)
               for race in raced(run, numpy_fixed, PROGRAMS / "argsort_order.py"))


def test_thread_names(run, numpy_fixed, interpreter):
    """From 3.14 on, threading hands the names it gives to the kernel."""
    if interpreter.minor < 14:
        pytest.skip("threading tells no names before 3.14")
    script = run.script(NAMES % str(PROGRAMS / "argsort_order.py"))
    names = {stack.get("thread") for race in raced(run, numpy_fixed, script)
             for stack in race["stacks"] if stack["role"] in ("read", "write")}
    assert names == {"reader"}, names


IMPORT = "import slots_only; print(slots_only.is_token(), slots_only.answer)"


def test_attach_to_a_module_of_slots_alone(run, numpy_fixed, interpreter):
    """It tells no definition to hook its functions by: that is said."""
    if interpreter.minor < 15:
        pytest.skip("PyModExport came with 3.15")
    build_extension(numpy_fixed, run.directory, "slots_only", "-DNO_GIL")
    code = "import slots_only; print(1, flush=True); input()"
    target = subprocess.Popen([str(interpreter), "-c", code], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True,
                              env=clean_environment({"PYTHONPATH": str(run.directory)}))
    with target:
        target.stdout.readline()
        done = subprocess.run([BUILD / "ftsan", "attach", "--duration", "0", str(target.pid)],
                              capture_output=True, text=True, env=clean_environment({}), timeout=60)
        target.communicate("\n")
    assert "1 made from slots alone, whose functions are NOT watched" in done.stderr, done
    assert target.returncode == 0


@pytest.mark.parametrize("flags", [[], ["-DNO_GIL"]], ids=["wants the GIL", "does without"])
def test_module_of_slots_alone(run, numpy_fixed, interpreter, flags):
    if interpreter.minor < 15:
        pytest.skip("PyModExport came with 3.15")
    build_extension(numpy_fixed, run.directory, "slots_only", *flags)
    outcome = run.ftsan(interpreter, "-c", IMPORT,
                        environment={"PYTHONPATH": str(run.directory)})
    assert outcome.stdout == "True 42\n", outcome
    assert outcome.coverage["gil"] == "off", outcome.coverage
    assert outcome.coverage["gil_requested_by"] == ([] if flags else ["slots_only"])
    assert outcome.coverage["counters"]["modules_initialised"] == 1, outcome.coverage
