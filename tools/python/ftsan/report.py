"""The findings as `ftsan report` writes them: symbolized, with lines of source."""

import os
import re
import subprocess

from .restart import command

TIMEOUT = 120
BLOCK = re.compile(r"(?m)^(?=(?:\x1b\[[0-9;]*m)?WARNING: ftsan: )")
NAME = re.compile(r"SUMMARY: ftsan: .*\[([0-9a-f]{16})\]")


def blocks(logs, colour=False):
    """Text by fingerprint; what can't be had is left out."""
    native = command()
    if native is None or not logs:
        return {}
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    try:
        done = subprocess.run(
            [native, "report", "--no-summary", f"--color={'always' if colour else 'never'}", *logs],
            capture_output=True, text=True, errors="replace", env=environment, timeout=TIMEOUT)
    except (OSError, subprocess.SubprocessError):
        return {}
    found = {}
    for block in BLOCK.split(done.stdout):
        name = NAME.search(block)
        if name:
            found[name[1]] = block.rstrip("\n")
    return found
