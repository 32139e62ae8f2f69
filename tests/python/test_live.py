"""What is shown while a program runs: ftsan attach --live, and the line that is updated."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import log_maker as log
from conftest import BUILD, PROGRAMS, clean_environment
from test_attach import command, target

PROGRAM = PROGRAMS / "attached.py"
COLUMNS, ROWS = 72, 20
ENTER, LEAVE = "\033[?1049h", "\033[?1049l"


def on_a_terminal(*words):
    """What a command writes to a terminal, and its status."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.execve(BUILD / "ftsan", [str(word) for word in ("ftsan", *words)],
                  {**clean_environment({}), "TERM": "xterm"})
    written = b""
    with contextlib.suppress(OSError):  # the terminal's other end is closed
        while more := os.read(terminal, 1 << 16):
            written += more
    os.close(terminal)
    return written.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def plain(text):
    return re.sub("\033\\[[0-9;?]*[a-zA-Z]", "", text)


def test_attach_live(numpy_fixed):
    with target(numpy_fixed, PROGRAM, "repeat") as program:
        text, status = on_a_terminal("attach", "--live", "--duration", "4", program.pid)
        assert program.end() == (0, "end 0\n", "")
    assert status == 0, text
    assert text.count(ENTER) == text.count(LEAVE) == 1, text
    screens = text.partition(ENTER)[2].partition(LEAVE)[0].split("\033[H")[1:]
    assert len(screens) > 4, text
    for screen in screens:
        lines = [line.rstrip("\r") for line in plain(screen).split("\n")]
        assert len(lines) <= ROWS and max(map(len, lines)) <= COLUMNS, lines
    last = plain(screens[-1])
    assert f"attached to process {program.pid}  0:0" in last, last
    assert "nothing found so far" in last and "watched: shapes and strides of arrays" in last, last
    assert re.search(r"_multiarray_umath +\d+ +\d+ +\d+ ", last), last
    # The report is on the screen that was there before.
    after = plain(text.partition(LEAVE)[2])
    assert "detached from process" in after and "ftsan: CLEAN" in after, text


def test_without_a_terminal_there_are_lines(numpy_fixed):
    with target(numpy_fixed, PROGRAM, "repeat") as program:
        status, words = command("attach", "--live", "--duration", "1", program.pid)
    assert status == 0 and "\033" not in words and "ftsan: CLEAN" in words, words


def test_progress(numpy_fixed):
    text, status = on_a_terminal("run", "--progress", "--options", "blindcode=0", "--", numpy_fixed,
                                 "-c", "import numpy, time; a = numpy.ones(9); time.sleep(3)")
    assert status == 0, text
    lines = plain(text).split("\r")
    shown = [line for line in lines if re.match(r"ftsan: 0:0\d, 0 findings so far, watched: ", line)]
    assert len(shown) >= 3 and max(map(len, shown)) < COLUMNS, text


def test_places_are_links_on_a_terminal_only(tmp_path):
    source = tmp_path / "a+b.py"
    source.write_text("\n" * 6 + "np.repeat(a, 2)\n")
    access = log.stack("write", log.python("work", str(source)), log.python("gone", "/nowhere/x.py"))
    log.write(tmp_path / "log", *log.run(log.finding(stacks=[access])))
    link = f"\033]8;;file://{os.uname().nodename}{tmp_path}/a%2Bb.py\033\\"
    text, status = on_a_terminal("report", tmp_path / "log")
    assert status == 0 and text.count("\033]8;;file:") == text.count(link) >= 1, text
    done = subprocess.run([BUILD / "ftsan", "report", "--color", "always", tmp_path / "log"],
                          capture_output=True, text=True, env=clean_environment({}))
    assert "np.repeat(a, 2)" in done.stdout and "\033]8" not in done.stdout, done.stdout
