"""`ftsan report` on logs made by hand: merging, formats, baselines, hostile names."""

import csv
import gzip
import io
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import xml.etree.ElementTree

import pytest

import log_maker as log
from conftest import BUILD, clean_environment

FTSAN = BUILD / "ftsan"
pytestmark = pytest.mark.skipif(not FTSAN.exists(), reason=f"{FTSAN} is not built")

# Names that are an attack on one reader or another.
HOSTILE = ["</script><img src=x onerror=alert(1)>", "\"'><b>&amp;", "]]>--><!--", "=cmd|' /C calc'!A0",
           "a\r\n::error::b%0A", "\x1b[2J\x07", "\u202e\ufffe\U0001f600", "%s%n{0}${x}", "a" * 5000]


@pytest.fixture
def report(tmp_path):
    def call(*arguments, environment={}, **settings):
        return log.call(FTSAN, "report", *arguments, environment=clean_environment(environment),
                        cwd=tmp_path, **settings)
    return call


@pytest.fixture
def one(tmp_path):
    return log.write(tmp_path / "one.jsonl", *log.run(log.finding()))


def document(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


# --- merging ---

def test_logs_are_merged_by_fingerprint(report, tmp_path):
    log.write(tmp_path / "a", *log.run(log.finding(time=log.TIME + 5), pid=1,
                                       duplicates={"00000000000000aa": 3}))
    log.write(tmp_path / "b.gz", *log.run(log.finding(confidence="probable"), pid=2, run="r2"),
              pack=True)
    log.write(tmp_path / "c", *log.run(log.finding("00000000000000bb", "hazard", "latent"), pid=3))
    merged = document(report("--format", "json", "a", "b.gz", "c"))
    first, second = merged["findings"]
    assert (first["fingerprint"], first["count"], first["processes"]) == ("00000000000000aa", 5, 2)
    assert (first["first"], first["last"]) == (log.TIME, log.TIME + 5)
    assert first["confidence"] == "confirmed"
    assert second["kind"] == "hazard"
    summary = merged["summary"]
    assert (summary["findings"], summary["processes"], summary["runs"]) == (2, 3, 2)
    assert summary["coverage"]["buffers_seen"] == 27
    assert summary["coverage"]["buffers_left_out"] == {"slots": 6}
    assert summary["coverage"]["gil"] == {"off": 3, "on": 0, "unknown": 0}
    text = report("a", "b.gz", "c").stdout
    assert text.count("WARNING: ftsan:") == 2
    assert "Occurred 5 times in 2 processes, first 2026-11-22T07:43:27Z" in text
    assert "ftsan: 2 findings in 3 processes\n" in text


def test_coverage_is_added_up_however_it_is_written(report, tmp_path):
    """The last record of each process counts, whether it needs a whole parse or not."""
    plain = log.coverage(gil_requested_by=["mod"], gil="on", novel=7)
    special = log.coverage(gil_requested_by=["m\u00f6d", 3], gil="on", novel=7)
    for name, record in (("a", plain), ("b", special)):
        log.write(tmp_path / name, log.process(), log.engine(), log.coverage(traps=1000), record,
                  log.process(2), record, log.end())
        coverage = document(report("--format", "json", name))["summary"]["coverage"]
        assert coverage["traps"] == 8 and coverage["novel"] == 14
        assert coverage["buffers_left_out"] == {"slots": 4}
        assert coverage["gil"] == {"off": 0, "on": 2, "unknown": 0}
        assert coverage["gil_requested_by"] == record["gil_requested_by"][:1]
        assert coverage["processes"] == 2


def test_the_better_proof_is_shown(report, tmp_path):
    weak = log.finding(confidence="latent", title="weak")
    strong = log.finding(confidence="confirmed", title="strong")
    for name, records in (("a", [weak, strong]), ("b", [strong, weak])):
        log.write(tmp_path / name, *log.run(*records))
        shown, = document(report("--format=json", name))["findings"]
        assert (shown["title"], shown["count"]) == ("strong", 2)


def test_standard_input_and_concatenated_gzip(report, tmp_path, one):
    data = pathlib.Path(one).read_bytes()
    assert document(report("--format", "json", "-", input=data, text=False))["summary"]["findings"]
    two = gzip.compress(data) + gzip.compress(data)
    merged = document(report("--format", "json", "-", input=two, text=False))
    assert merged["findings"][0]["count"] == 2


def test_tests_are_merged(report, tmp_path):
    log.write(tmp_path / "a", *log.run(log.finding(tests=["t.py::a", "t.py::b"]),
                                       log.finding(tests=["t.py::b", "t.py::ü"])))
    merged, = document(report("--format", "json", "a"))["findings"]
    assert merged["tests"] == ["t.py::a", "t.py::b", "t.py::ü"]
    assert "In the tests t.py::a, t.py::b, t.py::ü.\n" in report("a").stdout


@pytest.mark.parametrize("code, shown", [
    ("import a; print('b')", r"'import a; print('\''b'\'')'"),
    ("\nimport a\na.b()", "'import a ...'"),
    ("import a\na.b()", "'import a ...'"),
])
def test_the_command_is_one_line_for_the_shell(report, tmp_path, code, shown):
    log.write(tmp_path / "a", log.process(argv=["python", "-c", code]), log.finding(), log.end())
    assert f"  Again:    ftsan run -- python -c {shown}\n" in report("a").stdout


def test_what_else_occurred_has_names_of_cplusplus(report, tmp_path):
    log.write(tmp_path / "a", *log.run(log.finding(evidence="race: read in _ZN1a1bEi"),
                                       log.finding(evidence="race: write in _ZN1a1cEi")))
    assert "Occurred 2 times in 1 process: race: read in a::b; race: write in a::c.\n" in report("a").stdout


def test_a_finding_that_occurred_once_has_no_note(report, one):
    assert "Occurred" not in report(one).stdout
    assert "In the tests" not in report(one).stdout


# --- what can't be read ---

def test_torn_lines_lose_nothing_else(report, tmp_path):
    records = log.run(log.finding())
    torn = json.dumps(log.finding("00000000000000bb"))[:200].encode()
    path = log.write(tmp_path / "torn", *records[:2], torn + b"\n", b"\x00\xff\xfe garbage\n",
                     *records[2:], torn)
    result = report(path)
    assert result.returncode == 0
    assert "2 of its 8 lines are torn or not ftsan's, the first is line 3" in result.stderr
    assert "ftsan: 1 finding in 1 process\n" in result.stdout
    assert "1 log file ends in the middle of a line" in result.stdout


def test_every_cut_of_a_log_can_be_read(report, tmp_path):
    data = log.lines(log.run(log.finding(), log.finding("00000000000000bb")))
    for cut in random.Random(1).sample(range(1, len(data)), 40):
        (tmp_path / "cut").write_bytes(data[:cut])
        result = report("--format", "json", "cut")
        complete = data[:cut].count(b"\n")
        assert result.returncode == (0 if complete else 125), (cut, result.stderr)
        if complete:
            found = json.loads(result.stdout)["findings"]
            assert len(found) == data[:cut].rpartition(b"\n")[0].count(b'"type": "finding"')


@pytest.mark.parametrize("data", [
    b"\x7fELF" + bytes(range(256)) * 10, b"\x00" * 100000, b"\n" * 10, b"[1]\n{}\n", b"x",
    b"import os\nprint(1)\n", b'{"v":1,"type":3}\n'])
def test_a_foreign_file_is_told_and_the_rest_reported(report, tmp_path, one, data):
    (tmp_path / "foreign").write_bytes(data)
    alone = report("foreign")
    assert alone.returncode == 125
    assert "foreign: not a log of ftsan" in alone.stderr
    assert alone.stdout == ""
    both = report("foreign", one)
    assert both.returncode == 125
    assert "ftsan: 1 finding in 1 process\n" in both.stdout


def test_damaged_gzip(report, tmp_path):
    noise = [log.finding(f"{i:016x}", title=str(random.Random(i).random())) for i in range(2000)]
    whole = gzip.compress(log.lines(log.run(*noise)))
    (tmp_path / "cut.gz").write_bytes(whole[:len(whole) // 2])
    broken = bytearray(whole)
    broken[len(broken) // 2:len(broken) // 2 + 50] = bytes(50)
    (tmp_path / "broken.gz").write_bytes(broken)
    for name, message in (("cut.gz", "the gzip data is cut off"),
                          ("broken.gz", "the gzip data is damaged")):
        result = report("--format", "json", name)
        assert result.returncode == 125
        assert message in result.stderr
        assert 100 < len(json.loads(result.stdout)["findings"]) < 2000


def test_lines_without_end_and_deep_nesting(report, tmp_path, one):
    deep = b'{"v":1,"type":"finding","x":' + b"[" * 100000 + b"\n"
    closed = b'{"v":1,"type":"finding","x":' + b"[" * 500 + b"]" * 500 + b"}\n"
    huge = b'{"v":1,"type":"thread","tid":1,"name":"' + b"a" * (20 << 20) + b'"}\n'
    path = log.write(tmp_path / "wild", *log.run(), deep, closed, huge, *log.run(log.finding()))
    result = report(path)
    assert result.returncode == 0
    assert "3 of its 14 lines" in result.stderr
    assert "ftsan: 1 finding in 2 processes\n" in result.stdout


def test_records_of_a_later_version(report, tmp_path, one):
    later = json.dumps({**log.finding("00000000000000bb"), "v": 2}).encode() + b"\n"
    path = log.write(tmp_path / "later", *log.run(log.finding()), later)
    result = report(path)
    assert "1 of its 7 lines were written by a later version of ftsan" in result.stderr
    assert "1 finding in 1 process" in result.stdout


def test_random_bytes_in_a_log_never_end_the_command(report, tmp_path):
    dice = random.Random(7)
    data = log.lines(log.run(log.finding(), log.finding("00000000000000bb", tests=["a"])))
    for _ in range(60):
        wild = bytearray(data)
        for _ in range(dice.randint(1, 20)):
            wild[dice.randrange(len(wild))] = dice.randrange(256)
        (tmp_path / "wild").write_bytes(wild)
        for form in ("text", "json", "sarif", "junit", "html", "csv", "github"):
            assert report("--format", form, "wild", text=False).returncode in (0, 125)


def test_other_things_than_files(report, tmp_path, one):
    (tmp_path / "directory").mkdir()
    for name, message in (("directory", "Is a directory"), ("/dev/null", "not a file"),
                          ("nowhere", "No such file")):
        result = report(name, one)
        assert result.returncode == 125
        assert message in result.stderr
        assert "1 finding" in result.stdout


# --- command line ---

@pytest.mark.parametrize("arguments, message", [
    (["--format", "yaml", "x"], "unknown format yaml"),
    (["--format"], "--format needs a value"),
    (["--color", "sometimes", "x"], "auto, always or never"),
    (["--frobnicate", "x"], "unknown option --frobnicate"),
    (["--suppressions", "nowhere", "x"], "the suppressions can't be read"),
    (["--baseline", "nowhere", "one.jsonl"], "nowhere: No such file"),
    (["-o", "/nonexistent/out", "one.jsonl"], "No such file"),
])
def test_failures_of_its_own(report, one, arguments, message):
    result = report(*arguments)
    assert result.returncode == 125
    assert message in result.stderr


def test_output_to_a_file(report, one, tmp_path):
    result = report(one, "--format", "json", "-o", "out.json")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert json.loads((tmp_path / "out.json").read_text())["summary"]["findings"] == 1


def test_a_reader_that_has_seen_enough_is_no_error(report, tmp_path):
    """`report | head`: the status is the one that it would have been."""
    log.write(tmp_path / "many", *log.run(*(log.finding(f"{i:016x}", title="x" * 2000)
                                            for i in range(1, 200))))
    for form in ("text", "json", "csv"):
        for arguments, status in ((), 0), (("--exit-code",), 66):
            command = [FTSAN, "report", "--format", form, *arguments, "many"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  cwd=tmp_path, env=clean_environment({})) as process:
                process.stdout.readline()
                process.stdout.close()
                assert process.stderr.read() == b"", form
            assert process.returncode == status, form


def test_a_full_disk_is_a_failure(report, one):
    result = report(one, "-o", "/dev/full")
    assert result.returncode == 125
    assert "can't be written" in result.stderr


def test_colour(report, one):
    assert "\033" not in report(one).stdout
    assert "\033[1;31mWARNING" in report("--color=always", one).stdout
    assert "\033[1;31m" in report("--color=always", one, environment={"NO_COLOR": "1"}).stdout
    script = shutil.which("script")
    if script is None:
        pytest.skip("no script(1) for a terminal")
    for extra, coloured in (("", True), ("--color=never", False), ("-o /dev/tty", False)):
        done = subprocess.run([script, "-qec", f"{FTSAN} report {extra} {one}", "/dev/null"],
                              capture_output=True, text=True, env=clean_environment({}), check=True)
        assert ("\033[1;31m" in done.stdout) == coloured, extra
    done = subprocess.run([script, "-qec", f"{FTSAN} report {one}", "/dev/null"], check=True,
                          capture_output=True, text=True, env=clean_environment({"NO_COLOR": "1"}))
    assert "\033[1;31m" not in done.stdout


def test_exit_status(report, tmp_path, one):
    clean = log.write(tmp_path / "clean", *log.run())
    assert report(one).returncode == 0
    assert report("--exit-code", one).returncode == 66
    assert report("--exit-code", clean).returncode == 0
    assert report("--exit-code", one, "nowhere").returncode == 125


# --- baseline ---

def modules(n):
    return log.coverage(modules=[{"module": f"/own/m{i}.so", "functions": 5, "seen": 3, "shared": 1}
                                 for i in range(n)])


def summary_of(report, tmp_path, *records, stats=False):
    log.write(tmp_path / "log", log.process(), log.engine(), *records, log.end())
    return report("log", *["--stats"] * stats).stdout


def test_a_summary_is_short_unless_more_is_asked_for(report, tmp_path):
    """Modules: where there is a finding, and few; else with --stats."""
    for finding, n, shown in ([], 2, False), ([log.finding()], 3, True), ([log.finding()], 4, False):
        for stats in False, True:
            text = summary_of(report, tmp_path, *finding, modules(n), stats=stats)
            assert ("functions that ran: m0 3 of 5 (1 on shared memory), m1 3 of 5" in text) == \
                (shown or stats), text


def test_what_was_left_out_is_said_in_words(report, tmp_path):
    """Not the few whose owner was not seen, but all that a bound left out."""
    for guarded, reason, n, words in (1000, "unbound", 3, ""), \
            (100, "unbound", 3, "left out: 3 unbound (not known whose they are);"), \
            (1000, "slots", 3, "left out: 3 slots (more at once than the bound);"):
        text = summary_of(report, tmp_path, log.coverage(
            buffers_guarded=guarded, buffers_left_out={reason: n}))
        assert ("left out" in text) == bool(words) and words in text, text


def test_a_danger_begins_as_a_sentence(report, tmp_path):
    for note, words in ("What can go wrong: the sum is too small.", "The sum is too small."), \
            ("What can go wrong: 2 of 3 are lost.", "2 of 3 are lost."), ("as it is", "as it is"):
        log.write(tmp_path / "log", *log.run(log.finding(note=note)))
        assert f"  Danger:   {words}\n" in report("log").stdout


def test_a_static_is_called_a_static(report, tmp_path):
    static = log.finding("1" * 16, "hazard", "latent", title="static last of tally", grade="high")
    log.write(tmp_path / "log", *log.run(static))
    text = report("log").stdout
    assert "1 x unsynchronized static, latent" in text and "metadata" not in text, text


def test_baseline(report, tmp_path):
    known, new, gone = (log.finding(f"{i:016x}", title=title)
                        for i, title in ((1, "known"), (2, "new"), (3, "gone")))
    log.write(tmp_path / "old1", *log.run(known))
    log.write(tmp_path / "old2.gz", *log.run(gone), pack=True)
    log.write(tmp_path / "now", *log.run(known, new))
    log.write(tmp_path / "same", *log.run(known))
    options = ("--baseline", "old1", "--baseline", "old2.gz")
    result = report(*options, "now")
    assert result.returncode == 66
    assert "Compared with the baseline: new.\n" in result.stdout
    assert "ftsan: compared with the baseline: 1 new, 1 known, 1 gone\n" in result.stdout
    assert "ftsan:   gone: 0000000000000003, data race in PyArray_Repeat /src/work.py:7" in result.stdout
    assert result.stdout.index("baseline: new.") < result.stdout.index("baseline: known.")
    same = report(*options, "same")
    assert same.returncode == 0
    assert "0 new, 1 known, 1 gone" in same.stdout
    merged = report(*options, "--format", "json", "now")
    assert merged.returncode == 66
    states = {item["fingerprint"]: item["baseline"] for item in json.loads(merged.stdout)["findings"]}
    assert states == {f"{1:016x}": "known", f"{2:016x}": "new", f"{3:016x}": "gone"}


def test_suppressed_findings_are_neither_new_nor_gone(report, tmp_path):
    log.write(tmp_path / "old", *log.run(log.finding("0" * 15 + "1")))
    log.write(tmp_path / "now", *log.run(log.finding("0" * 15 + "1"), log.finding("0" * 15 + "2")))
    (tmp_path / "s").write_text("race:PyArray_Repeat\n")
    result = report("--suppressions", "s", "--baseline", "old", "now")
    assert result.returncode == 0
    assert "0 new, 0 known, 0 gone" in result.stdout


# --- formats ---

def hostile_log(path):
    findings = []
    for i, name in enumerate(HOSTILE):
        frames = [log.native(name, f"/m/{name}.so"), log.python(name, f"/src/{name}.py")]
        findings.append(log.finding(
            f"{i:016x}", title=name, tests=[name], stacks=[
                log.stack("write", *frames, thread=name), log.stack("read", *frames, thread=name)],
            object={"description": name, "name": name, "dtype": name}))
    findings.append(log.finding("</fingerprint>", "<kind>", "<confidence>"))
    return log.write(path, *log.run(*findings, python="</python>", argv=HOSTILE),
                     log.process(101), log.engine(name="<b>", active=False, reason="</script>"))


def test_hostile_names_reach_no_terminal(report, tmp_path):
    hostile_log(tmp_path / "h")
    for form in ("text", "csv", "github", "json"):
        out = report("--format", form, "h").stdout
        assert not any(ord(c) < 0x20 and c not in "\n\r\t" for c in out), form


def test_csv(report, tmp_path):
    hostile_log(tmp_path / "h")
    rows = list(csv.DictReader(io.StringIO(report("--format", "csv", "h", text=False).stdout.decode(),
                                           newline="")))
    assert len(rows) == len(HOSTILE) + 1
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert {row["function"] for row in rows} >= {"]]>--><!--", "'=cmd|' /C calc'!A0"}


def test_github(report, tmp_path):
    source = tmp_path / "pkg" / "a,b.py"
    source.parent.mkdir()
    source.touch()
    record = log.finding(stacks=[log.stack("write", log.native("PyArray_Repeat"),
                                           log.python(file="/venv/site-packages/np.py"),
                                           log.python(file=str(source), line=3))],
                         object={"description": "100% of a\r\n::b"})
    log.write(tmp_path / "a", *log.run(record, log.finding("0" * 16, confidence="latent")))
    out = report("--format", "github", "a", environment={"GITHUB_WORKSPACE": str(tmp_path)}).stdout
    first, second = out.splitlines()
    assert first.startswith("::error file=pkg/a%2Cb.py,line=3,title=ftsan%3A data race in "
                            "PyArray_Repeat::PyArray_Repeat (umath) stores to 100%25")
    assert "stores to 100%25 of a??::b while" in first
    assert second.startswith("::warning title=ftsan%3A data race")
    hostile_log(tmp_path / "h")
    out = report("--format", "github", "h").stdout
    assert all(line.startswith(("::error ", "::warning ")) for line in out.splitlines())
    assert len(out.splitlines()) == len(HOSTILE) + 1


def xsd_valid(path):
    xmllint = shutil.which("xmllint")
    if xmllint is None:
        pytest.skip("no xmllint (libxml2-utils)")
    schema = pathlib.Path(__file__).parent / "junit.xsd"
    return subprocess.run([xmllint, "--noout", "--schema", schema, path], capture_output=True,
                          text=True, check=False)


def test_junit(report, tmp_path):
    hostile_log(tmp_path / "h")
    (tmp_path / "s").write_text("fingerprint:0000000000000001\n")
    report("--format", "junit", "--suppressions", "s", "-o", "out.xml", "h")
    checked = xsd_valid(tmp_path / "out.xml")
    assert checked.returncode == 0, checked.stderr
    suite = xml.etree.ElementTree.parse(tmp_path / "out.xml").getroot().find("testsuite")
    cases = suite.findall("testcase")
    counts = [sum(case.find(tag) is not None for case in cases)
              for tag in ("failure", "error", "skipped")]
    assert [int(suite.get(name)) for name in ("failures", "errors", "skipped")] == counts
    assert counts == [len(HOSTILE), 1, 1]
    assert int(suite.get("tests")) == len(cases)
    names = "".join(case.get("name") for case in cases)
    assert HOSTILE[0] in names


def test_junit_names_the_file_and_the_tests(report, tmp_path):
    log.write(tmp_path / "log", *log.run(log.finding(tests=["t.py::test_a", "t.py::test_b"])))
    report("--format", "junit", "--source-root", "/src", "-o", "out.xml", "log")
    checked = xsd_valid(tmp_path / "out.xml")
    assert checked.returncode == 0, checked.stderr
    case = next(case for case in xml.etree.ElementTree.parse(tmp_path / "out.xml").iter("testcase")
                if case.find("failure") is not None)
    assert (case.get("file"), case.get("line")) == ("work.py", "7")
    assert case.find("failure").text.startswith("In the tests t.py::test_a, t.py::test_b\n")


def test_junit_of_a_clean_run_has_a_test_that_passed(report, tmp_path):
    log.write(tmp_path / "clean", *log.run())
    report("--format", "junit", "-o", "out.xml", "clean")
    cases = xml.etree.ElementTree.parse(tmp_path / "out.xml").getroot().iter("testcase")
    assert [(case.get("classname"), len(case)) for case in cases] == [("ftsan.verdict", 0),
                                                                      ("ftsan.engine", 0)]


def test_the_junit_schema_refuses_what_is_wrong(report, tmp_path, one):
    report("--format", "junit", "-o", "out.xml", one)
    text = (tmp_path / "out.xml").read_text()
    for old, new in (('failures="1"', 'failures="many"'), ("<failure ", "<fault "),
                     ("<testsuite ", "<suite "), ('classname="', 'class="')):
        wrong = text.replace(old, new).replace(old.replace("<", "</").strip() + ">",
                                               new.replace("<", "</").strip() + ">")
        assert wrong != text
        (tmp_path / "wrong.xml").write_text(wrong)
        assert xsd_valid(tmp_path / "wrong.xml").returncode != 0, old


# --- symbolization ---

SOURCE = """\
static inline __attribute__((always_inline)) int inner(volatile int *p)
{
	return *p + 1;
}
static inline __attribute__((always_inline)) int middle(volatile int *p)
{
	return inner(p) * 2;
}
int victim(volatile int *p)
{
	return middle(p) - 3;
}
"""


@pytest.fixture(scope="module")
def victim(tmp_path_factory):
    """(file, stripped copy, its debug file, build id, offset of the load in inner)"""
    tools = ("cc", "objcopy", "objdump", "readelf", "strip")
    if any(shutil.which(tool) is None for tool in tools):
        pytest.skip(f"needs {', '.join(tools)}")
    directory = tmp_path_factory.mktemp("victim")
    (directory / "victim.c").write_text(SOURCE)

    def do(*command):
        return subprocess.run(command, cwd=directory, check=True, capture_output=True,
                              text=True).stdout

    do("cc", "-g", "-O1", "-shared", "-fPIC", "-Wl,--build-id=sha1", "-o", "victim.so", "victim.c")
    do("objcopy", "--only-keep-debug", "victim.so", "victim.debug")
    do("strip", "-o", "stripped.so", "victim.so")
    build_id = do("readelf", "-n", "victim.so").split("Build ID:")[1].split()[0]
    code = do("objdump", "-d", "--disassemble=victim", "victim.so")
    offset = next(line.split(":")[0].strip() for line in code.splitlines() if "(%rdi)" in line)
    return directory, build_id, f"0x{offset}"


EXPECTED = [("inner", 3, True), ("middle", 7, True), ("victim", 11, False)]


@pytest.fixture
def frames(report, tmp_path):
    """Reports a load at `offset` of the module `path`: (function, line, inlined), messages."""
    def call(path, build_id, offset, *options, function="victim", environment={}):
        record = log.finding(stacks=[log.stack("write", log.native(function, str(path), offset))])
        log.write(tmp_path / "frames.jsonl", log.process(), log.engine(),
                  log.module(str(path), build_id), record, log.end(1))
        result = report("--format", "json", *options, "frames.jsonl", environment=environment)
        found, = document(result)["findings"]
        return [(frame.get("function"), frame.get("line"), frame.get("inlined", False))
                for frame in found["stacks"][0]["frames"]], result.stderr
    return call


UNKNOWN = [("victim", None, False)]


def test_inlined_calls_and_lines(frames, victim):
    directory, build_id, offset = victim
    found, messages = frames(directory / "victim.so", build_id, offset)
    assert (found, messages) == (EXPECTED, "")
    nameless, _ = frames(directory / "victim.so", build_id, offset, function=None)
    assert nameless == EXPECTED


def test_a_wrong_build_is_told_and_not_used(frames, victim):
    directory, build_id, offset = victim
    found, messages = frames(directory / "victim.so", "00" * 20, offset)
    assert found == UNKNOWN
    assert f"victim.so has the build id {build_id}, but {'00' * 20} ran: not used" in messages


def by_build_id(directory, build_id):
    path = directory / ".build-id" / build_id[:2]
    path.mkdir(parents=True)
    return path


def test_separate_debug_files(frames, victim, tmp_path):
    """The module is not there at all; its debug file is found by its build id."""
    directory, build_id, offset = victim
    shutil.copy(directory / "victim.debug",
                by_build_id(tmp_path / "debug", build_id) / f"{build_id[2:]}.debug")
    options = ("--debug-dir", tmp_path / "other", "--debug-dir", tmp_path / "debug")
    gone = "/other/machine/victim.so"
    assert frames(gone, build_id, offset, *options) == (EXPECTED, "")
    assert frames(gone, build_id, offset) == (UNKNOWN, "")
    # The stripped module is there.
    assert frames(directory / "stripped.so", build_id, offset, *options) == (EXPECTED, "")
    assert frames(directory / "stripped.so", build_id, offset) == (UNKNOWN, "")


def test_debug_directory_with_files_by_name(frames, victim, tmp_path):
    directory, build_id, offset = victim
    (tmp_path / "wheels").mkdir()
    shutil.copy(directory / "victim.so", tmp_path / "wheels")
    assert frames("/other/machine/victim.so", build_id, offset, "--debug-dir",
                  tmp_path / "wheels") == (EXPECTED, "")
    found, messages = frames("/other/machine/victim.so", "00" * 20, offset, "--debug-dir",
                             tmp_path / "wheels")
    assert found == UNKNOWN
    assert "not used" in messages


def test_sysroot(frames, victim, tmp_path):
    """This machine has another build at the same path."""
    directory, build_id, offset = victim
    there = tmp_path / "root" / str(tmp_path)[1:] / "lib"
    here = tmp_path / "lib"
    for place in (there, here):
        place.mkdir(parents=True)
    shutil.copy(directory / "victim.so", there)
    shutil.copy("/proc/self/exe", here / "victim.so")
    assert frames(here / "victim.so", build_id, offset, "--sysroot",
                  tmp_path / "root") == (EXPECTED, "")
    assert frames(here / "victim.so", build_id, offset)[0] == UNKNOWN


def test_a_build_id_belongs_to_the_process_that_told_it(report, victim, tmp_path):
    """Two machines with two builds at the same path: only one of them is this one."""
    directory, build_id, offset = victim
    path = str(directory / "victim.so")

    def process(pid, build_id, fingerprint):
        stack = log.stack("write", log.native(None, path, offset))
        return [log.process(pid), log.module(path, build_id),
                log.finding(fingerprint, pid=pid, stacks=[stack]), log.end(1)]

    log.write(tmp_path / "a", *process(1, build_id, "1" * 16), *process(2, "00" * 20, "2" * 16))
    merged = document(report("--format", "json", "a"))
    functions = {found["fingerprint"]: found["stacks"][0]["frames"][0].get("function")
                 for found in merged["findings"]}
    assert functions == {"1" * 16: "inner", "2" * 16: None}


def test_debuginfod(frames, victim, tmp_path):
    """Asked for what is not here, if a server is configured, and only then."""
    directory, build_id, offset = victim
    libraries = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False,
                               env={"PATH": "/sbin:/usr/sbin:/bin:/usr/bin"}).stdout
    if "libdebuginfod.so.1" not in libraries:
        pytest.skip("no libdebuginfod.so.1")
    place = tmp_path / "served" / "buildid" / build_id
    place.mkdir(parents=True)
    shutil.copy(directory / "victim.debug", place / "debuginfo")
    with subprocess.Popen([sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0",
                           "--directory", tmp_path / "served"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as server:
        try:
            port = server.stdout.readline().split(" port ")[1].split()[0]
            environment = {"DEBUGINFOD_URLS": f"http://127.0.0.1:{port}",
                           "DEBUGINFOD_CACHE_PATH": str(tmp_path / "cache"), "no_proxy": "*"}
            found = frames("/other/machine/victim.so", build_id, offset, environment=environment)
            assert found == (EXPECTED, "")
            environment["DEBUGINFOD_URLS"] = ""
            environment["DEBUGINFOD_CACHE_PATH"] = str(tmp_path / "cache2")
            found = frames("/other/machine/victim.so", build_id, offset, environment=environment)
            assert found == (UNKNOWN, "")
        finally:
            server.terminate()


def test_modules_that_are_no_files(frames, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("no ELF file")
    for path in (tmp_path / "pipe", tmp_path / "text", tmp_path, "/dev/zero", "relative.so"):
        assert frames(path, "00" * 20, "0x12")[0] == UNKNOWN


def test_names_of_cxx(frames):
    found, _ = frames("/nowhere.so", "00", "0x1", function="_ZN1a1bEi")
    if found[0][0] == "_ZN1a1bEi":
        pytest.skip("no libstdc++ here")
    assert found == [("a::b(int)", None, False)]
