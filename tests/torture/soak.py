#!/usr/bin/env python3
"""Runs test suites in threads under ftsan for a long time, and a process that never ends.

usage: soak.py --build DIR --skimage PYTHON --numpy PYTHON [--minutes N] [--mode MODE]
               [--only SUITE]

Both interpreters have pytest and pytest-run-parallel; PYTHON of --numpy has hypothesis, too.
The suites take turns, each a process of its own, and must come to the results that they
come to bare (twice; what differs there is left out). Beside them one process uses arrays in
threads the whole time: its memory, descriptors and mappings are looked at every minute, and
must not grow. Exit status 1 for a difference, a hang, a crash, a process that grows, or a
finding outside of scikit-image, whose Cython has a known race.
"""

import argparse
import collections
import glob
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

THREADS = 4
HANG_S = 600
SUITES = [("skimage", "skimage.graph")] + [("numpy", "numpy." + name) for name in (
    "_core.tests.test_shape_base", "_core.tests.test_indexing",
    "_core.tests.test_item_selection", "_core.tests.test_einsum",
    "lib.tests.test_function_base", "lib.tests.test_shape_base",
    "lib.tests.test_stride_tricks", "linalg.tests.test_linalg")]
# Fills tens of gigabytes.
LEFT_OUT = "not test_huge_list_error"
# A process grows at first: pools fill up, every call site becomes known.
WARM_UP = 3
GROWTH = {"rss_kib": 1.25, "descriptors": 1.0, "maps": 1.25}

# What runs the whole time: shared arrays that are only read, own ones that are changed.
ENDLESS = """\
import sys, threading
import numpy as np
shared = np.arange(24.0).reshape(4, 6)
def use(seed):
    while True:
        mine = [np.ones((i % 5 + 1, seed + 2)) for i in range(50)]
        for array in mine:
            assert array.T.shape == array.shape[::-1] and array.sum() == array.size
            array.shape = (array.size,)
        assert shared.sum() == 276 and np.dot(shared, shared.T).shape == (4, 4)
        kept = np.concatenate(mine)
        thread = threading.Thread(target=lambda: kept.reshape(-1, 1).copy())
        thread.start(); thread.join()
for seed in range(4):
    threading.Thread(target=use, args=(seed,), daemon=True).start()
sys.stdin.read()
print("ended", flush=True)
"""


def environment(settings, log):
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith(("FTSAN_", "PYTEST_", "LD_PRELOAD"))}
    # ftsan keeps the GIL off; bare, pytest-run-parallel gives up when scikit-image asks for it.
    clean.update(OPENBLAS_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1", PYTHON_GIL="0")
    if log is not None:
        clean["LD_PRELOAD"] = str(settings.build / "libftsan.so")
        clean["FTSAN_OPTIONS"] = f"log='{log}':print=0:mode={settings.mode}:exitcode=0"
    return clean


def findings_of(log):
    records = []
    for name in glob.glob(f"{log}*"):
        for line in pathlib.Path(name).read_text(errors="replace").splitlines(keepends=True):
            if line.endswith("\n"):  # a process may still be writing
                records.append(json.loads(line))
        os.unlink(name)
    return [record for record in records if record["type"] == "finding"]


def run_suite(settings, which, suite, log):
    """({case: result}, status, findings); no cases when it hangs"""
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        results = pathlib.Path(directory) / "results"
        # -v would print what -rA prints once more; junit has no subtests.
        command = [getattr(settings, which), "-m", "pytest", "-q", "-rA", "-p",
                   "no:cacheprovider", f"--parallel-threads={THREADS}", "-k", LEFT_OUT,
                   "--tb=no", "--pyargs", suite]
        if which == "numpy":
            command.append("--hypothesis-seed=0")
        with open(results, "w+") as out:
            process = subprocess.Popen(command, env=environment(settings, log), cwd=directory,
                                       stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, start_new_session=True)
            try:
                process.wait(timeout=HANG_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        text = results.read_text(errors="replace")
    cases = dict(reversed(match) for match in re.findall(
        r"^(?:PARALLEL )?(PASSED|FAILED|ERROR|XFAIL|XPASS) (\S+)", text, re.MULTILINE))
    return cases, process.returncode, findings_of(log) if log else []


class Expected:
    """What a suite comes to bare, and which cases are left to chance there."""

    def __init__(self, settings, which, suite):
        runs = [run_suite(settings, which, suite, None) for _ in range(2)]
        self.cases = runs[0][0]
        self.statuses = {run[1] for run in runs}
        self.flaky = {name for name in set(runs[0][0]) | set(runs[1][0])
                      if runs[0][0].get(name) != runs[1][0].get(name)}

    def differences(self, cases, status):
        wrong = [f"{name}: bare {self.cases.get(name)}, now {cases.get(name)}"
                 for name in sorted(set(self.cases) | set(cases))
                 if name not in self.flaky and self.cases.get(name) != cases.get(name)]
        if status not in self.statuses:
            wrong.append(f"status {status}, bare {sorted(self.statuses)}")
        return wrong


class Endless:
    def __init__(self, settings, directory):
        self.log = directory / "endless"
        self.process = subprocess.Popen(
            [settings.numpy, "-c", ENDLESS], env=environment(settings, self.log),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.samples = []

    def look(self):
        """Resident memory, descriptors and mappings, of a process that is still there."""
        if self.process.poll() is not None:
            return
        proc = pathlib.Path("/proc") / str(self.process.pid)
        status = (proc / "status").read_text()
        self.samples.append({
            "rss_kib": int(re.search(r"VmRSS:\s+(\d+)", status)[1]),
            "descriptors": len(os.listdir(proc / "fd")),
            "maps": (proc / "maps").read_text().count("\n")})

    def end(self):
        """What is wrong with it."""
        alive = self.process.poll() is None
        try:
            out, errors = self.process.communicate("", timeout=HANG_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, errors = self.process.communicate()
        wrong = []
        if not alive or self.process.returncode != 0 or out != "ended\n":
            wrong.append(f"endless: status {self.process.returncode}, {errors[-500:]!r}")
        wrong += [f"endless: {finding}" for finding in findings_of(self.log)]
        if len(self.samples) > WARM_UP + 1:
            for name, most in GROWTH.items():
                # The least of several: a sample may be taken at any moment.
                first = max(sample[name] for sample in self.samples[:WARM_UP])
                last = min(sample[name] for sample in self.samples[-3:])
                # A thread that has just begun has watchpoints of its own.
                if last > first * most + 8:
                    wrong.append(f"endless: {name} grew from {first} to {last}")
        return wrong


def is_known(finding):
    """cython#6718, in the Cython that scikit-image's wheel was made with."""
    return "_mcp" in json.dumps(finding)


def soak(settings, expected, directory, wrong):
    until = time.monotonic() + settings.minutes * 60
    endless = Endless(settings, directory)
    # Not before it has imported NumPy.
    counts, known, next_look = collections.Counter(), 0, time.monotonic() + 20
    while time.monotonic() < until:
        for which, suite in settings.suites:
            if time.monotonic() > next_look:
                endless.look()
                next_look = time.monotonic() + 60
            cases, status, findings = run_suite(settings, which, suite, directory / "log")
            counts[suite] += 1
            known += sum(map(is_known, findings))
            wrong += [f"{suite}: {text}"
                      for text in expected[suite].differences(cases, status)]
            wrong += [f"{suite}: FINDING {json.dumps(finding)[:1500]}"
                      for finding in findings if not is_known(finding)]
            if time.monotonic() > until:
                break
    endless.look()
    wrong += endless.end()
    middle = len(endless.samples) // 2
    return {"runs": dict(counts), "known findings": known,
            "endless": [endless.samples[number] for number in (0, middle, -1)]
            if endless.samples else []}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--skimage", required=True)
    parser.add_argument("--numpy", required=True)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--mode", default="race", help="race, latent or all")
    parser.add_argument("--only", default="", help="suites whose names have this in them")
    settings = parser.parse_args()
    settings.suites = [(which, suite) for which, suite in SUITES if settings.only in suite]
    settings.build = settings.build.resolve()
    wrong = []
    expected = {suite: Expected(settings, which, suite) for which, suite in settings.suites}
    for suite, bare in expected.items():
        print(f"{suite}: bare {dict(collections.Counter(bare.cases.values()))}, "
              f"status {sorted(bare.statuses)}, flaky {sorted(bare.flaky)}", flush=True)
        if len(bare.cases) < 10:
            wrong.append(f"{suite}: does not run bare")
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        print(json.dumps(soak(settings, expected, pathlib.Path(directory), wrong)))
    print("\n".join(wrong))
    print(f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
