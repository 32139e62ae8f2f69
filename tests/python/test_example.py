"""One bug is one finding, with one name: a small project with three bugs, run in many ways.

What each way of running can see is in SEEN: with one thread nothing races, so race mode
finds nothing, and the hazards show in the operations (all, latent) and statics (latent)
only; what is a field of one object takes two threads.

FTSAN_REPEAT=N runs each way N times (default: 2 with threads, 1 with one).
"""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import BUILD, HERE, build_extension, interpreters

EXAMPLE = HERE / "example"
MODULES = ("halves", "tally", "running")
LINES = 25
TRIES = 4
REPEAT = int(os.environ.get("FTSAN_REPEAT", "2"))

DIMS = ("sum_first_half", "halves", "dims")
STATIC = ("digest", "tally", "last")
FIELD = ("running.Mean.add", "running", "running.Mean")
ALL = {DIMS, STATIC, FIELD}

# Options, threads, arguments of pytest, and the bugs that show.
WAYS = {
    "race": ("mode=race", 4, [], ALL),
    "all": ("mode=all", 4, [], ALL),
    "xdist": ("mode=all", 4, ["-n2"], ALL),
    "cov": ("mode=race", 4, ["--cov=.", "--cov-report="], ALL),
    "one thread, race": ("mode=race", 1, [], set()),
    "one thread, all": ("mode=all", 1, [], {DIMS, STATIC}),
    "one thread, latent": ("mode=latent", 1, [], {DIMS, STATIC}),
    "one thread, latent, xdist": ("mode=latent", 1, ["-n2"], {DIMS, STATIC}),
    "one thread, latent, cov": ("mode=latent", 1, ["--cov=.", "--cov-report="], {DIMS, STATIC}),
}


def build(python, directory, *flags):
    """The three modules, for an interpreter."""
    (directory / "example").mkdir()
    for name in ("test_example.py", "running.pyx"):
        shutil.copy(EXAMPLE / name, directory / "example")
    source = directory / "example" / "running.c"
    done = subprocess.run([python, "-m", "cython", "-3", "running.pyx"], capture_output=True,
                          text=True, cwd=directory / "example")
    assert done.returncode == 0, done.stderr
    for name in MODULES:
        at = source if name == "running" else None
        build_extension(python, directory, f"example/{name}", *flags, source=at)
    return directory / "example"


@pytest.fixture(scope="module")
def python(environment, interpreter):
    numpy = "numpy==2.4.6" if interpreter.minor == 13 else "numpy==2.5.5"
    return environment(numpy, "pytest==9.2.0", "pytest-xdist==3.8.0", "pytest-cov", "cython==3.2.4")


@pytest.fixture(scope="module")
def project(python, tmp_path_factory):
    return build(python, tmp_path_factory.mktemp("project"))


def pytest_in(run, python, project, way, mended=False):
    options, threads, arguments, _ = WAYS[way]
    return run.ftsan(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments,
                     options=options, cwd=project,
                     environment={"EXAMPLE_THREADS": str(threads), "COVERAGE_FILE": str(run.directory / "coverage"),
                                  "EXAMPLE_MENDED": "1" if mended else "0"})


def report_of(logs, *arguments):
    done = subprocess.run([BUILD / "ftsan", "report", "--format", "json", *arguments, *logs],
                          capture_output=True, text=True)
    assert done.returncode in (0, 66, 67), done.stderr
    return json.loads(done.stdout)["findings"]


def logs_of(run):
    """Of the last one."""
    return sorted((run.directory / f"run-{run.n_runs}").glob("log*"))


def key_of(item):
    """Function, module, kind of memory."""
    memory = item["object"].get("subject") or item["object"]["name"].partition("[")[0]
    return item["culprit"]["function"], item["culprit"]["module"], memory


# Ways that are tried on every interpreter, not only on the first.
EVERYWHERE = ("race", "one thread, latent")

# The fingerprints of all runs, of all interpreters.
NAMES = {}
# Logs to compare with.
FIRST = {}


def assert_bugs(outcome, items, expected):
    """Each bug is one finding, with the name that it had before, on one screen."""
    assert sorted(map(key_of, items)) == sorted(expected), outcome
    for item in items:
        assert NAMES.setdefault(key_of(item), item["fingerprint"]) == item["fingerprint"], outcome
    blocks = outcome.stderr.split("WARNING: ftsan: ")[1:]
    assert len(blocks) == len(expected), outcome
    for block in blocks:
        text = block.split("\nSUMMARY: ")[0]
        assert len(text.splitlines()) < LINES, text


def baseline(logs):
    return [word for log in logs or () for word in ("--baseline", log)]


def test_each_access_has_its_line_of_source(run, interpreter, python, project):
    """C, Cython's source instead of what Cython made of it, and Python."""
    text = pytest_in(run, python, project, "race").stderr
    for line in ("halves.c:17  |  dims[0] = length / 2;", "running.Mean.add running.pyx:",
                 "  |  self.", "  |  last.", "  |  in_threads(lambda: mean.add(1.0))"):
        assert line in text, text
    assert "__pyx" not in text, text


@pytest.mark.parametrize("way", WAYS)
def test_every_run_has_the_same_findings(run, interpreter, python, project, way):
    if interpreter != interpreters()[0] and way not in EVERYWHERE:
        pytest.skip("tried on another interpreter")
    expected = WAYS[way][3]
    before = None
    missed = 0
    for _ in range(REPEAT if len(expected) == len(ALL) or "FTSAN_REPEAT" in os.environ else 1):
        outcome = pytest_in(run, python, project, way)
        if outcome.status == 66 and set(map(key_of, report_of(logs_of(run)))) < expected:
            # Two threads may fail to meet on a busy machine (1 of 29 runs did, in one bug).
            missed += 1
            assert missed == 1, outcome
            outcome = pytest_in(run, python, project, way)
        assert outcome.status == (66 if expected else 67), outcome
        logs = logs_of(run)
        assert_bugs(outcome, report_of(logs), expected)
        compared = report_of(logs, *baseline(before))
        assert {item.get("baseline") for item in compared} <= {"known" if before else None}
        before = logs
    # In another way: nothing new, and nothing gone that this one can see.
    if before and "base" in FIRST:
        states = {key_of(item): item["baseline"]
                  for item in report_of(before, *FIRST["base"])}
        assert {key for key in ALL if states.get(key) == "known"} == expected, states
        assert "new" not in states.values(), states
    elif way == "race":
        FIRST["base"] = baseline(before)


@pytest.mark.parametrize("way", ["race", "all", "one thread, latent"])
def test_nothing_is_found_where_the_bugs_are_mended(run, python, project, way):
    outcome = pytest_in(run, python, project, way, mended=True)
    assert outcome.status == 0, outcome
    assert outcome.findings == [], outcome
    summary = [line for line in outcome.stderr.splitlines() if not line.startswith("ftsan: the log")]
    assert summary[0].startswith("ftsan: CLEAN") and len(summary) <= 3, outcome
    if "latent" not in way:
        # What the silence is worth: which of the project's functions threads ran.
        seen = {pathlib.Path(entry["module"]).name.partition(".")[0]: entry
                for entry in outcome.coverage["modules"]}
        for name in MODULES:
            assert seen[name]["functions"] >= seen[name]["seen"] >= seen[name]["shared"] > 0, seen
        assert (seen["halves"]["seen"], seen["halves"]["shared"]) == (1, 1), seen


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_a_rebuild_has_the_same_findings(run, interpreter, python, tmp_path, level):
    if interpreter != interpreters()[0]:
        pytest.skip("tried on another interpreter")
    project = build(python, tmp_path, level)
    found = set()
    for _ in range(TRIES):
        outcome = pytest_in(run, python, project, "race")
        items = report_of(logs_of(run))
        assert_bugs(outcome, items, set(map(key_of, items)))
        found |= set(map(key_of, items))
        if found == ALL:
            break
    # Without optimisation an update is a load and a store, which look like atomics; what
    # shows that they are none does not show in every run.
    assert found == ALL, outcome
