"""What the figures were measured on."""

import os
import pathlib
import platform
import shutil
import subprocess


def read(path, default="unknown"):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return default


def processor():
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def flags():
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith("flags"):
            return set(line.split())
    return set()


def memory_gib():
    for line in read("/proc/meminfo").splitlines():
        if line.startswith("MemTotal"):
            return round(int(line.split()[1]) / 2**20, 1)
    return 0


def revision(repository):
    done = subprocess.run(["git", "-C", repository, "describe", "--always", "--dirty"],
                          capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def describe(repository):
    """A flat dictionary, in the order in which it is printed."""
    return {
        "processor": processor(),
        "virtual machine": "hypervisor" in flags(),
        "cores": len(os.sched_getaffinity(0)),
        "memory, GiB": memory_gib(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
                         "none to be seen"),
        "transparent huge pages": read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "perf_event_paranoid": read("/proc/sys/kernel/perf_event_paranoid"),
        "protection keys": "ospke" in flags(),
        "load at start": read("/proc/loadavg").rsplit(" ", 2)[0],
        "ftsan": revision(repository),
        "valgrind": shutil.which("valgrind") or "not installed",
    }
