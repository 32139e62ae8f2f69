"""How long until the first true report; and what is reported where nothing is wrong."""

import glob
import json
import re
import time

import measure
import setups
from setups import Unavailable

TIMEOUT = 300
# The program, and how its threads get to meet: np.repeat with a number for each item, or
# one for all.
CASES = {
    "repeat_hot.py (4 threads, 300 calls)": ["repeat_hot.py"],
    "repeat_rare.py (2 threads, 20 calls)": ["repeat_rare.py"],
    "repeat_once.py (1 thread, 1 call)": ["repeat_once.py"],
}
FAULT = "PyArray_Repeat"
TOOLS = ("bare", "ftsan race", "ftsan latent", "helgrind", "drd")


def is_true(finding):
    """Of the records of a log: the bug that the program has, in its two or one threads."""
    if finding["type"] != "finding" or finding["kind"] not in ("race", "hazard"):
        return False
    return any(frame.get("function") == FAULT for stack in finding["stacks"]
               for frame in stack["frames"])


def ftsan_found(log):
    """(distinct findings, of these true)"""
    records = [json.loads(line) for name in glob.glob(f"{log}*")
               for line in open(name, encoding="utf-8") if line.endswith("\n")]
    findings = [record for record in records if record["type"] == "finding"]
    return len(findings), sum(is_true(finding) for finding in findings)


def blocks(output):
    """The reports of a valgrind tool; each begins with a sentence and has its stacks."""
    text = re.sub(r"^==\d+== ?", "", output, flags=re.MULTILINE)
    begins = r"^(?:Possible data race|Conflicting (?:load|store))"
    return re.split(begins, text, flags=re.MULTILINE)[1:]


def is_true_block(block):
    """An access in the function itself: the first frame says where it was."""
    frames = [line for line in block.splitlines() if re.match(r"\s+(?:at|by) 0x", line)]
    return any(FAULT in frame for frame in frames[:2])


def run_valgrind(tool, command, directory):
    done = measure.run([*setups.valgrind(tool), *command],
                       setups.environment(tool, ""), directory, timeout=TIMEOUT)
    found = blocks(done.output)
    contexts = re.search(r"ERROR SUMMARY: \d+ errors from (\d+) contexts", done.output)
    return done, int(contexts[1]) if contexts else len(found), sum(map(is_true_block, found))


def run_ftsan(mode, command, directory, attempt):
    log = directory / f"detect-{attempt}-{mode}-{time.monotonic_ns()}"
    done = measure.run(command, setups.environment(mode, log), directory, timeout=TIMEOUT)
    return done, *ftsan_found(log)


def once(tool, command, directory, attempt):
    """(the process, distinct reports, true ones); bare: one, if it crashed or failed"""
    if tool == "bare":
        done = measure.run(command, setups.environment("bare", ""), directory, timeout=TIMEOUT)
        failed = int(done.status != 0)
        return done, failed, failed
    if tool.startswith("ftsan"):
        return run_ftsan(tool.split()[1], command, directory, attempt)
    return run_valgrind(tool, command, directory)


def until_found(tool, command, directory, most):
    """(runs, seconds) until the first true report; (None, seconds) when there was none"""
    seconds = 0
    for attempt in range(most):
        done, _, true = once(tool, command, directory, attempt)
        seconds += done.seconds
        if true:
            return attempt + 1, seconds
    return None, seconds


def cases(quick, directory):
    group = measure.Group(
        "The first true report", "np.repeat of NumPy 2.2.1 (numpy#28197). Runs and seconds until "
        "the first report that names the function; bare: until the program fails or dies.",
        columns=TOOLS)
    for name, (program, *arguments) in CASES.items():
        runs, seconds = group.row(f"{name}: runs", ""), group.row(f"{name}: seconds", "s")
        never = group.row(f"{name}: not found", "of tries")
        for tool in TOOLS:
            slow = tool in ("helgrind", "drd")
            tries, most = (3 if quick else 5, 3) if slow else (10 if quick else 50, 10)
            command = [setups.python("numpy-affected"), setups.PROGRAMS / program, *arguments]
            missed = 0
            try:
                for _ in range(tries):
                    n, took = until_found(tool, command, directory, most)
                    missed += n is None
                    runs.add(tool, n)
                    seconds.add(tool, took if n is not None else None)
            except Unavailable as error:
                for row in (runs, seconds, never):
                    row.skip(tool, str(error))
                continue
            never.add(tool, missed)
            never.note = "tries end after 10 runs (helgrind, drd: 3)"
    yield group


def false_reports(quick, directory):
    group = measure.Group(
        "False reports", "The same programs on NumPy 2.4.6, where nothing is wrong: distinct "
        "reports of a run.", columns=TOOLS[1:])
    for name, (program, *arguments) in CASES.items():
        row, took = group.row(name, "reports"), group.row(f"{name}: time of a run", "s")
        for tool in TOOLS[1:]:
            slow = tool in ("helgrind", "drd")
            command = [setups.python("numpy-fixed"), setups.PROGRAMS / program, *arguments]
            try:
                for attempt in range(1 if slow else 10 if quick else 50):
                    done, found, _ = once(tool, command, directory, attempt)
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
    command = [setups.python("numpy-affected"), setups.PROGRAMS / "repeat_rare.py"]
    for tool in ("ftsan race", "ftsan all"):
        row.add(tool, sum(once(tool, command, directory, i)[2] > 0 for i in range(n)))
    yield group
