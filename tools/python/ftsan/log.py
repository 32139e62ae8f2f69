"""The logs of a run (docs/log.md), read while they are being written, and added to."""

import json
import os
import re

READ_MAX = 1 << 24  # more than any record


def option(name, text):
    """The last value that FTSAN_OPTIONS gives for `name`, None without one."""
    value = None
    for match in re.finditer(r"""([^=:]*)(?:=('[^']*'|"[^"]*"|[^:]*))?[^:]*(?::|$)""",
                             text or ""):
        if match[1] == name and match[2] is not None:
            value = match[2]
            if value[:1] in ("'", '"') and value[-1:] == value[:1]:
                value = value[1:-1]
    return value


def _pattern(log):
    """What the names of a run's logs look like, from the option's last component."""
    name = os.path.basename(log) if log else "ftsan.%p.jsonl"
    parts = [{"%p": r"\d+", "%%": "%"}.get(part) or re.escape(part)
             for part in re.split("(%p|%%)", name)]
    own = "".join(parts)
    return re.compile(own if r"\d+" in parts else own + r"(\.\d+)?")


def find_own():
    """The path of the log that libftsan.so has open in this process, or None.

    The open file is asked for and not the option, because a relative name counts from
    where the first process of the run was started.
    """
    pattern = _pattern(option("log", os.environ.get("FTSAN_OPTIONS")))
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return None
    for descriptor in descriptors:
        try:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue
        # Another process's log can be open here, too: a child's, just after fork.
        if pattern.fullmatch(os.path.basename(path)) and _has_process(path, os.getpid()):
            return path
    return None


def _has_process(path, pid):
    return any(record["type"] == "process" and record.get("pid") == pid
               for record in Tail(path).read())


def append(path, type, **fields):
    """Adds a record, in one write(2) as the library does; whether that worked."""
    line = json.dumps({"v": 1, "type": type, **fields}) + "\n"
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        data = line.encode()
        return os.write(file, data) == len(data)
    except OSError:
        return False
    finally:
        os.close(file)


class Tail:
    """The complete records of one file, each once. Lines that are none are left out."""

    def __init__(self, path):
        self.path = path
        self.consumed = 0

    def read(self):
        try:
            if os.stat(self.path).st_size <= self.consumed:
                return
            with open(self.path, "rb") as file:
                file.seek(self.consumed)
                while chunk := file.readlines(READ_MAX):
                    for line in chunk:
                        if not line.endswith(b"\n"):
                            return  # still being written
                        self.consumed += len(line)
                        record = parse(line)
                        if record is not None:
                            yield record
        except OSError:
            return


def parse(line):
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if isinstance(record, dict) and record.get("v") == 1 and isinstance(record.get("type"), str):
        return record
    return None


class Source:
    """One file of the run, and what its records said so far.

    pid, ppid: of the process that is writing, None before its `process` record
    run: that process belongs to
    """

    def __init__(self, path):
        self.path = path
        self.tail = Tail(path)
        self.pid = self.ppid = self.run = None
        self.time = 0.0
        self.is_pytest = False
        self.is_done = False  # not read any more

    def read(self):
        for record in self.tail.read():
            if record["type"] == "process":
                self.pid = record.get("pid")
                self.ppid = record.get("ppid")
                self.run = record.get("run")
                self.time = number(record.get("time"))
                self.is_pytest = False
            elif record["type"] == "running":
                self.is_pytest = True
            elif record["type"] == "end":
                self.is_done = record.get("reason") != "exec"
            yield record


class Logs:
    """All logs of this run; the files of other runs in the same directory are skipped."""

    def __init__(self, own):
        self.directory = os.path.dirname(own)
        self.pattern = _pattern(option("log", os.environ.get("FTSAN_OPTIONS")))
        self.run = os.environ.get("FTSAN_RUN_ID", "")
        self.sources = {}
        self.listed = None
        # Without `ftsan run` there is no id, and old logs may be there: what began
        # before this process did is another run's.
        self.began = 0.0
        if not self.run:
            own_times = [number(record.get("time")) for record in Tail(own).read()
                         if record["type"] == "process" and record.get("pid") == os.getpid()]
            self.began = own_times[-1] if own_times else 0.0

    def _list(self):
        try:
            changed = os.stat(self.directory).st_mtime_ns
            if changed == self.listed:
                return
            names = os.listdir(self.directory)
        except OSError:
            return
        self.listed = changed
        for name in names:
            path = os.path.join(self.directory, name)
            if path not in self.sources and self.pattern.fullmatch(name):
                self.sources[path] = Source(path)

    def _is_ours(self, source):
        return source.pid is not None and source.run == self.run and source.time >= self.began

    def paths(self):
        """Of the files that were read and are this run's."""
        return [source.path for source in self.sources.values() if self._is_ours(source)]

    def poll(self, is_foreign=lambda source: False):
        """What was written since the last call, as pairs (source, record).

        Files of processes that ended, and those that `is_foreign` says it of, are not
        looked at again: there may be thousands.
        """
        self._list()
        for source in list(self.sources.values()):
            if source.is_done:
                continue
            for record in source.read():
                if self._is_ours(source):
                    yield source, record
            source.is_done = source.is_done or is_foreign(source)


def number(value):
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
