"""What README.md and docs/ tell to type is there, and README's first commands run as printed."""

import re
import subprocess

import pytest
from conftest import BUILD, REPOSITORY, clean_environment, found

FTSAN = BUILD / "ftsan"
pytestmark = pytest.mark.skipif(not FTSAN.exists(), reason=f"{FTSAN} is not built")

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
COMMANDS = ("run", "attach", "detach", "report", "doctor", "audit", "scan", "options", "version")

# What an example may end with: its findings, or that a test without threads shows no race.
STATUSES = (0, 66, 67)

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


def examples(page):
    """Command lines in blocks of the page: the command, its words, without what is a comment."""
    for line in page.read_text().splitlines():
        line = re.sub(r"\s+#.*", "", line)
        match = re.match(r"    (?:\$ )?(?:build/)?ftsan (\w+)(?: (.*))?$", line)
        if match:
            yield match.group(1), f" {match.group(2) or str()}".partition(" -- ")[0].split()


@pytest.fixture(scope="module")
def helps():
    texts = {}
    for name in COMMANDS:
        done = subprocess.run([FTSAN, name, "--help"], capture_output=True, text=True)
        texts[name] = done.stdout + done.stderr
    return texts


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documented_commands_and_options_are_there(page, helps):
    for command, words in examples(page):
        assert command in COMMANDS, (page.name, command)
        for word in words:
            option = re.match(r"\[?(--[a-z-]+)", word)
            if option:
                assert option.group(1) in helps[command], (page.name, command, word)


@pytest.fixture(scope="module")
def python(interpreter):
    return found(None, "setup.sh", "venv", "--find", "--python", interpreter, "plugin-fixed") + "/bin/python"


def commands_of_readme():
    text = (REPOSITORY / "README.md").read_text()
    lines = re.findall(r"^    (build/ftsan (?:run|audit) [^\n]*mytests)", text, re.MULTILINE)
    assert len(lines) >= 2, "README.md has lost its first commands"
    return lines


@pytest.mark.parametrize("line", commands_of_readme())
def test_first_commands_of_the_readme(line, python, tmp_path):
    (tmp_path / "mytests").mkdir()
    (tmp_path / "mytests" / "test_it.py").write_text(TESTS)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "ftsan").symlink_to(FTSAN)
    line = line.replace(" python ", f" {python} ")
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=tmp_path,
                          env=clean_environment({}), timeout=300)
    assert done.returncode in STATUSES, (done.stdout, done.stderr)
    assert "1 passed" in done.stdout and "Traceback" not in done.stderr, (done.stdout, done.stderr)
