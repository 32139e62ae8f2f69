#!/usr/bin/env python3
"""Holds the places that docs/internals.md names against the tree.

usage: map.py SOURCE_DIRECTORY

A name in backquotes is a path if it has a slash, or ends like a file of ours: from the top
of the tree, or from the top of one of its parts, or the end of some path. It may hold a *.
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


def main():
    root = pathlib.Path(sys.argv[1])
    text = (root / "docs/internals.md").read_text(encoding="utf-8")
    known = set(paths(root)) | set(PARTS)
    names = {name for name in NAME.findall(text)
             if ("/" in name or FILE.search(name)) and not name.startswith("/")}
    wrong = sorted(name for name in names if not is_there(name, known))
    for name in wrong:
        print(f"docs/internals.md: there is no {name}")
    # Proof of life: a page without names has no wrong ones.
    if len(names) < 20:
        print(f"too little was looked at: {len(names)} names")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
