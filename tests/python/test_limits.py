"""The bounds of a process, each reached: the program comes to the results that it has
bare, and the summary says what could not be done."""

import functools
import re
import shutil
import subprocess
import textwrap

import pytest
from conftest import BUILD

# What the programs share: threads on arrays, with a result to compare.
WORK = """\
import ctypes, mmap, os, sys, threading, time
import numpy as np

def work(seed):
    total = 0
    for i in range(30):
        arrays = [np.arange(seed + i + j).reshape(1, -1) for j in range(20)]
        time.sleep(0.002)
        for array in arrays:
            array.shape = (-1, 1)
            total += int(np.repeat(array, 2, axis=1).sum()) + array.shape[0]
    return total

def in_threads(n=4):
    results = [None] * n
    def run(i):
        results[i] = work(i)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return results

"""
HAZARD = "np.repeat(np.arange(1000), 2)\n"
ONE_BLAS = {"OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture
def program(run):
    def make(body):
        return run.script(WORK + textwrap.dedent(body))

    return make


@functools.cache
def namespaces():
    """Why there is no mount namespace to be had; None if there is."""
    if shutil.which("unshare") is None:
        return "no unshare (package util-linux)"
    done = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"],
                          capture_output=True, text=True)
    return None if done.returncode == 0 else "no mount namespace: " + done.stderr.strip()


def mounted(commands):
    """A command that runs the rest of its line in a mount namespace of its own."""
    if namespaces() is not None:
        pytest.skip(namespaces())
    return ["unshare", "-m", "sh", "-c", f"{commands} && exec \"$@\"", "sh"]


def as_bare(run, command, options="mode=all", **settings):
    """Runs it both ways. ftsan's own status 66 is for success."""
    environment = {**ONE_BLAS, **settings.pop("environment", {})}
    bare = run.bare(*command, environment=environment)
    assert bare.status == 0 and bare.stdout, bare
    outcome = run.ftsan(*command, options=options, environment=environment, **settings)
    assert (outcome.status, outcome.stdout) in ((0, bare.stdout), (66, bare.stdout)), outcome
    return outcome


def guard(outcome):
    engine, = [record for record in outcome.records("engine", "log") if record["name"] == "guard"]
    return engine


# --- memory -----------------------------------------------------------------------------


def test_map_entries_run_out(run, numpy_fixed, program):
    """vm.max_map_count is a number for the whole process, and the program has taken it."""
    script = program("""
        libc = ctypes.CDLL(None, use_errno=True)
        limit = int(open("/proc/sys/vm/max_map_count").read())
        pages = mmap.mmap(-1, (limit + 1000) * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        base = ctypes.addressof(ctypes.c_char.from_buffer(pages))
        def protect(page, protection):
            return libc.mprotect(ctypes.c_void_p(base + page * 4096), ctypes.c_size_t(4096), protection)
        page = 1
        while page < limit and protect(page, 1) == 0:
            page += 2
        assert page < limit, page
        for back in range(page - 2, page - 160, -2):  # some must be left for the threads
            protect(back, 3)
        print(in_threads())
    """)
    for options in ("mode=all", "mode=race:store=step"):
        outcome = as_bare(run, [numpy_fixed, script], options)
        assert outcome.coverage["buffers_left_out"]["kernel"] > 0, outcome.coverage
        assert re.search(r"left out: .*\d kernel", outcome.stderr), outcome


@pytest.mark.parametrize("limit", [16, 100])
def test_few_fragments(run, numpy_fixed, program, limit):
    outcome = as_bare(run, [numpy_fixed, program("""
        keep = [np.arange(i % 7 + 1) for i in range(5000)]
        print(in_threads(), sum(a.shape[0] for a in keep))
    """)], f"mode=race:fragments={limit}")
    assert outcome.coverage["buffers_left_out"]["fragments"] > 0, outcome.coverage
    assert "fragments" in outcome.stderr


def peak(run, python, script, field):
    """What the program takes bare, in bytes."""
    source = script.read_text() + (
        f"\nprint(*[line.split()[1] for line in open('/proc/self/status') "
        f"if line.startswith('{field}:')], file=sys.stderr)\n")
    other = script.with_name("peak.py")
    other.write_text(source)
    return int(run.bare(python, other, environment=ONE_BLAS).stderr.split()[-1]) * 1024


@pytest.mark.parametrize("limit, field, room_mib", [
    ("--as", "VmPeak", 150), ("--as", "VmPeak", 600),
    ("--data", "VmData", 96), ("--data", "VmData", 600),
])
def test_address_space(run, numpy_fixed, program, limit, field, room_mib):
    """What the arena takes, of all that there is, the program must not miss."""
    script = program("print(in_threads(2))\n")
    room = peak(run, numpy_fixed, script, field) + (room_mib << 20)
    outcome = as_bare(run, ["prlimit", f"{limit}={room}", numpy_fixed, script], "mode=race")
    assert guard(outcome)["active"] and guard(outcome)["canary"], outcome
    # The tables come on top, and the quarantine.
    assert outcome.coverage["guard_bytes"] < room / 64 * 1.5, outcome.coverage
    assert outcome.coverage["buffers_published"] > 0, outcome.coverage


def test_no_memory_left(run, numpy_fixed, program):
    """The program takes all that RLIMIT_DATA allows while its arrays are sealed."""
    script = program("""
        import resource
        arrays = [np.arange(12) for _ in range(2000)]
        threading.Thread(target=time.sleep, args=(0.05,)).start()
        time.sleep(0.1)
        used = int([line.split()[1] for line in open("/proc/self/status")
                    if line.startswith("VmData:")][0]) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (used + (8 << 20), resource.RLIM_INFINITY))
        taken = []
        for size in (1 << 20, 1 << 16, 1 << 12):
            while True:
                try:
                    taken.append(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
                except OSError:
                    break
        for array in arrays:
            array.shape = (3, 4)
        assert {array.shape for array in arrays} == {(3, 4)}
        del taken
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY,) * 2)
        print(sum(array.shape[0] for array in arrays))
    """)
    for options in ("mode=race", "mode=race:store=emulate"):
        as_bare(run, [numpy_fixed, script], options)


def test_many_threads(run, numpy_fixed, program):
    outcome = as_bare(run, [numpy_fixed, program("""
        threading.stack_size(256 * 1024)
        everybody = threading.Barrier(2001)
        total = []
        def body(i):
            array = np.arange(i % 10 + 1)
            everybody.wait()
            total.append(array.shape[0])
        threads = [threading.Thread(target=body, args=(i,)) for i in range(2000)]
        for thread in threads: thread.start()
        everybody.wait()
        for thread in threads: thread.join()
        print(sum(total))
    """)])
    assert outcome.coverage["threads"] >= 2001
    assert outcome.coverage["buffers_left_out"]["thread"] == 0


def test_more_threads_than_records(run, numpy_fixed, program):
    """Those past the 4096th are not watched, and go on."""
    with open("/proc/sys/kernel/threads-max") as most:
        if int(most.read()) < 6000:
            pytest.skip("the kernel does not allow so many threads")
    as_bare(run, [numpy_fixed, program("""
        threading.stack_size(64 * 1024)
        shared = np.arange(10)
        everybody = threading.Barrier(4501)
        total = []
        def body():
            everybody.wait()
            mine = np.arange(4).reshape(2, 2)
            mine.shape = 4
            total.append(mine.shape[0] + shared.T.shape[0])
        threads = [threading.Thread(target=body) for _ in range(4500)]
        for thread in threads: thread.start()
        everybody.wait()
        for thread in threads: thread.join()
        print(sum(total))
    """)], "mode=race")


def test_many_arrays_at_once(run, numpy_fixed, program):
    outcome = as_bare(run, [numpy_fixed, program("""
        keep = [np.empty(i % 5 + 1, dtype=np.int8) for i in range(300000)]
        print(sum(array.shape[0] for array in keep), in_threads(2))
        for array in keep[::100]:
            array.shape = (1, -1)
        print(sum(array.ndim for array in keep))
    """)])
    assert outcome.coverage["buffers_left_out"]["slots"] > 200000, outcome.coverage
    assert re.search(r"left out: \d+ slots", outcome.stderr), outcome


def test_many_arrays_in_turn(run, numpy_fixed, program):
    outcome = as_bare(run, [numpy_fixed, program("""
        def turn():
            total = 0
            for i in range(1000000):
                total += np.empty(3, dtype=np.int8).shape[0]
            results.append(total)
        results = []
        threads = [threading.Thread(target=turn) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(results)
    """)], "mode=race:short_lived=0")
    assert outcome.coverage["buffers_guarded"] > 2900000, outcome.coverage


# --- descriptors and files --------------------------------------------------------------


def test_few_descriptors(run, numpy_affected, program):
    script = program(HAZARD + """
print(in_threads())
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
    print(error.strerror)
""" + HAZARD + "print(in_threads())\n")
    outcome = as_bare(run, ["prlimit", "--nofile=16", numpy_affected, script])
    assert outcome.status == 66 and outcome.findings, outcome


def test_no_proc(run, numpy_affected, program):
    """A chroot without it: no /proc/self/mem, no names of threads, no maps."""
    command = mounted("mount -t tmpfs none /proc")
    script = program(HAZARD + "print(in_threads(), os.listdir('/proc'))\n")
    outcome = as_bare(run, [*command, numpy_affected, script])
    assert outcome.status == 66 and outcome.findings, outcome
    assert "/proc/self/mem is refused" in guard(outcome)["detail"]
    assert guard(outcome)["canary"]


@pytest.mark.parametrize("size", ["64k", "4k"])
def test_full_disk(run, numpy_affected, program, size):
    """No room in the middle of a line, then room again: later lines are whole."""
    disk = run.directory / "disk"
    disk.mkdir()
    command = [*mounted(f"mount -t tmpfs -o size={size} none {disk}")[:-2],
               f"mount -t tmpfs -o size={size} none {disk} && \"$@\"; status=$?; "
               f"cp {disk}/log {run.directory}/copy; exit $status", "sh"]
    script = program(f"""
        filler = open("{disk}/filler", "wb", buffering=0)
        try:
            while True:
                filler.write(bytes(1000))
        except OSError:
            pass
        np.repeat(np.arange(1000), 2)
        np.repeat(np.arange(1000), 2, axis=0)
        os.unlink("{disk}/filler")
        filler.close()
        np.arange(1000).repeat(2)
        print("alive")
    """)
    outcome = run.preload(*command, "env", f"FTSAN_OPTIONS=log={disk}/log:mode=latent",
                          numpy_affected, script, environment=ONE_BLAS)
    assert (outcome.status, outcome.stdout) == (66, "alive\n"), outcome
    assert "WARNING: ftsan:" in outcome.stderr, outcome  # what the log had no room for
    lines = (run.directory / "copy").read_bytes().split(b"\n")
    if size == "64k":
        assert lines[-2].startswith(b'{"v":1,"type":"end"'), lines[-2]
        assert b'"log_errors":0' not in lines[-3], lines[-3]
        assert re.search(rb'"log_errors":[1-9]', lines[-3]), lines[-3]


@pytest.mark.parametrize("limit", [0, 100, 3000])
def test_file_size(run, numpy_affected, program, limit):
    """SIGXFSZ ends a process whose write is past the limit; CPython ignores it, later."""
    script = program(HAZARD + "print(in_threads())\n")
    log = run.directory / "small"
    command = ["prlimit", f"--fsize={limit}", numpy_affected, "-u", script]
    bare = run.bare(*command, environment=ONE_BLAS)
    outcome = run.preload("env", f"FTSAN_OPTIONS=log={log}:mode=latent", *command,
                          environment=ONE_BLAS)
    assert bare.status == 0, bare
    assert (outcome.status, outcome.stdout) == (66, bare.stdout), outcome
    assert "WARNING: ftsan:" in outcome.stderr


@pytest.mark.parametrize("log", ["/nonexistent/directory/log", "/proc/log", "/dev/full",
                                 "{directory}", "{directory}/" + "n" * 300])
def test_no_log_to_be_had(run, numpy_affected, program, log):
    """Preloaded by hand: findings go to stderr then. The command refuses to start."""
    script = program(HAZARD + "print(in_threads())\n")
    log = log.format(directory=run.directory)
    bare = run.bare(numpy_affected, script, environment=ONE_BLAS)
    outcome = run.preload("env", f"FTSAN_OPTIONS=log={log}:mode=latent", numpy_affected, script,
                          environment=ONE_BLAS)
    assert (outcome.status, outcome.stdout) == (66, bare.stdout), outcome
    assert "WARNING: ftsan: metadata hazard" in outcome.stderr, outcome
    assert ("can't be opened" in outcome.stderr) == (log != "/dev/full"), outcome


def test_read_only_directory(run, numpy_affected, program):
    disk = run.directory / "disk"
    disk.mkdir()
    command = mounted(f"mount -t tmpfs -o ro none {disk}")
    script = program(HAZARD + "print('alive')\n")
    outcome = run.preload(*command, "env", f"FTSAN_OPTIONS=log={disk}/log:mode=latent",
                          numpy_affected, script)
    assert (outcome.status, outcome.stdout) == (66, "alive\n"), outcome
    assert "WARNING: ftsan: metadata hazard" in outcome.stderr, outcome


def test_log_directory_removed(run, numpy_affected, program):
    """The first process has its log open; its child finds no directory for one."""
    place = run.directory / "place"
    place.mkdir()
    script = program(f"""
        import shutil
        shutil.rmtree("{place}")
        np.repeat(np.arange(1000), 2)
        pid = os.fork()
        if pid == 0:
            np.repeat(np.arange(1000), 2, axis=0)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        print("alive")
    """)
    outcome = run.preload("env", f"FTSAN_OPTIONS=log={place}/log:mode=latent:print=0",
                          numpy_affected, script, environment=ONE_BLAS)
    assert (outcome.status, outcome.stdout) == (66, "alive\n"), outcome
    assert outcome.stderr.count("WARNING: ftsan: metadata hazard") == 1, outcome  # the child's


@pytest.mark.parametrize("how", ["ftsan", "preload"])
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_descriptors(run, numpy_affected, program, how, closed):
    """Their numbers go to the program's first files, which must have nothing of ftsan's."""
    script = program(f"""
        files = [open(f"{run.directory}/user-{{i}}", "wb", buffering=0) for i in range(4)]
        for file in files:
            file.write(b"x" * 100)
    """ .replace("        ", "") + HAZARD + f"in_threads()\nopen('{run.directory}/done', 'w')\n")
    command = [numpy_affected, script]
    if how == "ftsan":
        # The command itself is what has them closed.
        log = run.directory / "closed.log"
        command = [BUILD / "ftsan", "run", "--log", log, "--options", "mode=latent", "--", *command]
        outcome = run.bare("sh", "-c", f'exec "$@" {closed}', "sh", *command)
    else:
        outcome = run.preload("sh", "-c", f'exec "$@" {closed}', "sh", *command, options="mode=latent")
        log = run.directory / "run-1" / "log"
    assert outcome.status == 66, outcome
    assert (run.directory / "done").exists()
    for i in range(4):
        assert (run.directory / f"user-{i}").read_bytes() == b"x" * 100
    for line in log.read_bytes().splitlines():
        assert line.startswith(b'{"v":1,"type":'), line
