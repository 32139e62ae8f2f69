"""The pytest plugin: which test a finding belongs to, whatever runs the tests."""

import datetime
import json
import os
import pathlib
import re
import signal
import sys
import textwrap

import pytest
from conftest import BUILD, PROGRAMS, REPOSITORY, found, read_log, until

PYTHON_SOURCES = REPOSITORY / "tools" / "python"
HOT = PROGRAMS / "repeat_hot.py"
EXIT_FINDINGS = 66

# Threads that meet by chance may miss each other on a busy machine, and a program with
# this bug may die of it.
TRIES = 4
DEATHS = {-signal.SIGSEGV, -signal.SIGABRT, 128 + signal.SIGSEGV, 128 + signal.SIGABRT}

SHARING = """
import os, signal, subprocess, sys, threading
import numpy as np
import pytest

def in_threads(call, n=4, calls=100):
    start = threading.Barrier(n)

    def body():
        start.wait()
        for _ in range(calls):
            try:
                call()
            except ValueError:
                pass  # the bug's own doing

    threads = [threading.Thread(target=body) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

def share():
    shared = np.arange(1000)
    in_threads(lambda: np.repeat(shared, 2))  # the line

def test_before():
    in_threads(lambda: np.repeat(np.arange(10), 2))
"""

AFTER = """
def test_after():
    in_threads(lambda: np.repeat(np.arange(10), 2))
"""

SHARED = "def test_shared():\n    share()\n"


@pytest.fixture(scope="session")
def affected():
    return found("FTSAN_VENV_PLUGIN_AFFECTED", "setup.sh", "venv", "--find",
                 "plugin-affected") + "/bin/python"


@pytest.fixture(scope="session")
def fixed(interpreter):
    return found(None, "setup.sh", "venv", "--find", "--python", interpreter,
                 "plugin-fixed") + "/bin/python"


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A directory for PYTHONPATH that looks as if the wheel were installed to it."""
    directory = tmp_path_factory.mktemp("site")
    (directory / "ftsan").symlink_to(PYTHON_SOURCES / "ftsan")
    information = directory / "ftsan-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: ftsan\nVersion: 0.1.0\n")
    (information / "entry_points.txt").write_text("[pytest11]\nftsan = ftsan.pytest_plugin\n")
    return directory


@pytest.fixture
def project(run, installed, tmp_path):
    """Writes a test file; runs pytest on it, in a process of its own."""

    class Project:
        directory = tmp_path / "project"
        file = directory / "test_it.py"
        environment = {"PYTHONPATH": str(installed), "TMPDIR": str(tmp_path),
                       "PATH": f"{BUILD}:{os.environ['PATH']}"}

        def write(self, body, name="test_it.py"):
            self.directory.mkdir(exist_ok=True)
            text = SHARING + textwrap.dedent(body) + AFTER if name == "test_it.py" else body
            (self.directory / name).write_text(textwrap.dedent(text))

        def pytest(self, python, *arguments, how="plugin"):
            """By --ftsan (plugin), under `ftsan run` (ftsan), preloaded only, or bare."""
            log = tmp_path / f"log-{run.n_runs + 1}"
            words = [python, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
            if how == "plugin":
                outcome = run.bare(*words, "--ftsan", "--ftsan-log", log, cwd=self.directory,
                                   environment=self.environment)
                outcome.logs = {path.name.replace(log.name, "log"): read_log(path)
                                for path in tmp_path.glob(log.name + "*")}
                return outcome
            return getattr(run, how)(*words, cwd=self.directory, environment=self.environment)

        def until_found(self, *words, also=lambda outcome: True, **settings):
            def tells(outcome):
                # The bug may kill a worker, too, whose tests nobody tells us of then.
                died = outcome.status in DEATHS or "' crashed while running" in outcome.stdout
                return outcome.findings and not died and also(outcome)

            return until(tells, lambda: self.pytest(*words, **settings), TRIES)

    return Project()


def summary(outcome):
    """The lines of the plugin's section."""
    _, mark, rest = outcome.stdout.partition("= ftsan: ")
    assert mark, outcome
    return rest.split("\nlog: ")[0].splitlines()


def without_crashes(lines):
    """The bug of np.repeat may kill the process, too, which is a finding of its own."""
    kept, crash = [], False
    for text in lines:
        if text.startswith("WARNING: ftsan: "):
            crash = text.startswith("WARNING: ftsan: crash")
        if not crash:
            kept.append(text)
    return kept


def assert_named_in_full(outcome, lines, tests, line):
    """The same of the report of one screen: both stacks have the line, with its source."""
    lines = without_crashes(lines)
    named = {test for text in lines if text.startswith("  In the tests ")
             for test in text[len("  In the tests "):].rstrip(".").split(", ")}
    named |= {text[len("  In no test: "):].rstrip(".") for text in lines
              if text.startswith("  In no test: ")}
    assert sorted(named) == sorted(tests), outcome
    heads = [text for text in lines if re.match("  (Concurrent )?([Ww]rite|[Rr]ead|[Ff]reed) ", text)]
    frames = [text for text in lines if re.match("    #[0-9]+ ", text)]
    assert heads and any("PyArray_Repeat" in text for text in frames), outcome
    assert sum("  |  " in text and line in text for text in frames) == len(heads), outcome
    assert "numpy/_core/fromnumeric.py" not in lines[0] and len(lines) <= 25 * len(tests) + 2


def assert_named(outcome, *tests, line="# the line"):
    """The summary names these tests, the line, and the function."""
    lines = summary(outcome)
    if any(text.startswith("SUMMARY: ftsan: ") for text in lines):
        assert_named_in_full(outcome, lines, tests, line)
        return
    named = [text[len("  test  "):] for text in lines if text.startswith("  test  ")]
    assert sorted(set(named)) == sorted(tests), outcome
    places = [text for text in lines if re.match("  (write|read|freed) ", text)]
    assert any("PyArray_Repeat" in text for text in places), outcome
    for text in places:
        path, number = re.search(r" at (\S+):(\d+) in ", text).groups()
        assert line in pathlib.Path(path).read_text().splitlines()[int(number) - 1], text


def assert_recorded(outcome, *tests):
    """Each finding has a `test` record in the same file."""
    for log in {log for log in outcome.logs if outcome.records("finding", log)}:
        recorded = {record["fingerprint"]: record["tests"]
                    for record in outcome.records("test", log)}
        for finding in outcome.records("finding", log):
            assert recorded[finding["fingerprint"]] == list(tests), outcome


def assert_no_findings(outcome, passed, processes="1 process"):
    assert outcome.status == 0, outcome
    assert f"{passed} passed" in outcome.stdout, outcome
    assert f"ftsan: 0 findings, 0 suppressed, in {processes}" in outcome.stdout, outcome
    assert outcome.findings == [] and outcome.records("test") == [], outcome
    for engine in outcome.records("engine"):
        if engine["name"] == "guard":
            assert engine["canary"], outcome


@pytest.mark.parametrize("how", ["plugin", "ftsan", "preload"])
def test_names_the_test(project, affected, how):
    project.write(SHARED)
    outcome = project.until_found(affected, how=how)
    assert outcome.status == EXIT_FINDINGS, outcome
    assert "3 passed" in outcome.stdout
    assert "test_it.py ..." in outcome.stdout  # progress as usual
    assert_named(outcome, "test_it.py::test_shared")
    assert_recorded(outcome, "test_it.py::test_shared")


@pytest.mark.parametrize("how", ["plugin", "ftsan", "preload"])
def test_fixed_numpy_has_no_findings(project, fixed, how):
    project.write(SHARED)
    assert_no_findings(project.pytest(fixed, how=how), 3)


def test_arrays_of_ones_own_are_no_finding(project, affected):
    project.write("")
    assert_no_findings(project.pytest(affected), 2)


@pytest.mark.parametrize("capture", ["fd", "sys", "no", "tee-sys"])
def test_capture_loses_nothing(project, affected, capture):
    project.write("def test_shared(capfd):\n    share()\n" if capture == "fd" else SHARED)
    outcome = project.until_found(affected, f"--capture={capture}", "-rA")
    assert_named(outcome, "test_it.py::test_shared")
    assert "----- ftsan -----" in outcome.stdout  # all frames, with the test's report
    # Once, in pytest's own summary.
    assert outcome.stdout.count("WARNING: ftsan: data race") == 1
    assert "WARNING: ftsan" not in outcome.stderr and "FOUND 1 bug" in outcome.stderr


def test_latent_mode(project, affected):
    """One thread suffices, and each test is named that it can be seen in first."""
    project.write("def test_alone():\n    np.repeat(np.arange(10), 2)  # the line\n")
    outcome = project.pytest(affected, "-k", "alone", "--ftsan-options", "mode=latent")
    assert "WARNING: ftsan: metadata hazard" in outcome.stdout, outcome
    assert_named(outcome, "test_it.py::test_alone")


def test_latent_mode_fixed(project, fixed):
    project.write("def test_alone():\n    np.repeat(np.arange(10), 2)\n")
    outcome = project.pytest(fixed, "-k", "alone", "--ftsan-options", "mode=latent")
    assert_no_findings(outcome, 1)


# --- processes and threads -------------------------------------------------------------


def test_xdist(project, affected):
    project.write(SHARED)
    outcome = project.until_found(affected, "-n2")
    assert outcome.status == EXIT_FINDINGS, outcome
    assert_named(outcome, "test_it.py::test_shared")
    assert_recorded(outcome, "test_it.py::test_shared")
    assert len(outcome.logs) == 3 and outcome.records("finding", "log") == []


def test_pid_in_the_name_of_the_log(run, project, affected, tmp_path):
    project.write(SHARED)

    def attempt():
        for old in tmp_path.glob("l.*.jsonl"):
            old.unlink()
        return run.bare(affected, "-m", "pytest", "-p", "no:cacheprovider", "-n1", "--ftsan",
                        "--ftsan-log=../l.%p.jsonl", cwd=project.directory,
                        environment=project.environment)

    outcome = until(lambda outcome: "ftsan: FOUND 1 bug" in outcome.stdout, attempt, TRIES)
    assert_named(outcome, "test_it.py::test_shared")
    # The one that pytest runs in and the worker; another if the race has killed that one.
    assert len(list(tmp_path.glob("l.*.jsonl"))) >= 2


def test_log_follows_its_schema(project, affected):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((REPOSITORY / "tools" / "log.schema.json").read_text())
    project.write(marked("race:PyArray_Repeat"))
    outcome = project.until_found(affected, "-n1")
    assert outcome.records("test") and outcome.records("running")
    for record in sum(outcome.logs.values(), []):
        jsonschema.validate(record, schema)


def test_xdist_fixed(project, fixed):
    project.write(SHARED)
    assert_no_findings(project.pytest(fixed, "-n2"), 3, "3 processes")


def test_same_race_in_two_workers(project, affected):
    project.write(SHARED + "def test_shared_too():\n    share()\n")
    outcome = project.until_found(
        affected, "-n2", "--dist=each", "--tx=2*popen", "-k", "shared_too",
        also=lambda outcome: len([log for log in outcome.logs.values()
                                  if any(r["type"] == "finding" for r in log)]) == 2)
    assert_named(outcome, "test_it.py::test_shared_too")


@pytest.mark.parametrize("arguments", [["-n1"], []], ids=["worker", "alone"])
def test_death_in_the_test(project, affected, arguments):
    """The log has what is needed to name the test, though nobody could say it any more."""
    project.write("def test_shared():\n    share()\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    outcome = until(lambda outcome: outcome.findings and outcome.status not in DEATHS,
                    lambda: project.pytest(affected, *arguments), TRIES)
    if arguments:
        assert_named(outcome, "test_it.py::test_shared")
    else:
        assert outcome.status == 128 + signal.SIGKILL
        types = [record for record in outcome.logs["log"]
                 if record["type"] in ("running", "finding")]
        assert types[-1]["type"] == "finding", outcome
        running = [record["tests"] for record in types if record["type"] == "running"]
        assert running[-1] == ["test_it.py::test_shared"], outcome


def test_crash_in_a_worker(run, project, fixed, tmp_path):
    """The test is named in every form; others run on in another worker."""
    project.write("import ctypes\n\ndef test_dies():\n    ctypes.string_at(8)\n\n"
                  "def test_after():\n    pass\n", "test_dying.py")
    outcome = project.pytest(fixed, "-n1", "test_dying.py")
    assert "1 failed, 1 passed" in outcome.stdout, outcome
    (found,) = outcome.findings
    assert found["kind"] == "crash", found
    assert "  In the tests test_dying.py::test_dies." in summary(outcome), outcome
    logs = sorted(tmp_path.glob(f"log-{run.n_runs}*"))
    forms = {form: run.bare(BUILD / "ftsan", "report", "--format", form, *logs).stdout
             for form in ("junit", "sarif", "html")}
    for form, text in forms.items():
        assert found["title"].rstrip(".") in text, (form, text)
        assert "test_dying.py::test_dies" in text, (form, text)
        assert "is NULL + 8" in text, (form, text)
        assert "a view or a copy" not in text, (form, text)


def test_run_parallel(project, affected):
    project.write("""
        shared = np.arange(1000)
        def test_shared():
            for _ in range(100):
                try:
                    np.repeat(shared, 2)  # the line
                except ValueError:
                    pass
    """)
    outcome = project.until_found(affected, "--parallel-threads=4", "-v", "-k", "test_shared")
    assert "PARALLEL PASSED" in outcome.stdout
    assert_named(outcome, "test_it.py::test_shared")


def test_run_parallel_fixed(project, fixed):
    project.write("""
        shared = np.arange(1000)
        def test_shared():
            for _ in range(100):
                np.repeat(shared, 2)
    """)
    outcome = project.pytest(fixed, "--parallel-threads=4", "-k", "test_shared")
    assert_no_findings(outcome, 1)


def test_processes_that_a_test_starts(project, affected):
    project.write(f"""
        def test_child():
            subprocess.run([sys.executable, {str(HOT)!r}])
    """)
    outcome = project.until_found(affected)
    assert_named(outcome, "test_it.py::test_child", line="np.ndarray.repeat(shared")
    assert outcome.records("finding", "log") == []


def test_no_test_is_named_where_none_ran(project, affected):
    project.write("share()\n")
    outcome = project.until_found(affected)
    assert_named(outcome, "none was running (collection, imports, or between tests)")
    assert outcome.status == EXIT_FINDINGS


# --- --ftsan-fail ----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["plugin", "ftsan"])
@pytest.mark.parametrize("place", ["call", "setup", "teardown"])
def test_fail(project, affected, place, how):
    project.write({
        "call": SHARED,
        "setup": "@pytest.fixture\ndef up():\n    share()\ndef test_shared(up):\n    pass\n",
        "teardown": "@pytest.fixture\ndef down():\n    yield\n    share()\n"
                    "def test_shared(down):\n    pass\n",
    }[place])
    outcome = project.until_found(affected, "--ftsan-fail", "-rA", how=how)
    assert outcome.status == 1, outcome
    expected = "3 passed, 1 error" if place == "teardown" else "1 failed, 2 passed"
    assert expected in outcome.stdout, outcome
    assert "stores to dimension 0 of a numpy.ndarray while another thread" in outcome.stdout
    assert_named(outcome, "test_it.py::test_shared")


def test_fail_under_xdist(project, affected):
    project.write(SHARED)
    outcome = project.until_found(affected, "--ftsan-fail", "-n2")
    assert outcome.status == 1, outcome
    assert "1 failed, 2 passed" in outcome.stdout
    assert re.search("FAILED test_it.py::test_shared - .*ftsan: data race", outcome.stdout)


def test_fail_leaves_others_alone(project, fixed):
    project.write(SHARED)
    assert_no_findings(project.pytest(fixed, "--ftsan-fail"), 3)


# --- suppressions ----------------------------------------------------------------------


def marked(line):
    return f"@pytest.mark.ftsan_suppress({line!r})\n{SHARED}"


@pytest.mark.parametrize("where, line", [
    ("marker", "race:PyArray_Repeat"), ("marker", "module:_multiarray_umath*"),
    ("ini", "race:PyArray_*"), ("ini", "test:*::test_shared"),
    ("ini", "race:PyArray_Repeat until=2999-12-31")])
def test_suppressed(project, affected, where, line):
    project.write(marked(line) if where == "marker" else SHARED)
    if where == "ini":
        project.write(f"[pytest]\nftsan_suppressions =\n    # known\n    {line}  # 28197\n",
                      "pytest.ini")
    outcome = project.until_found(affected, "--ftsan-fail")
    assert outcome.status == 0, outcome
    assert "ftsan: 0 findings, 1 suppressed" in outcome.stdout, outcome
    assert {record["suppressed"] for record in outcome.records("test")} == {line}, outcome
    # The command leaves out what the plugin has suppressed.
    assert "WARNING" not in outcome.stderr, outcome


def test_suppressed_for_the_command(project, affected):
    """Its exit status is 66 for findings that are not."""
    project.write(marked("race:PyArray_Repeat"))
    outcome = project.until_found(affected, how="ftsan")
    assert outcome.status == 0 and "WARNING" not in outcome.stderr, outcome


@pytest.mark.parametrize("line, status", [("race:PyArray_Repeat", 0), ("race:^Other$", 66)])
def test_file_of_suppressions(project, affected, line, status):
    project.write(SHARED)
    project.write(f"{line}\n", "known.supp")
    outcome = project.until_found(affected, "--ftsan-options", "suppressions=known.supp")
    assert outcome.status == status, outcome
    assert ("ftsan: 0 findings, 1 suppressed" in outcome.stdout) == (status == 0), outcome


@pytest.mark.parametrize("where, line", [
    ("marker", "race:^Array_Repeat"), ("marker", "race:PyArray_Repeat until=2020-01-01"),
    ("ini", "race_top:array_repeat"), ("ini", "race:PyArray_Repeat until=2020-01-01")])
def test_not_suppressed(project, affected, where, line):
    project.write(marked(line) if where == "marker" else SHARED)
    if where == "ini":
        project.write(f"[pytest]\nftsan_suppressions =\n    {line}\n", "pytest.ini")
    outcome = project.until_found(affected, "--ftsan-fail")
    assert outcome.status == 1, outcome
    assert_named(outcome, "test_it.py::test_shared")
    assert ("has expired" in outcome.stdout) == ("until" in line), outcome


def test_marker_of_another_test(project, affected):
    project.write(SHARED + marked("race:*").replace("test_shared", "test_other")
                  .replace("share()", "pass"))
    assert_named(project.until_found(affected), "test_it.py::test_shared")


@pytest.mark.parametrize("where, line", [("marker", "raec:x"), ("ini", "race:x until=soon")])
def test_bad_suppression(project, fixed, where, line):
    project.write(marked(line) if where == "marker" else SHARED)
    if where == "ini":
        project.write(f"[pytest]\nftsan_suppressions = {line}\n", "pytest.ini")
    outcome = project.pytest(fixed)
    assert outcome.status == 4, outcome
    assert line.partition(" ")[0] in outcome.stderr, outcome


# --- --ftsan ---------------------------------------------------------------------------

ONCE = """
import os, sys
with open("loaded", "a") as file:
    file.write(f"{os.getcwd()} {sys.argv[1:]} {sys.flags.dev_mode} {sys.warnoptions}\\n")
"""


@pytest.mark.parametrize("start", ["module", "script", "ini"])
def test_everything_happens_once(run, project, fixed, start, tmp_path):
    project.write(SHARED)
    project.write(ONCE, "conftest.py")
    arguments = ["-k", "shared or after", "--ftsan", "-p", "no:cacheprovider", "test_it.py"]
    words = [fixed, "-X", "dev", "-W", "ignore::UserWarning:a b", "-m", "pytest"]
    if start == "script":
        words[-2:] = [pathlib.Path(fixed).parent / "pytest"]
    elif start == "ini":
        project.write("[pytest]\naddopts = --ftsan\n", "pytest.ini")
        arguments.remove("--ftsan")
    outcome = run.bare(*words, *arguments, cwd=project.directory,
                       environment=project.environment)
    assert outcome.status == 0, outcome
    assert "2 passed, 1 deselected" in outcome.stdout, outcome
    assert "ftsan: 0 findings" in outcome.stdout
    assert (project.directory / "loaded").read_text() == (
        f"{project.directory} {arguments} True ['default', 'ignore::UserWarning:a b']\n")
    assert list(tmp_path.glob("ftsan-*")) == []  # a log that nobody asked for


@pytest.mark.parametrize("how", ["plugin", "ftsan"])
def test_nothing_was_watched(project, fixed, how):
    """All tests pass, and it must not look like a success."""
    project.write("def test_nothing(): pass\n", "test_bare.py")
    outcome = project.pytest(fixed, how=how)
    assert outcome.status == 67, outcome
    assert "1 passed" in outcome.stdout and "ftsan: no verdict yet" in outcome.stdout, outcome
    assert "ftsan: NOTHING WATCHED (" in outcome.stderr, outcome


def test_already_under_ftsan(project, fixed):
    project.write(SHARED)
    assert_no_findings(project.pytest(fixed, "--ftsan", how="ftsan"), 3)


def test_without_ftsan_nothing_happens(project, affected):
    project.write("@pytest.mark.ftsan_suppress('race:x')\ndef test_marked():\n    pass\n")
    outcome = project.pytest(affected, "--strict-markers", how="bare")
    assert outcome.status == 0, outcome
    assert "ftsan:" not in outcome.stdout


def test_fail_needs_ftsan(project, affected):
    project.write("")
    outcome = project.pytest(affected, "--ftsan-fail", how="bare")
    assert outcome.status == 4
    assert "pytest does not run under ftsan; add --ftsan" in outcome.stderr


def test_no_restart_of_other_programs(run, project, affected):
    project.write("")
    script = run.script("import sys, pytest; print('once'); sys.exit(pytest.main(['--ftsan']))")
    outcome = run.bare(affected, script, cwd=project.directory, environment=project.environment)
    assert (outcome.status, outcome.stdout) == (4, "once\n"), outcome
    assert "run the program as `ftsan run" in outcome.stderr
    outcome = run.ftsan(affected, script, cwd=project.directory, environment=project.environment)
    assert outcome.status == 0, outcome


def test_command_that_is_not_there(run, project, affected):
    project.write("")
    outcome = run.bare(affected, "-m", "pytest", "--ftsan", cwd=project.directory,
                       environment={**project.environment, "PATH": "/nonexistent"})
    assert outcome.status == 4
    assert "the command `ftsan` is not there" in outcome.stderr


def test_loaded_but_switched_off(project, affected):
    project.write("")
    outcome = project.pytest(affected, "--ftsan-options", "enabled=0")
    assert outcome.status == 0, outcome
    assert "nothing is checked" in outcome.stdout
    outcome = project.pytest(affected, "--ftsan-fail", "--ftsan-options", "enabled=0")
    assert outcome.status == 4 and "nothing is checked" in outcome.stderr, outcome


def test_engine_that_does_not_work_is_told(project, fixed):
    project.write(SHARED)
    outcome = project.pytest(fixed, "--ftsan-options", "guard=0")
    assert "ftsan: engine NOT ACTIVE: guard" in outcome.stdout, outcome


# --- the parts -------------------------------------------------------------------------


@pytest.fixture
def parts(monkeypatch):
    monkeypatch.syspath_prepend(str(PYTHON_SOURCES))
    from ftsan import attribution, log, summary, suppressions, text

    return type("Parts", (), dict(attribution=attribution, log=log, summary=summary,
                                  suppressions=suppressions, text=text))


@pytest.mark.parametrize("options, value", [
    (None, None), ("", None), ("slots=64", None), ("log=/a/b", "/a/b"),
    ("slots=64:log='/a:b/c':print=0", "/a:b/c"), ('log=x:log="y\'z"', "y'z"), ("log=", ""),
    ("blog=3", None), ("log", None)])
def test_option(parts, options, value):
    assert parts.log.option("log", options) == value


FINDING = {"v": 1, "type": "finding", "kind": "race", "time": 5.0,
           "fingerprint": "00000000000000aa", "stacks": [
               {"role": "write", "tid": 1, "frames": [
                   {"type": "native", "function": "memmove", "module": "/lib/libc.so.6"},
                   {"type": "native", "function": "Inner", "module": "/x/a.so"},
                   {"type": "python", "function": "outer", "file": "t.py", "line": 3}]},
               {"role": "alloc", "tid": 9, "frames": [
                   {"type": "native", "function": "Alloc", "module": "/x/b.so"}]}]}


@pytest.mark.parametrize("line, expected", [
    ("race:Inner", True), ("race:nne", True), ("race:^nne", False), ("race:^Inn", True),
    ("race:nner$", True), ("race:Inn$", False), ("race:^I*r$", True), ("race:?nner", True),
    ("race:^?Inner", False), ("race:[I]nner", False), (r"race:\?nner", False),
    (r"race:\Inner", True), ("race:Alloc", True), ("race:^t.py$", True), ("race:^b.so$", True),
    ("race:inner", False), ("race_top:Inner", True), ("race_top:outer", False),
    ("race_top:memmove", False), ("race_top:Alloc", False), ("module:^a.so$", True),
    ("module:^/x/", True), ("module:b.so", False), ("module:libc", False),
    ("kind:race", True), ("kind:rac", False), ("fingerprint:00000000000000aa", True),
    ("fingerprint:00000000000000AA", True), ("fingerprint:00000000000000ab", False),
    ("test:t.py::*", True), ("test:^u.py", False), ("test:test$", True)])
def test_rules(parts, line, expected):
    rule, = parts.suppressions.parse([line + "  # why"])
    assert rule.matches(FINDING, ["t.py::test"]) == expected


@pytest.mark.parametrize("line", [
    "nonsense", "race:", "raec:x", ":x", "race:x until=soon", "race:x until=2020-13-01",
    "race:x until=2020-1-1", "race:x foo=3", "fingerprint:aa"])
def test_lines_that_are_no_rules(parts, line):
    with pytest.raises(ValueError, match=re.escape(repr(line)[:-1])):
        parts.suppressions.parse(["", "# comment", line])


@pytest.mark.parametrize("day, expected", [("2026-01-01", True), ("2026-01-02", False)])
def test_last_day_of_a_rule(parts, day, expected):
    rule = parts.suppressions.Rule("race:Inner until=2026-01-01",
                                   today=datetime.date.fromisoformat(day))
    assert rule.matches(FINDING) == expected


@pytest.mark.parametrize("finding", [
    {}, {"stacks": 3}, {"stacks": [None, 3, {"frames": 7}]}, {"stacks": [{"role": "write"}]},
    {"stacks": [{"role": "write", "frames": [3, {"function": 7, "module": 8}]}]},
    {"kind": 3, "title": None, "object": 4, "fingerprint": None}])
def test_foreign_records(parts, finding):
    """The log can be anybody's."""
    assert parts.suppressions.first_match(
        parts.suppressions.parse(["race:ab", "module:ab", "race_top:ab", "kind:ab"]), finding) is None
    assert isinstance(parts.text.long(finding), str)
    assert all(isinstance(line, str) for line in parts.text.short(finding))


def test_names_cannot_drive_the_terminal(parts):
    finding = {**FINDING, "title": "\033[2J", "kind": "\033", "stacks": [
        {"role": "write", "thread": "\033", "frames": [
            {"type": "native", "function": "a\nb", "module": "\033"}]}]}
    text = parts.text.long(finding) + "".join(parts.text.short(finding))
    assert "\033" not in text and "a\nb" not in text


def test_several_tests_at_a_time(parts, monkeypatch, tmp_path):
    """Threads tell them apart, where they can."""
    monkeypatch.setattr(parts.log, "find_own", lambda: None)
    tests = parts.attribution.Tests(str(tmp_path / "log"), False, [])

    def at(tids, **threads):
        tests.intervals = []
        for name, thread in threads.items():
            interval = parts.attribution.Interval(name)
            interval.thread, interval.began = thread, 4.0
            tests.intervals.append(interval)
        finding = {**FINDING, "stacks": [{"role": "read", "tid": tid} for tid in tids]}
        return tests._tests_of(finding)

    assert at([1, 2], a=1, b=2) == ["a", "b"]
    assert at([1, 1], a=1, b=2) == ["a"]
    assert at([1, 3], a=1, b=2) == ["a", "b"]
    assert at([7, 8], a=1) == ["a"]
    assert at([7, 8]) == []


def test_lines_that_are_no_records(parts, tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b'{"v":1,"type":"a"}\n\xff\n[1]\n{"v":2,"type":"b"}\n3\n'
                     + b"[" * 100000 + b'\n{"v":1,"type":"c"}\n{"v":1,"type":"d"}')
    tail = parts.log.Tail(str(path))
    assert [record["type"] for record in tail.read()] == ["a", "c"]
    with path.open("a") as file:
        file.write("\n")
    assert [record["type"] for record in tail.read()] == ["d"]
    assert list(tail.read()) == []


def test_sources_are_for_the_oldest_supported_python():
    """The plugin runs on whatever runs pytest; this test on one of them only."""
    import ast

    for path in (PYTHON_SOURCES / "ftsan").glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 10))
    assert sys.version_info >= (3, 10)


def slow_one(project):
    project.directory.mkdir()
    project.file.write_text("import time\n"
                            "def test_fast():\n    time.sleep(0.1)\n"
                            "def test_slow():\n    time.sleep(4)  # the line\n")


def test_a_test_that_takes_too_long(project, affected):
    slow_one(project)
    outcome = project.pytest(affected, "--ftsan-timeout=1.5")
    assert "2 passed" in outcome.stdout, outcome
    (hang,) = outcome.findings
    assert hang["kind"] == "hang" and hang["death"].get("signal") is None, hang
    assert any(frame.get("function") == "test_slow"
               for stack in hang["stacks"] for frame in stack["frames"]), hang
    assert [record["tests"] for record in outcome.records("test")] \
        == [["test_it.py::test_slow"]], outcome


def test_tests_in_time(project, affected):
    slow_one(project)
    outcome = project.pytest(affected, "--ftsan-timeout=60")
    assert outcome.findings == [] and "2 passed" in outcome.stdout, outcome


def test_a_usage_error_has_no_summary(run, affected):
    outcome = run.ftsan(affected, "-m", "pytest", "--no-such-option")
    assert outcome.status == 4, outcome
    assert "unrecognized arguments" in outcome.stderr and "ftsan:" not in outcome.stderr, outcome
