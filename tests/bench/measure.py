"""Pairs of measurements, and what is said of them.

A configuration is compared with another one measured within the same round, so that what
else the machine does hits both; a figure is the median of the rounds, with quartiles.
"""

import os
import signal
import statistics
import subprocess
import tempfile
import time


def quartiles(values):
    """(first quartile, median, third quartile)"""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


class Failed(Exception):
    pass


class Row:
    """One thing that was measured, in several configurations.

    values: {configuration: [value of round 0, of round 1, ...]}; None: it failed
    """

    def __init__(self, name, unit, reference="bare", note=""):
        self.name, self.unit, self.reference, self.note = name, unit, reference, note
        self.values = {}
        self.skipped = {}  # configuration to the reason

    def add(self, configuration, value):
        self.values.setdefault(configuration, []).append(value)

    def skip(self, configuration, reason):
        self.skipped[configuration] = reason

    def summary(self, configuration):
        values = [value for value in self.values.get(configuration, []) if value is not None]
        return quartiles(values) if values else None

    def ratio(self, configuration):
        """Quartiles of the ratios to the reference, round by round."""
        pairs = zip(self.values.get(configuration, []), self.values.get(self.reference, []))
        ratios = [value / base for value, base in pairs if value is not None and base]
        return quartiles(ratios) if ratios and configuration != self.reference else None

    def as_json(self):
        def named(three):
            return dict(zip(("q1", "median", "q3"), three)) if three else None
        return {"name": self.name, "unit": self.unit, "reference": self.reference,
                "note": self.note, "skipped": self.skipped,
                "configurations": {
                    name: {"value": named(self.summary(name)), "ratio": named(self.ratio(name)),
                           "rounds": values}
                    for name, values in self.values.items()}}


class Group:
    """Rows that make one table."""

    def __init__(self, title, text="", columns=None):
        self.title, self.text, self.columns = title, text, columns
        self.rows = []

    def row(self, *arguments, **named):
        self.rows.append(Row(*arguments, **named))
        return self.rows[-1]

    def as_json(self):
        return {"title": self.title, "text": self.text,
                "rows": [row.as_json() for row in self.rows]}


def interleaved(configurations, n_rounds):
    """(round, configuration), each round in another order."""
    names = list(configurations)
    for i in range(n_rounds):
        for j in range(len(names)):
            yield i, names[(i + j) % len(names)]


class Finished:
    """How a process ended and what it took: seconds, seconds of CPU, peak RSS in MiB."""

    def __init__(self, status, seconds, cpu, rss, output):
        self.status, self.seconds, self.cpu, self.rss, self.output = (
            status, seconds, cpu, rss, output)


def run(command, environment, cwd, timeout=3600, keep=True):
    """Runs a process to its end. Its output is kept in a file, so that a pipe that is
    full holds nobody up; children that it waited for count as its own."""
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        child = subprocess.Popen([str(word) for word in command], env=environment, cwd=cwd,
                                 stdin=subprocess.DEVNULL,
                                 stdout=output if keep else subprocess.DEVNULL,
                                 stderr=subprocess.STDOUT)
        usage = None
        while usage is None:
            if timeout is not None and time.monotonic() - began > timeout:
                os.kill(child.pid, signal.SIGKILL)  # Popen.kill() may reap it
            pid, status, used = os.wait4(child.pid, 0 if timeout is None else os.WNOHANG)
            if pid:
                usage = used
            else:
                time.sleep(0.0005 if time.monotonic() - began < 1 else 0.02)
        seconds = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Finished(child.returncode, seconds, usage.ru_utime + usage.ru_stime,
                    usage.ru_maxrss / 1024, text)


class Worker:
    """A guest that stays, and runs what it is told in slices (loops.py)."""

    def __init__(self, command, environment, cwd):
        self.child = subprocess.Popen([str(word) for word in command], env=environment, cwd=cwd,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        """The number that the worker answers."""
        self.child.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line.endswith("\n"):
            raise Failed(f"the worker ended, status {self.child.wait()}, at {words}")
        return float(line)

    def close(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait()
