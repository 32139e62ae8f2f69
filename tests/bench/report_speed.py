#!/usr/bin/env python3
"""Time and peak memory of `ftsan report` on a log of a million records.

usage: report_speed.py FTSAN [--records N] [--findings N] [--directory DIR] [ARGUMENT...]

Makes the log of a long test campaign (processes of ten records each, of which one is a
finding with the stacks of a real one, of N different findings) as a file and gzip'ed,
reports both in several formats, and prints a line for each. ARGUMENTs go to the command.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time

UMATH = "/venv/lib/python3.13t/site-packages/numpy/_core/_multiarray_umath.so"
PYTHON = "/opt/python/bin/python3.13t"


def stack(role, tid, n, depth):
    frames = [{"type": "native", "module": UMATH, "offset": hex(0x18bfe0 + 16 * n),
               "function": f"PyArray_Operation{n}"}]
    for i in range(depth):
        frames.append({"type": "native", "module": PYTHON, "offset": hex(0xeb492 + 64 * i),
                       "function": f"_PyEval_Function{i}"})
        frames.append({"type": "python", "file": f"/home/user/project/package/module_{i}.py",
                       "line": 10 + i, "function": f"function_{i}"})
    return {"role": role, "tid": tid, "thread": "Thread-1 (work)", "size": 8,
            "address": "0x7fcce1baa080", "frames": frames}


def finding(pid, n, now):
    return {"v": 1, "type": "finding", "id": f"{pid}-1", "time": now, "kind": "race",
            "confidence": "confirmed", "fingerprint": f"{n * 0x9e3779b97f4a7c15 % 2**64:016x}",
            "title": "data race on dimension 0 of a numpy.ndarray", "gil_forced": False,
            "object": {"description": "dimension 0 of a numpy.ndarray",
                       "address": "0x7fcce1baa080", "word": 0, "name": "dims[0]", "old": 1000,
                       "new": 2000, "shape": [1000], "dtype": "int64", "size": 16},
            "stacks": [stack("write", pid + 1, n, 12), stack("read", pid + 2, n, 12),
                       stack("alloc", pid, n, 2)]}


def process(pid, n, now):
    yield {"v": 1, "type": "process", "pid": pid, "ppid": 1, "run": f"{pid % 50:032x}",
           "root": True, "exe": PYTHON, "argv": ["python", "-m", "pytest", "tests"],
           "time": now, "python": "3.13.5", "free_threaded": True, "python_frames": True,
           "gil": "off", "ftsan": "0.1.0", "options": {"slots": 70000, "window_us": 1000}}
    yield {"v": 1, "type": "engine", "name": "guard", "active": True, "canary": True,
           "detail": "stores are performed by emulate"}
    for path in (UMATH, PYTHON, "/lib/x86_64-linux-gnu/libc.so.6"):
        yield {"v": 1, "type": "module", "path": path, "build_id": "ab" * 20,
               "base": "0x7fcce0800000"}
    for i in (1, 2):
        yield {"v": 1, "type": "thread", "tid": pid + i, "name": "python"}
    yield finding(pid, n, now)
    yield {"v": 1, "type": "coverage", "buffers_seen": 1405, "buffers_guarded": 1405,
           "buffers_published": 2, "buffers_left_out": {"slots": 1}, "traps": 1, "windows": 1,
           "window_ms": 9, "collisions": 1, "threads": 6, "gil": "off", "gil_requested_by": [],
           "hooks": {f"hook{i}": i for i in range(30)},
           "counters": {f"counter{i}": i for i in range(30)}}
    yield {"v": 1, "type": "end", "time": now + 1, "reason": "exit", "status": 0,
           "findings": 1, "duplicates": {f"{n * 0x9e3779b97f4a7c15 % 2**64:016x}": 3}}


def write_log(path, records, findings):
    """The lines of `findings` processes again and again, with other pids."""
    blocks = ["".join(json.dumps(record, separators=(",", ":")) + "\n"
                      for record in process(1000000, n, 1795333407.5))
              for n in range(findings)]
    with open(path, "w", encoding="utf-8") as log:
        for i in range(records // 10):
            log.write(blocks[i % findings].replace("1000000", str(2000000 + i)))


def measure(command):
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return (time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024,
            child.returncode)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ftsan")
    parser.add_argument("--records", type=int, default=1000000)
    parser.add_argument("--findings", type=int, default=1000)
    parser.add_argument("--directory")
    arguments, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        log = os.path.join(directory, "log.jsonl")
        write_log(log, arguments.records, arguments.findings)
        with open(log, "rb") as plain, gzip.open(log + ".gz", "wb", compresslevel=1) as packed:
            while chunk := plain.read(1 << 24):
                packed.write(chunk)
        print(f"{arguments.records} records, {arguments.findings} different findings, "
              f"{os.path.getsize(log) / 2**20:.0f} MiB, gzip'ed "
              f"{os.path.getsize(log + '.gz') / 2**20:.0f} MiB")
        for name, path, form in (("text", log, "text"), ("text, gzip'ed", log + ".gz", "text"),
                                 ("json", log, "json"), ("sarif", log, "sarif"),
                                 ("html", log, "html")):
            seconds, of_cpu, mebibytes, status = measure(
                [arguments.ftsan, "report", "--format", form, *more, path])
            print(f"{name:14} {seconds:6.2f} s, {of_cpu:5.2f} s of CPU, {mebibytes:6.1f} MiB, "
                  f"status {status}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
