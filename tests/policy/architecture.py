#!/usr/bin/env python3
"""What is x86-64's lies in files whose names end in _x86_64; all others could be compiled
for another processor.

The patterns are what such code can't do without: assembly, the context's registers, the
decoder, constants of <elf.h>, where a process's addresses end, builtins of the
compiler. A file with `_x86_64` in its name
is included by one without, or by another one of its kind.
"""
import pathlib
import re
import sys

ONLY_THERE = {
    "assembly": r"\b(?:__asm__|asm)\s*(?:volatile|goto)?\s*\((?!#name)",
    "a register of the context": r"\bREG_[A-Z][A-Z0-9]+\b|\bgregs\b|\bfpregs\b|\bNGREG\b",
    "a register of ptrace's": r"->(?:orig_)?r(?:[abcd]x|[sbi]p|[sd]i|8|9|1[0-5])\b",
    "the decoder of x86": r"\bZ[Yy][DdAa][A-Za-z]*_[A-Z]|\bZydisDecoded|\bZydisRegister|<Zydis/",
    "a constant of ELF": r"\bEM_X86_64\b|\bR_X86_64_\w+|\bEM_AARCH64\b",
    "an end of the address space": r"\b0x(?:7f{8}(?:000|fff)|80{11})[uUlL]*\b",
    "a builtin": r"\b__builtin_ia32_\w+|\b__get_cpuid|<cpuid\.h>|<\w+mmintrin\.h>|\b_mm\d*_\w+\(",
}
STRIPPED = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def is_named(path):
    return path.stem.endswith("_x86_64")


def text_of(path):
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    return STRIPPED.sub(blank, path.read_text())


def complaints(root):
    for folder in ("detector", "preload", "tools"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            name = str(path.relative_to(root))
            if is_named(path):
                continue
            text = text_of(path)
            for what, pattern in ONLY_THERE.items():
                for match in re.finditer(pattern, text):
                    line = text.count("\n", 0, match.start()) + 1
                    yield f"{name}:{line}: {what}, but not _x86_64 in its name: {match.group()}"


def main():
    root = pathlib.Path(sys.argv[1])
    found = list(complaints(root))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
