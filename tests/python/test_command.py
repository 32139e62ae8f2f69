"""The command `ftsan`, with programs that write the log the library would write.

FTSAN_BUILD names the build directory (default: build/ in the repository). The preloaded
object is an empty one, so these tests need no free-threaded Python and no detector.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FTSAN_BUILD", REPOSITORY / "build")).resolve()
FTSAN = BUILD / "ftsan"

pytestmark = pytest.mark.skipif(not FTSAN.exists(), reason=f"{FTSAN} is not built")

# What the programs under test begin with: a log such as the library writes.
PRELUDE = """
import json, os, re, signal, subprocess, sys, time

OPTIONS = os.environ["FTSAN_OPTIONS"]
LOG = re.findall(r"log='([^']*)'", OPTIONS)[-1]
ROOT = int(os.environ["FTSAN_ROOT_PID"]) == os.getpid()

def path():
    if "%p" in LOG:
        return LOG.replace("%p", str(os.getpid()))
    return LOG if ROOT else f"{LOG}.{os.getpid()}"

def raw(data):
    fd = os.open(path(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, data)
    os.close(fd)

def put(type, **fields):
    raw(json.dumps({"v": 1, "type": type, **fields}).encode() + b"\\n")

def process(run=os.environ["FTSAN_RUN_ID"], **fields):
    fields = {"python": "3.13.5", "free_threaded": True, "gil": "off", **fields}
    put("process", pid=os.getpid(), ppid=os.getppid(), run=run, root=ROOT, **fields)

def engine(**fields):
    put("engine", **{"name": "guard", "active": True, "canary": True, **fields})

def finding(fingerprint="00000000000000aa", kind="race", confidence="confirmed", **fields):
    stack = {"role": "write", "tid": 7, "thread": "Thread-1 (w)", "size": 8,
             "address": "0x7f00", "frames": [
                 {"type": "native", "module": "/m.so", "offset": "0x12", "function": "Fn"},
                 {"type": "python", "file": "w.py", "line": 7, "function": "w"}]}
    fields = {"object": {"description": "a dimension"}, "stacks": [stack], **fields}
    put("finding", id=f"{os.getpid()}-1", time=time.time(), kind=kind, title="a title",
        confidence=confidence, fingerprint=fingerprint, gil_forced=False, **fields)

def coverage(**fields):
    put("coverage", **fields)

def watched():
    coverage(buffers_published=5)

def end(findings=0, duplicates={}, reason="exit"):
    put("end", time=time.time(), reason=reason, findings=findings, duplicates=duplicates)
"""


@pytest.fixture(scope="session")
def inert_library(tmp_path_factory):
    """A shared object that does nothing."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler for the preloaded object")
    path = tmp_path_factory.mktemp("lib") / "libftsan.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-x", "c", "-o", path, os.devnull], check=True)
    return path


@pytest.fixture
def environment(inert_library, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    for name in ("FTSAN_OPTIONS", "FTSAN_RUN_ID", "FTSAN_ROOT_PID", "LD_PRELOAD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FTSAN_LIBRARY", str(inert_library))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return monkeypatch


@pytest.fixture
def program(tmp_path):
    """Makes a Python program out of a few lines; the command that runs it."""

    def make(body, name="program.py"):
        path = tmp_path / name
        path.write_text(PRELUDE + textwrap.dedent(body))
        return [sys.executable, str(path)]

    return make


@pytest.fixture
def ftsan(environment):
    def call(*arguments, **settings):
        arguments = [str(argument) for argument in (FTSAN, *arguments)]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=60, **settings)

    return call


def test_help_and_version(ftsan):
    for arguments in (["--help"], ["run", "--help"], ["report", "--help"], ["--version"]):
        result = ftsan(*arguments)
        assert (result.returncode, result.stderr) == (0, ""), arguments
        assert "ftsan" in result.stdout


def test_option_table(ftsan):
    tables = [ftsan("options"), ftsan("run", "--options", "help=1"),
              ftsan("run", "--options=help=1", "--", "false")]
    for table in tables:
        assert table.returncode == 0
        assert table.stdout == tables[0].stdout
    assert "window_us" in tables[0].stdout


@pytest.mark.parametrize("arguments, message", [
    ([], "see ftsan --help"),
    (["pytest"], "`ftsan run -- pytest`"),
    (["run"], "no command to run"),
    (["run", "--frobnicate", "true"], "unknown option --frobnicate"),
    (["run", "-x", "true"], "unknown option -x"),
    (["run", "--log"], "--log needs a value"),
    (["run", "--options", "windws=3", "true"], "did you mean 'windows'?"),
    (["run", "--log", "/nonexistent/log", "true"], "No such file or directory"),
    (["run", "--log", "/dev/null", "true"], "no regular file"),
    (["run", "--log", "/nonexistent/%p", "true"], "No such file or directory"),
    (["run", "--log", "/tmp/%p/log", "true"], "%p may be in the log's own name only"),
    (["report"], "no log to read"),
    (["report", "/nonexistent/log"], "No such file or directory"),
    (["options", "x"], "takes no arguments"),
])
def test_failures_of_its_own(ftsan, arguments, message):
    result = ftsan(*arguments)
    assert result.returncode == 125
    assert message in result.stderr
    assert result.stdout == ""


def test_bad_inherited_options(ftsan, environment):
    environment.setenv("FTSAN_OPTIONS", "slots=many")
    result = ftsan("run", "true")
    assert result.returncode == 125
    assert "FTSAN_OPTIONS: option 'slots'" in result.stderr


def test_library_is_missing(ftsan, environment):
    environment.setenv("FTSAN_LIBRARY", "/nonexistent/libftsan.so")
    result = ftsan("run", "true")
    assert result.returncode == 125
    assert "FTSAN_LIBRARY: /nonexistent/libftsan.so" in result.stderr


@pytest.fixture
def library_with_a_space(environment, inert_library, tmp_path):
    directory = tmp_path / "a b"
    directory.mkdir()
    shutil.copy(inert_library, directory / "libftsan.so")
    environment.setenv("FTSAN_LIBRARY", str(directory / "libftsan.so"))
    return directory / "libftsan.so"


def preloaded_by(ftsan):
    result = ftsan("run", "sh", "-c", 'echo "$LD_PRELOAD"')
    assert "LD_PRELOAD" not in result.stderr, result.stderr
    return pathlib.Path(result.stdout.strip())


def test_library_with_a_space_in_its_name(ftsan, environment, library_with_a_space, tmp_path):
    """The loader splits LD_PRELOAD at it: a link stands for the library, the same each time."""
    environment.setenv("XDG_CACHE_HOME", str(tmp_path))
    link = preloaded_by(ftsan)
    assert link.resolve() == library_with_a_space.resolve()
    assert link.name == "libftsan.so" and " " not in str(link)
    assert link.parent.stat().st_mode & 0o777 == 0o700
    assert preloaded_by(ftsan) == link


def test_no_link_where_others_can_write(ftsan, environment, library_with_a_space, tmp_path):
    """Who can write there could have the program load something else."""
    open_to_all = tmp_path / "ftsan"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    environment.setenv("XDG_CACHE_HOME", str(tmp_path))
    environment.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    link = preloaded_by(ftsan)
    assert link.parent.parent == tmp_path / "home" / ".cache" / "ftsan" / "links"


def test_log_must_not_be_a_symbolic_link(ftsan, tmp_path):
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "log").symlink_to(target)
    result = ftsan("run", "--log", tmp_path / "log", "true")
    assert result.returncode == 125
    assert "symbolic link" in result.stderr
    assert target.read_text() == "precious"


def test_command_not_found_and_not_executable(ftsan, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    assert ftsan("run", "/nonexistent/command").returncode == 127
    assert ftsan("run", "no-such-command-anywhere").returncode == 127
    assert ftsan("run", plain).returncode == 126
    assert ftsan("run", tmp_path).returncode == 126


@pytest.mark.parametrize("status", [0, 1, 77, 255])
def test_exit_status_is_the_commands(ftsan, program, status):
    result = ftsan("run", "--", *program(f"process(); watched(); end(); sys.exit({status})"))
    assert result.returncode == status
    assert result.stderr.startswith("ftsan: CLEAN (watched: shapes and strides of arrays (5))\n")
    assert "finding" not in result.stderr
    assert "WARNING" not in result.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_death_by_signal(ftsan, program, number):
    result = ftsan("run", "--", *program(f"""
        process(); finding()
        os.kill(os.getpid(), {int(number)})
    """))
    assert result.returncode == 128 + number
    assert "SUMMARY: ftsan: data race w.py:7 in Fn" in result.stderr
    assert "wrote no end record" in result.stderr


def test_findings_turn_success_into_66(ftsan, program):
    command = program("""
        process(); engine(); finding(); coverage(buffers_seen=9, traps=4)
        end(1, {"00000000000000aa": 3})
    """)
    result = ftsan("run", *command)
    assert result.returncode == 66
    assert "WARNING: ftsan: data race (pid=" in result.stderr
    assert "  Write of size 8 by thread 'Thread-1 (w)' (tid=7):\n" in result.stderr
    assert "    #0 Fn m.so+0x12\n    #1 w w.py:7\n" in result.stderr
    assert "ftsan: 1 finding in 1 process\n" in result.stderr
    assert "1 x data race, confirmed (4 occurrences)" in result.stderr
    assert "\033" not in result.stderr
    assert "buffers seen" not in result.stderr
    full = ftsan("run", "--full-stacks", "--options", "stats=1", *command)
    assert "9 buffers seen" in full.stderr
    assert "  Write of size 8 at 0x7f00 by thread 'Thread-1 (w)' (tid=7):\n" in full.stderr
    assert "    #0 Fn m.so+0x12\n    #1 w w.py:7 (python)\n" in full.stderr


def test_findings_leave_a_failure_alone(ftsan, program):
    result = ftsan("run", *program("process(); finding(); end(1); sys.exit(3)"))
    assert result.returncode == 3
    assert "1 finding in 1 process" in result.stderr


def test_exitcode_option(ftsan, program):
    command = program("process(); finding(); end(1)")
    assert ftsan("run", "--options", "exitcode=0", *command).returncode == 0
    assert ftsan("run", "--options", "exitcode=9", *command).returncode == 9


def test_no_cpython(ftsan):
    result = ftsan("run", "true")
    assert result.returncode == 67
    assert result.stderr.startswith("ftsan: NOTHING WATCHED (CMD ran no CPython")
    assert ftsan("run", "false").returncode == 1
    assert ftsan("run", "--options", "blindcode=0", "true").returncode == 0
    assert ftsan("run", "--options", "blindcode=9", "true").returncode == 9
    assert ftsan("run", "--options", "enabled=0", "true").returncode == 0


def test_cpython_has_no_such_note(ftsan, program):
    assert "CMD ran no CPython" not in ftsan("run", *program("process(); end()")).stderr


def test_environment_of_the_command(ftsan, environment, inert_library, tmp_path):
    environment.setenv("FTSAN_OPTIONS", "windows=3")
    environment.setenv("LD_PRELOAD", "")
    result = ftsan("run", "--options", "windows=4", "--options=blindcode=0", "--keep-gil",
                   "--log", "log", "sh", "-c",
                   'echo "$FTSAN_OPTIONS"; echo "$LD_PRELOAD"; test $$ = $FTSAN_ROOT_PID',
                   cwd=tmp_path)
    options, preload = result.stdout.splitlines()
    assert result.returncode == 0
    assert options == (f"windows=3:windows=4:blindcode=0:keep_gil=1:print=0:exitcode=0:"
                       f"log='{tmp_path}/log'")
    assert preload == str(inert_library)
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_other_preloads_are_kept(ftsan, environment, inert_library):
    environment.setenv("LD_PRELOAD", str(inert_library))
    result = ftsan("run", "sh", "-c", 'echo "$LD_PRELOAD"')
    assert result.stdout == f"{inert_library}:{inert_library}\n"


def test_log_in_the_options(ftsan, program, tmp_path):
    log = tmp_path / "a log:b"
    result = ftsan("run", "--options", f"log='{log}'", *program("process(); watched(); end()"))
    assert result.returncode == 0
    assert json.loads(log.read_text().splitlines()[0])["type"] == "process"


def test_inner_run_has_its_own_log(ftsan, program, tmp_path):
    log = tmp_path / "log"
    inner = program("process(); finding(); end(1)", "inner.py")
    result = ftsan("run", "--log", log, *program(f"""
        process(); watched()
        inner = subprocess.run({[str(FTSAN), "run", *inner]!r})
        assert inner.returncode == 66
        end()
    """))
    assert result.returncode == 0, result.stderr
    types = [json.loads(line)["type"] for line in log.read_text().splitlines()]
    assert types == ["process", "coverage", "end"]


def test_old_log_is_emptied(ftsan, program, tmp_path):
    log = tmp_path / "log"
    log.write_text("old\n")
    result = ftsan("run", "--log", log, *program("process(); watched(); end()"))
    assert result.returncode == 0
    assert "old" not in log.read_text()
    assert "skipped" not in result.stderr
    assert f"the log is {log}" in result.stderr


def test_temporary_log_stays_only_with_findings(ftsan, program, tmp_path, monkeypatch):
    """Where the user has no state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    temporary = tmp_path / "tmp"
    ftsan("run", *program("process(); end()"))
    assert list(temporary.iterdir()) == []
    result = ftsan("run", *program("process(); finding(); end(1)"))
    log, = temporary.glob("*/log.jsonl")
    assert f"ftsan: the log is {log}\n" in result.stderr


def test_the_last_run_is_reported(ftsan, program, tmp_path):
    store = tmp_path / "state" / "ftsan"
    assert ftsan("report").returncode == 125
    ftsan("run", "true")  # no log: nothing to keep
    assert list(store.iterdir()) == []
    first = ftsan("run", *program("process(); finding('1' * 16); end(1)"))
    time.sleep(1.1)  # their names tell seconds
    second = ftsan("run", *program("""
        process(); finding('2' * 16)
        if os.fork() == 0:
            ROOT = False
            process(); finding('3' * 16); end(1); os._exit(0)
        os.wait(); end(1)
    """))
    assert (first.returncode, second.returncode) == (66, 66)
    assert [len(list(run.iterdir())) for run in sorted(store.iterdir())] == [1, 2]
    report = ftsan("report")
    assert (report.returncode, report.stderr) == (0, "")
    assert "FOUND 2 bugs" in report.stdout and "1" * 16 not in report.stdout
    assert "2" * 16 in report.stdout and "3" * 16 in report.stdout


def test_old_runs_are_removed_and_nothing_else(ftsan, program, tmp_path):
    store = tmp_path / "state" / "ftsan"
    long_ago = time.time() - 40 * 86400
    for name, content in (("20200101-000000-1", "log.jsonl"), ("20200101-000000-2", "mine.txt"),
                          ("notes", "log.jsonl")):
        (store / name).mkdir(parents=True)
        (store / name / content).write_text("x")
        os.utime(store / name, (long_ago, long_ago))
    for number in range(30):
        run = store / f"20200102-000000-{number}"
        run.mkdir()
        os.utime(run, (time.time() - 7200,) * 2)
    ftsan("run", *program("process(); end()"))
    left = {path.name for path in store.iterdir()}
    assert "20200101-000000-1" not in left and {"20200101-000000-2", "notes"} <= left
    assert sum(name.startswith("20200102") for name in left) == 20


def test_what_an_earlier_run_left_is_removed(ftsan, program, tmp_path):
    log = tmp_path / "log"
    for pid, text in ((1, '{"v":1,"type":"process","pid":1}\n'), (2, "mine\n")):
        (tmp_path / f"log.{pid}").write_text(text)
    ftsan("run", "--log", log, *program("process(); end()"))
    assert not (tmp_path / "log.1").exists() and (tmp_path / "log.2").exists()


def test_torn_and_foreign_lines(ftsan, program):
    result = ftsan("run", *program(r"""
        process()
        raw(b'{"v":1,"type":"find\n')
        raw(b'\x00\xff garbage\n[1]\n{"v":1,"type":"finding","kind":3}\n')
        put("invention", x=1)
        finding()
        end(2)
        raw(b'{"v":1,"type":"en')
    """))
    assert result.returncode == 66
    assert "4 lines of the log skipped" in result.stderr
    assert "1 log file ends in the middle of a line" in result.stderr
    assert "1 findings are missing in the log" in result.stderr


def test_children_are_followed(ftsan, program, tmp_path):
    log = tmp_path / "log"
    result = ftsan("run", "--log", log, *program("""
        process(); finding()
        for fingerprint in ("00000000000000aa", "00000000000000bb"):
            pid = os.fork()
            if pid == 0:
                ROOT = False
                process(); finding(fingerprint, "hazard" if "bb" in fingerprint else "race",
                                   "latent" if "bb" in fingerprint else "confirmed")
                end(1); os._exit(0)
            os.waitpid(pid, 0)
        end(1)
    """))
    assert result.returncode == 66
    assert result.stderr.count("WARNING: ftsan: data race") == 1
    assert result.stderr.count("WARNING: ftsan: metadata hazard") == 1
    assert "2 findings in 3 processes" in result.stderr
    assert "1 x data race, confirmed (2 occurrences)" in result.stderr
    assert len(list(tmp_path.glob("log.*"))) == 2


def test_pattern_in_the_name(ftsan, program, tmp_path):
    result = ftsan("run", "--log", tmp_path / "l.%p.jsonl", *program("""
        process()
        if os.fork() == 0:
            ROOT = False
            process(); finding(); end(1); os._exit(0)
        os.wait(); end()
    """))
    assert result.returncode == 66
    assert "1 finding in 2 processes" in result.stderr
    assert len(list(tmp_path.glob("l.*.jsonl"))) == 2


def test_logs_of_other_runs_are_ignored(ftsan, program, tmp_path):
    log = tmp_path / "log"
    (tmp_path / "log.1").write_text(
        '{"v":1,"type":"process","pid":1,"run":"another"}\n'
        '{"v":1,"type":"finding","kind":"race","fingerprint":"x"}\ntorn\n')
    (tmp_path / "log.2").write_text("never a log\n")
    (tmp_path / "log.3").mkdir()
    result = ftsan("run", "--log", log, *program("process(); watched(); end()"))
    assert result.returncode == 0
    assert result.stderr.startswith("ftsan: CLEAN")
    assert "skipped" not in result.stderr


def test_exec_in_place(ftsan, program):
    second = program("process(); finding(); end(1)", "second.py")
    result = ftsan("run", *program(f"""
        process(); end(reason="exec")
        os.execv(sys.executable, {second!r})
    """))
    assert result.returncode == 66
    assert "1 finding in 2 processes" in result.stderr
    assert "no end record" not in result.stderr


def test_findings_are_printed_while_the_command_runs(environment, program, tmp_path):
    go_on = tmp_path / "go_on"
    command = program(f"""
        process(); finding()
        for _ in range(1000):
            if os.path.exists({str(go_on)!r}):
                end(1)
                sys.exit(0)
            time.sleep(0.02)
        sys.exit(9)
    """)
    with subprocess.Popen([FTSAN, "run", *command], stderr=subprocess.PIPE, text=True) as run:
        for line in run.stderr:
            if line.startswith("ftsan: found:"):
                go_on.touch()
                break
        run.stderr.read()
        assert run.wait(60) == 66


def test_findings_are_printed_at_the_end_where_that_is_asked_for(ftsan, program):
    command = program("""
        process(); finding(); print("before", file=sys.stderr, flush=True)
        time.sleep(0.5); print("after", file=sys.stderr, flush=True); end(1)
    """)
    for arguments, order in (([], "before ftsan after SUMMARY"),
                             (["--print-at-end"], "before after SUMMARY")):
        result = ftsan("run", *arguments, *command)
        assert result.returncode == 66
        words = [line.split(":")[0] for line in result.stderr.splitlines()
                 if line.startswith(("before", "after", "SUMMARY", "ftsan: found:"))]
        assert " ".join(words) == order, result.stderr


def test_background_processes_are_not_waited_for(ftsan, program):
    began = time.monotonic()
    result = ftsan("run", *program("""
        process()
        if os.fork() == 0:
            ROOT = False
            os.close(0); os.close(1); os.close(2)
            process(); finding()
            time.sleep(30)
            os._exit(0)
        time.sleep(0.5)
        end()
    """))
    assert time.monotonic() - began < 20
    assert result.returncode == 66
    assert "1 finding in 2 processes" in result.stderr
    assert "still runs" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_are_forwarded(environment, program, number):
    command = program(f"""
        def leave(*_):
            end(); os._exit(5)
        signal.signal({int(number)}, leave)
        process()
        print("ready", flush=True)
        time.sleep(30)
    """)
    # Of SIGHUP, nohup would have it ignored, and then nothing is to be forwarded.
    with subprocess.Popen([FTSAN, "run", *command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          preexec_fn=lambda: signal.signal(number, signal.SIG_DFL)) as run:
        assert run.stdout.readline() == "ready\n"
        run.send_signal(number)
        assert run.wait(20) == 5
        assert run.stderr.read().startswith("ftsan: NOTHING WATCHED")


def test_interrupt_is_left_to_the_command(environment, program):
    command = program("""
        process()
        try:
            print("ready", flush=True)
            time.sleep(30)
        except KeyboardInterrupt:
            end(); sys.exit(4)
    """)
    with subprocess.Popen([FTSAN, "run", *command], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, start_new_session=True,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as run:
        assert run.stdout.readline() == "ready\n"
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(20) == 4


def test_signal_state_is_passed_on(environment, program):
    """The command must not inherit what `ftsan run` ignores or blocks."""
    result = subprocess.run(
        [FTSAN, "run", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"],
        capture_output=True, text=True, preexec_fn=lambda: (
            # Of a background job's children a shell has the next two ignored.
            signal.signal(signal.SIGINT, signal.SIG_DFL),
            signal.signal(signal.SIGQUIT, signal.SIG_DFL),
            signal.signal(signal.SIGPIPE, signal.SIG_DFL),
            signal.signal(signal.SIGHUP, signal.SIG_IGN)), timeout=60)
    state = dict(line.split(":\t") for line in result.stdout.splitlines())
    assert int(state["SigBlk"], 16) == 0
    assert int(state["SigIgn"], 16) & ~(1 << 24 | 1 << 29 | 1 << 30) == 1 << (signal.SIGHUP - 1)


def test_a_reader_that_went_away_does_not_end_the_run(environment, program, tmp_path):
    command = program("""
        process(); finding(); time.sleep(0.5); end(1)
        open(sys.argv[1], "w").close()
    """)
    read, write = os.pipe()
    os.close(read)
    done = tmp_path / "done"
    status = subprocess.run([FTSAN, "run", *command, done], stderr=write, timeout=60).returncode
    os.close(write)
    assert (status, done.exists()) == (66, True)


def test_inactive_engine_is_told(ftsan, program):
    result = ftsan("run", *program("""
        process(gil="on"); engine(active=False, reason="no private address space")
        coverage(gil="on", gil_requested_by=["badmod"], buffers_left_out={"too many": 5})
        end()
    """))
    assert "engine guard: NOT ACTIVE: no private address space; races on" in result.stderr
    assert "GIL on: threads took turns" in result.stderr
    assert "asked for by badmod" in result.stderr
    assert "left out: 5 too many" in result.stderr


def test_uncaught_canary_is_told(ftsan, program):
    told = ftsan("run", *program("process(); engine(canary=False); end()")).stderr
    silent = ftsan("run", *program("process(); engine(canary=True); end()")).stderr
    assert "canary was NOT caught" in told
    assert "canary was NOT caught" not in silent


def test_source_lines_of_the_build_that_ran(ftsan, program, tmp_path):
    """Debug information is used when the build id fits, and only then."""
    compiler = shutil.which("cc")
    if compiler is None or shutil.which("nm") is None or shutil.which("readelf") is None:
        pytest.skip("no compiler or binutils")
    source, module = tmp_path / "victim.c", tmp_path / "victim.so"
    source.write_text("int victim(int *p)\n{\n\treturn *p;\n}\n")
    subprocess.run([compiler, "-g", "-O0", "-shared", "-fPIC", "-Wl,--build-id=sha1", "-o",
                    module, source], check=True)
    symbols = subprocess.run(["nm", module], capture_output=True, text=True, check=True).stdout
    offset = next(hex(int(line.split()[0], 16)) for line in symbols.splitlines()
                  if line.endswith(" victim"))
    notes = subprocess.run(["readelf", "-n", module], capture_output=True, text=True).stdout
    build_id = notes.split("Build ID:")[1].split()[0]

    def run(build_id):
        return ftsan("run", *program(f"""
            process(); put("module", path={str(module)!r}, build_id={build_id!r})
            finding(stacks=[{{"role": "write", "frames": [
                {{"type": "native", "module": {str(module)!r}, "offset": {offset!r}}}]}}])
            end(1)
        """)).stderr

    fitting, other = run(build_id), run("00" * 20)
    # Relative to where we are, with the line.
    assert f"#0 victim {source}:2  |  {{\n" in fitting
    assert "source lines" not in fitting
    assert f"#0 <unknown> victim.so+{offset}\n" in other
    assert "1 module on disk is not the build that ran" in other


def test_mangled_names(ftsan, program):
    result = ftsan("run", *program("""
        process()
        finding(stacks=[{"role": "call", "frames": [
            {"type": "native", "module": "/x.so", "offset": "0x1", "function": "_ZN1a1bEi"},
            {"type": "native", "module": "/x.so", "offset": "0x1", "function": "_Zebra"}]}])
        end(1)
    """))
    if "_ZN1a1bEi" in result.stderr:
        pytest.skip("no libstdc++ here")
    assert "#0 a::b(int) x.so+0x1" in result.stderr
    assert "#1 _Zebra x.so+0x1" in result.stderr


def test_report_reads_what_run_wrote(ftsan, program, tmp_path):
    log = tmp_path / "log"
    run = ftsan("run", "--print-at-end", "--log", log,
                *program("process(); engine(); finding(); end(1)"))
    report = ftsan("report", log)
    assert report.returncode == 0
    assert report.stdout == run.stderr.replace(f"ftsan: the log is {log}\n", "")
    assert report.stderr == ""
    assert ftsan("report", "--exit-code", log).returncode == 66
    assert ftsan("report", log, "/nonexistent/log").returncode == 125


def test_report_without_findings(ftsan, tmp_path):
    log = tmp_path / "log"
    log.write_text('{"v":1,"type":"process","pid":1}\n{"v":1,"type":"end"}\n')
    assert ftsan("report", log).returncode == 0
    log.write_text("")
    result = ftsan("report", log)
    assert result.returncode == 0
    assert result.stdout == "ftsan: NOTHING WATCHED (the logs tell of no process)\n"
    assert ftsan("report", "--exit-code", log).returncode == 67


def test_names_in_the_log_cannot_drive_the_terminal(ftsan, program):
    result = ftsan("run", *program(r"""
        process(python="\033[2J"); engine(reason="\033[2J", active=False)
        finding(kind="\033[2J", confidence="\033[2J")
        coverage(gil_requested_by=["\033[2J"], buffers_left_out={"\033[2J": 1})
        end(1)
    """))
    assert result.returncode == 66
    assert "\033" not in result.stderr


# --- the project's settings ---------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    (tmp_path / "below").mkdir()

    def make(table):
        (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "x"\n\n{table}\n[tool.other]\nmode = 1\n')
        return tmp_path / "below"

    return make


SHOW = ["sh", "-c", 'echo "$FTSAN_OPTIONS"']


def test_settings_of_the_project(ftsan, project, tmp_path):
    below = project("""
        [tool.ftsan]  # for all of us
        mode = "all"
        engines = ['guard', "watch"]
        suppressions = "known.supp"
        log-directory = "logs"
        grade="high"
        options = "window_us=500"
    """)
    (tmp_path / "known.supp").write_text("race:f\n")
    result = ftsan("run", "--options", "mode=race", *SHOW, cwd=below)
    assert result.returncode == 67, result.stderr
    for option in ("mode='all'", "guard='1'", "statics='off'", "sampler='0'", "grade='high'",
                   "window_us=500", f"suppressions='{tmp_path}/known.supp'",
                   f"log='{tmp_path}/logs/"):
        assert option in result.stdout
    assert result.stdout.index("mode='all'") < result.stdout.index("mode=race")  # the last one wins


@pytest.mark.parametrize("line, what", [
    ('mood = "all"', "the keys are mode"), ("mode = 3", "a value is"), ('mode = "a\\"b"', "a value is"),
    ("mode", "KEY ="), ('engines = "guard"', "engines is a list"),
    ('engines = ["gaurd"]', "engines are guard"), ('fail-on = "all"', "fail-on is"),
    ('mode = ["all"]', "engines is a list"), ('grade = "high" "low"', "a value is")])
def test_bad_settings_are_told(ftsan, project, tmp_path, line, what):
    result = ftsan("run", "true", cwd=project(f"[tool.ftsan]\n{line}"))
    assert result.returncode == 125
    assert f"{tmp_path}/pyproject.toml:5: [tool.ftsan]: " in result.stderr and what in result.stderr


@pytest.mark.parametrize("fail_on, confidence, status", [
    ("any", "latent", 66), ("confirmed", "latent", 0), ("confirmed", "confirmed", 66),
    ("never", "confirmed", 0)])
def test_what_a_project_fails_on(ftsan, project, program, fail_on, confidence, status):
    command = program(f"process(); finding(confidence={confidence!r}); end(1)")
    result = ftsan("run", *command, cwd=project(f'[tool.ftsan]\nfail-on = "{fail_on}"'))
    assert (result.returncode, "FOUND 1 bug" in result.stderr) == (status, True)


# --- GitHub Actions -------------------------------------------------------------------------


def test_github_gets_annotations_and_a_summary(ftsan, program, tmp_path, environment):
    summary = tmp_path / "summary.md"
    environment.setenv("GITHUB_ACTIONS", "true")
    environment.setenv("GITHUB_STEP_SUMMARY", str(summary))
    result = ftsan("run", *program("""
        process()
        finding(stacks=[{"role": "write", "frames": [
            {"type": "native", "module": "/x.so", "offset": "0x1", "function": "<b>|`x`"}]}])
        end(1)
    """))
    assert result.returncode == 66
    annotation, = [line for line in result.stdout.splitlines() if line.startswith("::error ")]
    assert annotation.count("%0A") < 8
    text = summary.read_text()
    assert text.startswith("### ftsan: FOUND 1 bug\n") and "<b>" not in text
    result = ftsan("run", "true")
    assert "::" not in result.stdout and summary.read_text() == text
    environment.delenv("GITHUB_ACTIONS")
    assert ftsan("run", *program("process(); finding(); end(1)")).stdout == ""


@pytest.mark.parametrize("typed, meant", [("reprot", "report"), ("runn", "run"), ("docter", "doctor")])
def test_did_you_mean(ftsan, typed, meant):
    result = ftsan(typed)
    assert result.returncode == 125
    assert f"unknown command {typed}; did you mean `ftsan {meant}`?" in result.stderr
    assert "did you mean" not in ftsan("pytest").stderr


def test_files_that_are_something_else(ftsan, tmp_path):
    (tmp_path / "text").write_text("no module\n")
    result = ftsan("scan", tmp_path / "text")
    assert result.returncode != 0 and "neither an extension module nor" in result.stderr, result
    result = ftsan("doctor", "/bin/ls")
    assert "/bin/ls is not a Python" in result.stdout and "import sys" not in result.stdout, result


def test_attach_to_what_is_stopped(ftsan):
    with subprocess.Popen(["sleep", "30"]) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        result = ftsan("attach", str(process.pid))
        process.kill()
    assert result.returncode == 125 and "it is stopped" in result.stderr, result
