#!/usr/bin/env python3
"""Forks, executes and ends processes that use arrays in threads, many times over.

usage: cycles.py --build DIR --python PYTHON [--cycles N] [--kinds A,B] [--mode MODE]

PYTHON has NumPy; with 2.2.1, whose np.repeat stores into its input's shape, every child
makes a finding (modes latent and all), and its log must have it, however the child ends.
What is looked for: a process that hangs, a crash, a finding that is lost, a descriptor or a
helper thread more than there was, a page that is left sealed. The same cycles run bare
first, so that what CPython and NumPy do by themselves is known.
"""

import argparse
import collections
import ctypes
import glob
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time

HANG_S = 60
OBJECT = 32 if sysconfig.get_config_var("Py_GIL_DISABLED") else 16

# --- inside: the program that is tortured ---------------------------------------------


def is_sealed(array):
    """The kernel refuses to write to a page that ftsan has taken the right to write from."""
    dims = ctypes.c_void_p.from_address(id(array) + OBJECT + 16).value
    ends = os.pipe()
    try:
        os.write(ends[1], ctypes.string_at(dims, 1))
        libc = ctypes.CDLL(None, use_errno=True)
        return libc.read(ends[0], ctypes.c_void_p(dims), ctypes.c_size_t(1)) < 0
    finally:
        os.close(ends[0])
        os.close(ends[1])


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def tasks():
    return len(os.listdir("/proc/self/task"))


class Slow:
    """An element whose sum takes as long as somebody outside wants."""

    def __init__(self, inside):
        self.inside = inside

    def __add__(self, other):
        self.inside()
        return self


class Program:
    def __init__(self, log):
        import numpy
        self.np = numpy
        self.log = log
        # A hazard is found whenever it is looked for; a race takes two threads.
        self.expected = (numpy.__version__ == "2.2.1" and
                         "mode=race" not in os.environ.get("FTSAN_OPTIONS", ""))
        self.shared = numpy.arange(1000.0).reshape(10, 100)
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.use, daemon=True) for _ in range(2)]
        for thread in self.threads:
            thread.start()

    def use(self):
        while not self.stop.is_set():
            arrays = [self.np.ones((i % 5 + 1, 3)) for i in range(20)]
            assert sum(array.shape[1] for array in arrays) == 60
            assert self.shared.sum() == 499500.0
            self.stop.wait(0.002)

    # -- what a child does --

    def child(self):
        """Arrays of before the fork and new ones; a finding, where there is one."""
        np = self.np
        assert self.shared.shape == (10, 100) and self.shared.T.sum() == 499500.0
        mine = np.arange(24.0).reshape(4, 6)
        mine.shape = (2, 12)
        assert mine.strides == (96, 8) and np.repeat(mine, 2, axis=0).shape == (4, 12)
        results = []
        thread = threading.Thread(target=lambda: results.append(np.dot(mine, mine.T).shape))
        thread.start()
        thread.join()
        assert results == [(2, 2)]
        assert mine.shape == (2, 12)

    def fork(self, end, expected=0, inside=None):
        before = descriptors()
        pid = os.fork()
        if pid == 0:
            status = 99
            try:
                if self.log and tasks() != 1:
                    os.write(2, f"{tasks()} threads after the fork\n".encode())
                    os._exit(98)
                if descriptors() > before:
                    os.write(2, f"{before} descriptors, then {descriptors()}\n".encode())
                    os._exit(97)
                if inside:
                    inside()
                self.child()
                end()
                status = 96
            except BaseException as error:  # the child must not go on as its parent
                os.write(2, f"child: {error!r}\n".encode())
            finally:
                os._exit(status)
        self.wait(pid, expected)

    def wait(self, pid, expected, finding=True):
        limit = time.monotonic() + HANG_S
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() > limit:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise AssertionError(f"child {pid} hangs")
            time.sleep(0.001)
        assert os.waitstatus_to_exitcode(status) == expected, \
            f"child ended with {os.waitstatus_to_exitcode(status)} instead of {expected}"
        if finding:
            self.look(f"{self.log}.{pid}")

    def look(self, name):
        """The finding is in the child's log, whole."""
        if not self.log:
            return
        findings = 0
        with open(name) as log:
            for line in log:
                if line.endswith("\n"):
                    record = json.loads(line)
                    # Death by abort() is told, too; what is counted is what it did before.
                    findings += record["type"] == "finding" and record["kind"] != "crash"
        os.unlink(name)
        assert findings == self.expected, f"{findings} findings"

    # -- the kinds of cycles --

    def cycle_exit(self):
        self.fork(lambda: os._exit(0))

    def cycle_status(self):
        self.fork(lambda: os._exit(7), 7)

    def cycle_abort(self):
        self.fork(os.abort, -signal.SIGABRT)

    def cycle_killed(self):
        self.fork(lambda: os.kill(os.getpid(), signal.SIGKILL), -signal.SIGKILL)

    def cycle_killed_any_time(self):
        """In the middle of whatever it does; there is nothing to be found in its log."""
        pid = os.fork()
        if pid == 0:
            while True:
                self.child()
        time.sleep(time.monotonic_ns() % 20 / 1000)
        os.kill(pid, signal.SIGKILL)
        self.wait(pid, -signal.SIGKILL, finding=False)
        for name in glob.glob(f"{self.log}.{pid}"):
            os.unlink(name)

    def cycle_thread(self):
        """The thread that forks is not the main one."""
        failed = []

        def body():
            try:
                self.fork(lambda: os._exit(0))
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]

    def cycle_callback(self):
        """A fork inside an operation: its arguments are sealed, and the child goes on in it."""
        forked = []

        def inside():
            if not forked:
                forked.append(os.fork())

        values = self.np.array([Slow(inside)] * 4, dtype=object)
        parent = os.getpid()
        total = values + 1
        if os.getpid() != parent:
            status = 99
            try:
                assert total.shape == (4,) and not is_sealed(values) or self.aged(values)
                self.child()
                status = 0
            finally:
                os._exit(status)
        assert total.shape == (4,)
        self.wait(forked[0], 0)

    def cycle_others_operation(self):
        """Another thread is inside an operation; in the child nobody ever leaves it."""
        entered, leave = threading.Event(), threading.Event()

        def inside():
            entered.set()
            leave.wait(HANG_S)

        values = self.np.array([Slow(inside)], dtype=object)
        thread = threading.Thread(target=lambda: values + 1)
        thread.start()
        assert entered.wait(HANG_S)
        mode = re.search("mode=(latent|all)", os.environ.get("FTSAN_OPTIONS", ""))
        assert bool(mode) <= is_sealed(values), "not sealed in the operation"

        def look():
            assert not is_sealed(values) or self.aged(values), "left sealed in the child"

        try:
            self.fork(lambda: os._exit(0), inside=look)
        finally:
            leave.set()
            thread.join()

    def aged(self, array):
        """It may be sealed because it is old: race mode on a free-threaded build only."""
        return OBJECT == 32 and "mode=latent" not in os.environ.get("FTSAN_OPTIONS", "")

    def cycle_daemon(self):
        """Two forks; the grandchild is nobody's."""
        ends = os.pipe()
        pid = os.fork()
        if pid == 0:
            if os.fork() == 0:
                status = 99
                try:
                    os.setsid()
                    self.child()
                    status = 0
                finally:
                    os.write(ends[1], f"{os.getpid()} {status}".encode())
                    os._exit(0)
            os._exit(0)
        os.close(ends[1])
        grandchild, status = os.read(ends[0], 100).split()
        os.close(ends[0])
        self.wait(pid, 0, finding=False)
        assert status == b"0", status
        for name in glob.glob(f"{self.log}.{pid}"):
            os.unlink(name)
        self.look(f"{self.log}.{int(grandchild)}")

    def cycle_exec(self):
        """The process that takes over is one of its own: same pid, appended to its log."""
        pid = os.fork()
        if pid == 0:
            os.execv(sys.executable, [sys.executable, "-c", "import sys; sys.exit(5)"])
        self.wait(pid, 5, finding=False)
        for name in glob.glob(f"{self.log}.{pid}"):
            os.unlink(name)

    def cycle_subprocess(self):
        for way in ({}, {"close_fds": False}, {"start_new_session": True}):
            assert subprocess.run(["/bin/sh", "-c", "exit 3"], **way).returncode == 3

    def cycle_nested(self):
        """Generations: none may have more descriptors than the one before."""
        def again(depth, before):
            if depth == 0:
                os._exit(0)
            pid = os.fork()
            if pid == 0:
                if descriptors() > before:
                    os._exit(97)
                self.child()
                again(depth - 1, descriptors())
            os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

        self.fork(lambda: again(4, descriptors()))
        for name in glob.glob(f"{self.log}.*"):
            self.look(name)

    def cycle_pool(self):
        import multiprocessing
        method = ("fork", "spawn", "forkserver")[self.number // 2 % 3]
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(abs, range(-20, 0), chunksize=1) == list(range(20, 0, -1))
            pool.close()
            pool.join()
        for name in glob.glob(f"{self.log}.*"):
            os.unlink(name)

    def run(self, cycles, kinds):
        counts, failures = collections.Counter(), collections.Counter()
        start = descriptors()
        for self.number in range(cycles):
            kind = kinds[self.number % len(kinds)]
            # A pool takes seconds; it has its turn now and then.
            if kind == "pool" and self.number // len(kinds) % 20:
                kind = "exit"
            counts[kind] += 1
            try:
                getattr(self, "cycle_" + kind)()
            except AssertionError as error:
                failures[f"{kind}: {str(error)[:80]}"] += 1
            # multiprocessing keeps one to its resource tracker and one to its fork server.
            # A thread has four watchpoints, from when it first needs them until it is gone:
            # this one, and another that is just ending. What leaks is soon more than that.
            if descriptors() > start + 2 + 2 * 4:
                failures[f"{kind}: {descriptors()} descriptors, {start} at first"] += 1
                start = descriptors()
        self.stop.set()
        for thread in self.threads:
            thread.join()
        return {"cycles": dict(counts), "failures": dict(failures)}


KINDS = [name[6:] for name in dir(Program) if name.startswith("cycle_")]


def inside(arguments):
    cycles, kinds, log = arguments
    print(json.dumps(Program("" if log == "-" else log).run(int(cycles), kinds.split(","))))


# --- outside --------------------------------------------------------------------------


def run(settings, way):
    with tempfile.TemporaryDirectory(prefix="torture-") as directory:
        log = pathlib.Path(directory) / "log"
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("FTSAN_")}
        environment["OPENBLAS_NUM_THREADS"] = "1"
        if way != "bare":
            environment["LD_PRELOAD"] = str(settings.build / "libftsan.so")
            environment["FTSAN_OPTIONS"] = f"log='{log}':print=0:mode={way}:sample=0:exitcode=0"
        began = time.monotonic()
        process = subprocess.Popen(
            [settings.python, "-W", "ignore", __file__, "--inside", str(settings.cycles),
             ",".join(settings.kinds), "-" if way == "bare" else str(log)],
            env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True)
        try:
            out, errors = process.communicate(timeout=120 + 2 * settings.cycles)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, errors = process.communicate()
            errors += "\nit hangs"
        seconds = time.monotonic() - began
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        try:
            result = json.loads(out.splitlines()[-1])
        except (IndexError, ValueError):
            result = {"failures": {f"ended with {process.returncode}": 1}}
        if process.returncode != 0:
            result["failures"][f"status {process.returncode}"] = 1
        print(f"{way}: {seconds:.0f} s, {json.dumps(result)}", flush=True)
        if result["failures"]:
            print("\n".join(f"  {line}" for line in errors.splitlines()[-30:]))
        return result["failures"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--kinds", default=",".join(KINDS), type=lambda text: text.split(","))
    parser.add_argument("--ways", default="bare,race,latent,all",
                        type=lambda text: text.split(","),
                        help="bare, or the mode of ftsan")
    settings = parser.parse_args()
    settings.build = settings.build.resolve()
    failures = {way: run(settings, way) for way in settings.ways}
    return 1 if any(failures.values()) else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2:])
    else:
        sys.exit(main())
