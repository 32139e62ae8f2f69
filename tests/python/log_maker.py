"""Logs as the library writes them, made by hand, for the tests of what reads them."""

import gzip
import json
import pathlib
import subprocess

TIME = 1795333407.25


def process(pid=100, run="r1", **fields):
    return {"v": 1, "type": "process", "pid": pid, "ppid": 1, "run": run, "root": True,
            "exe": "/usr/bin/python3", "argv": ["python", "-m", "pytest"], "time": TIME,
            "python": "3.13.5", "free_threaded": True, "gil": "off", "ftsan": "0.1.0", **fields}


def engine(**fields):
    return {"v": 1, "type": "engine", "name": "guard", "active": True, "canary": True, **fields}


def module(path="/m/umath.so", build_id="aa" * 20):
    return {"v": 1, "type": "module", "path": path, "build_id": build_id, "base": "0x1000"}


def native(function=None, module="/m/umath.so", offset="0x12", **fields):
    named = {"function": function} if function else {}
    return {"type": "native", "module": module, "offset": offset, **named, **fields}


def python(function="work", file="/src/work.py", line=7):
    return {"type": "python", "file": file, "line": line, "function": function}


def stack(role="write", *frames, **fields):
    return {"role": role, "tid": 7, "thread": "Thread-1 (w)", "size": 8, "address": "0x7f00",
            "frames": list(frames) or [native("PyArray_Repeat"), python()], **fields}


def finding(fingerprint="00000000000000aa", kind="race", confidence="confirmed", pid=100,
            **fields):
    fields = {"object": {"description": "dimension 0 of a numpy.ndarray", "name": "dims[0]",
                         "old": 1000, "new": 2000, "shape": [1000], "dtype": "int64"},
              "stacks": [stack("write"), stack("read", native("PyArray_Discover"),
                                               python("read", "/src/read.py", 9), tid=8),
                         stack("alloc", native("npy_alloc_cache_dim"), python("main"), tid=100)],
              "title": "data race on dimension 0 of a numpy.ndarray", "time": TIME, **fields}
    return {"v": 1, "type": "finding", "id": f"{pid}-1", "kind": kind, "confidence": confidence,
            "fingerprint": fingerprint, "gil_forced": False, **fields}


def running(*tests):
    return {"v": 1, "type": "running", "time": TIME, "tests": list(tests)}


def test_record(fingerprint, *tests, **fields):
    return {"v": 1, "type": "test", "fingerprint": fingerprint, "tests": list(tests), **fields}


def coverage(**fields):
    return {"v": 1, "type": "coverage", "buffers_seen": 9, "buffers_guarded": 8,
            "buffers_published": 3, "buffers_left_out": {"slots": 2}, "traps": 4, "windows": 2,
            "window_ms": 5, "collisions": 1, "threads": 3, "gil": "off", "gil_requested_by": [],
            **fields}


def end(findings=0, duplicates={}, **fields):
    return {"v": 1, "type": "end", "time": TIME + 1, "reason": "exit", "status": 0,
            "findings": findings, "duplicates": duplicates, **fields}


def run(*findings, pid=100, duplicates={}, run="r1", **fields):
    """All records of one process."""
    return [process(pid, run, **fields), engine(), module(), *findings, coverage(),
            end(sum(finding["type"] == "finding" for finding in findings), duplicates)]


def lines(records):
    return b"".join(record if isinstance(record, bytes) else
                    json.dumps(record, ensure_ascii=False).encode() + b"\n"
                    for record in records)


def write(path, *records, pack=False):
    """Records, and bytes to be taken as they are."""
    data = lines(records)
    pathlib.Path(path).write_bytes(gzip.compress(data) if pack else data)
    return path


def call(command, *arguments, environment=None, **settings):
    settings = {"text": True, "timeout": 120, **settings}
    return subprocess.run([str(word) for word in (command, *arguments)], capture_output=True,
                          env=environment, check=False, **settings)
