#!/usr/bin/env python3
"""Holds CPython's own tests under ftsan against the same tests bare, case by case.

usage: cpython.py [OPTION...] [MODULE...]

A case whose result under ftsan did not occur bare is a difference, and the module is run
again both ways: what does not come back was left to chance. Cases that differ among the
bare runs are listed as flaky. Exit status 1 for a difference that stayed, a finding, or
a run in which the guard was not at work.

MODULE is a name that `python -m test --list-tests` prints, by default those of FULL.
"""

import argparse
import collections
import glob
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

# Threads, signals, forks, descriptors, exits: whatever a preloaded library can disturb.
SHORT = ["test_fork1", "test_wait3", "test_threadsignals", "test_thread", "test_threading_local",
         "test_atexit"]
MULTIPROCESSING = [f"test.test_multiprocessing_{how}.test_{part}"
                   for how in ("fork", "spawn", "forkserver")
                   for part in ("processes", "threads", "manager", "misc")]
FULL = SHORT + [
    "test_wait4", "test_threading", "test_signal", "test_faulthandler", "test_subprocess", "test_os",
    "test_posix", "test_ctypes", "test_io", "test_mmap", "test_resource", "test_eintr",
    "test_gc", "test_sys", "test_site", "test_cmd_line", "test_free_threading", "test_queue",
    "test_select", "test_selectors", "test_pty", "test_frame", "test_traceback", "test_code",
    "test_tracemalloc", "test_monitoring", "test_importlib", "test_weakref",
    "test_multiprocessing_main_handling",
    "test.test_asyncio.test_unix_events", "test.test_asyncio.test_subprocess",
    "test.test_asyncio.test_threads", "test.test_asyncio.test_events",
    "test.test_concurrent_futures.test_process_pool",
    "test.test_concurrent_futures.test_thread_pool",
    "test.test_concurrent_futures.test_shutdown",
    "test.test_concurrent_futures.test_deadlock",
    "test.test_concurrent_futures.test_init",
] + MULTIPROCESSING

# Cases that are left out, and why: a hang ends the module and hides its other results.
LEFT_OUT = {
    "test_threading": {
        "test_print_exception_gh_102056": "its program loops now and then, bare as well",
    },
    "test_subprocess": {
        "test_empty_env": "children are followed, by variables in their environment",
    },
    "test_cmd_line": {
        "test_python_gil": "ftsan keeps the GIL off as PYTHON_GIL=0 does, and sys.flags says so",
    },
}
WAYS = {  # name: (by `ftsan run`, options)
    "bare": None,
    "preload": (False, "mode=race"),
    # A death on purpose is a finding: the status is the tests' own all the same.
    "run": (True, "mode=race:exitcode=0:blindcode=0"),
    "latent": (False, "mode=latent:sample=0"),
}


class Run:
    """One module, one way, once."""

    def __init__(self, settings, module, way):
        self.module, self.way = module, way
        self.guards = self.processes = 0
        self.findings = []
        with tempfile.TemporaryDirectory(prefix="torture-") as directory:
            self.seconds = -time.monotonic()
            self._start(settings, pathlib.Path(directory))
            self.seconds += time.monotonic()
            self._read_cases(pathlib.Path(directory) / "results.xml")
            self._read_logs(pathlib.Path(directory) / "logs")

    def _start(self, settings, directory):
        (directory / "logs").mkdir()
        (directory / "tmp").mkdir()
        command = [settings.python, "-m", "test", "--junit-xml", directory / "results.xml",
                   "--tempdir", directory / "tmp", "--timeout", str(settings.timeout),
                   *(word for case in LEFT_OUT.get(self.module, ()) for word in ("-i", case)),
                   self.module]
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("FTSAN_", "PYTHON", "LD_PRELOAD"))}
        if WAYS[self.way] is not None:
            by_command, options = WAYS[self.way]
            log = directory / "logs" / "log"
            if by_command:
                command = [settings.build / "ftsan", "run", "--log", log, "--options", options,
                           "--", *command]
            else:
                environment["LD_PRELOAD"] = str(settings.build / "libftsan.so")
                environment["FTSAN_OPTIONS"] = f"log='{log}':print=0:{options}"
        process = subprocess.Popen([str(word) for word in command], cwd=directory,
                                   env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, errors="replace", start_new_session=True)
        try:
            self.output = process.communicate(timeout=settings.timeout * 2)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            self.output = process.communicate()[0]
        self.status = process.returncode
        try:  # what it left behind
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _read_cases(self, path):
        self.cases = {}
        try:
            root = xml.etree.ElementTree.parse(path).getroot()
        except (OSError, xml.etree.ElementTree.ParseError):
            # regrtest died, hung, or the module was skipped as a whole.
            self.cases["(module)"] = f"no results, status {self.status}"
            return
        for case in root.iter("testcase"):
            if case.get("name") is None:  # a subtest that failed; its case fails as well
                continue
            tags = {child.tag for child in case}
            result = next((tag for tag in ("error", "failure", "skipped") if tag in tags), "passed")
            if case.get("outcome"):
                result = case.get("outcome")
            # A case with subtests that failed has an entry for each.
            if self.cases.get(case.get("name")) not in ("error", "failure"):
                self.cases[case.get("name")] = result
        self.cases["(module)"] = f"status {self.status}"

    def _read_logs(self, directory):
        for name in glob.glob(f"{directory}/*"):
            for line in pathlib.Path(name).read_text(errors="replace").splitlines():
                try:
                    record = json.loads(line)
                except ValueError:
                    continue  # the line of a process that was killed meanwhile
                self.processes += record["type"] == "process"
                self.guards += (record["type"] == "engine" and record["name"] == "guard" and
                                bool(record.get("canary")))
                # Many of these tests die on purpose: that it was seen is right.
                if record["type"] == "finding" and record["kind"] != "crash":
                    self.findings.append(record)


class Module:
    """The runs of one module in every way."""

    def __init__(self, settings, module):
        self.settings, self.name = settings, module
        self.runs = collections.defaultdict(list)
        self.add(settings.runs)

    def add(self, count):
        for _ in range(count):
            for way in self.settings.ways:
                self.runs[way].append(Run(self.settings, self.name, way))

    def results(self, way):
        """case: Counter of its results, None where a run did not have the case."""
        results = collections.defaultdict(collections.Counter)
        names = {name for runs in self.runs.values() for run in runs for name in run.cases}
        for run in self.runs[way]:
            for name in names:
                results[name][run.cases.get(name)] += 1
        return results

    def differences(self):
        bare = self.results("bare")
        return {(way, name): (dict(bare[name]), dict(results))
                for way in self.settings.ways if way != "bare"
                for name, results in self.results(way).items()
                if set(results) - set(bare[name])}

    def stayed(self):
        """Differences that more than a chance result makes: in half of the runs at least."""
        return {key: (bare, under) for key, (bare, under) in self.differences().items()
                if 2 * sum(n for result, n in under.items() if result not in bare)
                >= sum(under.values())}

    def flaky(self):
        return {name: dict(results) for name, results in self.results("bare").items()
                if len(results) > 1}


def report(module, out):
    ways = module.settings.ways
    counted = collections.Counter(module.runs["bare"][0].cases.values())
    print(f"{module.name}: {len(module.runs['bare'][0].cases) - 1} cases "
          f"({counted['passed']} pass, {counted['skipped']} skipped, "
          f"{counted['failure'] + counted['error']} fail); "
          + ", ".join(f"{way} {min(run.seconds for run in module.runs[way]):.1f} s" for way in ways)
          + f"; {max(run.processes for runs in module.runs.values() for run in runs)} processes",
          flush=True)
    for name, results in module.flaky().items():
        print(f"  flaky bare: {name}: {results}")
    for (way, name), (bare, under) in module.differences().items():
        kind = "DIFFERENT" if (way, name) in module.stayed() else "chance"
        print(f"  {kind}: {name}: bare {bare}, {way} {under}")
    wrong = bool(module.stayed())
    for way in ways:
        for run in module.runs[way]:
            if way != "bare" and not run.guards:
                wrong = True
                print(f"  the guard was not at work: {way}\n{run.output[-1000:]}")
            for finding in run.findings:
                wrong = True
                print(f"  FINDING: {way}: {json.dumps(finding)[:2000]}")
    if out:
        for way in ways:
            for number, run in enumerate(module.runs[way]):
                (out / f"{module.name}.{way}.{number}.txt").write_text(run.output)
    return wrong


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--runs", type=int, default=3, help="of each module, each way")
    parser.add_argument("--ways", default=",".join(WAYS), type=lambda text: text.split(","))
    parser.add_argument("--timeout", type=int, default=300, help="seconds a test case")
    parser.add_argument("--short", action="store_true", help="the modules that take seconds")
    parser.add_argument("--output", type=pathlib.Path, help="directory for what they printed")
    parser.add_argument("modules", nargs="*")
    settings = parser.parse_args()
    settings.build = settings.build.resolve()
    settings.python = shutil.which(settings.python) or parser.error("no such interpreter")
    if settings.output:
        settings.output.mkdir(parents=True, exist_ok=True)
    return settings


def main():
    settings = arguments()
    known = subprocess.run([settings.python, "-m", "test", "--list-tests"], text=True,
                           capture_output=True).stdout.split()
    if not known:
        print(f"{settings.python} has no package `test`")
        return 77
    wrong = cases = 0
    for name in settings.modules or (SHORT if settings.short else FULL):
        if name not in known:
            print(f"{name}: this interpreter does not have it")
            wrong += bool(settings.modules)
            continue
        module = Module(settings, name)
        if module.differences():
            module.add(max(2, settings.runs))
        wrong += report(module, settings.output)
        cases += len(module.runs["bare"][0].cases) - 1
    print(f"{cases} cases, {wrong} modules with differences or findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
