#!/usr/bin/env python3
"""Holds the includes against the direction that the structure of the project gives them.

usage: include_direction.py SOURCE_DIRECTORY

preload -> detector -> detector/base, never back. The command shares the report, the
options and small helpers with the detector, and learns the rest from the log.
"""

import os
import re
import sys

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)

# What the command may use of detector/.
SHARED = {"base/base.h", "base/options.def", "view/view.h"}

# The detector is told everything by its host: it looks nothing up and asks nobody.
FORBIDDEN_WORDS = {
    "detector": (r"\bdlsym\b", r"\bdlopen\b", r"\bgetenv\b", r"\bsecure_getenv\b",
                 r"__attribute__\s*\(\(\s*constructor", r"__attribute__\s*\(\(\s*destructor",
                 r"\bpthread_\w+\s*\(", r"\bmalloc\s*\(", r"\bcalloc\s*\(",
                 r"\bprintf\s*\(", r"\bfprintf\s*\("),
}
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')


def sources(root):
    for part in ("detector", "preload", "tools"):
        for directory, _, names in os.walk(os.path.join(root, part)):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".def")):
                    path = os.path.join(directory, name)
                    yield part, os.path.relpath(path, root), path


def headers_of(root):
    """The part of the project that each quoted name belongs to."""
    owners = {}
    for part, path, _ in sources(root):
        name = os.path.relpath(path, "tools/command" if part == "tools" else part)
        owners.setdefault(name, set()).add(part)
    return owners


def check_include(part, path, bracket, name, owners):
    if name not in owners and (name == "Python.h" or name.startswith("numpy/")):
        return "nothing of Python's headers: its layouts belong to one build"
    if bracket == "<":
        return None
    found = owners.get(name, set())
    if part in found or not found:
        # A name that is found nowhere is the compiler's business.
        base = path.startswith("detector/base/")
        if base and found and not name.startswith("base/"):
            return "detector/base includes nothing above it"
        return None
    if part == "detector":
        return "the detector includes nothing of " + ", ".join(found)
    if part == "preload" and found != {"detector"}:
        return "the preload includes nothing of " + ", ".join(found)
    if part == "tools" and name not in SHARED:
        return "the command knows the log's format and the option table only"
    return None


def main():
    root = sys.argv[1]
    owners = headers_of(root)
    wrong, seen = [], 0
    for part, path, full in sources(root):
        with open(full, encoding="utf-8") as source:
            text = source.read()
        for bracket, name in INCLUDE.findall(text):
            seen += 1
            reason = check_include(part, path, bracket, name, owners)
            if reason:
                wrong.append(f"{path} includes {name}: {reason}")
        code = STRING.sub('""', COMMENT.sub("", text))
        for word in FORBIDDEN_WORDS.get(part, ()):
            for match in re.findall(word, code):
                wrong.append(f"{path} has {match}")
    print("".join(w + "\n" for w in wrong), end="")
    # Proof of life: a wrong directory has nothing wrong in it.
    if seen < 100:
        wrong.append("too little was looked at")
        print(f"only {seen} includes in {root}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
