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


def records(*names, problems=None):
    """Every record of the logs, as a dict, in the order of the files.

    A name may have wildcards. Lines that are no records are counted in `problems` (a
    Problems) and left out; a file that can't be opened raises OSError.
    """
    problems = Problems() if problems is None else problems
    for path in _paths(names):
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


def occurrences(*names, problems=None):
    """Every finding of every process. Each gets the members "process" (its record) and
    "repeats": how often that process met it again, None when it did not say."""
    process, waiting = None, []

    def settle(end):
        duplicates = end.get("duplicates") if end else None
        duplicates = dict(duplicates) if isinstance(duplicates, dict) else {}
        for finding in waiting:
            # They are the process's, so that its first record of the finding gets them.
            more = duplicates.pop(finding.get("fingerprint"), 0)
            if end:
                finding["repeats"] = more if isinstance(more, int) else 0
            yield finding
        waiting.clear()

    for record in records(*names, problems=problems):
        if record["type"] == "process":
            yield from settle(None)
            process = record
        elif record["type"] == "finding":
            waiting.append({**record, "process": process, "repeats": None})
        elif record["type"] == "end":
            yield from settle(record)
    yield from settle(None)


def _rank(finding):
    confidence = finding.get("confidence")
    return CONFIDENCES.index(confidence) if confidence in CONFIDENCES else -1


def findings(*names, problems=None):
    """The distinct findings, in the order they first occurred: the best proof of each, with
    "count" (occurrences), "processes", "first" and "last" (times, None when unknown), and
    "tests" (all that it occurred in)."""
    merged = {}
    for occurrence in occurrences(*names, problems=problems):
        key = occurrence.get("fingerprint")
        known = merged.get(key)
        times = [time for time in (occurrence.get("time"),) if isinstance(time, (int, float))]
        count, processes, tests = 1 + (occurrence["repeats"] or 0), 1, occurrence.get("tests") or []
        if known is not None:
            count += known["count"]
            processes += known["processes"]
            times += [time for time in (known["first"], known["last"]) if time is not None]
            tests = list(dict.fromkeys(known["tests"] + tests))
        best = occurrence if known is None or _rank(occurrence) > _rank(known) else known
        merged[key] = {**best, "count": count, "processes": processes, "tests": tests,
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
