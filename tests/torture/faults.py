#!/usr/bin/env python3
"""Lets calls of the kernel that ftsan makes fail, one at a time, and then for good.

usage: faults.py [--full] DIRECTORY [CALL...]

DIRECTORY has libftsan_faults.so and torture_workload, a program that knows its results.
Under every fault it must come to them, and a race that is not found must be accounted
for: by an engine that is off, or by a counter of what was lost.
"""

import argparse
import collections
import errno
import glob
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

FOR_GOOD = 1 << 40
CALLS = {
    "protect": ("ENOMEM",),
    "map": ("ENOMEM",),
    "reserve": ("ENOMEM",),
    "map_file": ("ENOMEM",),
    "open": ("EMFILE", "EACCES", "EINTR"),
    "read": ("EIO", "EINTR"),
    "write": ("ENOSPC", "EINTR", "EBADF", "EAGAIN"),
    "pread": ("EIO", "EINTR"),
    "pwrite": ("EIO", "EPERM", "EINTR"),
    "fstat": ("EIO", "EBADF"),
    "fcntl": ("EMFILE", "EINVAL"),
    "madvise": ("EINVAL", "ENOMEM"),
    "futex_wait": ("EINTR",),
    "sigmask": ("EINVAL",),
    "perf_event_open": ("EPERM", "ENOSPC", "EMFILE"),
    "ioctl": ("EINVAL", "EBADF"),
    "getcwd": ("ENOENT",),
    "readlink": ("EACCES",),
    "prlimit": ("EPERM",),
    "scout": ("EAGAIN",),
    "sigaltstack": ("ENOMEM",),
}
# What a run may say instead of the finding.
LOST = ("left_out_kernel", "left_out_thread", "left_out_slots", "left_out_fragments",
        "left_out_stacks", "left_out_scout", "reports_lost", "log_errors", "own_faults")
SILENT = "neither a finding nor a word of what was lost"


def run(directory, fault, where):
    """(what is wrong, calls, failed, what was lost)"""
    counts = where / "counts"
    counts.write_bytes(bytes(16))
    log = where / "log"
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("FTSAN_")}
    environment.update(LD_PRELOAD=str(directory / "libftsan_faults.so"), FTSAN_FAULT=fault,
                       FTSAN_FAULT_COUNTS=str(counts), SCENARIO_LOG=str(log),
                       # dlopen() fails without memory or descriptors, bare as well.
                       LD_LIBRARY_PATH=str(directory.parent / "scenario"),
                       FTSAN_OPTIONS=f"log='{log}'")
    wrong = []
    try:
        # An atomic store can only be made to an open page.
        plain = ["plain"] if fault.startswith("protect:") and f":{FOR_GOOD}:" in fault else []
        done = subprocess.run([directory / "torture_workload", *plain], env=environment,
                              cwd=where, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", timeout=60)
    except subprocess.TimeoutExpired:
        return ["it hangs"], *struct.unpack("QQ", counts.read_bytes()), {}
    if done.returncode not in (0, 66) or done.stdout != "ok\n":
        wrong.append(f"status {done.returncode}, {done.stdout!r}, {done.stderr[-600:]!r}")
    calls, failed = struct.unpack("QQ", counts.read_bytes())
    lost, findings = look_at(log)
    if done.returncode == 0 and not lost:
        wrong.append(SILENT)
    if done.returncode == 66 and not findings and "WARNING: ftsan:" not in done.stderr:
        wrong.append("a finding that was shown nowhere")
    for name in glob.glob(f"{where}/*"):
        os.unlink(name)
    return wrong, calls, failed, lost


def look_at(log):
    lost = collections.Counter()
    findings = ended = 0
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return {"no log": 1}, 0
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            lost["torn"] += 1
            continue
        findings += record["type"] == "finding"
        ended += record["type"] == "end"
        if record["type"] == "engine" and record["name"] == "guard":
            lost["engine off"] += not record["active"]
            lost["no canary"] += not record["canary"]
        if record["type"] == "coverage":
            for name in LOST:
                lost[name] += record["counters"][name]
    lost["no end"] = not ended
    return {name: n for name, n in lost.items() if n}, findings


def faults(calls, full):
    """Where to fail: early, spread over the run, and from there on."""
    if not full:
        yield from ((2, 1), (max(calls // 2, 1), 1), (1, FOR_GOOD))
        return
    spread = {1, 2, 3, 4, 6, 9} | {calls * part // 8 for part in range(1, 8)}
    for number in sorted(n for n in spread if 0 < n <= max(calls, 1)):
        yield number, 1
    for number in sorted({1, 2, max(calls // 2, 1)}):
        yield number, FOR_GOOD
    yield 1, 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="more places to fail at, and every error")
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("calls", nargs="*")
    settings = parser.parse_args()
    directory = settings.directory.resolve()
    failed = runs = 0
    with tempfile.TemporaryDirectory(prefix="torture-") as temporary:
        where = pathlib.Path(temporary)
        for call in settings.calls or CALLS:
            wrong, calls, _, lost = run(directory, f"{call}:0:0:0", where)
            if wrong or lost:
                failed += 1
                print(f"{call}: without a fault: {wrong} {lost}")
            told = collections.Counter()
            for name in CALLS[call] if settings.full else CALLS[call][:1]:
                for first, count in faults(calls, settings.full):
                    fault = f"{call}:{first}:{count}:{getattr(errno, name)}"
                    wrong, _, hit, lost = run(directory, fault, where)
                    if wrong == [SILENT]:  # a busy machine may have kept the two apart
                        wrong, _, hit, lost = run(directory, fault, where)
                    runs += 1
                    told.update({key: 1 for key in lost})
                    if wrong:
                        failed += 1
                        print(f"{call} {name} from {first}, {count} times ({hit} failed): "
                              f"{'; '.join(wrong)}", flush=True)
            print(f"{call}: {calls} calls; told: {dict(told)}", flush=True)
    print(f"{runs} runs, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
