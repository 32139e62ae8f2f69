#!/usr/bin/env python3
"""Bounds the stack frames of the detector's functions.

usage: stack_use.py BUILD_DIRECTORY_OF_DETECTOR SOURCE_DIRECTORY_OF_DETECTOR

Handlers run on the program's stack or on a small alternate one. The compiler writes a
.su file beside each object (-fstack-usage).
"""

import os
import sys

FRAME_MAX = 4096
SKIPPED = 77


def frames(directory):
    for where, _, names in os.walk(directory):
        for name in names:
            if not name.endswith(".su"):
                continue
            with open(os.path.join(where, name), encoding="utf-8") as usage:
                for line in usage:
                    function, size, kind = line.rstrip("\n").split("\t")
                    yield function, int(size), kind


def sources(directory):
    for where, _, names in os.walk(directory):
        yield from (n for n in names if n.endswith(".c"))


def main():
    objects, detector = sys.argv[1:]
    names = set(sources(detector))
    # Of sources that are gone there may be files left.
    found = [f for f in frames(objects) if os.path.basename(f[0].split(":")[0]) in names]
    if not found:
        print("skipped: the compiler writes no stack usage")
        return SKIPPED
    wrong = []
    for function, size, kind in sorted(found):
        if size > FRAME_MAX:
            wrong.append(f"{function}: a frame of {size} bytes")
        if "dynamic" in kind and "bounded" not in kind:
            wrong.append(f"{function}: a frame without a bound")
    covered = {os.path.basename(function.split(":")[0]) for function, _, _ in found}
    for name in sorted(names - covered):
        wrong.append(f"{name}: no stack usage")
    print("".join(w + "\n" for w in wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
