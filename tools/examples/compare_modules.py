#!/usr/bin/env python3
"""Findings of each extension module in two runs: what an upgrade has mended or broken.

usage: compare_modules.py OLD NEW

A finding belongs to the modules whose code made its accesses. OLD and NEW may have
wildcards ('nightly/*.jsonl.gz'; quote them). Exit status 1 when a module has findings
that it had not before.
"""

import collections
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import ftsan_log  # noqa: E402


def modules(finding):
    frames = [ftsan_log.top_frame(stack, "native") for stack in ftsan_log.access_stacks(finding)]
    return {os.path.basename(frame.get("module", "?")) for frame in frames if frame} or {"(Python)"}


def by_module(name):
    problems, found = ftsan_log.Problems(), collections.defaultdict(set)
    for finding in ftsan_log.findings(name, problems=problems):
        for module in modules(finding):
            found[module].add(finding.get("fingerprint"))
    for what, times in problems.items():
        print(f"{name}: not read: {times} x {what}", file=sys.stderr)
    return found


def main():
    if len(sys.argv) != 3 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    old, new = (by_module(name) for name in sys.argv[1:])
    worse = False
    print(f"{'old':>5} {'new':>5} {'gone':>5} {'added':>6}  module")
    for module in sorted(old.keys() | new.keys()):
        gone, added = old[module] - new[module], new[module] - old[module]
        worse |= bool(added)
        print(f"{len(old[module]):5} {len(new[module]):5} {len(gone):5} {len(added):6}  {module}")
    return int(worse)


if __name__ == "__main__":
    sys.exit(main())
