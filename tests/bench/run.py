#!/usr/bin/env python3
"""What ftsan costs and what it finds, next to the bare program and to other tools.

usage: python3 tests/bench/run.py [--quick] [--full] [--only NAME]... [-o DIR]

Runs everything that can run here (minutes with --quick, hours without) and writes
DIR/table.md and DIR/results.json (default: bench-results). What can't is in the table
with the reason. NAME is one of: targets, loops, stores, engine, startup, threads, live, logs,
suites, cases, false, first.

Configurations take turns within each round, in another order each time. Figures are
medians of the rounds, ratios are those of the same round: median (first to third
quartile).
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time

import detection
import machine
import macro
import measure
import micro
import scaling
import setups
import table
import targets

PARTS = {
    "targets": targets.targets,
    "startup": micro.startup,
    "loops": micro.loops,
    "stores": micro.stores,
    "engine": micro.engine,
    "threads": scaling.threads,
    "live": scaling.live,
    "logs": scaling.logs,
    "cases": detection.cases,
    "first": detection.first_runs,
    "false": detection.false_reports,
    "suites": macro.suites,
}


def run_part(name, arguments, directory):
    """The groups of a part; of one that can't run, or not to its end, a sentence."""
    more = {"full": arguments.full} if name == "suites" else {}
    groups = []
    try:
        for group in PARTS[name](arguments.quick, directory, **more):
            print(table.of_group(group), flush=True)
            groups.append(group)
    except setups.Unavailable as error:
        reason = f"skipped: {error}"
    except (measure.Failed, OSError) as error:
        reason = f"failed: {error}"
    else:
        return groups, None
    print(f"{name}: {reason}", flush=True)
    return groups, reason


def save(directory, results, text):
    (directory / "table.md").write_text("\n".join(text), encoding="utf-8")
    (directory / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--full", action="store_true", help="NumPy's test_multiarray, too")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="NAME",
                        help="one part; may be given several times")
    parser.add_argument("-o", dest="directory", default="bench-results", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    results = {"machine": machine.describe(setups.REPOSITORY), "quick": arguments.quick,
               "began": time.time(), "groups": [], "skipped": {}}
    text = [table.of_machine(results["machine"])]
    for name in arguments.only or PARTS:
        with tempfile.TemporaryDirectory(prefix="ftsan-bench-") as directory:
            groups, reason = run_part(name, arguments, pathlib.Path(directory))
        text += [table.of_group(group) for group in groups]
        results["groups"] += [{"part": name, **group.as_json()} for group in groups]
        if reason:
            results["skipped"][name] = reason
            text.append(f"{name}: {reason}\n")
        # After each part, so that a run that is stopped leaves what it has.
        results["seconds"] = time.time() - results["began"]
        save(arguments.directory, results, text)
    return int(any(reason.startswith("failed") for reason in results["skipped"].values()))


if __name__ == "__main__":
    sys.exit(main())
