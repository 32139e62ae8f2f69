"""A finding of the log as text, long or in a few lines."""

import os

from .suppressions import accesses, frames_of, is_native, stacks, top

HEADLINES = {
    "race": "data race",
    "use-after-free": "use after free",
    "hazard": "metadata hazard",
    "bad-code": "invalid code object",
    "no-exception": "traceback without exception",
    "crash": "crash",
    "hang": "hang",
}
DEEDS = {"write": "Write", "read": "Read", "free": "Freed", "alloc": "Allocated",
         "call": "Called", "crash": "Fatal access"}


def clean(value):
    """Names are the program's: a newline or an escape in one must not reach the terminal."""
    return "".join(character if character.isprintable() else "?" for character in str(value))


def headline(finding):
    kind = str(finding.get("kind", "finding"))
    title = str(finding.get("title") or HEADLINES.get(kind, kind))
    return clean(f"{title}, {finding.get('confidence', '?')}")


def _base(path):
    return os.path.basename(str(path))


def _line(frame):
    return f":{frame['line']}" if isinstance(frame.get("line"), int) else ""


def _frame(number, frame):
    words = [f"#{number}", str(frame.get("function") or "<unknown>")]
    if frame.get("type") == "python":
        words += [f"{frame.get('file', '?')}{_line(frame)}", "(python)"]
    elif frame.get("module"):
        words.append(f"{_base(frame['module'])}+{frame.get('offset', '?')}")
    return "    " + clean(" ".join(words))


def _deed(stack):
    role = str(stack.get("role", "?"))
    return DEEDS.get(role, role)


def _thread(finding, stack):
    if stack.get("tid") is None:
        return "an unknown thread"
    name = f"thread '{stack['thread']}'" if stack.get("thread") else "thread"
    if str(finding.get("id", "")).partition("-")[0] == str(stack["tid"]):
        name = "main thread"
    return f"{name} (tid={stack['tid']})"


def long(finding):
    """Every frame, as `ftsan run` prints it."""
    lines = [headline(finding)]
    for stack in stacks(finding):
        size = f" of size {stack['size']}" if stack.get("size") else ""
        lines.append("  " + clean(f"{_deed(stack)}{size} by {_thread(finding, stack)}:"))
        lines += [_frame(number, frame) for number, frame in enumerate(frames_of(stack))]
    lines.append("  " + _where(finding))
    return "\n".join(lines)


def _where(finding):
    memory = finding.get("object")
    memory = memory if isinstance(memory, dict) else {}
    words = [str(memory.get("name") or memory.get("description") or "?")]
    if "old" in memory and "new" in memory:
        words.append(f"({memory['old']} -> {memory['new']})")
    if isinstance(memory.get("shape"), list):
        words.append(f"of an array of shape {tuple(memory['shape'])}")
    words.append(f"fingerprint {finding.get('fingerprint', '?')}")
    return clean(" ".join(words[:-1]) + ", " + words[-1])


def _python(frames, files):
    """The innermost line of the test's own file, else of what was not installed."""
    python = [frame for frame in frames
              if not is_native(frame) and isinstance(frame.get("file"), str)]
    own = [frame for frame in python if frame["file"] in files]
    other = [frame for frame in python if "site-packages" not in frame["file"] and
             not frame["file"].startswith((os.path.dirname(os.__file__), "<"))]
    return next(iter(own or other or python), None)


def place(stack, files):
    frames = frames_of(stack)
    native, python = top(frames, native=True), _python(frames, files)
    words = []
    if native is not None:
        words.append(f"{native.get('function') or '<unknown>'} "
                     f"({_base(native.get('module', '?')).partition('.')[0]})")
    if python is not None:
        words.append(f"at {python['file']}{_line(python)} in {python.get('function', '?')}")
    return clean(" ".join(words) or "?")


def short(finding, files=()):
    """One line for what it is, one for each thread that met; `files`: of the tests."""
    lines = [f"{headline(finding)} [{clean(finding.get('fingerprint', '?'))}]"]
    lines += [f"  {_deed(stack).lower():5} {place(stack, files)}" for stack in accesses(finding)]
    return lines
