"""Suppressions: the same lines, with the same meaning, as `ftsan report --suppressions` takes.

    TYPE:PATTERN [until=YYYY-MM-DD]    # a comment

docs/suppressions.md says what each type looks at.
"""

import datetime
import re

TYPES = ("race", "race_top", "module", "test", "kind", "fingerprint")
LIBC = ("libc.so", "libc-2", "ld-linux", "libpthread")


class Rule:
    """One line. `expired`: the day that it names is over, so it suppresses nothing."""

    def __init__(self, line, today=None):
        """Raises ValueError, with a text for the user."""
        self.text = line.strip()
        type, colon, pattern = self.text.partition(":")
        self.type = type.strip()
        if not colon or self.type not in TYPES:
            raise ValueError(f"{self.text!r}: not of the form TYPE:PATTERN, where TYPE is one "
                             f"of {', '.join(TYPES)}")
        pattern, until = self._take_attributes(pattern.strip())
        self.expired = until is not None and until < (today or _utc_today())
        self._check(pattern)
        self._search = _compile(pattern, whole=self.type in ("kind", "fingerprint"))

    def _take_attributes(self, pattern):
        until = None
        while attribute := re.search(r"\s+([a-z]+)=(\S*)$", pattern):
            if attribute[1] != "until":
                raise ValueError(f"{self.text!r}: only until=YYYY-MM-DD may follow a pattern")
            try:
                date = datetime.datetime.strptime(attribute[2], "%Y-%m-%d").date()
            except ValueError:
                date = None
            if date is None or date.isoformat() != attribute[2]:
                raise ValueError(f"{self.text!r}: no date of the form YYYY-MM-DD")
            until = min(until or date, date)
            pattern = pattern[:attribute.start()]
        return pattern, until

    def _check(self, pattern):
        if not pattern:
            raise ValueError(f"{self.text!r}: there is no pattern")
        if self.type == "fingerprint" and not re.fullmatch("[0-9a-fA-F]{16}", pattern):
            raise ValueError(f"{self.text!r}: a fingerprint has 16 hexadecimal digits")

    def matches(self, finding, tests=()):
        return not self.expired and any(self._search(subject) for subject in
                                        _subjects(self.type, finding, tests)
                                        if isinstance(subject, str))


def _utc_today():
    return datetime.datetime.now(datetime.timezone.utc).date()


def _compile(pattern, whole):
    """Somewhere in the text, unless ^ and $ say otherwise; a backslash quotes."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    begins = whole or parts[:1] == ["^"]
    ends = whole or parts[-1:] == ["$"]
    if not whole:
        parts = parts[begins:len(parts) - ends]
    middle = "".join({"*": ".*", "?": "."}.get(part) or
                     re.escape(part[-1] if len(part) == 2 else part) for part in parts)
    return re.compile((r"\A" if begins else "") + middle + (r"\Z" if ends else ""),
                      re.DOTALL | re.IGNORECASE * whole).search


def _subjects(type, finding, tests):
    """The texts that a line of this type looks at."""
    if type in ("fingerprint", "kind"):
        yield finding.get(type)
    elif type == "test":
        yield from tests
    elif type == "race":
        for stack in stacks(finding):
            for frame in frames_of(stack):
                yield from _names(frame)
    else:
        for stack in accesses(finding):
            if frame := top(frames_of(stack), native=type == "module"):
                yield from _names(frame) if type == "race_top" else _paths(frame.get("module"))


def _names(frame):
    yield frame.get("function")
    yield from _paths(frame.get("file"))
    if is_native(frame):
        yield from _paths(frame.get("module"))


def _paths(path):
    """The path, and its last part: "^libfoo.so" means the file wherever it is."""
    if isinstance(path, str):
        yield path
        yield path.rpartition("/")[2]


def is_native(frame):
    return frame.get("type") != "python"


def top(frames, native=False):
    """The innermost frame that names somebody: libc's memmove and its like don't."""
    for frame in frames:
        module = str(frame.get("module") or "").rpartition("/")[2]
        if is_native(frame) and module.startswith(LIBC):
            continue
        if is_native(frame) or not native:
            return frame
    return None


def _objects(value):
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def stacks(finding):
    return _objects(finding.get("stacks"))


def accesses(finding):
    """Of the threads that met; where the memory came from is another matter."""
    return [stack for stack in stacks(finding) if stack.get("role") != "alloc"]


def frames_of(stack):
    return _objects(stack.get("frames"))


def parse(lines):
    """The rules of many lines; raises ValueError at the first that is none."""
    rules = []
    for line in lines:
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if line:
            rules.append(Rule(line))
    return rules


def first_match(rules, finding, tests=()):
    return next((rule for rule in rules if rule.matches(finding, tests)), None)
