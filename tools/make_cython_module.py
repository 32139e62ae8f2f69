#!/usr/bin/env python3
"""Makes an extension module with a given Cython release and prints its path.

The module has a function for each of --lines lines, step_0(), step_1(), ..., which
raises LookupError(number) on a line of its own, so that each takes an entry of the
module's cache of code objects. STEPS is the list of the functions, LINES that of the
lines they raise on.

Cython comes from the package index that pip is configured for, into an environment in
$XDG_CACHE_HOME/ftsan (~/.cache/ftsan) that later runs use again. A release that the
index does not have any more can be given as a source tree (a directory with cython.py):
by --cython, or by an environment variable named for it, such as FTSAN_CYTHON_3_1_0A1.

Exit status: 0; 2 bad usage; 3 that Cython, or a compiler or Python's headers, can't be
had here; 1 anything else.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

EXIT_UNAVAILABLE = 3
PIP_ATTEMPTS = 3


class Failed(Exception):
    status = 1


class Unavailable(Failed):
    status = EXIT_UNAVAILABLE


def say(text):
    print(f"[ftsan] {text}", file=sys.stderr)


def tail(text, n_lines=10):
    return "\n".join(text.strip().splitlines()[-n_lines:])


def output_of(command, error=Failed, **settings):
    """The command's standard output; `error` with the end of what it said if it fails."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", **settings)
    if done.returncode != 0:
        raise error(f"{command[0]} failed:\n{tail(done.stdout + done.stderr)}")
    return done.stdout


# --- Cython -------------------------------------------------------------------------


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    directory = pathlib.Path(base) / "ftsan"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextlib.contextmanager
def only_one(directory):
    """While no other run makes an environment."""
    with open(directory / "cython.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(python, version):
    for attempt in range(1, PIP_ATTEMPTS + 1):
        done = subprocess.run([python, "-m", "pip", "install", "--no-input",
                               "--disable-pip-version-check", "--progress-bar", "off",
                               "--only-binary=:all:", f"cython=={version}"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env={"PIP_DEFAULT_TIMEOUT": "60", **os.environ})
        if done.returncode == 0:
            return
        if "No matching distribution" in done.stderr:
            raise Unavailable(f"the package index has no wheel of Cython {version} (any more); "
                              f"--cython or {variable_of(version)} can name a source tree")
        say(f"pip failed (attempt {attempt} of {PIP_ATTEMPTS})")
    raise Unavailable(f"pip could not install Cython {version}:\n{tail(done.stderr)}")


def environment(version):
    """The interpreter of an environment with this Cython, made if need be."""
    cache = cache_directory()
    key = hashlib.sha256("\n".join([sys.version, sys.executable, version]).encode())
    directory = cache / f"venv-cython-{version.replace('*', 'x')}-{key.hexdigest()[:10]}"
    complete = directory / ".complete"
    python = directory / "bin" / "python"
    with only_one(cache):
        # The mark is written last: a run that was cut short leaves none.
        if not complete.exists():
            shutil.rmtree(directory, ignore_errors=True)
            say(f"making an environment with Cython {version}")
            output_of([sys.executable, "-m", "venv", directory], Unavailable)
            try:
                install(python, version)
            except Failed:
                shutil.rmtree(directory, ignore_errors=True)
                raise
            complete.touch()
    return python


def variable_of(version):
    return "FTSAN_CYTHON_" + re.sub(r"\W", "_", version).upper()


def translator(version, tree):
    """What runs Cython: a command, and the variables it needs."""
    if tree is None and version is not None:
        tree = os.environ.get(variable_of(version)) or None
    if tree is None:
        return [environment(version), "-m", "cython"], {}
    if not (pathlib.Path(tree) / "cython.py").is_file():
        raise Failed(f"{tree} is no Cython source tree (there is no cython.py)")
    return [sys.executable, "-m", "cython"], {"PYTHONPATH": str(tree)}


def version_of(command, variables):
    done = subprocess.run([*command, "--version"], capture_output=True, text=True,
                          env={**os.environ, **variables})
    # Releases differ in which of the two they write to.
    match = re.search(r"Cython version (\S+)", done.stdout + done.stderr)
    if not match:
        raise Failed(f"{command[0]} -m cython does not run:\n{tail(done.stderr)}")
    return match[1]


# --- the module ---------------------------------------------------------------------


def source_of(n_lines, directives):
    lines = ["# cython: " + ", ".join(["language_level=3", *directives])]
    raised_on = []
    for step in range(n_lines):
        lines += ["", f"def step_{step}():"]
        lines.append(f"    raise LookupError({step})")
        raised_on.append(len(lines))
    lines += ["", f"STEPS = [{', '.join(f'step_{step}' for step in range(n_lines))}]",
              f"LINES = {raised_on}"]
    return "\n".join(lines) + "\n"


def describe(python):
    code = ("import sysconfig as s; print(s.get_path('include')); "
            "print(s.get_config_var('EXT_SUFFIX')); print(s.get_config_var('Py_GIL_DISABLED'))")
    include, suffix, free_threaded = output_of([python, "-c", code]).splitlines()
    if not os.path.exists(f"{include}/Python.h"):
        raise Unavailable(f"no Python.h of {python} in {include}")
    return include, suffix, free_threaded == "1"


def compiler():
    for name in filter(None, [os.environ.get("CC"), "cc", "gcc", "clang"]):
        if shutil.which(name):
            return name
    raise Unavailable("no C compiler")


def make(arguments):
    cc = compiler()
    include, suffix, free_threaded = describe(arguments.python)
    command, variables = translator(arguments.version, arguments.cython)
    version = version_of(command, variables)
    # Cython 3.0 knows neither free threading nor the directive.
    directives = [] if version.startswith("3.0.") or not free_threaded else \
        ["freethreading_compatible=True"]

    arguments.output.mkdir(parents=True, exist_ok=True)
    source = arguments.output / f"{arguments.name}.pyx"
    source.write_text(source_of(arguments.lines, directives))
    output_of([*command, "-3", source.name], cwd=arguments.output,
              env={**os.environ, **variables})
    module = arguments.output / f"{arguments.name}{suffix}"
    output_of([cc, "-shared", "-fPIC", "-w", "-g1", *arguments.cflags.split(), f"-I{include}",
               "-o", module, source.with_suffix(".c")])
    return module


def parse(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--version", metavar="X", help="Cython release, such as 3.1.0b1 or 3.1.*")
    which.add_argument("--cython", metavar="PATH", type=os.path.abspath, help="Cython source tree")
    parser.add_argument("--python", default=sys.executable,
                        help="interpreter to build for (default: the one that runs this)")
    parser.add_argument("--lines", type=int, default=300, metavar="N",
                        help="lines that raise (default 300; the cache grows at each 64)")
    parser.add_argument("--name", default="steps", help="name of the module (default steps)")
    parser.add_argument("--output", type=pathlib.Path, default=".", metavar="DIR",
                        help="where to put it (default: here)")
    parser.add_argument("--cflags", default="-O1", help="compiler flags (default -O1)")
    arguments = parser.parse_args(argv)
    if arguments.lines < 1 or not arguments.name.isidentifier():
        parser.error("--lines must be positive and --name an identifier")
    if not re.fullmatch(r"[\w.*+!]*", arguments.version or ""):
        parser.error(f"{arguments.version} is no version")
    return arguments


def main():
    try:
        print(make(parse(sys.argv[1:])).resolve())
    except Failed as failure:
        say(f"error: {failure}")
        sys.exit(failure.status)


if __name__ == "__main__":
    main()
