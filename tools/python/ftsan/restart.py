"""--ftsan: the same command line once more, under `ftsan run`."""

import os
import shutil
import sys

import pytest

from .command import NATIVE

# Set for the process that --ftsan starts: the exit status is the plugin's to set.
STARTED_BY_US = "FTSAN_PYTEST"


def command():
    """The native command's path, or None."""
    return NATIVE if os.access(NATIVE, os.X_OK) else shutil.which("ftsan")


def _arguments(known):
    # The findings are in pytest's summary; the command adds what was watched.
    arguments = ["--print-at-end", "--no-findings"]
    if known.ftsan_log:
        arguments += ["--log", known.ftsan_log]
    if known.ftsan_options:
        arguments += ["--options", known.ftsan_options]
    # Which findings count is for the plugin to say: it knows the suppressions.
    return arguments + ["--options", "exitcode=0"]


def _without_log(words):
    """The words without `--ftsan-log FILE`, which has done its work.

    pytest looks for its root directory before it knows the plugins' options. FILE, once
    it is there, would be one of the places that the root has to be above.
    """
    kept = list(words)
    while "--ftsan-log" in kept:
        at = kept.index("--ftsan-log")
        del kept[at:at + 2]
    return kept


def restart(config, known):
    """Replaces this process. Returns never; raises UsageError when it can't be done."""
    native = command()
    if native is None:
        raise pytest.UsageError("--ftsan: the command `ftsan` is not there (pip install ftsan)")
    if os.environ.get(STARTED_BY_US):
        raise pytest.UsageError("--ftsan: libftsan.so was not loaded into this interpreter; is it "
                                "statically linked, or set-uid? `ftsan doctor` may know")
    if list(config.invocation_params.args) != sys.argv[1:]:
        # pytest.main(): what the program did before would be done twice.
        raise pytest.UsageError("--ftsan works on the command line only; run the program as "
                                "`ftsan run -- python ...`")
    sys.stdout.flush()
    sys.stderr.flush()
    os.environ[STARTED_BY_US] = "1"
    os.execv(native, ["ftsan", "run", *_arguments(known), "--", sys.executable,
                       *_without_log(sys.orig_argv[1:])])
