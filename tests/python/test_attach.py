"""ftsan attach and ftsan detach: programs that run already."""

import contextlib
import functools
import os
import pathlib
import re
import signal
import struct
import subprocess
import time

import pytest
from conftest import BUILD, PROGRAMS, build_extension, clean_environment, found, read_log

PROGRAM = PROGRAMS / "attached.py"
EXIT_FINDINGS, EXIT_BLIND, EXIT_FAILED = 66, 67, 125
PATIENCE_S = 60

# A program with the bug may die of it, but not of anything else.
DEATHS = {-signal.SIGSEGV, -signal.SIGABRT}


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


class Target:
    """programs/attached.py, or another program that prints "ready"."""

    def __init__(self, *command, environment={}):
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=clean_environment(environment))
        assert self.process.stdout.readline() == "ready\n", self.process.communicate()[1]
        self.pid = self.process.pid

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        words = answer.split(maxsplit=1)
        assert words[:1] == command.split()[:1], (answer, self.process.poll())
        return words[1].strip()

    def end(self):
        """Its status, and what it says of its work."""
        out, errors = self.process.communicate("end\n", timeout=PATIENCE_S)
        return self.process.returncode, out, errors

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def target(*command, **settings):
    it = Target(*command, **settings)
    try:
        yield it
    finally:
        it.close()


class Attached:
    """`ftsan attach` as it runs; its words go to a file."""

    def __init__(self, directory, pid, *arguments):
        self.log = directory / f"log-{len(list(directory.iterdir()))}"
        self.path = self.log.with_suffix(".err")
        with open(self.path, "w") as errors:
            self.process = subprocess.Popen(
                [str(word) for word in (BUILD / "ftsan", "attach", "--log", self.log,
                                        *arguments, pid)],
                stderr=errors, env=clean_environment({}))
        self.wait_for(f"attached to process {pid}")

    @property
    def words(self):
        return self.path.read_text(errors="replace")

    def wait_for(self, text):
        wait_until(lambda: text in self.words or self.process.poll() is not None,
                   lambda: self.words)
        assert text in self.words, self.words

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def records(self, type):
        return [record for record in read_log(self.log) if record["type"] == type]


@pytest.fixture
def attach(tmp_path):
    """attach(target, *arguments), which is Attached."""
    made = []

    def start(target, *arguments):
        made.append(Attached(tmp_path, target.pid, *arguments))
        return made[-1]

    if not (BUILD / "ftsan").exists():
        pytest.skip(f"{BUILD}/ftsan is not built (sh tools/test.sh builds it)")
    yield start
    for each in made:
        each.close()


def command(*words, **settings):
    done = subprocess.run([str(BUILD / "ftsan"), *map(str, words)], capture_output=True,
                          text=True, timeout=PATIENCE_S, env=clean_environment({}), **settings)
    return done.returncode, done.stderr


# For programs that are attached to for other reasons than to watch their arrays.
NOT_BLIND = ("--options", "blindcode=0")


def attach_and_leave(target):
    status, words = command("attach", *NOT_BLIND, "--duration", "0", target.pid)
    assert status == 0 and "detached from process" in words, words
    return words


# --- findings -------------------------------------------------------------------------


@pytest.mark.parametrize("work, mode, kind", [("repeat", "race", "race"),
                                              ("apart", "latent", "hazard")])
def test_repeat(attach, numpy_affected, work, mode, kind):
    for _ in range(5):
        if repeat_found(attach, numpy_affected, work, mode, kind):
            return
    pytest.fail("the program died of its bug each time, before ftsan had a look at it")


def repeat_found(attach, numpy_affected, work, mode, kind):
    with target(numpy_affected, PROGRAM, work) as program:
        # The second time is like the first, which may have found it already.
        status, words = command("attach", "--options", f"mode={mode}:blindcode=0", "--duration",
                                "0", program.pid)
        if work == "repeat" and program.process.poll() in DEATHS:
            return False
        assert status in (0, EXIT_FINDINGS, EXIT_BLIND) and "detached from process" in words, words
        try:
            attached = attach(program, "--options", f"mode={mode}")
            attached.wait_for("ftsan: found: ")
        except AssertionError:
            if work == "repeat" and program.process.poll() in DEATHS:
                return False
            raise
        died = program.process.poll()
        assert attached.stop() == EXIT_FINDINGS, attached.words
        status = program.end()[0] if died is None else died
    findings = [finding for finding in attached.records("finding")
                if status == 0 or finding["kind"] != "crash"]
    assert findings and {finding["kind"] for finding in findings} == {kind}, findings
    for finding in findings:
        names = {frame.get("function") for stack in finding["stacks"] for frame in stack["frames"]}
        assert {"PyArray_Repeat", f"{work.capitalize()}.step"} <= names, finding
    assert status == 0 or work == "repeat" and status in DEATHS, status
    if status == 0:
        assert "detached from process" in attached.words
        assert attached.records("end")[-1]["reason"] == "detach"
    return True


@pytest.mark.parametrize("mode", ["race", "latent", "all"])
def test_repeat_fixed(attach, numpy_fixed, mode):
    with target(numpy_fixed, PROGRAM, "repeat") as program:
        attached = attach(program, "--options", f"mode={mode}")
        time.sleep(2)
        assert attached.stop() == 0, attached.words
        assert program.end() == (0, "end 0\n", "")
    assert attached.records("finding") == []
    [process] = attached.records("process")
    assert process["attached"] and process["root"] and process["gil"] == "off", process
    assert [record["canary"] for record in attached.records("engine")
            if record["name"] == "guard"] == [True]
    # Silence counts only if the arrays were looked at.
    coverage = attached.records("coverage")[-1]
    assert coverage["buffers_guarded"] >= 40, coverage
    assert "arrays that were made before were not guarded" in attached.words


def test_scikit_image(attach):
    """cython#6718, in a program that had filled its cache before."""
    python = found("FTSAN_VENV_SKIMAGE", "setup.sh", "venv", "--find", "skimage") + "/bin/python"
    with target(python, PROGRAM, "graph", environment={"PYTHON_GIL": "0"}) as program:
        attached = attach(program)
        assert "GIL off" in attached.words
        program.ask("raise")
        attached.wait_for("ftsan: found: ")
        assert attached.stop() == EXIT_FINDINGS, attached.words
        assert program.end() == (0, "end 0\n", "")
    # If no thread let go of it in time, a cache that grows is guarded all the same.
    assert re.search(r"[01] of 1 Cython code caches are guarded", attached.words)
    races = [finding for finding in attached.records("finding")
             if finding["kind"] == "race" and "code-object cache of _mcp." in finding["title"]]
    assert races, attached.records("finding")
    for race in races:
        assert race["confidence"] == "confirmed", race
        for stack in race["stacks"][:2]:
            assert any(os.path.basename(frame.get("module", "")).startswith("_mcp.")
                       for frame in stack["frames"] if frame["type"] == "native"), stack


def test_duration_and_keep(numpy_affected):
    with target(numpy_affected, PROGRAM, "apart") as program:
        status, words = command("attach", "--options", "mode=latent", "--duration", "3",
                                program.pid)
        assert status == EXIT_FINDINGS and "metadata hazard" in words, words
        log = re.search(r"the log is (\S+)", words)[1]
        assert [record["reason"] for record in read_log(log)
                if record["type"] == "end"] == ["detach"]
        status, words = command("attach", "--options", "mode=latent", "--keep", program.pid)
        assert status == 0 and f"`ftsan detach {program.pid}` ends it" in words, words
        log = re.search(r"the log is (\S+);", words)[1]
        wait_until(lambda: "finding" in [record["type"] for record in read_log(log)],
                   lambda: read_log(log))
        assert command("detach", program.pid)[0] == 0
        assert read_log(log)[-1]["type"] == "end"
        assert program.end() == (0, "end 0\n", "")


def test_it_becomes_another_program(attach, numpy_fixed):
    with target(numpy_fixed, PROGRAM, "apart") as program:
        attached = attach(program, *NOT_BLIND)
        program.process.stdin.write("exec\n")
        program.process.stdin.flush()
        assert attached.process.wait(PATIENCE_S) in (0, EXIT_BLIND), attached.words
        assert attached.records("end")[-1]["reason"] == "exec"
        assert program.process.poll() is None


# --- sys.remote_exec ------------------------------------------------------------------


def remote(target, directory, *arguments):
    """`ftsan attach --by remote`, with an interpreter that notes what it is to do."""
    fake = directory / "python3.14"
    fake.write_text("#!/bin/sh\n"
                    "case $3 in *sys.remote_exec*) ;; *) exit 1 ;; esac\n"
                    f'echo "$4 $5" >{directory}/asked.new && '
                    f"mv {directory}/asked.new {directory}/asked\n")
    fake.chmod(0o755)
    return subprocess.Popen([BUILD / "ftsan", "attach", "--by", "remote", "--python", fake,
                             *arguments, str(target.pid)], stderr=subprocess.PIPE, text=True,
                            env=clean_environment({}))


def asked(directory):
    path = directory / "asked"
    wait_until(path.exists, lambda: "nothing was asked")
    pid, script = path.read_text().split()
    path.unlink()
    return int(pid), script


def test_remote_exec(numpy_affected, tmp_path):
    """CPython 3.14 does what this program does: runs the script in its main thread."""
    with target(numpy_affected, PROGRAM, "apart") as program:
        process = remote(program, tmp_path, "--duration", "1", "--options", "mode=latent")
        for _ in ("attach", "detach"):
            pid, script = asked(tmp_path)
            assert pid == program.pid
            program.ask(f"run {script}")
        words = process.communicate(timeout=PATIENCE_S)[1]
        assert process.returncode == EXIT_FINDINGS and "detached from process" in words, words
        assert program.end() == (0, "end 0\n", "")


def test_remote_exec_that_nobody_runs(numpy_fixed, tmp_path):
    with target(numpy_fixed, PROGRAM, "apart") as program:
        process = remote(program, tmp_path)
        pid, script = asked(tmp_path)
        words = process.communicate(timeout=PATIENCE_S)[1]
        assert process.returncode == EXIT_FAILED and "runs no Python" in words, words
        # What CPython comes for, too late, does nothing; and no file of ours has to stay.
        assert asked(tmp_path) == (pid, "/dev/null")
        assert not os.path.exists(script) and not os.path.exists(os.path.dirname(script))
        assert "libftsan" not in pathlib.Path(f"/proc/{program.pid}/maps").read_text()
        assert program.end() == (0, "end 0\n", "")


def remote_on_314(interpreter):
    if interpreter.minor < 14:
        pytest.skip("sys.remote_exec came with 3.14")


BUSY = """\
import sys, threading
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set())).start()
print("ready", flush=True)
while not stop.is_set():
    sum(range(1000))
"""

WAITING = """\
import sys
print("ready", flush=True)
sys.stdin.readline()
"""


@contextlib.contextmanager
def plain(interpreter, source):
    with subprocess.Popen([interpreter, "-c", source], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=clean_environment({})) as process:
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
            assert process.communicate("\n", timeout=PATIENCE_S) == ("", "")
            assert process.returncode == 0
        finally:
            process.kill()


def attach_plainly(process, *arguments):
    return subprocess.run([BUILD / "ftsan", "attach", "--duration", "0.1", *arguments,
                           str(process.pid)], capture_output=True, text=True,
                          env=clean_environment({}), timeout=PATIENCE_S)


@pytest.mark.parametrize("by", [[], ["--by", "remote"]], ids=["auto", "remote"])
def test_real_remote_exec(interpreter, by):
    remote_on_314(interpreter)
    with plain(interpreter, BUSY) as process:
        done = attach_plainly(process, *by)
        assert f"attached to process {process.pid}" in done.stderr, done
        assert f"detached from process {process.pid}" in done.stderr, done


def test_real_remote_exec_in_vain(interpreter):
    """The main thread waits; when it goes on it finds nothing that it has to run."""
    remote_on_314(interpreter)
    with plain(interpreter, WAITING) as process:
        done = attach_plainly(process, "--by", "remote")
        assert done.returncode == EXIT_FAILED and "its main thread waits" in done.stderr, done
        done = attach_plainly(process)
        assert f"detached from process {process.pid}" in done.stderr, done


def test_remote_exec_of_a_stopped_program(interpreter):
    remote_on_314(interpreter)
    with plain(interpreter, WAITING) as process:
        os.kill(process.pid, signal.SIGSTOP)
        done = attach_plainly(process, "--by", "remote")
        os.kill(process.pid, signal.SIGCONT)
        assert done.returncode == EXIT_FAILED and "it is stopped" in done.stderr, done


# --- leaving --------------------------------------------------------------------------


def maps(pid):
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        words = line.split(maxsplit=5)
        begin, end = (int(word, 16) for word in words[0].split("-"))
        yield begin, end, words[1], words[5] if len(words) > 5 else ""


@functools.cache
def memory_bytes(path):
    """Of an object's segments, by its program headers; 0: it is none."""
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:4] != b"\x7fELF":
            return 0
        offset, size, n = struct.unpack_from("<Q14xHH", head, 32)
        file.seek(offset)
        headers = file.read(size * n)
    ends = [0]
    for at in range(0, size * n, size):
        kind, address, length = struct.unpack_from("<I12xQ16xQ", headers, at)
        if kind == 1:  # PT_LOAD
            ends.append(address + length)
    return max(ends)


def data_of_objects(pid):
    """What objects but libftsan.so have mapped, code left out, and their pages without a
    file; what the kernel has put behind them is somebody else's."""
    path, base, previous_end = "", 0, 0
    for begin, end, flags, name in maps(pid):
        if name != path and (name or begin != previous_end):
            path, base = name, begin
        previous_end = end
        if path.startswith("/") and not path.endswith("/libftsan.so") and flags[:3] in ("r--",
                                                                                       "rw-"):
            end = min(end, base + memory_bytes(path))
            if begin < end:
                yield begin, end, os.path.basename(path)


def addresses_of_ftsan(pid):
    """Where in objects' data there is an address in libftsan.so: {place: object}."""
    own = [area for area in maps(pid) if area[3].endswith("/libftsan.so")]
    found = {}
    if not own:
        return found
    low, high = min(area[0] for area in own), max(area[1] for area in own)
    tails = {value.to_bytes(5, "little") for value in range(low >> 24, (high >> 24) + 1)}
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for begin, end, name in data_of_objects(pid):
            memory.seek(begin)
            data = memory.read(end - begin)
            for tail in tails:
                at = data.find(tail)
                while at >= 0:
                    word = int.from_bytes(data[at - 3:at + 5], "little")
                    if at % 8 == 3 and low <= word < high:
                        found[begin + at - 3] = name
                    at = data.find(tail, at + 1)
    return found


def words_at(pid, places):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        def read(place):
            memory.seek(place)
            return memory.read(8)
        return {place: read(place) for place in places}


# Who is told of forks, exits and ends of threads; and what libftsan.so has loaded for itself.
STAYS = re.compile(r"(libc|libpthread|ld-linux-x86-64|libunwind|libZydis)[.-]")


def test_everything_is_put_back(numpy_fixed):
    with target(numpy_fixed, PROGRAM, "repeat") as program:
        assert int(program.ask("tables")) == 0
        # The library stays loaded, so this is about what is changed from the second time on:
        # the places are known by then, and what they hold when nothing is attached.
        places, before = {}, {}
        for _ in range(3):
            status, words = command("attach", "--options", "mode=all", "--keep", program.pid)
            assert status == 0, words
            places = addresses_of_ftsan(program.pid)
            objects = set(places.values())
            assert len(places) > 200 and any("_multiarray_umath" in name for name in objects)
            assert int(program.ask("tables")) > 100
            assert program.ask("load") == "True"
            status, words = command("detach", program.pid)
            assert status == 0, words
            assert int(program.ask("tables")) == 0
            assert program.ask("load") == "False"
            wait_until(lambda: not {name for name in addresses_of_ftsan(program.pid).values()
                                    if not STAYS.match(name)},
                       lambda: addresses_of_ftsan(program.pid))
            now = words_at(program.pid, places)
            assert not before or before == {place: now.get(place) for place in before}
            before = now
        assert [program.ask("load") for _ in range(3)] == ["True", "False", "True"]
        assert program.ask("fork") == "0"
        assert program.end() == (0, "end 0\n", "")


def signals(pid):
    """What the process catches and ignores, and what its threads block."""
    def lines(path, *keys):
        return [line for line in (path / "status").read_text().splitlines()
                if line.startswith(keys)]

    process = pathlib.Path(f"/proc/{pid}")
    return lines(process, "SigCgt", "SigIgn"), {
        path.name: lines(path, "SigBlk") for path in (process / "task").iterdir()}


@pytest.mark.parametrize("mode", ["race", "latent", "all"])
def test_signals_are_given_back(attach, numpy_affected, mode):
    """After faults, single steps and findings."""
    with target(numpy_affected, PROGRAM, "apart") as program:
        before = signals(program.pid)
        for _ in range(5):
            attached = attach(program, "--options", f"mode={mode}:sample=0:blindcode=0")
            if mode != "race":
                attached.wait_for("ftsan: found: ")
            time.sleep(0.2)
            expected = (0, EXIT_BLIND) if mode == "race" else (EXIT_FINDINGS,)
            assert attached.stop() in expected, attached.words
            assert "signal handlers stay" not in attached.words
            assert signals(program.pid) == before
        assert program.end() == (0, "end 0\n", "")


def snapshot(pid):
    """{place: word} of the data of objects that are not changed by the program's own work:
    read-only pages, where the import slots are."""
    taken = {}
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for begin, end, flags, name in maps(pid):
            if flags[:2] == "r-" and flags[2] == "-" and name.startswith("/") and \
                    not name.endswith("/libftsan.so") and end - begin < 1 << 24:
                memory.seek(begin)
                taken[begin, name] = memory.read(end - begin)
    return taken


def test_read_only_data_is_as_before(numpy_fixed):
    """Import slots are bound when a module is loaded, and then protected."""
    with target(numpy_fixed, PROGRAM, "repeat") as program:
        before = snapshot(program.pid)
        attach_and_leave(program)
        assert len(before) > 20
        wait_until(lambda: all(snapshot(program.pid).get(key) == data
                               for key, data in before.items()),
                   lambda: [key for key, data in before.items()
                            if snapshot(program.pid).get(key) != data])
        assert program.end() == (0, "end 0\n", "")


@pytest.mark.parametrize("delay_ms", [0, 3, 10, 30, 100, 300])
def test_command_is_killed(numpy_fixed, delay_ms):
    """At any time; the program goes on, and can be attached to and left again."""
    with target(numpy_fixed, PROGRAM, "repeat") as program:
        process = subprocess.Popen([BUILD / "ftsan", "attach", str(program.pid)],
                                   env=clean_environment({}), stderr=subprocess.DEVNULL)
        time.sleep(delay_ms / 1000)
        process.kill()
        process.wait()
        time.sleep(1)
        assert program.ask("fork") == "0"
        status, words = command("detach", program.pid)
        assert status == 0 or "is not attached" in words, words
        attach_and_leave(program)
        assert program.end() == (0, "end 0\n", "")


# --- refusals -------------------------------------------------------------------------


def assert_refused(target, *words, arguments=(), **settings):
    status, errors = command("attach", *arguments, getattr(target, "pid", target), **settings)
    assert status == EXIT_FAILED, errors
    assert all(word in errors for word in words), errors


WAITS = """
import os, sys, threading, waits
reads, writes = os.pipe()
thread = threading.Thread(target=lambda: print(waits.read(reads), flush=True))
thread.start()
print("ready", flush=True)
sys.stdin.readline()
os.write(writes, b"late")
thread.join()
"""


def test_a_thread_waits_for_what_comes_into_a_static(attach, interpreter, tmp_path):
    """It began to before statics were sealed, and the kernel would fail its call."""
    modules = tmp_path / "modules"
    modules.mkdir()
    build_extension(interpreter, modules, "waits")
    with target(interpreter, "-c", WAITS, environment={"PYTHONPATH": str(modules)}) as program:
        attached = attach(program, *NOT_BLIND)
        assert program.end() == (0, "b'late'\n", ""), attached.words


def test_no_process():
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert_refused(ended.pid, "there is no such process")
    assert_refused("x", "x is no process id")
    assert_refused(0, "0 is no process id")
    assert command("detach", ended.pid)[0] == EXIT_FAILED


def test_a_gil(attach):
    venv = found("FTSAN_VENV_FIXED_GIL", "setup.sh", "venv", "--find", "numpy-fixed-gil")
    with target(f"{venv}/bin/python", PROGRAM, "repeat") as program:
        assert_refused(program, "is built with a GIL", "ftsan run")
        assert program.end() == (0, "end 0\n", "")


def test_no_python():
    with subprocess.Popen(["sleep", "60"]) as process:
        time.sleep(0.2)
        assert_refused(process, "there is no CPython in it", "sleep")
        assert process.poll() is None
        process.kill()


def test_a_thread(numpy_fixed):
    with target(numpy_fixed, PROGRAM, "idle") as program:
        tid = max(map(int, os.listdir(f"/proc/{program.pid}/task")))
        assert_refused(tid, f"it is a thread of process {program.pid}")
        assert program.end() == (0, "end 0\n", "")


def test_preloaded(numpy_fixed, tmp_path):
    with target(BUILD / "ftsan", "run", *NOT_BLIND, "--log", tmp_path / "log", numpy_fixed,
                PROGRAM, "idle") as program:
        [pid] = map(int, pathlib.Path(
            f"/proc/{program.pid}/task/{program.pid}/children").read_text().split())
        assert_refused(pid, "ftsan came with its start, and watches it")
        status, words = command("detach", pid)
        assert status == EXIT_FAILED and "ftsan came with its start, and stays" in words, words
        assert program.end()[:2] == (0, "end 0\n")


def test_twice(attach, numpy_fixed):
    with target(numpy_fixed, PROGRAM, "repeat") as program:
        assert command("detach", program.pid)[0] == EXIT_FAILED
        attached = attach(program, *NOT_BLIND)
        assert_refused(program, "ftsan is attached to it already")
        assert attached.stop() == 0, attached.words
        status, words = command("detach", program.pid)
        assert status == EXIT_FAILED and "ftsan is not attached to it" in words, words
        assert program.end() == (0, "end 0\n", "")


def test_bad_options(numpy_fixed):
    with target(numpy_fixed, PROGRAM, "idle") as program:
        assert_refused(program, "no_such_option", arguments=["--options", "no_such_option=1"])
        assert_refused(program, "store=pkey", arguments=["--options", "store=pkey"])
        assert program.end() == (0, "end 0\n", "")


def test_stopped(numpy_fixed):
    with target(numpy_fixed, PROGRAM, "idle") as program:
        os.kill(program.pid, signal.SIGSTOP)
        assert_refused(program, "it is stopped; let it go on (kill -CONT), and attach then",
                       arguments=["--timeout", "1"])
        os.kill(program.pid, signal.SIGCONT)
        assert program.end() == (0, "end 0\n", "")


def test_blocked(numpy_fixed):
    with target(numpy_fixed, PROGRAM, "idle") as program:
        program.ask("block")
        assert_refused(program, "blocks SIGTRAP")
        assert program.ask("fork") == "0"
        assert program.end() == (0, "end 0\n", "")


SECCOMP = """
import ctypes, struct, sys, time
libc = ctypes.CDLL(None)
# Load the number; is it perf_event_open's? Then kill the process; allow the others.
rules = [(0x20, 0, 0, 0), (0x15, 0, 1, 298), (6, 0, 0, 0x80000000), (6, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
if sys.argv[1] == "filter":
    assert libc.prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP
print("ready", flush=True)
sys.stdin.readline()
print("end 0")
"""


def test_seccomp(numpy_fixed):
    """Its filter would have killed it."""
    with target(numpy_fixed, "-c", SECCOMP, "filter") as program:
        assert_refused(program, "it has a seccomp filter")
        assert program.end() == (0, "end 0\n", "")
    with target(numpy_fixed, "-c", SECCOMP, "none") as program:
        attach_and_leave(program)
        assert program.end() == (0, "end 0\n", "")


def test_thread_that_does_not_stop(numpy_fixed, tmp_path):
    """It waits in the kernel, as the parent of a vfork, for a child that waits for us."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = ("import os\n"
            "print('ready', flush=True)\n"
            f"actions = [(os.POSIX_SPAWN_OPEN, 0, {str(pipe)!r}, os.O_RDONLY, 0)]\n"
            "os.waitpid(os.posix_spawn('/bin/true', ['true'], {}, file_actions=actions), 0)\n"
            "print('end 0')\n")
    with target(numpy_fixed, "-c", code) as program:
        state = pathlib.Path(f"/proc/{program.pid}/stat")
        wait_until(lambda: state.read_text().split(")")[-1].split()[0] == "D", state.read_text)
        assert_refused(program, "waits in the kernel and does not stop",
                       arguments=["--timeout", "2"])
        with open(pipe, "w"):
            assert program.end() == (0, "end 0\n", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_another_user():
    """As nobody, who needs to reach the command for that."""
    import shutil
    import tempfile
    with tempfile.TemporaryDirectory() as directory, \
            subprocess.Popen(["sleep", "60"]) as process:
        os.chmod(directory, 0o755)
        copy = shutil.copy(BUILD / "ftsan", directory)
        shutil.copy(BUILD / "libftsan.so", directory)
        done = subprocess.run([copy, "attach", str(process.pid)], user=65534, cwd="/",
                              capture_output=True, text=True, env=clean_environment({}))
        process.kill()
    assert done.returncode == EXIT_FAILED and "belongs to another user" in done.stderr, done


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_root_and_another_user(numpy_fixed, tmp_path):
    """Root runs nothing of that user's, who can't put anything in the place of a file that
    root will open."""
    import shutil
    import tempfile
    code = ("import os, sys, time\n"
            "os.setgid(65534)\n"
            "os.setuid(65534)\n"
            "print('ready', flush=True)\n"
            "sys.stdin.readline()\n"
            "print('end 0')\n")
    noting = tmp_path / "python"
    noting.write_text(f"#!/bin/sh\nstat -c '%u %a' $(dirname $5) $5 >{tmp_path}/noted\n"
                      "exit 1\n")
    noting.chmod(0o755)
    with tempfile.TemporaryDirectory() as directory, \
            target(numpy_fixed, "-c", code) as program:
        os.chmod(directory, 0o755)
        copy = shutil.copy(BUILD / "ftsan", directory)
        shutil.copy(BUILD / "libftsan.so", directory)

        def attach_to_it(*arguments):
            done = subprocess.run([copy, "attach", *NOT_BLIND, "--duration", "0",
                                   *arguments, str(program.pid)], capture_output=True, text=True,
                                  timeout=PATIENCE_S, env=clean_environment({}))
            return done.returncode, done.stderr

        status, words = attach_to_it("--by", "remote")
        assert status == EXIT_FAILED and "another user's program" in words, words
        status, words = attach_to_it("--by", "remote", "--python", noting)
        assert status == EXIT_FAILED and "it refuses" in words, words
        assert (tmp_path / "noted").read_text() == "0 711\n65534 600\n"
        status, words = attach_to_it()
        assert status == 0 and "detached from process" in words, words
        assert program.end() == (0, "end 0\n", "")
