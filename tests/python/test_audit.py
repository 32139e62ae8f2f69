"""`ftsan audit`: which statics a module writes, under which locks, and what is new."""

import glob
import json
import shutil
import subprocess

import pytest

import log_maker as log
from conftest import BUILD, PROGRAMS, REPOSITORY, clean_environment
from test_report_html import Page
from test_statics import build

FTSAN = BUILD / "ftsan"


@pytest.fixture(scope="module")
def cases(interpreter, tmp_path_factory):
    return build(interpreter, tmp_path_factory.mktemp("audit"))


@pytest.fixture
def audit(interpreter, cases, tmp_path):
    """audit(NAME..., options of the command): the JSON of it."""
    def call(*names, options=(), status=0, calls=20):
        path = tmp_path / "audit.json"
        done = subprocess.run(
            [str(word) for word in (FTSAN, "audit", "-o", path, *options, "--", interpreter,
                                    PROGRAMS / "statics.py", calls, 1, *names)],
            capture_output=True, text=True, cwd=tmp_path,
            env=clean_environment({"PYTHONPATH": str(cases)}))
        assert done.returncode == status, done
        assert "done" in done.stdout, done
        return json.loads(path.read_text())
    return call


def entries(audited):
    return {entry["static"]: entry for module in audited["modules"] for entry in module["statics"]}


def is_valid(audited):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((REPOSITORY / "tools" / "audit.schema.json").read_text())
    jsonschema.validate(audited, schema, jsonschema.Draft202012Validator)


def test_who_writes_under_which_lock(audit):
    audited = audit("mutex", "bad_mutex")
    is_valid(audited)
    assert audited["verdict"] == "audited" and audited["warnings"] == []
    module, = audited["modules"]
    assert module["name"] == "statics_cases" and module["sealed_percent"] > 50, module
    found = entries(audited)
    bad, good = found["bad_mutex_state"], found["mutex_state"]
    assert (bad["grade"], bad["class"]) == ("high", "torn"), bad
    assert bad["writer"] == "update" and bad["callers"] == ["bad_mutex"], bad
    assert bad["file"].endswith("statics_cases.c") and bad["line"] > 0, bad
    assert bad["gil_released"] and not bad["several_threads"] and bad["locks"] == [], bad
    assert module["lock_pages"] == 1, module
    assert bad["words"] == 2 and bad["stores"] == 40, bad
    assert (good["grade"], good["class"]) == ("counted", "locked"), good
    assert good["locks"] == ["pthread mutex 'mutex_lock'"], good


def test_what_is_new_under_no_lock_makes_the_status(audit, tmp_path):
    old = tmp_path / "old.json"
    old.write_text(json.dumps(audit("mutex", "bad_mutex")))
    options = ("--baseline", old)
    same = audit("mutex", "bad_mutex", options=options)
    assert same["comparison"]["worse"] == [] and same["comparison"]["changed"] == 0, same
    worse = audit("mutex", "bad_mutex", "bad_rwlock", options=options, status=66)
    is_valid(worse)
    entry = entries(worse)["bad_rwlock_state"]
    assert entry["baseline"] == "new" and entry["id"] in worse["comparison"]["worse"], worse
    assert entries(worse)["mutex_state"]["baseline"] == "same", worse


@pytest.mark.parametrize("names", [("rwlock",), ("spin",), ("once", "atomics")])
def test_what_is_locked_never_makes_the_status(audit, tmp_path, names):
    old = tmp_path / "old.json"
    old.write_text(json.dumps(audit("mutex")))
    audited = audit("mutex", *names, options=("--baseline", old))
    assert audited["comparison"]["new"] > 0 and audited["comparison"]["worse"] == [], audited


def test_what_is_gone_is_told(audit, tmp_path):
    old = tmp_path / "old.json"
    old.write_text(json.dumps(audit("mutex", "bad_mutex")))
    audited = audit("mutex", options=("--baseline", old))
    assert "bad_mutex_state" in [gone["static"] for gone in audited["comparison"]["gone"]], audited


def test_a_wheel_that_has_one(environment, tmp_path):
    """bottleneck#532: a module is imported into a static when it is first needed."""
    python = environment("bottleneck==1.6.0", "numpy==2.5.5", only="3.14t")
    program = tmp_path / "slow.py"
    program.write_text("import bottleneck, numpy\n"
                       "print(bottleneck.nansum(numpy.array([1, None, 2], dtype=object)[::2]))\n")
    done = subprocess.run([FTSAN, "audit", "-o", tmp_path / "audit.json", "--", python, program],
                          capture_output=True, text=True, cwd=tmp_path, env=clean_environment({}))
    assert done.returncode == 0 and done.stdout == "3\n", done
    found = [(module["name"], entry) for module in json.loads((tmp_path / "audit.json").read_text())
             ["modules"] for entry in module["statics"] if entry["grade"] in ("high", "medium")]
    assert [(name, entry["static"], entry["class"]) for name, entry in found] == \
        [("reduce", "slow_module", "lazy-pointer")], found


# --- without an interpreter -------------------------------------------------------


def static(offset, by="0x100", **fields):
    return {"v": 1, "type": "static", "module": "/gone/_m.so", "offset": offset, "size": 8,
            "by_module": "/gone/_m.so", "by_offset": by, "by_stores": 2, "times": [log.TIME],
            "class": "torn", "grade": "high", "stores": 2, "judged": 2, "detached": False,
            "threads": "one", **fields}


def sealed(**fields):
    return {"v": 1, "type": "statics_module", "module": "/gone/_m.so", "build_id": "",
            "begin": "0x1000", "pages": 1, "stores": 5, "sealed_permille": 900,
            "asks_for_gil": True, **fields}


INVENTORY = {"v": 1, "type": "statics_inventory", "records": 1, "left_out": 0}


@pytest.fixture
def offline(tmp_path):
    def call(*records, options=(), status=0):
        path = tmp_path / "log"
        path.write_bytes(log.lines([log.process(), *records, log.end()]))
        done = subprocess.run([str(word) for word in (FTSAN, "audit", *options, "--from", path)],
                              capture_output=True, text=True, cwd=tmp_path,
                              env=clean_environment({}))
        assert done.returncode == status, done
        return done
    return call


def test_a_log_will_do(offline):
    done = offline(sealed(), static("0x1000"), static("0x1008", by="0x2000", grade="counted",
                                                      **{"class": "guard"}), INVENTORY)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ftsan: AUDITED (1 module, 1 written after import; 2 statics; "
                               "under no lock: 1 high, 0 medium, 0 low;"), lines
    assert "it asks for the GIL" in done.stdout and "_m.so+0x100" in done.stdout, done.stdout
    assert "1 guard, which need no lock" in done.stdout, done.stdout
    assert "guard" in offline(sealed(), static("0x1008", grade="counted", **{"class": "guard"}),
                              INVENTORY, options=["--all"]).stdout.split("GRADE")[1]


def test_what_is_missing_is_told(offline):
    assert "1 process left no inventory" in offline(sealed(), static("0x1000")).stdout
    assert "7 stores found no room" in offline(sealed(), {**INVENTORY, "left_out": 7}).stdout


def test_nothing_watched_is_no_success(offline):
    done = offline(status=67)
    assert "NOTHING WATCHED" in done.stdout, done


@pytest.mark.parametrize("words, text", [
    ((), "no command to run"),
    (("--format", "xml", "--", "true"), "unknown format xml"),
    (("--format", "html", "--", "true"), "-o FILE"),
    (("--grade", "none", "--", "true"), "--grade is low, medium or high"),
    (("--bogus", "true"), "unknown option --bogus"),
    (("--baseline",), "needs a value"),
    (("--baseline", "/dev/null", "--", "true"), "no audit"),
    (("--from", "/nowhere"), "/nowhere"),
    (("--from", "a", "true"), "there is no command to run"),
])
def test_mistakes_say_what_to_do(words, text, tmp_path):
    done = subprocess.run([FTSAN, "audit", *words], capture_output=True, text=True, cwd=tmp_path,
                          env=clean_environment({}))
    assert done.returncode == 125 and text in done.stderr, done


def test_the_commands_own_status_comes_first(tmp_path):
    def status(*command):
        return subprocess.run([FTSAN, "audit", "--", *command], capture_output=True, text=True,
                              cwd=tmp_path, env=clean_environment({})).returncode

    assert status("sh", "-c", "exit 3") == 3
    assert status("true") == 67
    assert status("/nowhere/at/all") == 127


def test_a_command_that_is_not_watched_says_why(tmp_path):
    """A program whose loader is called as musl's, and one that is no CPython."""
    cc = shutil.which("cc")
    loader = next(iter(glob.glob("/lib64/ld-linux-x86-64.so.2")), None)
    if cc is None or loader is None:
        pytest.skip("no C compiler, or another loader than glibc's")
    shutil.copy(loader, tmp_path / "ld-musl-x86_64.so.1")
    (tmp_path / "p.c").write_text("int main(void) { return 0; }\n")
    subprocess.run([cc, f"-Wl,--dynamic-linker={tmp_path}/ld-musl-x86_64.so.1", "-o", "p", "p.c"],
                   cwd=tmp_path, check=True)
    for command, reason in (("./p", "it is a program of musl's"), ("true", "CMD ran no CPython")):
        done = subprocess.run([FTSAN, "audit", "--", command], capture_output=True, text=True,
                              cwd=tmp_path, env=clean_environment({}))
        assert done.returncode == 67 and f"NOTHING WATCHED ({reason}" in done.stdout, done


@pytest.mark.parametrize("live", [False, True])
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path, live):
    """`audit | head`, of a log, and where the command has been run, which ignores SIGPIPE."""
    records = [static(hex(0x1000 + 8 * i), by=hex(0x100 + 0x1000 * i)) for i in range(3000)]
    path = tmp_path / "log"
    path.write_bytes(log.lines([log.process(), sealed(), *records, INVENTORY, log.end()]))
    command = [FTSAN, "audit", *(("--", "true") if live else ("--format", "json", "--from", path))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
                          env=clean_environment({})) as process:
        if live:
            process.stdout.close()
        else:
            process.stdout.readline()
            process.stdout.close()
        assert b"written" not in process.stderr.read()
    assert process.returncode == (67 if live else 0), process.returncode


HOSTILE = "<script>alert(1)</script>\x1b[31m\"&'"


def test_names_of_a_program_do_nothing(offline, tmp_path):
    page = tmp_path / "page.html"
    records = (sealed(module=f"/gone/{HOSTILE}.so"),
               static("0x1000", module=f"/gone/{HOSTILE}.so", by_module=f"/gone/{HOSTILE}.so",
                      lock=HOSTILE, **{"class": HOSTILE}), INVENTORY)
    offline(*records, options=["-o", page])
    text = page.read_text()
    assert "<script>alert" not in text and "\x1b" not in text
    assert any("alert(1)" in text for text in Page(text).texts)
    assert "\x1b" not in offline(*records).stdout


def test_the_page_can_be_filtered(offline, tmp_path):
    page = tmp_path / "page.html"
    offline(sealed(), static("0x1000"),
            static("0x1008", by="0x2000", grade="low", **{"class": "flag"}), INVENTORY,
            options=["-o", page])
    texts = Page(page.read_text()).texts
    assert {"high", "torn", "low", "flag"} <= set(texts), texts
