#!/usr/bin/env python3
"""Holds the pages about options against the command, and writes what can be written.

usage: pages.py FTSAN SOURCE_DIRECTORY [--write]

* docs/options.md and the section of docs/ftsan.1 between its two marks are made from what
  `ftsan options` prints: --write makes them, otherwise they have to be as they would be.
* Every command and every option that a --help tells of is in docs/ftsan.1 and in both
  completions, and these tell of no others.
"""

import pathlib
import re
import subprocess
import sys

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
BEGIN, END = '.\\" begin: made by tests/policy/pages.py --write\n', '.\\" end\n'

INTRODUCTION = """\
# Options of a run

As `KEY=VALUE:KEY=VALUE` in `FTSAN_OPTIONS`, or after `ftsan run --options`, which wins. A
value that has a colon in it is quoted: `log='a:b'`. This page is what `ftsan options` prints
(`python3 tests/policy/pages.py build/ftsan . --write` makes it).

| key | default | values | meaning |
|---|---|---|---|
"""


def output(ftsan, *words):
    return subprocess.run([ftsan, *words], capture_output=True, text=True, check=True).stdout


def rows(ftsan):
    """(key, default, values, meaning) of each option; the heading has the columns."""
    lines = output(ftsan, "options").splitlines()
    heading = lines[1]
    columns = [heading.index(word) for word in ("name", "default", "values", "meaning")]
    for line in lines[2:]:
        ends = columns[1:] + [len(line)]
        yield tuple(line[begin:end].strip() for begin, end in zip(columns, ends))


def options_page(table):
    def cell(text):
        return text.replace("|", "\\|") or " "

    return INTRODUCTION + "".join(
        f"| `{key}` | {cell(default)} | {cell(values)} | {cell(meaning)} |\n"
        for key, default, values, meaning in table)


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def manual_section(table):
    return BEGIN + "".join(
        f".TP\n.BI {roff(key)}= value\n{roff(meaning)}.\n"
        f"Default: {roff(default)}; values: {roff(values)}.\n"
        for key, default, values, meaning in table) + END


def commands(ftsan):
    return re.findall(r"^  ftsan ([a-z]+) ", output(ftsan, "--help"), re.MULTILINE)


def options_of(ftsan, command):
    # Not those of the usage of some other program in the text.
    return set(OPTION.findall(output(ftsan, command, "--help"))) | {"--help"}


def completed(script, *words):
    """What the bash completion offers for the last word."""
    text = f"source {script}\nCOMP_WORDS=(ftsan {' '.join(words)})\n" \
        f"COMP_CWORD={len(words)}\n_ftsan\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    return set(subprocess.run(["bash", "--norc", "-c", text], capture_output=True, text=True,
                              check=True).stdout.split())


def compare(what, expected, found):
    for text in sorted(expected - found):
        yield f"{what} lacks {text}"
    for text in sorted(found - expected):
        yield f"{what} has {text}, which is not there"


def zsh_options(text, command):
    """The words of the command's branch."""
    branch = re.search(rf"^\t{command}\)(.*?);;", text, re.MULTILINE | re.DOTALL)
    return set(OPTION.findall(branch[1])) if branch else set()


def manual_options(root, command):
    """Those of the command's section; None without one."""
    text = (root / "docs" / "ftsan.1").read_text().replace("\\-", "-")
    section = re.search(rf"^\.SS ftsan {command}\n(.*?)^\.S[SH]", text, re.MULTILINE | re.DOTALL)
    return set(OPTION.findall(section[1])) | {"--help"} if section else None


def check_command(ftsan, root, command):
    bash = root / "tools" / "completion" / "ftsan.bash"
    zsh = (root / "tools" / "completion" / "_ftsan").read_text()
    # What `ftsan options` prints tells of other commands' options.
    expected = {"--help"} if command in ("options", "version") else options_of(ftsan, command)
    yield from compare(f"the bash completion of {command}", expected,
                       completed(bash, command, "--"))
    yield from compare(f"the zsh completion of {command}", expected, zsh_options(zsh, command))
    if f"'{command}:" not in zsh:
        yield f"the zsh completion lacks {command}"
    if manual_options(root, command) is None:
        yield f"docs/ftsan.1 has no section for ftsan {command}"
    else:
        yield from compare(f"docs/ftsan.1, ftsan {command},", expected,
                           manual_options(root, command))


def check_commands(ftsan, root):
    names = commands(ftsan)
    bash = root / "tools" / "completion" / "ftsan.bash"
    if len(names) < 4:
        yield "ftsan --help tells of too few commands"
    yield from compare("the bash completion", {*names, "--help", "--version"},
                       completed(bash, "''") | completed(bash, "--"))
    for name in names:
        yield from check_command(ftsan, root, name)


def check_or_write(path, text, write):
    if write:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        yield f"{path.name} is not what `pages.py --write` makes of the options"


def main():
    ftsan, root, write = sys.argv[1], pathlib.Path(sys.argv[2]), "--write" in sys.argv
    table = list(rows(ftsan))
    wrong = [] if len(table) > 10 else ["ftsan options prints too few options"]
    wrong += check_or_write(root / "docs" / "options.md", options_page(table), write)
    manual = root / "docs" / "ftsan.1"
    before, mark, rest = manual.read_text().partition(BEGIN)
    if not mark:
        wrong.append("docs/ftsan.1 has lost its marks")
    else:
        wrong += check_or_write(manual, before + manual_section(table) + rest.partition(END)[2],
                                write)
    wrong += check_commands(ftsan, root)
    print("".join(line + "\n" for line in wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
