"""NumPy's own tests, on a release with no known race: nothing changes, nothing is found.

FTSAN_SUITE=all adds test_multiarray.py, which takes as long as all the others.
"""

import os
import re

import pytest
from conftest import assert_silent

MODULES = [
    "numpy._core.tests.test_indexing",
    "numpy._core.tests.test_shape_base",
    "numpy._core.tests.test_item_selection",
    "numpy.lib.tests.test_function_base",
]
if os.environ.get("FTSAN_SUITE") == "all":
    MODULES.append("numpy._core.tests.test_multiarray")


def counts(outcome):
    """{"passed": 2016, ...} of pytest's last line."""
    summary = outcome.stdout.splitlines()[-1]
    assert " in " in summary, outcome
    return {word: int(number) for number, word in
            re.findall(r"(\d+) (passed|failed|skipped|xfailed|xpassed|errors?)", summary)}


@pytest.mark.parametrize("module", MODULES)
def test_suite(run, numpy_fixed, module):
    # Examples that hypothesis draws at random would make two runs differ.
    # test_huge_list_error fills tens of gigabytes, and most of the time is that.
    command = [numpy_fixed, "-m", "pytest", "-q", "-p", "no:cacheprovider",
               "-k", "not test_huge_list_error",
               "--hypothesis-seed=0", "--pyargs", module]
    bare = counts(run.bare(*command))
    # Most of them use one thread only.
    outcome = run.ftsan(*command, options="blindcode=0")
    assert counts(outcome) == bare, outcome
    assert bare["passed"] > 50
    assert_silent(outcome)

    coverage = outcome.coverage
    assert coverage["buffers_guarded"] > 1000, coverage
    # Every array that lives for long is watched, or counted as left out.
    told = coverage["arrays_over_10ms_published"] + coverage["arrays_over_10ms_left_out"]
    assert told >= 0.9 * coverage["arrays_over_10ms"], coverage
