"""Reads ftsan's logs (docs/log.md). One file, standard library only: copy it where needed.

    import ftsan_log

    for finding in ftsan_log.findings("log.jsonl", "shard-*.jsonl.gz"):
        print(finding["fingerprint"], finding["count"], finding["title"])
"""

import collections
import glob
import gzip
import json
import os
import zlib

VERSION = 1
CONFIDENCES = ("latent", "probable", "confirmed")
__all__ = ["Problems", "access_stacks", "call_site", "findings", "is_libc", "occurrences",
           "records", "top_frame"]


class Problems(collections.Counter):
    """What could not be read, by kind: "torn" ends of files, "lines" that are no records of
    this version, "gzip" data that is damaged. Falsy when all was well."""


def _paths(names):
    for name in names:
        name = os.fspath(name)
        found = sorted(glob.glob(name)) if not os.path.exists(name) else [name]
        if not found:
            raise FileNotFoundError(name)
        yield from found


def _lines(path, problems):
    """Complete lines, as bytes. A log that is being written ends anywhere."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if packed else file
        try:
            for line in stream:
                if not line.endswith(b"\n"):
                    problems["torn"] += 1
                    return
                yield line
        except (EOFError, zlib.error, gzip.BadGzipFile):
            problems["gzip"] += 1


def _records(path, problems):
    for line in _lines(path, problems):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if (not isinstance(record, dict) or record.get("v") != VERSION or
                not isinstance(record.get("type"), str)):
            problems["lines"] += 1
        else:
            yield record


def records(*names, problems=None):
    """Every record of the logs, as a dict, in the order of the files.

    A name may have wildcards. Lines that are no records are counted in `problems` (a
    Problems) and left out; a file that can't be opened raises OSError.
    """
    problems = Problems() if problems is None else problems
    for path in _paths(names):
        yield from _records(path, problems)


class _Process:
    """A process and its findings, until all was read that is told of them."""

    def __init__(self, record=None):
        self.record, self.found, self.running = record, [], []
        self.own = {}  # tests that a finding's own record names
        self.told = set()  # findings that the plugin told of

    def add(self, finding):
        own = finding.get("tests")
        self.found.append({**finding, "process": self.record, "repeats": None,
                           "suppressed": None, "tests": self.running if own is None else own})
        self.own[id(self.found[-1])] = own or []

    def end(self, record):
        duplicates = record.get("duplicates")
        duplicates = dict(duplicates) if isinstance(duplicates, dict) else {}
        for finding in self.found:
            # They are the process's, so that its first record of the finding gets them.
            more = duplicates.pop(finding.get("fingerprint"), 0)
            finding["repeats"] = more if isinstance(more, int) else 0

    def name_tests(self, record):
        """What the pytest plugin made of a finding; better than what ran at the time."""
        same = [finding for finding in self.found
                if finding.get("fingerprint") == record.get("fingerprint")]
        if same:
            # There is a record for each, in their order.
            finding = next((one for one in same if id(one) not in self.told), same[-1])
            self.told.add(id(finding))
            finding["tests"] = self.own[id(finding)] + (record.get("tests") or [])
            finding["suppressed"] = record.get("suppressed")


def occurrences(*names, problems=None):
    """Every record of a finding (a process writes one for each sort of evidence), with these
    members besides those of the log:

    process     the process's record, None when it is missing
    repeats     how often that process met it again, None when it did not say
    tests       ids of the tests that it belongs to; [] without the pytest plugin
    suppressed  the pytest plugin's suppression that matched, or None
    """
    problems = Problems() if problems is None else problems
    for path in _paths(names):
        process = _Process()
        for record in _records(path, problems):
            type = record["type"]
            if type == "process":
                yield from process.found
                process = _Process(record)
            elif type == "finding":
                process.add(record)
            elif type == "end":
                process.end(record)
            elif type == "running":
                process.running = record.get("tests") or []
            elif type == "test":
                process.name_tests(record)
        yield from process.found


def _rank(finding):
    confidence = finding.get("confidence")
    return CONFIDENCES.index(confidence) if confidence in CONFIDENCES else -1


def _key(names, finding):
    """The fingerprint that a finding goes by: a bug may have two names (docs/log.md)."""
    own, also = finding.get("fingerprint"), finding.get("also")
    if names.get(own) == own:
        key = own
    elif also is not None and names.get(also) == also:
        key = also
    else:
        key = names.get(own, own)
    names.setdefault(own, key)
    if also is not None:
        names.setdefault(also, key)
    return key


def findings(*names, problems=None):
    """The distinct findings, in the order they first occurred: the best proof of each, with
    "count" (occurrences), "processes", "first" and "last" (times, None when unknown),
    "tests" (all that it occurred in), and "suppressed" (True when the pytest plugin's
    suppressions matched every time)."""
    merged, known_as, processes_of = {}, {}, {}
    for occurrence in occurrences(*names, problems=problems):
        key = _key(known_as, occurrence)
        known = merged.get(key)
        # The records are kept, so that no other one gets the id of one that is gone.
        processes_of.setdefault(key, {})[id(occurrence["process"])] = occurrence["process"]
        times = [time for time in (occurrence.get("time"),) if isinstance(time, (int, float))]
        count, tests = 1 + (occurrence["repeats"] or 0), occurrence.get("tests") or []
        if known is not None:
            count += known["count"]
            times += [time for time in (known["first"], known["last"]) if time is not None]
            tests = known["tests"] + tests
        suppressed = occurrence["suppressed"] is not None and (
            known is None or known["suppressed"])
        best = occurrence if known is None or _rank(occurrence) > _rank(known) else known
        merged[key] = {**best, "fingerprint": key, "count": count,
                       "processes": len(processes_of[key]),
                       "tests": list(dict.fromkeys(tests)), "suppressed": suppressed,
                       "first": min(times, default=None), "last": max(times, default=None)}
    return list(merged.values())


def is_libc(frame):
    """memmove and its like are where an access was made, but name nobody."""
    name = os.path.basename(frame.get("module", ""))
    return name.startswith(("libc.so", "libc-2", "ld-linux", "libpthread"))


def access_stacks(finding):
    """The stacks of the threads that met; without that of the allocation."""
    return [stack for stack in finding.get("stacks", ()) if stack.get("role") != "alloc"]


def top_frame(stack, type=None):
    """The innermost frame ("native", "python", None: any) that names somebody, or None."""
    for frame in stack.get("frames", ()):
        if type in (None, frame.get("type")) and not is_libc(frame):
            return frame
    return None


def call_site(stack):
    """"file.py:12 function" of the innermost Python frame, else "module+0x34 function"."""
    frame = top_frame(stack, "python") or top_frame(stack)
    if frame is None:
        return "?"
    if frame.get("type") == "python":
        place = f"{frame.get('file', '?')}:{frame.get('line', 0)}"
    else:
        place = f"{os.path.basename(frame.get('module', '?'))}+{frame.get('offset', '?')}"
    return f"{place} {frame.get('function', '')}".rstrip()
