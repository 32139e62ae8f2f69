#!/usr/bin/env python3
"""Holds the rooms of the project against the table of them.

usage: rooms.py TABLE SOURCE_DIRECTORY BUILD_DIRECTORY NM

What a file needs is read from its includes and from the symbols that its object asks for.
Wrong are:

* a file that needs a room which its own may not use (rooms.txt says which it may),
* an include of another room's header that is not its public one,
* files of one room that need each other. A source and the header of its name are one,
* a folder that is no room, and a file that is in none.
"""

import collections
import os
import re
import string
import subprocess
import sys

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
SOURCES = (".c", ".h", ".def")


class Room:
    def __init__(self, part, name, header, uses):
        self.part, self.name, self.header, self.uses = part, name, header, set(uses)

    def __str__(self):
        return f"{self.part}/{self.name}"


class Table:
    """parts: name -> parts that all of it may use; rooms: "part/room" -> Room"""

    def __init__(self, path):
        self.parts, self.rooms, self.wrong = {}, {}, []
        self.stand_ins = set()
        with open(path, encoding="utf-8") as table:
            for line in table:
                words = line.partition("#")[0].split()
                if words and words[0] == "part":
                    part = words[1]
                    self.parts[part] = set(words[2:])
                elif words and words[0] == "stands-in":
                    self.stand_ins.add(words[1])
                elif words:
                    self.add(part, *words)

    def add(self, part, name, header, *uses):
        whole = [use if "/" in use else f"{part}/{use}" for use in uses]
        for use in whole:
            if use not in self.rooms:
                self.wrong.append(f"the table lets {part}/{name} use {use}, "
                                  "which is not above it")
        self.rooms[f"{part}/{name}"] = Room(part, name, header, whole)

    def allows(self, user, used):
        return user is used or str(used) in user.uses or \
            used.part in self.parts[user.part]


class Sources:
    """files: path in the source directory -> Room, None where it is in none"""

    def __init__(self, root, table):
        self.root, self.table, self.files = root, table, {}
        for part in table.parts:
            for directory, _, names in os.walk(os.path.join(root, part)):
                for name in sorted(names):
                    if name.endswith(SOURCES):
                        path = os.path.relpath(os.path.join(directory, name), root)
                        self.files[path] = self.room_of(part, path)

    def room_of(self, part, path):
        inner = os.path.relpath(path, part)
        return self.table.rooms.get(
            f"{part}/{inner.split(os.sep)[0] if os.sep in inner else '.'}")

    def find(self, part, name):
        """The file that an include of that name means; None: none of ours."""
        for place in (part, *self.table.parts):
            path = f"{place}/{name}"
            if path in self.files:
                return path
        return None

    def includes(self):
        """(file, included file) of ours"""
        for path, room in self.files.items():
            with open(os.path.join(self.root, path), encoding="utf-8") as source:
                text = source.read()
            for name in INCLUDE.findall(text):
                found = self.find(room.part if room else "", name)
                if found:
                    yield path, found


def objects(build, part):
    """source -> object, of the part's own targets"""
    found = {}
    for directory, _, names in os.walk(os.path.join(build, part, "CMakeFiles")):
        inner = re.search(r"\.dir/(.*)", directory + "/")
        for name in names:
            source, path = f"{part}/{(inner or ['', ''])[1]}{name[:-2]}", \
                os.path.join(directory, name)
            if not name.endswith(".c.o") or not inner or "__" in inner[1]:
                continue
            # A target of another name may have left one.
            if source not in found or os.path.getmtime(found[source]) < os.path.getmtime(path):
                found[source] = path
    return found


def symbols(nm, paths, kinds=string.ascii_uppercase):
    """object -> (defined, wanted): the names that others see, and those of others"""
    found = {path: (set(), set()) for path in paths}
    listing = subprocess.run([nm, "--print-file-name", *paths], check=True,
                             capture_output=True, text=True).stdout
    for line in listing.splitlines():
        path, _, rest = line.rpartition(":")
        kind, name = rest.split()[-2:]
        if kind in "Uw":
            found[path][1].add(name)
        elif kind in kinds:
            found[path][0].add(name)
    return found


class Calls:
    """(file, file, name) for each name that the one takes from the other"""

    def __init__(self, nm, build, sources):
        self.read, self.missing = 0, []
        self.owner, self.wanted = collections.defaultdict(dict), {}
        for part in sources.table.parts:
            self.read_part(nm, part, objects(build, part), sources)

    def read_part(self, nm, part, found, sources):
        if not found:
            print(f"not looked at: the objects of {part}, which is not built")
            return
        names = symbols(nm, list(found.values()))
        for path in sources.files:
            if not path.startswith(part + "/") or not path.endswith(".c"):
                continue
            if path not in found:
                self.missing.append(f"{path} has no object")
                continue
            defined, self.wanted[path] = names[found[path]]
            self.read += 1
            if path in sources.table.stand_ins:
                continue
            for name in defined:
                self.owner[part][name] = path

    def arrows(self, sources):
        for path, wanted in self.wanted.items():
            own = sources.files[path].part if sources.files[path] else ""
            for name in wanted:
                for part in (own, *sources.table.parts):
                    owner = self.owner[part].get(name)
                    if owner:
                        yield path, owner, name
                        break


def unit(path):
    """What is one processor's is a part of the file whose name has the rest."""
    return os.path.splitext(path)[0].removesuffix("_x86_64")


class Arrows:
    """What each unit (sources and headers of one name) of a room needs of others."""

    def __init__(self):
        self.to = collections.defaultdict(dict)

    def add(self, user, used, reason):
        if unit(user) != unit(used):
            self.to[unit(user)].setdefault(unit(used), f"{os.path.basename(user)} {reason}")

    def circles(self):
        """Tarjan's strongly connected components, those of more than one."""
        number, low, stack, found = {}, {}, [], []

        def visit(node):
            number[node] = low[node] = len(number)
            stack.append(node)
            for other in self.to.get(node, ()):
                if other not in number:
                    visit(other)
                if other in stack:
                    low[node] = min(low[node], low[other])
            if low[node] == number[node]:
                at = stack.index(node)
                found.append(stack[at:])
                del stack[at:]

        for node in list(self.to):
            if node not in number:
                visit(node)
        return [circle for circle in found if len(circle) > 1]

    def describe(self, circle):
        yield "these need each other: " + ", ".join(sorted(circle))
        for user in sorted(circle):
            for used, reason in sorted(self.to[user].items()):
                if used in circle:
                    yield f"    {reason}"


class Check:
    def __init__(self, table, sources):
        self.table, self.sources = table, sources
        self.wrong, self.inside, self.seen = list(table.wrong), Arrows(), 0

    def places(self):
        for path, room in self.sources.files.items():
            if room is None:
                self.wrong.append(f"{path} is in no room of the table")
        for room in self.table.rooms.values():
            if room.header == "-":
                continue
            header = f"{room}/{room.header}"
            if header not in self.sources.files:
                self.wrong.append(f"{room} has no {room.header}")
                continue
            with open(os.path.join(self.sources.root, header), encoding="utf-8") as text:
                if not text.read().startswith("/*\n * "):
                    self.wrong.append(f"{header} does not begin by saying what it is for")

    def arrow(self, user, used, reason):
        """@user needs @used."""
        one, other = self.sources.files[user], self.sources.files[used]
        self.seen += 1
        if one is None or other is None:
            return
        if one is other:
            self.inside.add(user, used, reason)
        elif not self.table.allows(one, other):
            self.wrong.append(f"{user} {reason}: {one} may not use {other}")

    def include(self, user, used):
        one, other = self.sources.files[user], self.sources.files[used]
        self.arrow(user, used, f"includes {used}")
        if one is not other and other is not None and not used.endswith(".def") and \
                used != f"{other}/{other.header}":
            self.wrong.append(f"{user} includes {used}, which is private: "
                              f"{other} shows {other.header}")


def main():
    table_path, root, build, nm = sys.argv[1:]
    table = Table(table_path)
    sources = Sources(root, table)
    check = Check(table, sources)
    check.places()
    for user, used in sources.includes():
        check.include(user, used)
    calls = Calls(nm, build, sources)
    check.wrong += calls.missing
    for user, used, name in calls.arrows(sources):
        check.arrow(user, used, f"calls {name} of {used}")
    for circle in check.inside.circles():
        check.wrong += check.inside.describe(circle)
    # Proof of life: a wrong directory has nothing wrong in it.
    if check.seen < 20 or calls.read == 0:
        check.wrong.append(f"too little was looked at: {check.seen} arrows, "
                           f"{calls.read} objects")
    print("".join(line + "\n" for line in check.wrong), end="")
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
