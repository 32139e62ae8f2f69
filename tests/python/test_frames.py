"""PyFrame_New() and PyTraceBack_Here() with arguments that they can't do with."""

import re
import shutil

import pytest
from conftest import assert_silent, build_extension, interpreters

EXIT_FINDINGS = 66

# What the finding's title has to say of each function of badframes.c.
BAD_CODE = {
    "code_null": "code object is NULL",
    "code_is_str": "not a code object",
    "name_null": "half-initialised: co_name",
    "name_is_bytes": "half-initialised: co_name",
    "filename_null": "half-initialised: co_filename",
    "filename_is_bytes": "half-initialised: co_filename",
    "code_dead": "dead by its reference count",
    "globals_null": "globals is NULL",
    "tstate_null": "thread state is NULL",
    "tstate_foreign": "thread state is not the calling thread's",
}
NO_EXCEPTION = {"traceback_alone": "no exception set"}
BAD = BAD_CODE | NO_EXCEPTION
GOOD = ["good_frame", "good_locals", "good_traceback"]

# CPython gets by with these, so there is nothing to save; with the last one up to 3.13.
HARMLESS = {"name_is_bytes", "filename_null", "filename_is_bytes", "tstate_foreign"}
HARMLESS_3_13 = {"tstate_null"}

CALL = """\
import sys
import badframes
for name in sys.argv[1:]:
    for pending in (False, True):
        try:
            print(name, getattr(badframes, name)(pending), flush=True)
        except Exception as error:
            print(name, type(error).__name__, flush=True)
print("alive")
"""


class Subject:
    """An interpreter with badframes."""

    def __init__(self, python, directory, gil):
        self.python, self.directory, self.gil = python, directory, gil

    @property
    def harmless(self):
        old = self.gil or self.python.minor <= 13
        return HARMLESS | HARMLESS_3_13 if old else HARMLESS

    def environment(self):
        # Fills what is freed, where the allocator can: then a dead object that has been
        # handed to the allocator reads the same each time. Free-threaded builds would
        # use another heap.
        return {"PYTHONPATH": str(self.directory),
                **({"PYTHONMALLOC": "debug"} if self.gil else {})}

    def call(self, run, how, *names, **settings):
        return getattr(run, how)(self.python, run.script(CALL), *names,
                                 environment=self.environment(), **settings)


@pytest.fixture(scope="session", params=[*interpreters(), "gil"],
                ids=lambda param: getattr(param, "tag", param))
def subject(request, tmp_path_factory):
    gil = request.param == "gil"
    python = request.param
    if gil:
        python = shutil.which("python3", path="/usr/bin:/bin")
        if python is None:
            pytest.skip("no python3 of the distribution's")
    directory = tmp_path_factory.mktemp("badframes")
    build_extension(python, directory, "badframes")
    return Subject(python, directory, gil)


def of_function(outcome, name):
    """The findings whose innermost known frame is this function of badframes.c."""
    return [finding for finding in outcome.findings
            if finding["stacks"][0]["frames"][0].get("function") == name]


def assert_found(outcome, subject, name):
    findings = of_function(outcome, name)
    assert findings, (name, outcome, outcome.findings)
    for finding in findings:
        kind = "bad-code" if name in BAD_CODE else "no-exception"
        text = BAD[name]
        if name == "code_dead" and subject.gil:
            text = BAD["code_is_str"]  # the debug allocator has filled it
        assert (finding["kind"], finding["confidence"]) == (kind, "confirmed"), finding
        assert text in finding["title"], finding
        call = finding["stacks"][0]
        assert call["role"] == "call", finding
        assert any(frame["type"] == "python" and frame["file"].endswith("script.py")
                   for frame in call["frames"]), finding


def lines_of(outcome, name):
    return re.findall(rf"^{name} (.*)$", outcome.stdout, re.MULTILINE)


def test_healed(run, subject):
    """One process makes every mistake, and lives."""
    outcome = subject.call(run, "ftsan", *BAD)
    assert outcome.status == EXIT_FINDINGS, outcome
    assert outcome.stdout.endswith("alive\n"), outcome
    for name in BAD:
        assert_found(outcome, subject, name)
        without, pending = lines_of(outcome, name)
        if name in subject.harmless:
            assert (without, pending) == ("7", "ValueError"), outcome
        elif name in NO_EXCEPTION:
            assert (without, pending) == ("SystemError", "SystemError"), outcome
        else:
            assert (without, pending) == ("MemoryError", "ValueError"), outcome
    assert "WARNING: ftsan: " in outcome.stderr


def test_preloaded(run, subject):
    outcome = subject.call(run, "preload", "name_null")
    assert outcome.status == EXIT_FINDINGS, outcome
    assert_found(outcome, subject, "name_null")


@pytest.mark.parametrize("name", BAD)
def test_not_healed(run, subject, name):
    """The process fares as it does without ftsan, but the finding is in the log."""
    outcome = subject.call(run, "preload", name, options="heal=0:exitcode=0")
    assert_found(outcome, subject, name)
    if name == "code_dead" and not subject.gil:
        return  # what reading freed memory comes to is up to the allocator
    bare = subject.call(run, "bare", name)
    assert (outcome.status, outcome.stdout) == (bare.status, bare.stdout), (outcome, bare)


@pytest.mark.parametrize("name", ["name_null", "traceback_alone"])
def test_status_of_the_command_when_it_dies(run, subject, name):
    bare = subject.call(run, "bare", name)
    outcome = subject.call(run, "ftsan", name, options="heal=0")
    assert outcome.status == (128 - bare.status if bare.status else EXIT_FINDINGS), (outcome, bare)


def test_who_made_and_who_destroyed_it(run, subject):
    outcome = subject.call(run, "ftsan", "name_null", "code_dead")
    finding, = of_function(outcome, "name_null")
    assert [stack["role"] for stack in finding["stacks"]] == ["call", "alloc"], finding
    assert "name_null" in [frame.get("function") for frame in finding["stacks"][1]["frames"]]
    if subject.gil:
        return  # CPython tells of destructions from 3.12
    finding, = of_function(outcome, "code_dead")
    stacks = {stack["role"]: [frame.get("function") for frame in stack["frames"]]
              for stack in finding["stacks"]}
    assert set(stacks) == {"call", "free", "alloc"}, finding
    assert "PyGC_Collect" in stacks["free"], finding


@pytest.mark.parametrize("how", ["ftsan", "preload"])
@pytest.mark.parametrize("options", ["heal=1", "heal=0"])
def test_good_calls(run, subject, how, options):
    outcome = subject.call(run, how, *GOOD, options=options)
    assert outcome.stdout == subject.call(run, "bare", *GOOD).stdout, outcome
    assert_silent(outcome)
