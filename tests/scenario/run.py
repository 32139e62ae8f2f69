#!/usr/bin/env python3
"""Runs a scenario under libftsan.so several times and holds its logs against cases.py.

usage: run.py LIBFTSAN PROGRAM_DIRECTORY CASE

FTSAN_REPEAT: runs of each variant, 5 by default.
"""

import glob
import json
import os
import subprocess
import sys
import tempfile

import cases

# A window is to be met by a thread that may have to wait for a processor first.
PATIENT = "window_us=20000:window_budget=100"

# name: (options, environment)
VARIANTS = {
    "auto": ("", {}),
    "step": ("store=step", {}),
    "emulate": ("store=emulate", {}),
    "pkey": ("store=pkey", {}),  # the next rung where the CPU has no protection keys
    "defaults": (None, {}),
    "windowless": ("window_us=0", {}),
    "undecoded": ("", {"LD_LIBRARY_PATH": "{programs}/undecoded"}),
}


def read_log(path):
    records = []
    with open(path, encoding="utf-8") as log:
        for line in log:
            records.append(json.loads(line))
    return records


def of_type(records, kind):
    return [r for r in records if r["type"] == kind]


def run_once(library, programs, case, variant, directory):
    """Returns what is wrong with one run, as a list of sentences, and its logs."""
    log = os.path.join(directory, "log")
    options, extra = VARIANTS[variant]
    # These are about the pages' engine; the sampler would find the races, too.
    parts = ["print=0", "sampler=0", f"log='{log}'"]
    if options is not None:
        parts += [PATIENT] + ([options] if options else [])
    env = {k: v for k, v in os.environ.items() if not k.startswith("FTSAN_")}
    env.update({k: v.format(programs=programs) for k, v in extra.items()})
    env.update(FTSAN_OPTIONS=":".join(parts), LD_PRELOAD=library, SCENARIO_LOG=log)
    command = [os.path.join(programs, "scenario_" + case.program), case.name]
    done = subprocess.run(command, env=env, cwd=directory, timeout=60, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    logs = {path: read_log(path) for path in sorted(glob.glob(log + "*"))}
    wrong = []
    if done.returncode != case.status:
        wrong.append(f"status {done.returncode} instead of {case.status}")
    if done.stdout or done.stderr:
        wrong.append("it said: " + done.stdout + done.stderr)
    if log not in logs:
        return wrong + ["no log"], logs
    return wrong + check_logs(case, variant, logs, log), logs


def check_logs(case, variant, logs, root):
    wrong = []
    for path, records in logs.items():
        if not records or records[0]["type"] != "process":
            wrong.append(f"{path} does not begin with the process")
    engines = [engine for engine in of_type(logs[root], "engine") if engine["name"] == "guard"]
    if len(engines) != 1 or not engines[0]["active"] or not engines[0]["canary"]:
        wrong.append(f"the engine does not work: {engines}")
    elif ("no decoder" in engines[0]["detail"]) != (variant == "undecoded"):
        wrong.append(f"not the variant {variant}: {engines[0]['detail']}")
    where = {p: r for p, r in logs.items() if (p == root) != case.in_child}
    findings = [f for r in where.values() for f in of_type(r, "finding")]
    others = [f for r in logs.values() for f in of_type(r, "finding") if f not in findings]
    wrong += check_findings(case, findings, others)
    wrong += check_ends(case, logs, root)
    return wrong


def brief(finding):
    def side(stack):
        frames = [f.get("function", f.get("module")) for f in stack["frames"]]
        return f"{stack['role']} by {stack['tid']} in {' < '.join(map(str, frames[:4]))}"

    name = finding["object"].get("name")
    return f"{finding['kind']} on {name}: " + "; ".join(map(side, finding["stacks"]))


def check_findings(case, findings, others):
    wrong = []
    if others:
        wrong.append("in the wrong process: " + ", ".join(map(brief, others)))
    if case.finding is None:
        return wrong + ["nothing is wrong there: " + brief(f) for f in findings]
    if not any(case.finding(f) for f in findings):
        wrong.append("not found")
    for finding in findings:
        if not case.finding(finding):
            wrong.append("another finding: " + brief(finding))
    return wrong


def check_ends(case, logs, root):
    wrong = []
    if len(logs) - 1 != case.children:
        wrong.append(f"{len(logs) - 1} logs of children instead of {case.children}")
    for path, records in logs.items():
        if path != root and (records[0].get("root") or records[-1]["type"] != "end"):
            wrong.append(f"{path} is no whole log of a child")
    ends = of_type(logs[root], "end")
    if [e["reason"] for e in ends] != ([case.end] if case.end else []):
        wrong.append(f"ends: {ends}")
    if not case.end:
        return wrong
    coverage = of_type(logs[root], "coverage")
    if not coverage:
        return wrong + ["no coverage"]
    counters = coverage[-1]["counters"]
    for name in ("reports_lost", "log_errors", "left_out_kernel", "left_out_thread"):
        if counters[name]:
            wrong.append(f"{name} is {counters[name]}")
    return wrong


def shown_nothing(case, logs):
    """A single run may be over before anything was sealed; all of them may not."""
    wrong = []
    for name, least in case.counters.items():
        coverage = [c for records in logs for c in of_type(records, "coverage")]
        if sum(c["counters"][name] for c in coverage) < least:
            wrong.append(f"the runs show nothing: {name} is below {least}")
    return wrong


def main():
    library, programs, name = sys.argv[1:]
    case = cases.BY_NAME[name]
    repeat = int(os.environ.get("FTSAN_REPEAT", "5"))
    failed = 0
    for variant in case.variants:
        seen = []
        for number in range(1, repeat + 1):
            with tempfile.TemporaryDirectory() as directory:
                wrong, logs = run_once(library, programs, case, variant, directory)
            seen += logs.values()
            if number == repeat:
                wrong += shown_nothing(case, seen)
            if wrong:
                failed += 1
                print(f"{name}, {variant}, run {number} of {repeat}:")
                print("".join(f"  {w}\n" for w in wrong))
                for records in logs.values():
                    for record in of_type(records, "coverage"):
                        counted = record["counters"].items()
                        print("   ", {name: n for name, n in counted if n})
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
