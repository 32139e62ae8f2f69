"""What README.md and docs/ tell to type: every command is taken, and is run as printed where
what it names can be had here.

A command line of a page is one in an indented block that begins with ftsan, pytest or
python -m ftsan. Names in capitals and the like stand for something: MEANS says what for.
What is not run as printed is in NOT_RUN, with the reason; its options are given to the
command all the same.
"""

import gzip
import os
import re
import shlex
import shutil
import signal
import subprocess
import time

import pytest
from conftest import BUILD, PROGRAMS, REPOSITORY, clean_environment, found, interpreters
from test_pytest_plugin import installed  # noqa: F401 (fixture)

FTSAN = BUILD / "ftsan"
pytestmark = pytest.mark.skipif(not FTSAN.exists(), reason=f"{FTSAN} is not built")

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
COMMANDS = ("run", "attach", "detach", "report", "doctor", "audit", "scan", "options", "version")
EXAMPLE = re.compile(r"    (?:\$ )?((?:build/)?ftsan (?=[a-z-])|pytest |python -m ftsan ).*")

# What an example may end with: its findings, or that a test without threads shows no race.
STATUSES = (0, 66, 67)

# A word of an example: the words that it stands for here.
MEANS = {
    "CMD": "python program.py",
    "CMD...": "python program.py",
    "ARGS...": "",
    "LOG": "log.jsonl",
    "LOG...": "log.jsonl",
    "FILE": "known.supp",
    "PYTHON": "python",
    "[PYTHON]": "python",
    "[LOG...]": "log.jsonl",
}
FILES = "tests mytests program.py log.jsonl main.jsonl.gz shards wheels known.supp"

# A part of an example, and why it is not run as it is printed.
NOT_RUN = {
    "lxml_schema.py": "lxml is not among the packages of the tests",
    "svc_random_state.py": "scikit-learn is large, and test_statics.py has what it shows",
    "focus=": "it needs a build of scikit-learn whose build id is in the example",
    "[--log FILE]": "it is a synopsis",
    "[OPTION...]": "it is a synopsis",
}

TESTS = """
import threading
import numpy as np

shared = np.ones(300)

def test_sum():
    threads = [threading.Thread(target=lambda: [shared.sum() for _ in range(300)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared.sum() == 300
"""

WAITS = "import time\nprint('ready', flush=True)\nwhile True:\n    time.sleep(0.01)\n"


def examples(page):
    """Command lines of the page, without what is a comment."""
    for line in page.read_text().splitlines():
        line = re.sub(r"\s+#.*", "", line)
        if EXAMPLE.fullmatch(line):
            yield line.strip().removeprefix("$ ")


ALL = sorted({line for page in PAGES for line in examples(page)})
ATTACHING = [line for line in ALL if " attach " in line]
OTHERS = [line for line in ALL if " attach " not in line]


def why_not(line):
    return next((reason for part, reason in NOT_RUN.items() if part in line), None)


@pytest.fixture(scope="module")
def python():
    """One will do: what is tested is what is printed."""
    if not interpreters():
        pytest.skip("there is no free-threaded interpreter (sh tools/test.sh gets one)")
    return found(None, "setup.sh", "venv", "--find", "--python", interpreters()[0],
                 "plugin-fixed") + "/bin/python"


@pytest.fixture(scope="module")
def place(python, installed, tmp_path_factory):  # noqa: F811
    """A directory that has what the examples name, and the environment to run them in."""
    place = tmp_path_factory.mktemp("place")
    for name in ("build", "bin", "shards", "wheels/numpy/_core", "mytests", "tests/python/programs"):
        (place / name).mkdir(parents=True)
    for name in ("build", "bin"):
        (place / name / "ftsan").symlink_to(FTSAN)
    (place / "bin" / "python").write_text(f"#!/bin/sh\nexec {shlex.quote(python)} \"$@\"\n")
    (place / "bin" / "pytest").write_text(f"#!/bin/sh\nexec {shlex.quote(python)} -m pytest \"$@\"\n")
    for name in ("python", "pytest"):
        (place / "bin" / name).chmod(0o755)
    for name in ("mytests", "tests"):
        (place / name / "test_it.py").write_text(TESTS)
    (place / "program.py").write_text(TESTS + "test_sum()\n")
    (place / "known.supp").write_text("race:nothing_that_there_is\n")
    for program in PROGRAMS.glob("*.py"):
        shutil.copy(program, place / "tests" / "python" / "programs")
    environment = clean_environment({
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(installed),
        "XDG_STATE_HOME": str(place / "state")})
    done = call("ftsan run --log log.jsonl --options mode=all -- python program.py", place, environment)
    assert done.returncode in STATUSES, done
    for name in ("main.jsonl.gz", "shards/a.jsonl.gz"):
        (place / name).write_bytes(gzip.compress((place / "log.jsonl").read_bytes()))
    assert all((place / name).exists() for name in FILES.split())
    return place, environment


def call(line, place, environment):
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=place,
                          env=environment, timeout=300, stdin=subprocess.DEVNULL)


def with_meaning(line):
    return " ".join(MEANS.get(word, word) for word in line.split(" "))


def is_taken(done):
    """The command knew what was asked of it: usage errors say where the help is."""
    return (done.returncode not in (2, 4, 126, 127) and "--help" not in done.stderr and
            "unknown option" not in done.stderr and "unrecognized arguments" not in done.stderr)


@pytest.fixture(scope="module")
def helps():
    texts = {}
    for name in COMMANDS:
        done = subprocess.run([FTSAN, name, "--help"], capture_output=True, text=True)
        texts[name] = done.stdout + done.stderr
    return texts


@pytest.mark.parametrize("line", [line for line in ALL if "ftsan " in line.partition(" --")[0]])
def test_documented_commands_and_options_are_there(line, helps):
    command, _, words = re.sub(r".*?ftsan ", "", line, count=1).partition(" ")
    assert command in COMMANDS, line
    for word in f" {words}".partition(" -- ")[0].split():
        option = re.match(r"\[?(--[a-z-]+)", word)
        if option:
            assert option.group(1) in helps[command], (line, word)


# `audit --baseline` reads what an earlier example made.
@pytest.mark.parametrize("line", sorted(OTHERS, key=lambda line: "--baseline audit" in line))
def test_it_runs_as_printed(line, place):
    directory, environment = place
    reason = why_not(line)
    if reason == "it is a synopsis":
        pytest.skip(reason)
    if "--baseline audit.json" in line and not (directory / "audit.json").exists():
        call("ftsan audit -o audit.json -- python program.py", directory, environment)
    if "/mnt/container" in line:
        line = line.replace("/mnt/container", "/")
    if reason is not None:
        # What is before the command that is run is the example's, as it is printed.
        line = re.sub(r" -- .*", " -- python program.py", line)
    done = call(with_meaning(line), directory, environment)
    assert is_taken(done), done
    allowed = (*STATUSES, 1) if " doctor" in line else STATUSES
    assert done.returncode in allowed, done
    if "pytest " in line and reason is None:
        assert "1 passed" in done.stdout and "Traceback" not in done.stderr, done


@pytest.mark.parametrize("line", ATTACHING)
def test_it_attaches_as_printed(line, place, python):
    directory, environment = place
    with subprocess.Popen([python, "-c", WAITS], stdout=subprocess.PIPE, text=True,
                          env=clean_environment({})) as program:
        try:
            assert program.stdout.readline() == "ready\n"
            words = re.sub(r"\b(PID|4711)\b", str(program.pid), line)
            with subprocess.Popen(f"exec {words}", shell=True, cwd=directory, env=environment,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as attach:
                time.sleep(2)
                attach.send_signal(signal.SIGINT)
                out, errors = attach.communicate(timeout=60)
            if "Operation not permitted" in errors:
                pytest.skip("ptrace is not allowed here")
            assert attach.returncode in STATUSES, (words, out, errors)
            if "--keep" in line:
                done = call(f"ftsan detach {program.pid}", directory, environment)
                assert done.returncode in STATUSES, done
            assert program.poll() is None
        finally:
            program.kill()


def test_there_are_examples():
    """Proof of life: a change of the pages' style would make all of this silent."""
    assert len(OTHERS) > 25 and len(ATTACHING) >= 5, ALL
    for part in (*NOT_RUN, *MEANS):
        assert any(part in line for line in ALL), f"no example has {part} any more"
