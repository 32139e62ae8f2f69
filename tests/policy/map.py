#!/usr/bin/env python3
"""Holds the places that docs/internals.md names against the tree.

usage: map.py SOURCE_DIRECTORY

A name in backquotes is a path if it has a slash, or ends like a file of ours: from the top
of the tree, or from the top of one of its parts, or the end of some path. It may hold a *.

Every room of rooms.txt is in the picture of the house: an indented block.
"""

import fnmatch
import os
import pathlib
import re
import sys

PARTS = ("detector", "preload", "tools", "tools/command", "tests", "docs")
NAME = re.compile(r"`([\w./*{}-]+)`")
FILE = re.compile(r"\.(c|h|def|py|md|json|txt)$")


def paths(root):
    for part in PARTS:
        for directory, folders, names in os.walk(root / part):
            folders[:] = [folder for folder in folders if folder != "__pycache__"]
            for name in names + folders:
                yield str((pathlib.Path(directory) / name).relative_to(root))


def is_there(name, known):
    pattern = name.rstrip("/")
    return any(fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, "*/" + pattern)
               for path in known)


def rooms(table):
    """The names of the rooms."""
    for line in table.splitlines():
        words = line.partition("#")[0].split()
        if words and words[0] not in ("part", "stands-in", "."):
            yield words[0]


def main():
    root = pathlib.Path(sys.argv[1])
    text = (root / "docs/internals.md").read_text(encoding="utf-8")
    known = set(paths(root)) | set(PARTS)
    names = {name for name in NAME.findall(text)
             if ("/" in name or FILE.search(name)) and not name.startswith("/")}
    wrong = sorted(name for name in names if not is_there(name, known))
    for name in wrong:
        print(f"docs/internals.md: there is no {name}")
    picture = "\n".join(line for line in text.splitlines() if line.startswith("     "))
    table = (root / "tests/policy/rooms.txt").read_text(encoding="utf-8")
    for room in sorted(set(rooms(table))):
        if not re.search(rf"\b{room}\b", picture):
            print(f"docs/internals.md: the picture of the house has no room {room}")
            wrong.append(room)
    # Proof of life: a page without names has no wrong ones.
    if len(names) < 20:
        print(f"too little was looked at: {len(names)} names")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
