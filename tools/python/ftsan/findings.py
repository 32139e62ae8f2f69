"""The part of the plugin that is there when pytest runs under ftsan."""

import os

import pytest

from . import hang, log, report, summary, suppressions, text
from .attribution import Tests
from .restart import STARTED_BY_US

EXIT_FINDINGS = 66
MARKER = "ftsan_suppress"


class Findings:
    """own: the log of this process; is_worker: one of pytest-xdist's, which reports to another"""

    def __init__(self, config, own, is_worker):
        self.config = config
        self.own = own
        self.rules = self._parse(config.getini("ftsan_suppressions"), "ftsan_suppressions")
        file = log.option("suppressions", os.environ.get("FTSAN_OPTIONS"))
        if file:
            self.rules += self._parse(_lines(file), file)
        self.is_worker = is_worker
        self.tests = Tests(own, self.is_worker, self.rules)
        self._summary = None

    def _parse(self, lines, source):
        try:
            rules = suppressions.parse(lines)
        except ValueError as error:
            raise pytest.UsageError(f"{source}: {error}") from None
        for rule in rules:
            if rule.expired:
                self.config.issue_config_time_warning(
                    pytest.PytestWarning(f"{source}: {rule.text} has expired"), 2)
        return rules

    def _rules_of(self, item):
        lines = [line for marker in item.iter_markers(MARKER) for line in marker.args]
        if not all(isinstance(line, str) for line in lines):
            raise pytest.UsageError(f"{item.nodeid}: {MARKER} takes texts")
        return self._parse(lines, item.nodeid)

    # --- each test -----------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_collection_modifyitems(self, items):
        """Mistakes in markers are told before the first test runs."""
        result = yield
        for item in items:
            item.stash[RULES] = self._rules_of(item)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item):
        self.tests.begin(item.nodeid, item.stash.get(RULES, ()))
        try:
            with hang.watch(self.config.option.ftsan_timeout):
                return (yield)
        finally:
            self.tests.end(item.nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        result = yield
        if call.when == "setup" and result.passed:
            return result  # a failed one would keep the test from running: tell it later
        found = [one for one in self.tests.take(item.nodeid) if one.rule is None]
        if found and self.config.option.ftsan_fail and result.passed:
            texts = report.blocks([one.log for one in found])
            result.outcome = "failed"
            result.longrepr = "\n".join(_block_of(texts, one.finding) or _reason(item, one)
                                        for one in found)
        else:
            result.sections += [("ftsan", text.long(one.finding)) for one in found]
        return result

    # --- the end -------------------------------------------------------------------

    def summary(self):
        if self._summary is None:
            self._summary = summary.read(self.own, self.rules)
        return self._summary

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session, exitstatus):
        self.tests.finish()
        if self.is_worker or not os.environ.get(STARTED_BY_US):
            return
        if exitstatus == pytest.ExitCode.OK and self._fails():
            session.exitstatus = EXIT_FINDINGS

    def _fails(self):
        """As the project's fail-on has it (`ftsan run` hands it on)."""
        fail_on = os.environ.get("FTSAN_FAIL_ON", "any")
        return fail_on != "never" and any(
            fail_on != "confirmed" or one.finding.get("confidence") == "confirmed"
            for one in self.summary().found.values())

    def pytest_report_header(self):
        return f"ftsan: log {self.own}"

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter):
        result = self.summary()
        found = list(result.found.values())
        if found:
            terminalreporter.write_sep("=", f"ftsan: FOUND {_count(len(found), 'bug')}", red=True,
                                     bold=True)
            texts = self._texts(result, terminalreporter)
            for one in found:
                block = _block_of(texts, one.finding)
                if block is not None:
                    terminalreporter.write_line(block + "\n")
                else:
                    self._write(terminalreporter, one)
            terminalreporter.write_line(f"log: {self.own}")
        for reason in result.inactive:
            terminalreporter.write_line(f"ftsan: engine NOT ACTIVE: {text.clean(reason)}", red=True)
        if result.suppressed or not found:
            terminalreporter.write_line(
                f"ftsan: {_count(len(found), 'finding')}, {len(result.suppressed)} suppressed, in "
                f"{_count(result.processes, 'process', 'processes')}")
        if not found:
            # What this process has watched is told when it ends.
            terminalreporter.write_line(
                "ftsan: no verdict yet: CLEAN or NOTHING WATCHED is said when pytest is done")

    def _texts(self, result, terminalreporter):
        """In full, unless they were printed with the tests that failed, or the command will
        print them (a plain `ftsan run -- pytest`)."""
        if self.config.option.ftsan_fail or not os.environ.get(STARTED_BY_US):
            return {}
        return report.blocks(result.logs, terminalreporter.hasmarkup)

    def _write(self, terminalreporter, one):
        first, *rest = text.short(one.finding, self._files(one.tests))
        terminalreporter.write_line(first, bold=True)
        for test in one.tests:
            terminalreporter.write_line(f"  test  {text.clean(test)}")
        if not one.tests:
            terminalreporter.write_line("  test  none was running (collection, imports, "
                                        "or between tests)")
        for line in rest:
            terminalreporter.write_line(line)

    def _files(self, tests):
        root = str(self.config.rootpath)
        return {os.path.join(root, test.partition("::")[0]) for test in tests}


RULES = pytest.StashKey()


def _block_of(texts, finding):
    return texts.get(finding.get("fingerprint")) or texts.get(finding.get("also"))


def _lines(path):
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.readlines()
    except (OSError, UnicodeError) as error:
        raise pytest.UsageError(f"the suppressions can't be read: {error}") from None


def _reason(item, one):
    lines = text.short(one.finding, {str(getattr(item, "path", ""))})
    if len(one.tests) > 1:
        lines.append(f"  {len(one.tests)} tests ran at the time: {', '.join(one.tests)}")
    return "\n".join(["ftsan: " + lines[0], *lines[1:]])


def _count(number, word, words=None):
    return f"{number} {word if number == 1 else words or word + 's'}"
