#!/usr/bin/env python3
"""The lines of Python from which most findings come, the hottest first.

usage: hot_sites.py [-n LINES] LOG...

Where a project calls an unsafe function from many places, this tells which call to guard
with a lock first. LOG may have wildcards and be gzip'ed.
"""

import argparse
import collections
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import ftsan_log  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=20, metavar="LINES")
    parser.add_argument("log", nargs="+")
    arguments = parser.parse_args()
    problems = ftsan_log.Problems()
    count, kinds = collections.Counter(), collections.defaultdict(set)
    for occurrence in ftsan_log.occurrences(*arguments.log, problems=problems):
        # Both threads may be at the same line; that is one finding there.
        for site in {ftsan_log.call_site(stack) for stack in ftsan_log.access_stacks(occurrence)}:
            count[site] += 1 + (occurrence["repeats"] or 0)
            kinds[site].add(occurrence.get("kind", "?"))
    for site, times in count.most_common(arguments.n):
        print(f"{times:8}  {site}  ({', '.join(sorted(kinds[site]))})")
    for what, times in problems.items():
        print(f"not read: {times} x {what}", file=sys.stderr)


if __name__ == "__main__":
    main()
