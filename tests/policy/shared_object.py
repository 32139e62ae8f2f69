#!/usr/bin/env python3
"""Holds libftsan.so, as every process gets it, against what it promises.

usage: shared_object.py READELF LIBFTSAN HOOKS_DEF
"""

import re
import subprocess
import sys

# The block is part of every thread's stack mapping, and the loader's reserve is small.
STATIC_TLS_MAX = 256
NEEDED = {"libc.so.6", "ld-linux-x86-64.so.2"}
# Nothing that allocates thread-local memory late or drags in another runtime.
FORBIDDEN_IMPORTS = re.compile(r"^(__tls_get_addr|_Unwind_|__cxa_|__gxx_)")


class Checks:
    def __init__(self, readelf, library):
        self.readelf, self.library = readelf, library
        self.wrong = []

    def dump(self, *flags):
        done = subprocess.run([self.readelf, "--wide", *flags, self.library], check=True,
                              capture_output=True, text=True)
        return done.stdout

    def expect(self, condition, sentence):
        if not condition:
            self.wrong.append(sentence)


def hooks_of_libc(path):
    with open(path, encoding="utf-8") as table:
        text = re.sub(r"/\*.*?\*/", "", table.read(), flags=re.DOTALL)
    rows = re.findall(r"FTSAN_HOOK\(LIBC,\s*\w+,\s*[^,]+,\s*(\w+),", text)
    return set(rows)


def check_symbols(checks, hooks_def):
    exported, imported = set(), set()
    for line in checks.dump("--dyn-syms").splitlines():
        fields = line.split()
        if len(fields) < 8 or not re.fullmatch(r"[1-9]\d*:", fields[0]):
            continue
        name = fields[7].partition("@")[0]
        (imported if fields[6] == "UND" else exported).add(name)
    promised = hooks_of_libc(hooks_def) | {"ftsan_attach", "ftsan_detach"}
    checks.expect(len(promised) > 10, f"too few hooks in {hooks_def}: {promised}")
    checks.expect(exported == promised,
                  f"exported and no hook: {sorted(exported - promised)}; "
                  f"hooks that are not exported: {sorted(promised - exported)}")
    bad = sorted(name for name in imported if FORBIDDEN_IMPORTS.match(name)
                 and name != "__cxa_finalize")
    checks.expect(not bad, f"imports {bad}")
    python = sorted(n for n in imported if re.match(r"_?Py", n) and n != "_PyRuntime")
    checks.expect(not python, f"imports {python}: a process without CPython lacks them")


def check_dynamic(checks):
    dynamic = checks.dump("--dynamic")
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    checks.expect("libc.so.6" in needed and needed <= NEEDED, f"needs {sorted(needed)}")
    for tag in ("RUNPATH", "RPATH", "TEXTREL"):
        checks.expect(f"({tag})" not in dynamic, f"has a {tag}")
    checks.expect("NODELETE" in dynamic, "may be unloaded under its own handlers")
    checks.expect("BIND_NOW" in dynamic or "Flags: NOW" in dynamic,
                  "binds late: a handler would enter the loader")


def check_segments(checks):
    segments = checks.dump("--segments")
    tls = re.search(r"^\s*TLS\s+\S+\s+\S+\s+\S+\s+\S+\s+(0x[0-9a-f]+)", segments, re.M)
    size = int(tls.group(1), 16) if tls else 0
    checks.expect(0 < size <= STATIC_TLS_MAX, f"{size} bytes of static TLS")
    stack = re.search(r"^\s*GNU_STACK.*?\s(R?WE?)\s", segments, re.M)
    checks.expect(stack and "E" not in stack.group(1), "asks for an executable stack")
    checks.expect("GNU_RELRO" in segments, "has no relro")
    relocations = checks.dump("--relocs")
    late = re.findall(r"R_X86_64_(?:DTPMOD64|DTPOFF64|TLSDESC)", relocations)
    checks.expect(not late, "has thread-local variables that are not initial-exec")
    checks.expect("R_X86_64_TPOFF64" in relocations or size, "no TLS was looked at")


def main():
    readelf, library, hooks_def = sys.argv[1:]
    checks = Checks(readelf, library)
    check_symbols(checks, hooks_def)
    check_dynamic(checks)
    check_segments(checks)
    print("".join(sentence + "\n" for sentence in checks.wrong), end="")
    return 1 if checks.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
