"""Suppressions: `--suppressions FILE` and `--gen-suppressions` of run and report."""

import json
import shutil
import subprocess
import sys
import textwrap

import pytest

import log_maker as log
from conftest import BUILD, clean_environment

FTSAN = BUILD / "ftsan"
pytestmark = pytest.mark.skipif(not FTSAN.exists(), reason=f"{FTSAN} is not built")

PROGRAM = """
import json, os, re, sys
PATH = re.findall(r"log='([^']*)'", os.environ["FTSAN_OPTIONS"])[-1]
RECORDS = json.loads({records!r})
with open(PATH, "ab", buffering=0) as file:
    for record in RECORDS:
        if record["type"] == "process":
            record["run"] = os.environ["FTSAN_RUN_ID"]
        file.write(json.dumps(record).encode() + b"\\n")
print("program ran")
sys.exit({status})
"""


@pytest.fixture(scope="session")
def inert_library(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler for the preloaded object")
    path = tmp_path_factory.mktemp("lib") / "libftsan.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-x", "c", "-o", path, "/dev/null"], check=True)
    return path


class Command:
    def __init__(self, directory, library):
        self.directory = directory
        self.environment = clean_environment({"FTSAN_LIBRARY": str(library),
                                              "TMPDIR": str(directory)})

    def call(self, *arguments, **environment):
        return log.call(FTSAN, *arguments, cwd=self.directory,
                        environment={**self.environment, **environment})

    def rules(self, text, name="rules"):
        (self.directory / name).write_text(textwrap.dedent(text))
        return name

    def program(self, *findings, status=0):
        path = self.directory / "program.py"
        path.write_text(PROGRAM.format(records=json.dumps(log.run(*findings)), status=status))
        return [sys.executable, str(path)]


@pytest.fixture
def ftsan(tmp_path, inert_library):
    return Command(tmp_path, inert_library)


FINDINGS = [log.finding(), log.finding("00000000000000bb", "bad-code", stacks=[
    log.stack("call", log.native("__pyx_f", "/m/_mcp.so"), log.python("graph", "/src/graph.py"))])]


@pytest.mark.parametrize("rule, hidden", [
    ("race:PyArray_Repeat", "a"),
    ("race:Repeat", "a"),
    ("race:npy_alloc_cache_dim", "a"),
    ("race:/src/read.py", "a"),
    ("race:^read.py$", "a"),
    ("race:umath", "a"),
    ("race:^Repeat", ""),
    ("race:PyArray$", ""),
    ("race:^PyArray_*at$", "a"),
    ("race:Py?rray_Repeat", "a"),
    ("race:Py?Array", ""),
    ("race:*", "ab"),
    ("race_top:PyArray_Discover", "a"),
    ("race_top:work", ""),
    ("race_top:npy_alloc_cache_dim", ""),
    ("module:_mcp.so", "b"),
    ("module:^_mcp.so$", "b"),
    ("module:^/m/", "ab"),
    ("module:libc.so", ""),
    ("kind:race", "a"),
    ("kind:bad", ""),
    ("kind:bad-*", "b"),
    ("fingerprint:00000000000000AA", "a"),
    ("fingerprint:00000000000000ac", ""),
    ("test:a", ""),
    ("race:PyArray_Repeat until=2999-12-31", "a"),
    ("race:PyArray_Repeat until=2001-12-31", ""),
])
def test_what_a_rule_hides(ftsan, rule, hidden):
    log.write(ftsan.directory / "log", *log.run(*FINDINGS))
    result = ftsan.call("report", "--suppressions", ftsan.rules(rule), "--format", "json", "log")
    assert result.returncode == 0, result.stderr
    merged = json.loads(result.stdout)["findings"]
    assert {item["fingerprint"][-1] for item in merged if item["suppressed"]} == set(hidden)
    shown = ftsan.call("report", "--suppressions", "rules", "--exit-code", "log")
    assert shown.stdout.count("WARNING:") == 2 - len(hidden)
    assert shown.returncode == (0 if len(hidden) == 2 else 66)


def test_libc_is_never_the_top(ftsan):
    stack = log.stack("read", log.native("memmove", "/lib/libc.so.6"), log.native("Reader"))
    log.write(ftsan.directory / "log", *log.run(log.finding(stacks=[stack])))
    for rule, status in (("race_top:Reader", 0), ("race_top:memmove", 66), ("module:libc", 66),
                         ("race:memmove", 0)):
        result = ftsan.call("report", "--exit-code", "--suppressions", ftsan.rules(rule), "log")
        assert result.returncode == status, rule


def test_tests(ftsan):
    """An occurrence in one test does not speak for those in others."""
    def merged(*lists):
        log.write(ftsan.directory / "log", *log.run(*[log.finding(tests=tests) if tests else
                                                      log.finding() for tests in lists]))
        result = ftsan.call("report", "--suppressions", ftsan.rules("test:test_slow.py::"),
                            "--exit-code", "log")
        assert ("WARNING" in result.stdout) == (result.returncode == 66)
        return result.returncode

    slow, other = "tests/test_slow.py::test_a[x]", "tests/test_b.py::test_b"
    assert merged([slow]) == 0
    assert merged([slow], [slow, other]) == 0
    assert merged([slow], [other]) == 66
    assert merged([other], [slow]) == 66
    assert merged([slow], None) == 66
    assert merged(None) == 66


A, B = "00000000000000aa", "00000000000000bb"


@pytest.mark.parametrize("name, records, hidden, tests", [
    ("one test", [log.running("slow"), log.finding(), log.test_record(A, "slow")], True, ["slow"]),
    ("another", [log.running("slow"), log.finding(), log.test_record(A, "b")], False, ["b"]),
    ("died", [log.running("slow"), log.finding()], True, ["slow"]),
    ("died in another", [log.running("slow"), log.running("b"), log.finding()], False, ["b"]),
    ("none ran", [log.running(), log.finding(), log.test_record(A)], False, []),
    ("after the end", [log.finding(), log.end(1), log.test_record(A, "slow")], True, ["slow"]),
    ("its own rule", [log.running("b"), log.finding(), log.test_record(A, "b", suppressed="race:x")],
     True, ["b"]),
    ("not that finding", [log.running("b"), log.finding(), log.test_record(B, "slow")], False, ["b"]),
    ("before it", [log.test_record(A, "slow"), log.finding()], False, []),
    ("twice", [log.running("slow"), log.finding(), log.test_record(A, "slow"), log.process(101),
               log.running("b"), log.finding(pid=101), log.test_record(A, "b")], False, ["slow", "b"]),
    ("hidden twice", [log.running("slow"), log.finding(), log.test_record(A, "slow"), log.process(101),
                      log.running("slow"), log.finding(pid=101)], True, ["slow"]),
])
def test_tests_that_the_pytest_plugin_names(ftsan, name, records, hidden, tests):
    log.write(ftsan.directory / "log", log.process(), log.engine(), *records)
    options = ("report", "--suppressions", ftsan.rules("test:slow"), "--exit-code")
    merged = json.loads(ftsan.call(*options, "--format", "json", "log").stdout)["findings"][0]
    assert (merged["suppressed"], merged["tests"]) == (hidden, tests)
    text = ftsan.call(*options, "log")
    assert text.returncode == (0 if hidden else 66)
    assert ("WARNING" in text.stdout) != hidden
    assert ("pytest: race:x: 1 record" in text.stdout) == (name == "its own rule")


@pytest.mark.parametrize("test, own_rule, status", [
    ("slow", {}, 0), ("b", {}, 66), ("b", {"suppressed": "race:x"}, 0)])
def test_a_run_waits_for_the_tests_names(ftsan, test, own_rule, status):
    """The plugin names them when the test has ended, long after the finding."""
    records = log.run()[:3] + [log.running(test), log.finding()]
    later = [log.test_record(A, test, **own_rule), log.end(1)]
    program = ftsan.program()
    text = PROGRAM.format(records=json.dumps(records), status=0)
    more = (f"import time; time.sleep(0.5); file = open(PATH, 'ab', buffering=0)\n"
            f"for record in json.loads({json.dumps(later)!r}):\n"
            f"    file.write(json.dumps(record).encode() + b'\\n')\n")
    (ftsan.directory / "program.py").write_text(text.replace("sys.exit(0)", more))
    result = ftsan.call("run", "--suppressions", ftsan.rules("test:slow"), "--", *program)
    assert result.returncode == status, result.stderr
    assert result.stderr.count("WARNING") == (1 if status else 0)


def test_the_shown_occurrence_is_not_a_hidden_one(ftsan):
    stack = log.stack("write", log.native("Top"), log.python("known_caller"))
    log.write(ftsan.directory / "log", *log.run(log.finding(stacks=[stack]), log.finding()))
    result = ftsan.call("report", "--suppressions", ftsan.rules("race:known_caller"), "log")
    assert "known_caller" not in result.stdout.split("ftsan: 1 finding")[0]
    assert "PyArray_Repeat" in result.stdout
    assert "Occurred 2 times" in result.stdout


RULES = """\
# known since 2024
race:PyArray_Repeat   # numpy#28197
module:unheard.so
race:work until=2001-01-31

\tkind:bad-code\t
"""


def test_the_list_at_the_end(ftsan):
    log.write(ftsan.directory / "log", *log.run(*FINDINGS, log.finding()))
    result = ftsan.call("report", "--suppressions", ftsan.rules(RULES), "log")
    assert "ftsan: 0 findings in 1 process, 2 suppressed\n" in result.stdout
    assert ("ftsan: suppressions: 2 findings suppressed\n"
            "ftsan:   rules:2: race:PyArray_Repeat: 1 finding in 2 records\n"
            "ftsan:   rules:3: module:unheard.so: unused\n"
            "ftsan:   rules:4: race:work until=2001-01-31: expired, not applied; it would match "
            "1 finding in 2 records\n"
            "ftsan:   rules:6: kind:bad-code: 1 finding\n") in result.stdout
    assert "suppressions" not in ftsan.call("report", "log").stdout


@pytest.mark.parametrize("line, message", [
    ("race", "not of the form TYPE:PATTERN: race"),
    ("races:x", "unknown type 'races'; known are race, race_top, module"),
    ("thread:x", "unknown type 'thread'"),
    ("race:", "there is no pattern after race"),
    ("race: until=2999-01-01", "there is no pattern before until="),
    ("race:x until=2999-02-29", "no date of the form YYYY-MM-DD: 2999-02-29"),
    ("race:x until=tomorrow", "no date"),
    ("race:x until=2999-1-1", "no date"),
    ("race:x since=2999-01-01", "only until=YYYY-MM-DD may follow a pattern, not since="),
    ("fingerprint:12", "16 hexadecimal digits"),
    ("fingerprint:00000000000000a*", "16 hexadecimal digits"),
    ("\x00race:x", "not text"),
])
def test_a_bad_line_ends_it_before_anything_runs(ftsan, line, message):
    rules = ftsan.rules(f"race:good\n# comment\n{line}\n")
    log.write(ftsan.directory / "log", *log.run())
    for arguments in (["run", "--suppressions", rules, "--", *ftsan.program()],
                      ["run", "--options", f"suppressions={rules}", "--", *ftsan.program()],
                      ["report", "--suppressions", rules, "log"]):
        result = ftsan.call(*arguments)
        assert result.returncode == 125
        assert "rules:3: " in result.stderr
        assert message in result.stderr
        assert result.stdout == ""


def test_every_bad_line_is_told_but_not_a_million(ftsan):
    log.write(ftsan.directory / "log", *log.run())
    result = ftsan.call("report", "--suppressions", ftsan.rules("a\nrace:b\nc\n"), "log")
    assert "rules:1: " in result.stderr and "rules:3: " in result.stderr
    (ftsan.directory / "binary").write_bytes(bytes(range(256)) * 4000)
    result = ftsan.call("report", "--suppressions", "binary", "log")
    assert result.returncode == 125
    assert len(result.stderr) < 100000 and "\x1b" not in result.stderr


def test_names_with_blanks_and_signs(ftsan):
    names = ["operator new", "{lambda()#1}", "a*b", "x$", "^y", "back\\slash", "f(int) #2", "q?"]
    log.write(ftsan.directory / "log", *log.run(*[
        log.finding(f"{i:016x}", stacks=[log.stack("write", log.native(name))])
        for i, name in enumerate(names)]))
    text = ftsan.call("report", "--gen-suppressions", "log").stdout
    wide = [line[1:] for line in text.splitlines() if line.startswith("#race_top:")]
    assert len(wide) == len(names)
    result = ftsan.call("report", "--exit-code", "--suppressions",
                        ftsan.rules("\n".join(wide) + "\n"), "log")
    assert result.returncode == 0, result.stdout
    assert result.stdout.count(": 1 finding\n") == len(names)


def test_generated_lines_hide_what_they_were_made_from(ftsan):
    log.write(ftsan.directory / "log", *log.run(*FINDINGS))
    result = ftsan.call("report", "--gen-suppressions", "-o", "made", "log")
    assert (result.returncode, result.stdout) == (0, "")
    again = ftsan.call("report", "--exit-code", "--suppressions", "made", "log")
    assert again.returncode == 0
    assert "2 suppressed" in again.stdout
    other = log.finding("00000000000000cc")
    log.write(ftsan.directory / "log", *log.run(*FINDINGS, other))
    assert ftsan.call("report", "--exit-code", "--suppressions", "made", "log").returncode == 66


# --- ftsan run ---

def test_a_run_with_suppressed_findings_only_is_a_success(ftsan):
    result = ftsan.call("run", "--suppressions", ftsan.rules("race:*\nmodule:unheard\n"), "--",
                        *ftsan.program(*FINDINGS))
    assert (result.returncode, result.stdout) == (0, "program ran\n")
    assert "WARNING" not in result.stderr
    assert "ftsan: 0 findings in 1 process, 2 suppressed\n" in result.stderr
    assert "rules:2: module:unheard: unused\n" in result.stderr
    assert "the log is" not in result.stderr
    assert not list(ftsan.directory.glob("ftsan-*"))


def test_a_run_with_other_findings_too_is_none(ftsan):
    result = ftsan.call("run", "--suppressions", ftsan.rules("kind:race"), "--",
                        *ftsan.program(*FINDINGS))
    assert result.returncode == 66
    assert result.stderr.count("WARNING") == 1
    assert "invalid code object" in result.stderr


def test_the_programs_own_status_stays(ftsan):
    result = ftsan.call("run", "--suppressions", ftsan.rules("race:*"), "--",
                        *ftsan.program(*FINDINGS, status=3))
    assert result.returncode == 3


def test_suppressions_in_the_options(ftsan):
    rules = ftsan.rules("race:*")
    command = ftsan.program(*FINDINGS)
    assert ftsan.call("run", *command).returncode == 66
    assert ftsan.call("run", "--options", f"suppressions={rules}", *command).returncode == 0
    assert ftsan.call("run", *command, FTSAN_OPTIONS=f"suppressions={rules}").returncode == 0
    log.write(ftsan.directory / "log", *log.run(*FINDINGS))
    assert ftsan.call("report", "--exit-code", "log").returncode == 66
    assert ftsan.call("report", "--exit-code", "log",
                      FTSAN_OPTIONS=f"suppressions={rules}").returncode == 0


def test_inner_runs_find_the_file_from_elsewhere(ftsan):
    rules = ftsan.rules("race:*")
    inner = " ".join([str(FTSAN), "run", *ftsan.program(*FINDINGS)])
    result = ftsan.call("run", "--options", f"suppressions={rules}:blindcode=0", "sh", "-c",
                        f"cd / && {inner}")
    # What the inner one ran is not the outer one's to watch.
    assert "NOTHING WATCHED (CMD ran no CPython)" in result.stderr, result.stderr
    assert result.returncode == 0, result.stderr
    assert "2 suppressed" in result.stderr


def test_lines_are_generated_by_a_run(ftsan):
    result = ftsan.call("run", "--gen-suppressions", "--suppressions",
                        ftsan.rules("kind:bad-code"), "--", *ftsan.program(*FINDINGS))
    assert "\nfingerprint:00000000000000aa\n#race_top:^PyArray_Repeat$\n" in result.stderr
    assert "fingerprint:00000000000000bb" not in result.stderr
