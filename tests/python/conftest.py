"""What the tests with real interpreters and real wheels share.

Interpreters. A test that takes `interpreter`, `numpy_fixed` or `environment` runs once on
each free-threaded interpreter that is there: those of FTSAN_PYTHONS (paths, separated by
colons or spaces), or else what PATH and an earlier sh tools/test.sh have to offer.
pytest -k 3.14t runs one of them. Machines that have only one are served, too: what needs
another is skipped, with the reason.

    interpreter      the bare interpreter's path; a str with .tag ("3.14t"), .minor (14)
    numpy_fixed      python of an environment with the newest NumPy that has wheels for it
                     (3.13t: 2.4.6, 3.14t and 3.15t: 2.5.5); fixed is numpy#28197, open is
                     the bug of argsort(order=)
    environment      makes one with any wheels, on that interpreter:

        def test_it(run, environment):
            python = environment("wrapt==2.3.0", "numpy")    # skips: no wheels for it

                     environment("cffi", only="3.14t 3.15t")  # skips on the others
    numpy_affected   NumPy 2.2.1, which has the bug of numpy#28197 (np.repeat): 3.13t
    numpy_affected_gil, numpy_fixed_gil   of the python3 with a GIL that is there

sh tools/test.sh sets the environment up and names it: FTSAN_BUILD, FTSAN_PYTHONS,
FTSAN_VENV_AFFECTED and so on. Run by hand, pytest looks for what an earlier sh
tools/test.sh made, and skips what needs more; environments of `environment` are made, and
kept for later runs.

FTSAN_REPEAT=N runs each race that is left to chance N times (default 3).
"""

import dataclasses
import functools
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("FTSAN_BUILD", REPOSITORY / "build")).resolve()
PROGRAMS = HERE / "programs"
REPEAT = int(os.environ.get("FTSAN_REPEAT", "3"))
TIMEOUT = 300

# Takes arguments of its own; ctest runs it.
collect_ignore = ["test_pyframes.py", "example"]


def tool(*command):
    return subprocess.run(["sh", REPOSITORY / "tools" / command[0], *command[1:]],
                          capture_output=True, text=True)


@functools.cache
def found(variable, *command):
    """What tools/test.sh named, or what an earlier run of it made."""
    if variable and os.environ.get(variable):
        return os.environ[variable]
    result = tool(*command)
    if result.returncode != 0:
        why = result.stderr.strip() or f"{command[0]} found none"
        pytest.skip(f"{why} (sh tools/test.sh makes what is missing)")
    return result.stdout.strip()


class Interpreter(str):
    """The path of a free-threaded interpreter."""

    @functools.cached_property
    def minor(self):
        return int(subprocess.run([self, "-c", "import sys; print(sys.version_info[1])"],
                                  capture_output=True, text=True, check=True).stdout)

    @property
    def tag(self):
        return f"3.{self.minor}t"


@functools.cache
def interpreters():
    named = [path for path in re.split("[:;\\s]+", os.environ.get("FTSAN_PYTHONS", "")) if path]
    named = named or tool("setup.sh", "pythons").stdout.split()
    return [Interpreter(path) for path in named]


def pytest_generate_tests(metafunc):
    if "interpreter" in metafunc.fixturenames:
        metafunc.parametrize("interpreter", interpreters() or [None], scope="session", indirect=True,
                             ids=lambda python: python.tag if python else "none")


@pytest.fixture(scope="session")
def interpreter(request):
    # Asked for by name (getfixturevalue), it is the first.
    python = getattr(request, "param", next(iter(interpreters()), None))
    if python is None:
        pytest.skip("there is no free-threaded interpreter (sh tools/test.sh gets one)")
    return python


@pytest.fixture(scope="session")
def environment(interpreter):
    def make(*wheels, only=None):
        if only is not None and interpreter.tag not in only.split():
            pytest.skip(f"this needs CPython {only}")
        return wheels_for(interpreter, *wheels)
    return make


def wheels_for(interpreter, *wheels):
    """python of an environment with these wheels; the test is skipped where there are none."""
    python, why = made(interpreter, wheels)
    if python is None:
        pytest.skip(why)
    return python


@functools.cache
def made(interpreter, wheels):
    result = tool("setup.sh", "venv", "--python", interpreter, "wheels", *wheels)
    if result.returncode == 3:
        return None, result.stderr.strip().splitlines()[-1]
    assert result.returncode == 0, result.stderr
    return result.stdout.strip() + "/bin/python", None


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory):
    """Logs that nobody names go there, and not to the user's own."""
    directory = tmp_path_factory.mktemp("state")
    os.environ["XDG_STATE_HOME"] = str(directory)
    return directory


@pytest.fixture(scope="session")
def numpy_affected():
    return found("FTSAN_VENV_AFFECTED", "setup.sh", "venv", "--find", "numpy-affected") + "/bin/python"


def fixed_of(interpreter):
    return found(None, "setup.sh", "venv", "--find", "--python", interpreter,
                 "numpy-fixed") + "/bin/python"


@pytest.fixture(scope="session")
def numpy_fixed(interpreter):
    return fixed_of(interpreter)


@pytest.fixture(scope="session")
def numpy_affected_gil():
    """The same NumPy, in the python3 with a GIL that is there."""
    return (found("FTSAN_VENV_AFFECTED_GIL", "setup.sh", "venv", "--find", "numpy-affected-gil") +
            "/bin/python")


@pytest.fixture(scope="session")
def numpy_fixed_gil():
    return found("FTSAN_VENV_FIXED_GIL", "setup.sh", "venv", "--find", "numpy-fixed-gil") + "/bin/python"


@dataclasses.dataclass
class Outcome:
    """How a run ended and what it left behind."""

    status: int  # as of `ftsan run`, or subprocess's returncode without it
    stdout: str
    stderr: str
    logs: dict  # file name to its records

    def records(self, type, log=None):
        return [record for name, records in self.logs.items() for record in records
                if record["type"] == type and log in (None, name)]

    @property
    def findings(self):
        return self.records("finding")

    @property
    def coverage(self):
        """The last one of the first process."""
        return self.records("coverage", "log")[-1]

    def __str__(self):
        return f"status {self.status}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def read_log(path):
    records = []
    for line in pathlib.Path(path).read_text(errors="replace").splitlines(keepends=True):
        if line.endswith("\n"):  # a torn last line says nothing
            records.append(json.loads(line))
    return records


def clean_environment(extra):
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("FTSAN_", "PYTEST_")) and
            name not in ("LD_PRELOAD", "PYTHON_GIL", "PYTHONPATH")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **extra}


class Runner:
    def __init__(self, directory):
        self.directory = directory
        self.n_runs = 0

    def _finish(self, command, log, environment, cwd):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              errors="replace", env=environment, cwd=cwd or self.directory,
                              timeout=TIMEOUT, stdin=subprocess.DEVNULL)
        logs = {name[len(str(log.parent)) + 1:]: read_log(name)
                for name in glob.glob(f"{log}*")}
        return Outcome(done.returncode, done.stdout, done.stderr, logs)

    def _log(self):
        self.n_runs += 1
        directory = self.directory / f"run-{self.n_runs}"
        directory.mkdir()
        return directory / "log"

    def ftsan(self, *command, options=None, environment={}, cwd=None, arguments=()):
        """`ftsan run --log log`; children's logs are log.PID."""
        log = self._log()
        arguments = list(arguments) + (["--options", options] if options else [])
        return self._finish([BUILD / "ftsan", "run", "--log", log, *arguments, "--", *command],
                            log, clean_environment(environment), cwd)

    def preload(self, *command, options="", environment={}, cwd=None):
        """LD_PRELOAD and FTSAN_OPTIONS only."""
        log = self._log()
        environment = clean_environment(environment)
        environment["LD_PRELOAD"] = str(BUILD / "libftsan.so")
        environment["FTSAN_OPTIONS"] = f"log='{log}'" + (f":{options}" if options else "")
        return self._finish(command, log, environment, cwd)

    def bare(self, *command, environment={}, cwd=None):
        return self._finish(command, self._log(), clean_environment(environment), cwd)

    def script(self, source, name="script.py"):
        path = self.directory / name
        path.write_text(source)
        return path


@pytest.fixture
def run(tmp_path):
    if not (BUILD / "ftsan").exists():
        pytest.skip(f"{BUILD}/ftsan is not built (sh tools/test.sh builds it)")
    return Runner(tmp_path)


def assert_repeat_race(outcome, file, line_text=".repeat("):
    """The confirmed race of numpy#28197, with both threads inside `file`."""
    races = [finding for finding in outcome.findings
             if finding["kind"] == "race" and finding["confidence"] == "confirmed"]
    assert races, outcome
    assert all(record["canary"] for record in outcome.records("engine")
               if record["name"] == "guard"), outcome
    source = pathlib.Path(file).read_text().splitlines()
    for race in races:
        access = [stack for stack in race["stacks"] if stack["role"] in ("write", "read", "free")]
        assert len(access) == 2, race
        assert any(stack["role"] == "write" for stack in access), race
        assert access[0]["tid"] != access[1]["tid"]
        for stack in access:
            names = [frame.get("function", "") for frame in stack["frames"]]
            assert "PyArray_Repeat" in names, stack
            lines = [source[frame["line"] - 1] for frame in stack["frames"]
                     if frame["type"] == "python" and frame["file"] == str(file)]
            assert any(line_text in line for line in lines), stack


BLIND = 67


def assert_silent(outcome, status=0):
    """BLIND is the status of a run in which one thread alone could show no race."""
    assert outcome.status == status, outcome
    assert outcome.findings == [], outcome
    assert [record["canary"] for record in outcome.records("engine", "log")
            if record["name"] == "guard"] == [True], outcome


def version_in(python):
    """Of NumPy."""
    return subprocess.run([python, "-c", "import numpy; print(numpy.__version__)"],
                          capture_output=True, text=True, check=True).stdout.strip()


def build_extension(python, directory, name, *flags, source=None, suffix=None):
    """Compiles NAME.c of this directory, or `source`, for the interpreter, and its NumPy if it
    has one."""
    cc = next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if cc is None:
        pytest.skip("no C compiler")
    code = ("import importlib.util as u, os, sysconfig as s; include = s.get_path('include'); "
            "print(include, os.path.exists(include + '/Python.h'), s.get_config_var('EXT_SUFFIX'),"
            " __import__('numpy').get_include() if u.find_spec('numpy') else include)")
    include, has_header, tagged, numpy = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    if has_header != "True":
        pytest.skip(f"no Python.h of {python} in {include}")
    subprocess.run([cc, "-shared", "-fPIC", "-g", "-O1", f"-I{include}", f"-I{numpy}", *flags,
                    "-o", f"{directory}/{name}{suffix or tagged}", source or HERE / f"{name}.c"],
                   check=True)


def built(python, directory, name):
    """The same as plain NAME.so; the environment to import it in, without the GIL."""
    build_extension(python, directory, name, "-w", suffix=".so")
    return {"PYTHONPATH": str(directory), "PYTHON_GIL": "0"}


def until(wanted, attempt, tries=3):
    """The first outcome of attempt() that is wanted(), or else the last one. For what takes two
    threads to meet, which they may not do on a busy machine, or to live until they have met."""
    for _ in range(tries):
        outcome = attempt()
        if wanted(outcome):
            break
    return outcome


def has_findings(outcome):
    return bool(outcome.findings)
