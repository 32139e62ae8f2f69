#!/usr/bin/env python3
"""Makes a file of a copy of the sources too long, and looks whether file_length.py says so.

usage: file_length_fails.py CASE SOURCE_DIRECTORY
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import file_length

# case -> file that is lengthened, lines that it has then, what is said of it
CASES = {
    "nothing": (None, 0, ""),
    "longest_source": ("detector/pages/slot.c", file_length.MOST, ""),
    "long_source": ("detector/pages/slot.c", file_length.MOST + 1, "detector/pages/slot.c has"),
    "long_header": ("preload/elf/got.h", file_length.MOST + 1, "preload/elf/got.h has"),
    "no_sources": (".", 0, "too little was looked at"),
}


def spoil(root, name, lines):
    if name == ".":
        shutil.rmtree(root / "detector")
        shutil.rmtree(root / "tools")
        shutil.rmtree(root / "preload")
    elif name:
        text = (root / name).read_text(encoding="utf-8")
        text += "\n" * (lines - len(text.splitlines()))
        (root / name).write_text(text, encoding="utf-8")


def main():
    case, source = sys.argv[1], pathlib.Path(sys.argv[2])
    name, lines, said = CASES[case]
    with tempfile.TemporaryDirectory() as where:
        root = pathlib.Path(where)
        for part in file_length.PARTS:
            shutil.copytree(source / part, root / part)
        spoil(root, name, lines)
        done = subprocess.run(
            [sys.executable, pathlib.Path(file_length.__file__), root],
            capture_output=True, text=True, check=False)
    right = said in done.stdout and (done.returncode != 0) == bool(said)
    if not right:
        print(f"status {done.returncode}, expected to be told {said!r}:\n{done.stdout}"
              f"{done.stderr}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
