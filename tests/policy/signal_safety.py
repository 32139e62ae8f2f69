#!/usr/bin/env python3
"""Holds what the detector takes from libc against a list with reasons.

usage: signal_safety.py NM ARCHIVE

Signal handlers may call any function of the detector, so every object counts: nothing in
it may take a lock, allocate or keep state that a signal can find half changed.
"""

import collections
import subprocess
import sys

PURE = "reads and writes its arguments' memory only"
ALLOWED = {
    "memcpy": PURE, "memmove": PURE, "memset": PURE, "memcmp": PURE, "memchr": PURE,
    "strlen": PURE, "strnlen": PURE, "strcmp": PURE, "strncmp": PURE, "strchr": PURE,
    "bcmp": PURE, "strrchr": PURE, "strcspn": PURE, "strspn": PURE, "strstr": PURE,
    "clock_gettime": "async-signal-safe by POSIX; the vDSO's, without a lock of libc's",
    "__errno_location": "the address of a thread-local: to save and restore errno",
    "_GLOBAL_OFFSET_TABLE_": "the linker's",
}


def symbols(nm, archive):
    """(object, type, name) of every symbol in the archive."""
    listing = subprocess.run([nm, "--print-file-name", archive], check=True,
                             capture_output=True, text=True).stdout
    for line in listing.splitlines():
        where, _, rest = line.rpartition(":")
        fields = rest.split()
        yield where.rpartition(":")[2], fields[-2], fields[-1]


def main():
    defined, wanted = set(), collections.defaultdict(set)
    objects = set()
    for where, kind, name in symbols(*sys.argv[1:]):
        objects.add(where)
        if kind in "Uw":
            wanted[name].add(where)
        elif kind.isupper():
            defined.add(name)
    foreign = {name: who for name, who in wanted.items() if name not in defined}
    wrong = sorted(set(foreign) - set(ALLOWED))
    for name in wrong:
        print(f"{name}, needed by {', '.join(sorted(foreign[name]))}, is not on the list")
    if len(objects) < 20 or "memcpy" not in foreign:
        print(f"too little was looked at: {sorted(objects)}")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
