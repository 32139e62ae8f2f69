"""What is documented to change an array: a race with two threads, and silence otherwise.

NumPy 2.5's _set_shape and _set_dtype are hooked by name; there is no wheel of it here.
"""

import pytest
from conftest import PROGRAMS, assert_silent

# A function of NumPy that one of the two stacks has to be in.
GUILTY = {
    "shape": {"array_shape_set", "array_shape_set_internal"},
    "strides": {"array_strides_set"},
    "dtype": {"array_descr_set", "array_descr_set_internal"},
    "resize": {"PyArray_Resize", "PyArray_Resize_int", "array_resize"},
    "setflags": {"array_setflags"},
    "setstate": {"array_setstate"},
}
# The program may die of the race, as it does without ftsan, and do so before the two have
# met where ftsan looks; and on a busy machine they may not meet at all.
DEATHS = (134, 139)
TRIES = 6


def is_proof(finding, what):
    if finding["kind"] not in ("race", "use-after-free") or finding["confidence"] != "confirmed":
        return False
    stacks = [stack for stack in finding["stacks"] if stack["role"] != "alloc"]
    functions = {frame.get("function") for stack in stacks for frame in stack["frames"]}
    return len({stack["tid"] for stack in stacks}) == 2 and functions & GUILTY[what]


@pytest.mark.parametrize("how", ["ww", "wr"])
@pytest.mark.parametrize("what", GUILTY)
def test_race(run, numpy_fixed, what, how):
    for _ in range(TRIES):
        outcome = run.ftsan(numpy_fixed, PROGRAMS / "setters.py", what, how)
        assert outcome.status in (0, 66, *DEATHS), outcome
        if any(is_proof(finding, what) for finding in outcome.findings):
            return
    pytest.fail(f"not found in {TRIES} runs: {outcome}")


@pytest.mark.parametrize("how", ["one", "lock", "queue"])
@pytest.mark.parametrize("what", GUILTY)
def test_silent(run, numpy_fixed, what, how):
    for mode in ("race", "all"):
        outcome = run.ftsan(numpy_fixed, PROGRAMS / "setters.py", what, how,
                            options=f"mode={mode}")
        assert outcome.stdout == "done\n", outcome
        assert_silent(outcome)
