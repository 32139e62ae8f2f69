"""tests/bench: its arithmetic, how it reads other tools, and that a part of it runs.

How fast anything is, no test asks.
"""

import json
import subprocess
import sys

import pytest
from conftest import BUILD, REPOSITORY

BENCH = REPOSITORY / "tests" / "bench"
sys.path.insert(0, str(BENCH))

import detection  # noqa: E402
import measure  # noqa: E402
import table  # noqa: E402

HELGRIND = """\
==71== Possible data race during write of size 8 at 0x5 by thread #3
==71== Locks held: none
==71==    at 0x1: PyArray_Repeat (item_selection.c:1)
==71==    by 0x2: array_repeat (methods.c:1)
==71==
==71== This conflicts with a previous read of size 8 by thread #2
==71== Locks held: none
==71==    at 0x1: PyArray_Repeat (item_selection.c:1)
==71==
==71== Possible data race during read of size 4 at 0x5 by thread #3
==71== Locks held: none
==71==    at 0x1: _Py_TryIncref (object.h:1)
==71==
==71== ERROR SUMMARY: 9 errors from 2 contexts (suppressed: 0 from 0)
"""


def test_ratios_are_those_of_the_round():
    row = measure.Row("name", "ns")
    for bare, ftsan in ((100, 110), (1000, 1100), (10, 11)):
        row.add("bare", bare)
        row.add("race", ftsan)
    assert row.summary("bare")[1] == 100
    assert row.ratio("race") == pytest.approx((1.1, 1.1, 1.1))
    assert row.ratio("bare") is None


def test_what_failed_is_in_no_figure():
    row = measure.Row("name", "s")
    for bare, ftsan in ((1, 2), (None, 7), (1, None), (1, 4)):
        row.add("bare", bare)
        row.add("race", ftsan)
    assert row.ratio("race") == pytest.approx((2.5, 3, 3.5))
    row.skip("drd", "not installed")
    group = measure.Group("title", columns=("bare", "race", "drd", "all"))
    group.rows.append(row)
    text = table.of_group(group)
    assert "| name | s | 1 | 4 x3.00 (2.50-3.50) | skipped | - |" in text
    assert "drd: skipped: not installed" in text


def test_configurations_take_turns():
    turns = list(measure.interleaved("abc", 3))
    assert [name for _, name in turns] == list("abcbcacab")


def test_reports_of_valgrind():
    found = detection.blocks(HELGRIND)
    assert [detection.is_true_block(block, "PyArray_Repeat") for block in found] == [True, False]


def test_a_part_runs(tmp_path):
    if not (BUILD / "tests" / "bench" / "bench_engine").exists():
        pytest.skip("bench_engine is not built")
    done = subprocess.run([sys.executable, BENCH / "run.py", "--quick", "--only", "engine", "-o",
                           tmp_path], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    rows = {row["name"]: row for group in results["groups"] for row in group["rows"]}
    assert rows["trapped store, emulated"]["configurations"]["ftsan"]["ratio"]["median"] > 0
    assert (tmp_path / "table.md").read_text().startswith("# ftsan's bench")
