#!/usr/bin/env python3
"""Attaches to one program and leaves it, many times over.

usage: attach_cycles.py --build DIR --python PYTHON [--cycles N] [--modes A,B] [--work KIND]

PYTHON has NumPy; with 2.2.1, whose np.repeat stores into its input's shape, each cycle in
mode latent makes a finding. The modes take turns. What is looked for: a cycle that fails or
hangs, a program that ends or computes something else, a finding that is lost, and whatever
is more after the last cycle than after the tenth: threads, descriptors, mappings, memory,
blocked or caught signals, addresses of libftsan.so in classes and ufuncs.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HANG_S = 60
SETTLED = 10  # cycles after which nothing is new any more
PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "python" / "programs" / "attached.py"


class Target:
    def __init__(self, python, work):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("FTSAN_") and name != "LD_PRELOAD"}
        self.process = subprocess.Popen(
            [python, PROGRAM, work], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**environment, "OPENBLAS_NUM_THREADS": "1"})
        assert self.process.stdout.readline() == "ready\n"
        self.proc = pathlib.Path(f"/proc/{self.process.pid}")

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()[1:]

    def status(self, path, *keys):
        text = (path / "status").read_text()
        return [re.search(rf"^{key}:\s*(\S+)", text, re.MULTILINE)[1] for key in keys]

    def state(self):
        """What there is of everything; the second part varies by itself."""
        tasks = list((self.proc / "task").iterdir())
        exact = {
            "threads": len(tasks),
            "descriptors": len(list((self.proc / "fd").iterdir())),
            "signals": self.status(self.proc, "SigCgt", "SigIgn"),
            "blocked": sorted(self.status(task, "SigBlk")[0] for task in tasks),
            "tables": self.ask("tables"),
            "fork": self.ask("fork"),
        }
        vm, rss = map(int, self.status(self.proc, "VmSize", "VmRSS"))
        maps = (self.proc / "maps").read_text().count("\n")
        return exact, {"vm_kb": vm, "rss_kb": rss, "maps": maps}


def cycle(settings, target, mode, log):
    """How it failed, or None; and the number of findings."""
    command = [settings.build / "ftsan", "attach", "--log", log, "--options",
               f"mode={mode}:sample=0", "--duration", str(settings.duration),
               target.process.pid]
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              timeout=HANG_S)
    except subprocess.TimeoutExpired:
        return "hangs", 0
    try:
        records = [json.loads(line) for line in log.read_text().splitlines()]
    except ValueError:
        return "the log is torn", 0
    kinds = collections.Counter(record["type"] for record in records)
    if done.returncode != (66 if kinds["finding"] else 0):
        return f"status {done.returncode}: {done.stderr[-400:]}", 0
    if "signal handlers stay" in done.stderr or "stay redirected" in done.stderr:
        return done.stderr[:400], 0
    if records[-1]["type"] != "end" or records[-1]["reason"] != "detach":
        return "no end record", 0
    return None, kinds["finding"]


def run(settings, directory):
    target = Target(settings.python, settings.work)
    failures, findings = collections.Counter(), collections.Counter()
    settled = None
    began = time.monotonic()
    for n in range(settings.cycles):
        mode = settings.modes[n % len(settings.modes)]
        failure, found = cycle(settings, target, mode, pathlib.Path(directory) / "log")
        if failure:
            failures[failure] += 1
            if target.process.poll() is not None:
                break
        findings[mode] += found > 0
        if n + 1 == min(SETTLED, settings.cycles):
            settled = target.state()
    seconds = time.monotonic() - began
    result = {"cycles": n + 1, "seconds": round(seconds, 1), "with_findings": dict(findings)}
    if target.process.poll() is None:
        now = target.state()
        if now[0] != settled[0]:
            failures[f"{settled[0]} became {now[0]}"] += 1
        result |= {"before": settled[1], "after": now[1]}
        if now[1]["maps"] > settled[1]["maps"] + settings.cycles / 2 + 50:
            failures["mappings leak"] += 1
        out = target.process.communicate("end\n", timeout=HANG_S)[0]
        if (target.process.returncode, out) != (0, "end 0\n"):
            failures[f"status {target.process.returncode}, {out!r}"] += 1
    else:
        failures[f"the program ended with {target.process.returncode}"] += 1
    return result, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--modes", default="all,race,latent",
                        type=lambda text: text.split(","))
    parser.add_argument("--work", default="apart", help="what attached.py does")
    parser.add_argument("--duration", type=float, default=0.1, help="seconds")
    settings = parser.parse_args()
    settings.build = settings.build.resolve()
    with tempfile.TemporaryDirectory(prefix="torture-") as directory:
        result, failures = run(settings, directory)
    print(json.dumps(result), flush=True)
    for failure, times in failures.items():
        print(f"{times} x {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
