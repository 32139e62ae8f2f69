"""The pytest plugin: says which test a finding belongs to. See docs/pytest.md.

Every run of pytest loads this module where ftsan is installed, so it does nothing and
imports nothing more unless pytest runs under ftsan.
"""

import argparse

import pytest

PLUGIN = "ftsan-findings"


def _seconds(text):
    """As `ftsan run --timeout` takes them; 0: none."""
    value = float(text)
    if not 0 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"takes seconds, 0 to 1000000, not {text}")
    return value


def pytest_addoption(parser):
    group = parser.getgroup("ftsan", "data races in native code (ftsan)")
    group.addoption("--ftsan", action="store_true",
                    help="run the tests under ftsan: start pytest anew as `ftsan run -- pytest`")
    group.addoption("--ftsan-fail", action="store_true",
                    help="fail the tests that findings belong to")
    group.addoption("--ftsan-log", metavar="FILE",
                    help="with --ftsan: keep the log in FILE, as `ftsan run --log` does")
    group.addoption("--ftsan-options", metavar="KEY=VALUE:...",
                    help="with --ftsan: options of ftsan; `ftsan options` lists them")
    group.addoption("--ftsan-timeout", metavar="SECONDS", type=_seconds, default=0,
                    help="under ftsan: a finding with the stacks of all threads for a test that "
                         "takes longer; it is not ended")
    parser.addini("ftsan_suppressions", type="linelist",
                  help="findings to leave out, as in race:PyArray_Repeat")


def is_preloaded():
    """Is libftsan.so in this process, whoever put it there?"""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            return any("/libftsan.so" in line for line in maps)
    except OSError:
        return False


def _is_worker(config):
    return hasattr(config, "workerinput")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config):
    """The earliest hook that knows the options: before capture, before any conftest.py."""
    known = early_config.known_args_namespace
    if known.ftsan and not known.help and not known.version and not is_preloaded():
        from .restart import restart

        restart(early_config, known)
    return (yield)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "ftsan_suppress(*lines): findings of ftsan that are no matter in this test, "
        "as in ftsan_suppress('race:PyArray_Repeat')")
    if not is_preloaded():
        if config.option.ftsan_fail and not _is_worker(config) and not config.option.help:
            raise pytest.UsageError("--ftsan-fail: pytest does not run under ftsan; add --ftsan")
        return
    from . import log

    own = log.find_own()
    if own is None:
        # enabled=0, or a pytest.main() in a process that has lost its log.
        if config.option.ftsan_fail:
            raise pytest.UsageError("--ftsan-fail: ftsan writes no log, so nothing is checked")
        config.issue_config_time_warning(
            pytest.PytestWarning("ftsan is loaded, but writes no log: nothing is checked"), 2)
        return
    from .findings import Findings

    config.pluginmanager.register(Findings(config, own, _is_worker(config)), PLUGIN)
