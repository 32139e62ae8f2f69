"""A static lock word counts for as long as it is held, the first time that it is taken as
well, and for what other libraries store under it; one that was given back does not."""

import pathlib

import pytest

from conftest import build_extension

HERE = pathlib.Path(__file__).parent
TIMES = 3


@pytest.fixture(scope="module")
def built(interpreter, tmp_path_factory):
    directory = tmp_path_factory.mktemp("held")
    for name in ("statics_held", "statics_filled"):
        build_extension(interpreter, directory, name, f"-DMODULE={name}",
                        source=HERE / "statics_held.c")
    return directory


def hazards(run, interpreter, built, *calls):
    code = "; ".join(["import statics_held, statics_filled", *calls * TIMES, "print('done')"])
    outcome = run.preload(interpreter, "-c", code, options="mode=latent:statics=site",
                          environment={"PYTHONPATH": str(built)})
    assert outcome.status in (0, 66) and "done" in outcome.stdout, outcome
    assert sum(record["counters"]["statics_traps"] for record in outcome.records("coverage")) > 2, outcome
    return {finding["object"]["name"].split("[")[0].split(".")[0] for finding in outcome.findings}


@pytest.mark.parametrize("call", ["statics_held.held()", "statics_held.helped()",
                                  "statics_held.other(statics_filled.filler())"])
def test_who_holds_a_word_for_long_is_not_reported(run, interpreter, built, call):
    assert hazards(run, interpreter, built, call) == set()


@pytest.mark.parametrize("calls, name", [
    (["statics_held.bad_held()"], "bad_held_state"),
    (["statics_held.bad_other(statics_filled.filler())"], "filled_state"),
    (["statics_held.set_flag()", "statics_held.bad_flag()"], "bad_flag_state"),
])
def test_a_word_that_is_not_held_is_no_lock(run, interpreter, built, calls, name):
    assert name in hazards(run, interpreter, built, *calls)
