"""action.yml and docs/ci/: as the services have it, and naming only what there is."""

import json
import re
import subprocess

import pytest
from conftest import BUILD, REPOSITORY, clean_environment
from test_install import call, make_environment, pip, system_python

# What brings the services' schemas along, so that nothing is asked of them.
LINTER = "check-jsonschema==0.39.0"
FILES = {
    "action.yml": ["vendor.github-actions"],
    "docs/ci/github.yml": ["vendor.github-workflows"],
    "docs/ci/cibuildwheel.yml": ["vendor.github-workflows"],
    "docs/ci/gitlab.yml": ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
}
AS_JSON = "import json, sys, ruamel.yaml; json.dump(ruamel.yaml.YAML(typ='safe').load(" \
          "open(sys.argv[1])), sys.stdout, default=str)"
PLUGIN = (REPOSITORY / "tools" / "python" / "ftsan" / "pytest_plugin.py").read_text()
# Of other packages that the examples install.
FOREIGN = {"--parallel-threads", "--junitxml", "--quiet"}


@pytest.fixture(scope="session")
def linter(interpreter, tmp_path_factory):
    directory = make_environment(system_python(), tmp_path_factory.mktemp("linter") / "v")
    pip(interpreter, "--python", directory / "bin" / "python", "install", LINTER)
    return directory / "bin"


@pytest.fixture(scope="session")
def content(linter):
    return {name: json.loads(call(linter / "python", "-c", AS_JSON, REPOSITORY / name).stdout)
            for name in FILES}


def texts(node):
    """Every text in it, wherever it is."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        return [text for item in node for text in texts(item)]
    return [node] if isinstance(node, str) else []


def commands(node):
    """Lines of shell; a backslash goes on with the next one."""
    return [line for text in texts(node) for line in text.replace("\\\n", " ").splitlines()]


def test_all_are_known():
    assert {f"docs/ci/{path.name}" for path in (REPOSITORY / "docs" / "ci").iterdir()} | \
        {"action.yml"} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_schema(linter, name):
    done = call(linter / "check-jsonschema", "--builtin-schema", *FILES[name], REPOSITORY / name)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_one_is_found(linter, tmp_path):
    wrong = tmp_path / "action.yml"
    wrong.write_text((REPOSITORY / "action.yml").read_text().replace("using: composite", "using: x"))
    done = call(linter / "check-jsonschema", "--builtin-schema", "vendor.github-actions", wrong)
    assert done.returncode != 0, done


def test_inputs_of_the_action(content):
    action = content["action.yml"]
    used = {name for text in texts(action["runs"])
            for name in re.findall(r"inputs\.([a-z-]+)", text)}
    assert used == set(action["inputs"])
    for step in (step for workflow in ("docs/ci/github.yml",) for job in
                 content[workflow]["jobs"].values() for step in job["steps"]):
        if step.get("uses", "").startswith("ftsan/ftsan@"):
            assert set(step["with"]) <= set(action["inputs"])
            break
    else:
        raise AssertionError("no example uses the action")


def test_steps_that_are_named(content):
    steps = content["action.yml"]["runs"]["steps"]
    named = {step["id"] for step in steps if "id" in step}
    assert set(re.findall(r"steps\.([a-z]+)\.", json.dumps(content["action.yml"]))) <= named


@pytest.mark.parametrize("name", FILES)
def test_options_that_are_named(content, name):
    """`ftsan run --log`: is in the help of `ftsan run`; `--ftsan-log`: in the plugin."""
    for line in commands(content[name]):
        for words in re.findall(r'(?:-m )?\bftsan (run|report|doctor|scan)\b([^|&;]*)', line):
            known = subprocess.run([BUILD / "ftsan", words[0], "--help"], capture_output=True,
                                   text=True, env=clean_environment({})).stdout
            own = words[1].split(" -- ")[0]
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", own):
                assert option in known, (line, option)
            for value in re.findall(r"--format (\w+)", own):
                assert value in known, (line, value)
        if "pytest " in line:
            for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", line)) - FOREIGN:
                assert f'"{option}"' in PLUGIN or not option.startswith("--ftsan"), (line, option)


def test_files_that_the_page_names():
    page = REPOSITORY / "docs" / "ci.md"
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target
