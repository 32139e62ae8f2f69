"""The words of an array's header: with watchpoints, and where the kernel refuses them."""

import pytest
from conftest import BLIND, BUILD, PROGRAMS, REPEAT, assert_silent, build_extension

WORDS = ["flags", "nd", "descr"]
UNDER = BUILD / "engine_under"


@pytest.fixture(scope="session")
def directory(numpy_fixed, tmp_path_factory):
    made = tmp_path_factory.mktemp("headers")
    build_extension(numpy_fixed, made, "headers")
    return made


def call(run, python, directory, function, threads, mode, lock="free", before=(), options=""):
    return run.ftsan(*before, python, PROGRAMS / "header_words.py", function, threads, lock,
                     options=f"mode={mode}{options}", environment={"PYTHONPATH": str(directory)})


def watch(outcome):
    return [record["detail"] for record in outcome.records("engine", "log")
            if record["name"] == "watch"]


def needs_perf(outcome):
    if watch(outcome) != ["perf"]:
        pytest.skip(f"no watchpoints here: {watch(outcome)}")


def assert_found(outcome, function, kind, confidence):
    assert outcome.stdout == "done\n" and outcome.status == 66, outcome
    word = function.removeprefix("change_")
    matching = [finding for finding in outcome.findings
                if finding["kind"] == kind and finding["confidence"] == confidence and
                finding["object"]["name"] == word]
    assert matching, outcome
    for finding in matching:
        # Two threads may store the same, one right after the other; or the other's store is
        # the one that changes it.
        roles = [stack["role"] for stack in finding["stacks"][:2]]
        assert (finding["object"]["old"] != finding["object"]["new"] or
                kind == "race" and ("lost update" in finding["title"] or
                                    roles == ["write", "write"])), finding
    return matching


def functions_of(stack):
    return {frame.get("function") for frame in stack["frames"]}


@pytest.mark.parametrize("word", WORDS)
def test_hazard(run, numpy_fixed, directory, word):
    for _ in range(REPEAT):
        outcome = call(run, numpy_fixed, directory, f"change_{word}", 1, "latent")
        needs_perf(outcome)
        for finding in assert_found(outcome, f"change_{word}", "hazard", "latent"):
            assert finding["object"]["operation"] == f"headers.change_{word}"
            assert finding["stacks"][0]["frames"][0]["function"] == f"change_{word}"


@pytest.mark.parametrize("word", WORDS)
def test_race(run, numpy_fixed, directory, word):
    for _ in range(REPEAT):
        outcome = call(run, numpy_fixed, directory, f"change_{word}", 2, "race")
        needs_perf(outcome)
        for finding in assert_found(outcome, f"change_{word}", "race", "confirmed"):
            writer, other = finding["stacks"][:2]
            assert writer["role"] == "write" and other["role"] in ("read", "write")
            assert writer["tid"] != other["tid"]
            assert f"change_{word}" in functions_of(writer), finding


@pytest.mark.parametrize("word", WORDS)
def test_refused(run, numpy_fixed, directory, word):
    """Without watchpoints a change that is put back shows only if the scout looks then."""
    found = {1: 0, 2: 0}
    runs = 4 * REPEAT
    for threads in found:
        for _ in range(runs):
            outcome = call(run, numpy_fixed, directory, f"change_{word}", threads, "latent",
                           before=[UNDER, "EPERM"], options=":statics=off")
            assert "EPERM" in watch(outcome)[0] and "missed" in watch(outcome)[0], outcome
            assert "perf_event_open refused: EPERM" in outcome.stderr, outcome
            assert {f["confidence"] for f in outcome.findings} <= {"probable"}, outcome
            found[threads] += bool(outcome.findings)
    assert min(found.values()) >= runs * 3 / 4, found


@pytest.mark.parametrize("before", [(), (UNDER, "EPERM")], ids=["perf", "refused"])
@pytest.mark.parametrize("function, threads, mode, lock", [
    ("look", 1, "latent", "free"),
    ("look", 2, "all", "free"),
    ("change_flags", 1, "race", "free"),
    ("change_flags", 2, "race", "lock"),
    ("change_nd", 2, "race", "lock"),
    ("change_descr", 2, "race", "lock"),
])
def test_silent(run, numpy_fixed, directory, function, threads, mode, lock, before):
    for _ in range(REPEAT):
        outcome = call(run, numpy_fixed, directory, function, threads, mode, lock, before)
        assert outcome.stdout == "done\n", outcome
        assert_silent(outcome, BLIND if mode == "race" and threads == 1 else 0)
