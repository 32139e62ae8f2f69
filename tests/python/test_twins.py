"""Programs without a race: silence, and the same output as without ftsan."""

import pytest
from conftest import PROGRAMS, REPEAT, assert_silent


@pytest.fixture(scope="module")
def programs():
    text = (PROGRAMS / "twins.py").read_text()
    return text[text.index("ALL = [") + 7:].split("]")[0].replace(",", "").split()


@pytest.mark.parametrize("mode", ["race", "latent", "all"])
def test_silent(run, numpy_fixed, programs, mode):
    assert len(programs) >= 12
    for _ in range(REPEAT):
        outcome = run.ftsan(numpy_fixed, PROGRAMS / "twins.py", options=f"mode={mode}")
        assert outcome.stdout.split() == [word for name in programs for word in (name, "done")]
        assert_silent(outcome)


def test_something_was_watched(run, numpy_fixed):
    coverage = run.ftsan(numpy_fixed, PROGRAMS / "twins.py", options="mode=all").coverage
    assert coverage["buffers_published"] > 100 and coverage["headers_watched"] > 100, coverage
    assert coverage["operations_watched"] > 1000 and coverage["windows"] > 10, coverage
