"""How long until the first true report; and what is reported where nothing is wrong."""

import glob
import json
import re
import time

import measure
import setups
from setups import Unavailable

TIMEOUT = 300


class Case:
    """A program with a bug. @fault: what a true report's stack has, a function or a module;
    @fixed: the environment in which nothing is wrong, None: there is none."""

    def __init__(self, name, affected, fixed, fault, *arguments):
        self.name, self.affected, self.fixed = name, affected, fixed
        self.fault, self.arguments = fault, arguments

    def command(self, venv):
        return [setups.python(venv), *self.arguments]


def repeat(name, program):
    return Case(name, "numpy-affected", "numpy-fixed", "PyArray_Repeat",
                setups.PROGRAMS / program)


CASES = [
    repeat("numpy#28197, repeat_hot.py (4 threads, 300 calls)", "repeat_hot.py"),
    repeat("numpy#28197, repeat_rare.py (2 threads, 20 calls)", "repeat_rare.py"),
    repeat("numpy#28197, repeat_once.py (1 thread, 1 call)", "repeat_once.py"),
    # All of skimage.graph takes valgrind's tools more than five minutes.
    Case("cython#6718, skimage.graph test_mcp (run-parallel, 4 threads)", "skimage", None, "_mcp",
         "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs",
         "skimage.graph.tests.test_mcp", "--parallel-threads=4"),
]
# Programs that share arrays between threads and do it right.
RACE_FREE = ["twins.py lock", "twins.py queues", "twins.py readers", "twins.py pool",
             "twins.py disjoint"]
TOOLS = ("bare", "ftsan race", "ftsan latent", "helgrind", "drd")


def is_true(finding, fault):
    """Of the records of a log: the bug that the program has, in its two or one threads."""
    if finding["type"] != "finding" or finding["kind"] not in ("race", "hazard"):
        return False
    return any(fault == frame.get("function") or fault in frame.get("module", "")
               for stack in finding["stacks"] for frame in stack["frames"])


def ftsan_found(log, fault):
    """(distinct findings, of these true)"""
    records = [json.loads(line) for name in glob.glob(f"{log}*")
               for line in open(name, encoding="utf-8") if line.endswith("\n")]
    findings = [record for record in records if record["type"] == "finding"]
    return len(findings), sum(is_true(finding, fault) for finding in findings)


def blocks(output):
    """The reports of a valgrind tool; each begins with a sentence and has its stacks."""
    text = re.sub(r"^==\d+== ?", "", output, flags=re.MULTILINE)
    begins = r"^(?:Possible data race|Conflicting (?:load|store))"
    return re.split(begins, text, flags=re.MULTILINE)[1:]


def is_true_block(block, fault):
    """An access in the function itself: the first frame says where it was."""
    frames = [line for line in block.splitlines() if re.match(r"\s+(?:at|by) 0x", line)]
    return any(fault in frame for frame in frames[:2])


def environment(tool, log=""):
    return setups.environment(tool, log, {"PYTHON_GIL": "0"})


def run_valgrind(tool, command, directory, fault):
    done = measure.run([*setups.valgrind(tool), *command], environment(tool), directory,
                       timeout=TIMEOUT)
    found = blocks(done.output)
    contexts = re.search(r"ERROR SUMMARY: \d+ errors from (\d+) contexts", done.output)
    return (done, int(contexts[1]) if contexts else len(found),
            sum(is_true_block(block, fault) for block in found))


def run_ftsan(mode, command, directory, fault):
    log = directory / f"detect-{mode}-{time.monotonic_ns()}"
    done = measure.run(command, environment(mode, log), directory, timeout=TIMEOUT)
    return done, *ftsan_found(log, fault)


def once(tool, command, directory, fault):
    """(the process, distinct reports, true ones); bare: one, if it crashed or failed"""
    if tool == "bare":
        done = measure.run(command, environment("bare"), directory, timeout=TIMEOUT)
        failed = int(done.status != 0)
        return done, failed, failed
    if tool.startswith("ftsan"):
        return run_ftsan(tool.split()[1], command, directory, fault)
    return run_valgrind(tool, command, directory, fault)


def until_found(tool, case, directory, most):
    """(runs, seconds) until the first true report; (None, seconds) when there was none"""
    seconds = 0
    for attempt in range(most):
        done, _, true = once(tool, case.command(case.affected), directory, case.fault)
        seconds += done.seconds
        if true:
            return attempt + 1, seconds
    return None, seconds


def how_often(tool, case, quick):
    """(tries, runs of a try at most): less of what takes long"""
    if tool in ("helgrind", "drd"):
        return (1, 1) if case.fixed is None else (3, 3) if quick else (5, 3)
    if case.fixed is None:
        return (3, 1) if tool == "ftsan race" else (1, 2)
    return (10, 10) if quick else (50, 10)


def cases(quick, directory):
    group = measure.Group(
        "The first true report", "Runs and seconds until the first report that names the "
        "function (numpy#28197) or the module (cython#6718); bare: until the program fails or "
        "dies.", columns=TOOLS)
    for case in CASES:
        runs, seconds = group.row(f"{case.name}: runs", ""), group.row(f"{case.name}: time", "s")
        never = group.row(f"{case.name}: not found", "of tries")
        for tool in TOOLS:
            tries, most = how_often(tool, case, quick)
            missed = 0
            try:
                for _ in range(tries):
                    n, took = until_found(tool, case, directory, most)
                    missed += n is None
                    runs.add(tool, n)
                    seconds.add(tool, took if n is not None else None)
            except Unavailable as error:
                for row in (runs, seconds, never):
                    row.skip(tool, str(error))
                continue
            never.add(tool, missed)
            never.note = "a try ends after 10 runs (helgrind, drd, cython#6718: 1 to 3)"
    yield group


def false_reports(quick, directory):
    group = measure.Group(
        "False reports", "Race-free programs, and those of the cases on NumPy 2.4.6, where "
        "nothing is wrong: distinct reports of a run.", columns=TOOLS[1:])
    programs = {case.name: (case.fixed, case.arguments) for case in CASES if case.fixed}
    programs.update({name: ("numpy-fixed", (setups.PROGRAMS / name.split()[0], name.split()[1]))
                     for name in RACE_FREE})
    for name, (venv, arguments) in programs.items():
        row, took = group.row(name, "reports"), group.row(f"{name}: time of a run", "s")
        for tool in TOOLS[1:]:
            slow = tool in ("helgrind", "drd")
            command = [setups.python(venv), *arguments]
            try:
                for _ in range(1 if slow else 10 if quick else 50):
                    done, found, _ = once(tool, command, directory, "")
                    row.add(tool, found)
                    took.add(tool, done.seconds)
            except Unavailable as error:
                row.skip(tool, str(error))
    yield group


def first_runs(quick, directory):
    """How sure a single run is."""
    n = 10 if quick else 50
    group = measure.Group("repeat_rare.py, first runs", f"Of {n} runs, so many report the race.",
                          columns=("ftsan race", "ftsan all"))
    row = group.row("repeat_rare.py", f"of {n}")
    case = CASES[1]
    for tool in ("ftsan race", "ftsan all"):
        row.add(tool, sum(once(tool, case.command(case.affected), directory, case.fault)[2] > 0
                          for _ in range(n)))
    yield group
