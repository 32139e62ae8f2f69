#!/usr/bin/env python3
"""Functions that nobody calls or nobody defines, and options that nobody reads.

usage: unused.py options SOURCE_DIRECTORY
       unused.py functions SOURCE_DIRECTORY BUILD_DIRECTORY NM

A function that other files may call has to be called, and not only by a test; one that a header declares has to be somewhere. An option of detector/base/options.def has to be
read: somewhere a member of struct ftsan_options has its name.
"""

import os
import re
import subprocess
import sys

import rooms

# Called by others than our objects, or by nobody on purpose.
CALLED_FROM_OUTSIDE = {
    "main": "the command's",
    "ftsan_attach": "injected code", "ftsan_detach": "injected code",
}
FOR_TESTS = {
    "ftsan_decode_at": "one instruction, where the code before an address is meant",
    "ftsan_line_of": "a whole table at once, also for the fuzzer",
    "ftsan_watch_holds": "what a thread watches",
    "ftsan_sampling_reset": "tests begin with an empty table",
    "ftsan_pkey_exit": "tests give the key back",
}


COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"", re.DOTALL)


def code_of(path):
    with open(path, encoding="utf-8") as source:
        return COMMENT.sub(" ", source.read())


def exported(root):
    """The functions of libc that ftsan stands in for."""
    with open(os.path.join(root, "preload/hooks/table.def"), encoding="utf-8") as table:
        return set(re.findall(r"FTSAN_HOOK\(LIBC,\s*\w+,\s*[^,]+,\s*(\w+),", table.read()))


def production_objects(root, build):
    """object -> source, of sources that are there: others may have left objects"""
    found = {}
    for part in ("detector", "preload", "tools/command"):
        for source, path in rooms.objects(build, part).items():
            if os.path.exists(os.path.join(root, source)):
                found[path] = source
    return found


def tests_of(root):
    text = []
    for directory, _, names in os.walk(os.path.join(root, "tests")):
        text += [code_of(os.path.join(directory, n)) for n in names if n.endswith((".c", ".h"))]
    return set(re.findall(r"\w+", " ".join(text)))


def excused(defined, wanted):
    known = {**CALLED_FROM_OUTSIDE, **FOR_TESTS}
    for name in sorted(set(known) - {"main"}):
        if name not in defined:
            yield f"{name} is excused, and is not there"
        elif name in wanted:
            yield f"{name} is excused, and is called"


def unused_functions(root, build, nm):
    objects = production_objects(root, build)
    defined, wanted = {}, exported(root) | set(CALLED_FROM_OUTSIDE) | set(FOR_TESTS)
    asked = set()
    for path, (own, others) in rooms.symbols(nm, list(objects), "TW").items():
        asked |= others
        defined.update({name: objects[path] for name in own})
    yield from excused(defined, asked)
    tests = tests_of(root)
    for name in sorted(set(defined) - asked - wanted):
        source = defined[name]
        mentioned = len(re.findall(rf"\b{name}\b", code_of(os.path.join(root, source))))
        if mentioned < 2:
            yield f"{source}: {name} is called nowhere" + \
                (" but in tests" if name in tests else "")
    yield from undefined_functions(root, defined)
    if len(defined) < 100:
        yield f"too little was looked at: {len(defined)} functions"


def sources(root, ending=(".c", ".h")):
    for part in ("detector", "preload", "tools/command"):
        for directory, _, names in os.walk(os.path.join(root, part)):
            for name in names:
                if name.endswith(ending):
                    yield code_of(os.path.join(directory, name))


# At the beginning of a line, its type before it; not one of a macro's (##).
DECLARED = re.compile(r"^(?!static inline|typedef|#)[a-z][\w *\n]*?\b(\w+)\((?!\*)[^;{}#]*\)[^;{}()#]*;", re.MULTILINE)


def undefined_functions(root, defined):
    """Names of ours alone: what a header repeats of others' is theirs."""
    text = list(sources(root, (".h",)))
    inline = set(re.findall(r"^static inline [^;{}]*?\b(\w+)\(", "\n".join(text), re.MULTILINE))
    names = {name for one in text for name in DECLARED.findall(one)
             if name.startswith(("ftsan_", "static_"))}
    for name in sorted(names - set(defined) - inline):
        yield f"{name} is declared, and nowhere defined"
    if len(names) < 100:
        yield f"too little was looked at: {len(names)} declarations"


def unread_options(root):
    with open(os.path.join(root, "detector/base/options.def"), encoding="utf-8") as table:
        names = re.findall(r"^FTSAN_OPTION\(\w+,\s*(\w+),", table.read(), re.MULTILINE)
    text = "\n".join(sources(root))
    for name in names:
        if not re.search(rf"options(?:\(\))?(?:\.|->){name}\b", text):
            yield f"the option {name} is read nowhere"
    if len(names) < 10:
        yield "too few options were found"


def main():
    what, *arguments = sys.argv[1:]
    wrong = list({"options": unread_options, "functions": unused_functions}[what](*arguments))
    print("".join(line + "\n" for line in wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
