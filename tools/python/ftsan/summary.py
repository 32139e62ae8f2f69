"""What the logs of a test run add up to. Reads logs only: a process may have died."""

from . import log
from .suppressions import first_match

CONFIDENCE = {"latent": 1, "probable": 2, "confirmed": 3}


class Found:
    """One bug: the record with the best proof, and all tests it was seen in."""

    def __init__(self, finding):
        self.finding = finding
        self.tests = []
        self.processes = set()

    def add(self, finding, tests, process):
        if _rank(finding) > _rank(self.finding):
            self.finding = finding
        self.tests += [test for test in tests if test not in self.tests]
        self.processes.add(process)


class Names:
    """A bug may have two names (docs/log.md): which one it goes by here."""

    def __init__(self):
        self.names = {}

    def key(self, finding):
        own, also = finding.get("fingerprint"), finding.get("also")
        if self.names.get(own) == own:
            key = own
        elif also is not None and self.names.get(also) == also:
            key = also
        else:
            key = self.names.get(own, own)
        self.names.setdefault(own, key)
        if also is not None:
            self.names.setdefault(also, key)
        return key


class Summary:
    """found: by fingerprint; suppressed: the same for those that a rule matched"""

    def __init__(self):
        self.found = {}
        self.suppressed = {}
        self.processes = 0
        self.logs = []  # the files of the run
        self.inactive = []  # why engines do not work, each reason once


class _Process:
    """The records of one file since its last `process`."""

    def __init__(self):
        self.findings = []  # (finding, tests that were running)
        self.running = []
        self.attributed = {}  # fingerprint to (tests, suppression)

    def attribute(self, record):
        """A test that ran in a process that a test started may add its name to it."""
        tests, suppressed = self.attributed.get(record.get("fingerprint"), ([], None))
        more = [test for test in _texts(record.get("tests")) if test not in tests]
        self.attributed[record.get("fingerprint")] = (
            tests + more, suppressed or record.get("suppressed"))


def _rank(finding):
    return CONFIDENCE.get(finding.get("confidence"), 0)


def _texts(value):
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _read(logs, summary):
    processes, last = [], {}
    for source, record in logs.poll():
        kind = record["type"]
        if kind == "process":
            last[source] = _Process()
            processes.append(last[source])
            summary.processes += 1
        process = last.get(source)
        if process is None:
            continue
        if kind == "finding":
            process.findings.append((record, process.running))
        elif kind == "running":
            process.running = _texts(record.get("tests"))
        elif kind == "test":
            process.attribute(record)
        elif kind == "engine" and record.get("active") is False:
            reason = f"{record.get('name', '?')}: {record.get('reason', 'unknown reason')}"
            if reason not in summary.inactive:
                summary.inactive.append(reason)
    return processes


def read(own, rules):
    """`own`: a log of the run; `rules`: the suppressions of the configuration."""
    summary, names = Summary(), Names()
    logs = log.Logs(own)
    processes = _read(logs, summary)
    summary.logs = logs.paths()
    for number, process in enumerate(processes):
        for finding, running in process.findings:
            fingerprint = finding.get("fingerprint")
            tests, suppressed = process.attributed.get(fingerprint, (running, None))
            if suppressed or first_match(rules, finding, tests):
                group = summary.suppressed
            else:
                group = summary.found
            group.setdefault(names.key(finding), Found(finding)).add(finding, tests, number)
    for fingerprint in summary.found:
        # What one rule matches of a bug is not all that there is of it.
        summary.suppressed.pop(fingerprint, None)
    return summary
