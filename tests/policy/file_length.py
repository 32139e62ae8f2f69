#!/usr/bin/env python3
"""No source file is so long that nobody knows what it is for.

usage: file_length.py SOURCE_DIRECTORY

A file of more than MOST lines has more than one purpose, most often: each gets a file of
its own, with a name that tells it.
"""

import pathlib
import sys

PARTS = ("detector", "preload", "tools/command")
MOST = 400


def lengths(root):
    """path -> lines of each source and header"""
    return {path.relative_to(root).as_posix(): len(path.read_bytes().splitlines())
            for part in PARTS for path in sorted((root / part).rglob("*.[ch]"))}


def main():
    found = lengths(pathlib.Path(sys.argv[1]))
    wrong = {path: n for path, n in found.items() if n > MOST}
    for path, n in wrong.items():
        print(f"{path} has {n} lines, {MOST} are the most: split it by purpose")
    # Proof of life: where there are no files, none is too long.
    if len(found) < 100:
        print(f"too little was looked at: {len(found)} files")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
