#!/usr/bin/env python3
"""Puts something wrong into a copy of the sources, and looks whether rooms.py says so.

usage: rooms_fails.py CASE SOURCE_DIRECTORY BUILD_DIRECTORY NM CC
"""

import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


class Copy:
    """The table, the sources and the objects of the detector, to be spoilt."""

    def __init__(self, where, root, build, compiler):
        self.root, self.build = os.path.join(where, "source"), os.path.join(where, "build")
        self.compiler = compiler
        self.table = os.path.join(where, "rooms.txt")
        shutil.copytree(os.path.join(root, "detector"), os.path.join(self.root, "detector"))
        objects = os.path.join(build, "detector", "CMakeFiles")
        shutil.copytree(objects, os.path.join(self.build, "detector", "CMakeFiles"),
                        ignore=lambda _, names: [n for n in names if n.endswith(".d")])
        self.write_table(os.path.join(HERE, "rooms.txt"))

    def write_table(self, path):
        """The detector's part of it."""
        with open(path, encoding="utf-8") as table:
            parts = table.read().split("\npart ")
        with open(self.table, "w", encoding="utf-8") as table:
            table.write(f"{parts[0]}\npart {parts[1]}\n")

    def path(self, name):
        return os.path.join(self.root, "detector", name)

    def append(self, name, text):
        with open(self.path(name), "a", encoding="utf-8") as source:
            source.write(text)

    def compile(self, name, text):
        """Another source of the detector, with its object."""
        self.append(name, text)
        target = os.path.join(self.build, "detector", "CMakeFiles", "ftsan_detector.dir",
                              name + ".o")
        subprocess.run([self.compiler, "-c", "-o", target, self.path(name)], check=True)

    def check(self, nm):
        done = subprocess.run([sys.executable, os.path.join(HERE, "rooms.py"), self.table,
                               self.root, self.build, nm],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


def nothing(copy):
    del copy
    return None


def circle_of_includes(copy):
    copy.append("pages/slot.h", '#include "pages/guard.h"\n')
    return "    slot.h includes detector/pages/guard.h"


def circle_of_calls(copy):
    copy.compile("words/up.c", "void down(void); void up(void); void up(void) { down(); }")
    copy.compile("words/down.c", "void up(void); void down(void); void down(void) { up(); }")
    return "these need each other: detector/words/down, detector/words/up"


def wrong_include(copy):
    copy.append("rules/rules.h", '#include "pages/pages.h"\n')
    return "detector/rules may not use detector/pages"


def wrong_call(copy):
    copy.compile("budget/up.c", "void ftsan_guard_free(void *);"
                                "void budget_up(void); void budget_up(void)"
                                "{ ftsan_guard_free((void *)0); }")
    return "detector/budget may not use detector/pages"


def private_include(copy):
    copy.append("operations/hazard.c", '#include "pages/collide.h"\n')
    return "detector/operations/hazard.c includes detector/pages/collide.h, which is private"


def file_without_room(copy):
    os.mkdir(copy.path("attic"))
    copy.append("attic/attic.h", "/* Old things. */\n")
    return "detector/attic/attic.h is in no room"


def source_without_object(copy):
    copy.append("rules/unbuilt.c", "/* Never compiled. */\n")
    return "detector/rules/unbuilt.c has no object"


def table_upside_down(copy):
    with open(copy.table, "a", encoding="utf-8") as table:
        table.write("lower  lower.h  upper\nupper  upper.h\n")
    return "which is not above it"


CASES = {case.__name__: case for case in (
    nothing, circle_of_includes, circle_of_calls, wrong_include, wrong_call,
    private_include, file_without_room, source_without_object, table_upside_down)}


def main():
    name, root, build, nm, compiler = sys.argv[1:]
    with tempfile.TemporaryDirectory() as where:
        copy = Copy(where, root, build, compiler)
        expected = CASES[name](copy)
        status, output = copy.check(nm)
    if expected is None:
        good = status == 0
    else:
        good = status == 1 and expected in output
    print(output if good else f"expected: {expected}\nstatus {status}:\n{output}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
