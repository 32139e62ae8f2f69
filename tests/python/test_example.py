"""One bug is one finding, with one name: a small project with two bugs, run in several ways."""

import json
import shutil
import subprocess

import pytest
from conftest import BUILD, HERE, build_extension, found

EXAMPLE = HERE / "example"
WAYS = [[], ["-k", "half"], ["-n2"], []]


@pytest.fixture(scope="module")
def affected():
    return found("FTSAN_VENV_PLUGIN_AFFECTED", "setup.sh", "venv", "--find",
                 "plugin-affected") + "/bin/python"


@pytest.fixture
def project(tmp_path, affected):
    directory = tmp_path / "example"
    directory.mkdir()
    shutil.copy(EXAMPLE / "test_halves.py", directory)
    build_extension(affected, tmp_path, "example/halves")
    return directory


def test_every_run_has_the_same_findings(run, project, affected):
    names = {}
    for number, way in enumerate(WAYS):
        outcome = run.ftsan(affected, "-m", "pytest", "-q", "-p", "no:cacheprovider", *way,
                            options="mode=all", cwd=project, environment={"PYTHONPATH": "."})
        logs = [project.parent / f"run-{number + 1}" / name for name in outcome.logs]
        done = subprocess.run([BUILD / "ftsan", "report", "--format", "json", *logs],
                              capture_output=True, text=True, check=True)
        for item in json.loads(done.stdout)["findings"]:
            # What became of a bug (a crash), and what is an object's, has no such name.
            if item["kind"] in ("race", "hazard") and "culprit" in item:
                key = item["culprit"]["function"], item["object"].get("name", "").partition("[")[0]
                names.setdefault(key, set()).add(item["fingerprint"])
        for block in outcome.stderr.split("WARNING: ftsan: ")[1:]:
            assert len(block.split("\nSUMMARY: ")[0].splitlines()) < 25, block
    assert ("sum_first_half", "dims") in names, outcome
    assert all(len(ids) == 1 for ids in names.values()), names
