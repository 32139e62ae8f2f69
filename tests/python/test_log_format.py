"""The log as scripts see it: its JSON Schema, tools/ftsan_log.py, and the examples."""

import copy
import json
import random
import subprocess
import sys

import pytest

import log_maker as log
from conftest import BUILD, PROGRAMS, REPOSITORY, clean_environment

TOOLS = REPOSITORY / "tools"
FTSAN = BUILD / "ftsan"
sys.path.insert(0, str(TOOLS))
import ftsan_log  # noqa: E402


@pytest.fixture(scope="module")
def checker():
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not in this environment")
    schema = json.loads((TOOLS / "log.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_real_logs_fit_the_schema(checker, run, numpy_affected, numpy_fixed, interpreter):
    program = PROGRAMS / "repeat_hot.py"
    script = run.script("""
import os, subprocess, sys, threading
subprocess.run([sys.executable, "-c", "import threading; threading.Thread(target=int).start()"])
if os.fork() == 0:
    os._exit(3)
os.wait()
os.execv(sys.executable, [sys.executable, "-c", "print()"])
""")
    outcomes = [run.ftsan(numpy_affected, program), run.ftsan(numpy_fixed, program),
                run.ftsan(interpreter, script, options="heal=0:stats=1")]
    seen = set()
    for outcome in outcomes:
        for records in outcome.logs.values():
            for record in records:
                errors = [error.message for error in checker.iter_errors(record)]
                assert errors == [], record
                seen.add(record["type"])
    assert outcomes[0].findings, outcomes[0]
    assert seen == {"process", "module", "thread", "engine", "finding", "coverage",
                    "statics_module", "end"}


def test_every_option_and_counter_is_in_a_real_log(checker, run, interpreter):
    """The schema knows types only; this is what scripts may rely on."""
    outcome = run.ftsan(interpreter, run.script("pass"))
    process, coverage = outcome.records("process")[0], outcome.coverage
    options = (REPOSITORY / "detector" / "base" / "options.def").read_text().count("\nFTSAN_OPTION(")
    counters = (REPOSITORY / "detector" / "base" / "counters.def").read_text().count("\nFTSAN_COUNTER(")
    assert len(process["options"]) == options
    assert len(coverage["counters"]) == counters


def full(records):
    """Records of log_maker with what real ones have besides."""
    for record in copy.deepcopy(records):
        if record["type"] == "process":
            record.update(python_frames=True, options={"slots": 7, "heal": True, "log": "x"})
        yield record


def test_made_logs_fit_the_schema(checker):
    for record in full(log.run(log.running("a"), log.finding(tests=["t.py::a"]),
                               log.test_record("a" * 16, "a", suppressed="race:x"),
                               duplicates={"0" * 16: 2})):
        checker.validate(record)
    checker.validate({"v": 1, "type": "of a later version", "x": [1]})


@pytest.mark.parametrize("type, spoil", [
    ("process", lambda r: r.pop("argv")),
    ("process", lambda r: r.update(v=2)),
    ("process", lambda r: r.update(python="3.13")),
    ("process", lambda r: r.update(gil="maybe")),
    ("process", lambda r: r["options"].update(x=None)),
    ("module", lambda r: r.update(build_id="xyz")),
    ("module", lambda r: r.update(base="1000")),
    ("engine", lambda r: r.update(active="yes")),
    ("finding", lambda r: r.update(kind="rage")),
    ("finding", lambda r: r.update(fingerprint="AA")),
    ("finding", lambda r: r.update(tests="a")),
    ("finding", lambda r: r["object"].update(shape=["x"])),
    ("finding", lambda r: r["stacks"][0].update(role="reader")),
    ("finding", lambda r: r["stacks"][0]["frames"][0].update(offset=12)),
    ("finding", lambda r: r["stacks"][0]["frames"][1].update(line=0)),
    ("finding", lambda r: r["stacks"][0]["frames"][1].update(module="/m.so")),
    ("finding", lambda r: r["stacks"][0]["frames"][1].pop("type")),
    ("running", lambda r: r.update(tests="a")),
    ("test", lambda r: r.pop("tests")),
    ("coverage", lambda r: r.update(traps=-1)),
    ("coverage", lambda r: r["buffers_left_out"].update(x="y")),
    ("end", lambda r: r.update(reason="killed")),
    ("end", lambda r: r.update(duplicates={"x": 1})),
])
def test_the_schema_refuses_what_is_wrong(checker, type, spoil):
    records = log.run(log.running("a"), log.finding(), log.test_record("a" * 16))
    record, = [record for record in full(records) if record["type"] == type]
    checker.validate(record)
    spoil(record)
    assert not checker.is_valid(record)


# --- ftsan_log ---

def random_logs(directory, seed):
    dice = random.Random(seed)
    names = []
    for i in range(4):
        records = []
        for pid in range(1, dice.randint(2, 5)):
            found = [log.finding(f"{dice.randrange(6):016x}", pid=pid, title=str(dice.random()),
                                 confidence=dice.choice(ftsan_log.CONFIDENCES),
                                 time=log.TIME + dice.randrange(1000),
                                 **({"tests": [f"t{dice.randrange(3)}"]} if dice.random() < 0.5 else {}))
                     for _ in range(dice.randint(0, 3))]
            marks = [[log.running(f"t{dice.randrange(9)}")], [], []][dice.randrange(3)]
            if found and dice.random() < 0.5:
                marks_after = [log.test_record(found[-1]["fingerprint"], f"t{dice.randrange(9)}")]
            else:
                marks_after = []
            records += log.run(*marks, *found, *marks_after, pid=pid, duplicates={
                finding["fingerprint"]: dice.randint(1, 9) for finding in found if dice.random() < 0.5})
            if dice.random() < 0.3:
                records.pop()  # killed
            if dice.random() < 0.3:
                records.append(b"\xff\x00 torn\n")
        names.append(log.write(directory / f"{i}.jsonl{'.gz' if i % 2 else ''}", *records,
                               pack=bool(i % 2)))
    return names


@pytest.mark.skipif(not FTSAN.exists(), reason=f"{FTSAN} is not built")
@pytest.mark.parametrize("seed", range(5))
def test_the_module_and_the_command_agree(tmp_path, seed):
    names = random_logs(tmp_path, seed)
    result = log.call(FTSAN, "report", "--format", "json", *names, environment=clean_environment({}))
    told = {item["fingerprint"]: item for item in json.loads(result.stdout)["findings"]}
    problems = ftsan_log.Problems()
    found = ftsan_log.findings(*names, problems=problems)
    assert len(found) == len(told)
    for item in found:
        other = told[item["fingerprint"]]
        for member in ("processes", "first", "last", "confidence", "title", "count"):
            assert item[member] == other[member], member
        assert sorted(item["tests"]) == sorted(other["tests"])
    assert problems["lines"] == json.loads(result.stdout)["summary"]["lines_skipped"]


def test_what_can_not_be_read_is_counted(tmp_path):
    whole = log.lines(log.run(log.finding()))
    deep = b'{"v":1,"type":"x","a":' + b"[" * 200000 + b"\n"
    (tmp_path / "a").write_bytes(b"garbage\n[1]\n\n" + b'{"v":2,"type":"end"}\n' + deep + whole + b"{to")
    problems = ftsan_log.Problems()
    assert len(ftsan_log.findings(tmp_path / "a", problems=problems)) == 1
    assert problems == {"lines": 5, "torn": 1}
    log.write(tmp_path / "b.gz", *log.run(*[log.finding(f"{i:016x}") for i in range(500)]), pack=True)
    data = (tmp_path / "b.gz").read_bytes()
    (tmp_path / "b.gz").write_bytes(data[:-len(data) // 3])
    problems = ftsan_log.Problems()
    assert ftsan_log.findings(tmp_path / "b.gz", problems=problems)
    assert problems["gzip"] == 1
    with pytest.raises(FileNotFoundError):
        list(ftsan_log.records(tmp_path / "nowhere"))


def test_wildcards_and_helpers(tmp_path):
    log.write(tmp_path / "log.1", *log.run(log.finding()))
    log.write(tmp_path / "log.2", *log.run(log.finding()))
    problems = ftsan_log.Problems()
    finding, = ftsan_log.findings(f"{tmp_path}/log.*", problems=problems)
    assert not problems
    assert finding["processes"] == 2
    write, read = ftsan_log.access_stacks(finding)
    assert ftsan_log.call_site(write) == "/src/work.py:7 work"
    assert ftsan_log.top_frame(read, "native")["function"] == "PyArray_Discover"
    libc = {"frames": [log.native("memmove", "/lib/libc.so.6"), log.native("Fn", "/m/x.so", "0x9")]}
    assert ftsan_log.call_site(libc) == "x.so+0x9 Fn"
    assert ftsan_log.call_site({}) == "?"


# --- examples ---

def example(name, *arguments):
    return subprocess.run([sys.executable, TOOLS / "examples" / name, *map(str, arguments)],
                          capture_output=True, text=True, check=False, timeout=60)


def test_hot_sites(tmp_path):
    one, two = log.finding(), log.finding("b" * 16, "hazard", stacks=[
        log.stack("write", log.native("F"), log.python("rare", "/src/rare.py", 3))])
    log.write(tmp_path / "a.gz", *log.run(one, two, duplicates={one["fingerprint"]: 4}), b"{", pack=True)
    result = example("hot_sites.py", tmp_path / "a.gz")
    assert result.returncode == 0, result.stderr
    assert sorted(result.stdout.splitlines()) == ["       1  /src/rare.py:3 rare  (hazard)",
                                                  "       5  /src/read.py:9 read  (race)",
                                                  "       5  /src/work.py:7 work  (race)"]
    assert result.stdout.startswith("       5")
    assert "1 x torn" in result.stderr


def test_compare_modules(tmp_path):
    mcp = [log.stack("call", log.native("f", "/m/_mcp.so"))]
    log.write(tmp_path / "old", *log.run(log.finding("1" * 16), log.finding("2" * 16)))
    log.write(tmp_path / "new", *log.run(log.finding("2" * 16), log.finding("3" * 16, stacks=mcp)))
    result = example("compare_modules.py", tmp_path / "old", tmp_path / "new")
    assert result.returncode == 1
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["old", "new", "gone", "added", "module"], ["0", "1", "0", "1", "_mcp.so"],
        ["2", "1", "1", "0", "umath.so"]]
    assert example("compare_modules.py", tmp_path / "old", tmp_path / "old").returncode == 0
    assert example("compare_modules.py").returncode == 2
