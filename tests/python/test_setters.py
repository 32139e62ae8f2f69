"""Arrays that one thread changes while another one uses them, by setters and constructors."""

import signal

import pytest
from conftest import (BLIND, PROGRAMS, REPEAT, assert_silent, build_extension, fixed_of,
                      interpreters, until)

EXIT_FINDINGS = 66
# Without ftsan, too, a program may die of these races.
DEATHS = {128 + signal.SIGSEGV, 128 + signal.SIGABRT, 128 + signal.SIGBUS}
# To meet is left to chance, on a busy machine above all.
TRIES = 5
ACCESSES = ("write", "read", "free")
# The setter, and the C function that does its work.
SETTERS = {
    "shape": "array_shape_set",
    "strides": "array_strides_set",
    "dtype": "array_descr_set",
    "resize": "PyArray_Resize",
    "setflags": "array_setflags",
    "setstate": "array_setstate",
}


@pytest.fixture(params=["affected", *interpreters()], ids=lambda param: getattr(param, "tag", param))
def numpy(request):
    if request.param == "affected":
        return request.getfixturevalue("numpy_affected")
    return fixed_of(request.param)


@pytest.fixture(scope="session")
def directory(numpy_fixed, tmp_path_factory):
    made = tmp_path_factory.mktemp("constructors")
    build_extension(numpy_fixed, made, "constructors")
    return made


def functions_of(stack):
    return [frame.get("function", "") for frame in stack["frames"]]


def confirmed(outcome, function):
    """The findings that show two threads, one of them inside `function`."""
    matching = []
    for finding in outcome.findings:
        if finding["kind"] == "crash" and outcome.status in DEATHS:
            continue
        assert finding["kind"] in ("race", "use-after-free"), finding
        assert finding["confidence"] in ("confirmed", "probable"), finding
        stacks = [stack for stack in finding["stacks"] if stack["role"] in ACCESSES]
        if finding["confidence"] == "confirmed" and len(stacks) == 2:
            # A thread can meet what it freed itself: another one put the pointer back.
            if finding["kind"] == "race":
                assert stacks[0]["tid"] != stacks[1]["tid"], finding
            if any(name.startswith(function) for stack in stacks for name in functions_of(stack)):
                matching.append(finding)
    return matching


def assert_found(call, function):
    outcome = until(lambda outcome: confirmed(outcome, function), call, TRIES)
    found = confirmed(outcome, function)
    assert found, outcome
    assert outcome.status == EXIT_FINDINGS or outcome.status in DEATHS, outcome
    return found


@pytest.mark.parametrize("how", ["ww", "wr"])
@pytest.mark.parametrize("what", SETTERS)
def test_setter(run, numpy, what, how):
    for finding in assert_found(lambda: run.ftsan(numpy, PROGRAMS / "setters.py", what, how),
                                SETTERS[what]):
        roles = {stack["role"] for stack in finding["stacks"]}
        assert roles & {"write", "free"}, finding


@pytest.mark.parametrize("how", ["one", "lock", "queue"])
@pytest.mark.parametrize("what", SETTERS)
def test_setter_in_order(run, numpy, what, how):
    for _ in range(REPEAT):
        outcome = run.ftsan(numpy, PROGRAMS / "setters.py", what, how)
        assert outcome.stdout == "done\n", outcome
        assert_silent(outcome, BLIND if how == "one" else 0)


def construct(run, python, directory, what, when):
    return run.ftsan(python, PROGRAMS / "incomplete.py", what, when,
                     environment={"PYTHONPATH": str(directory)})


CONSTRUCTORS = {
    "dims": "complete_dims",
    "flags": "complete_flags",
    "base": "complete_base",
    "finalize": "array_descr_set",
    "like": "like",
}


# Not `base`: it is stored once for each array, and two of six words are not watched at any
# one time. Whether a run sees it is chance.
@pytest.mark.parametrize("what", sorted(set(CONSTRUCTORS) - {"base"}))
def test_seen_before_it_is_complete(run, numpy_fixed, directory, what):
    found = assert_found(lambda: construct(run, numpy_fixed, directory, what, "early"),
                         CONSTRUCTORS[what])
    if what == "flags":
        assert what in {finding["object"].get("name") for finding in found}, found


@pytest.mark.parametrize("what", CONSTRUCTORS)
def test_complete_before_it_is_seen(run, numpy_fixed, directory, what):
    for _ in range(REPEAT):
        outcome = construct(run, numpy_fixed, directory, what, "late")
        assert outcome.stdout == "done\n", outcome
        assert_silent(outcome)
