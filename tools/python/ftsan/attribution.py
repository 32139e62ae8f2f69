"""Which test a finding belongs to.

A process that runs tests knows which ones it runs, and when each began and ended. It
reads what was written to its own log and to those of the processes it started, and
appends a `test` record for each finding. When a test begins it appends a `running`
record: should the process die of the bug, that is what is left to go by.
"""

import os
import threading
import time

from . import log
from .suppressions import accesses, first_match

KEPT = 64  # tests that ended; findings are read at the end of each test


class Interval:
    def __init__(self, test):
        self.test = test
        self.thread = threading.get_native_id()
        self.began = time.time()
        self.ended = None

    def holds(self, moment):
        return self.began <= moment and (self.ended is None or moment <= self.ended)


class Attributed:
    """A finding, its log, the ids of its tests, and the suppression that matched, if any."""

    def __init__(self, finding, log, tests, rule):
        self.log = log
        self.finding = finding
        self.tests = tests
        self.rule = rule


class Tests:
    """The tests of this process. All methods may be called by any thread."""

    def __init__(self, own, is_worker, rules):
        self.lock = threading.Lock()
        self.own = own
        self.pid = os.getpid()
        self.is_worker = is_worker
        self.rules = rules
        self.logs = log.Logs(own)
        self.intervals = []
        self.item_rules = {}
        self.waiting = {}  # test to the findings that its report has yet to get

    def begin(self, test, rules):
        with self.lock:
            self._after_fork()
            self._poll()  # what came between two tests is of neither
            self.intervals.append(Interval(test))
            self.item_rules[test] = rules
            self._write_running()

    def end(self, test):
        with self.lock:
            self._poll()
            for interval in self.intervals:
                if interval.test == test and interval.ended is None:
                    interval.ended = time.time()
            ended = [interval for interval in self.intervals if interval.ended is not None]
            for interval in ended[:-KEPT]:
                self.intervals.remove(interval)
                self.item_rules.pop(interval.test, None)
            self.waiting.pop(test, None)

    def finish(self):
        with self.lock:
            # xdist's controller runs no tests, and leaves the workers' findings to them.
            if self.pid == os.getpid() and self.intervals:
                self._poll()
                self._write_running()

    def take(self, test):
        """The findings that came up since the last call for this test."""
        with self.lock:
            self._after_fork()
            self._poll()
            return self.waiting.pop(test, [])

    def _after_fork(self):
        """A child that goes on running tests (pytest-forked) has a log of its own."""
        if self.pid == os.getpid():
            return
        own = log.find_own()
        if own is not None:
            self.pid = os.getpid()
            self.own = own
            self._write_running()

    def _running(self):
        return [interval.test for interval in self.intervals if interval.ended is None]

    def _write_running(self):
        log.append(self.own, "running", time=time.time(), tests=self._running())

    def _poll(self):
        for source, record in self.logs.poll(self._is_foreign):
            if record["type"] == "finding" and self._is_mine(source):
                self._attribute(source, record)

    def _is_foreign(self, source):
        """Of another process that runs tests: its findings are its own business."""
        return source.is_pytest and source.pid != self.pid

    def _is_mine(self, source):
        """Written by this process or by one that it started, at whatever remove."""
        by_pid = {other.pid: other for other in self.logs.sources.values()}
        seen = set()
        while source is not None and source.pid not in seen:
            if source.pid == self.pid:
                return True
            if source.is_pytest:
                return False
            if source.ppid == self.pid:
                return True
            seen.add(source.pid)
            source = by_pid.get(source.ppid)
        # A process in between that ran no Python has no log. It can only be ours when
        # nobody else runs tests.
        return not self.is_worker

    def _attribute(self, source, finding):
        tests = self._tests_of(finding)
        rule = first_match(self.rules, finding, tests) or self._rule_of_all(finding, tests)
        fields = {"suppressed": rule.text} if rule else {}
        log.append(source.path, "test", fingerprint=finding.get("fingerprint"), tests=tests,
                   **fields)
        for test in tests:
            self.waiting.setdefault(test, []).append(Attributed(finding, source.path, tests, rule))

    def _tests_of(self, finding):
        moment = log.number(finding.get("time"))
        found = [interval for interval in self.intervals if interval.holds(moment)]
        if len(found) > 1:
            threads = {stack.get("tid") for stack in accesses(finding)}
            by_thread = [interval for interval in found if interval.thread in threads]
            # A thread that no test is known by may be any test's.
            if threads <= {interval.thread for interval in by_thread}:
                found = by_thread
        return list(dict.fromkeys(interval.test for interval in found))

    def _rule_of_all(self, finding, tests):
        """Of the tests' own suppressions: each of the tests has to have one."""
        rules = [first_match(self.item_rules.get(test, ()), finding, tests) for test in tests]
        return rules[0] if rules and all(rules) else None
