"""The wheel of tools/wheel.sh: what is in it, and a run from it on each interpreter.

What it brings along must do without the machine's: those are hidden for the time of a run,
where the machine allows it (a mount namespace, which needs root).
"""

import email
import glob
import pathlib
import shutil
import subprocess
import zipfile

import pytest
from conftest import PROGRAMS, REPOSITORY, TIMEOUT, Outcome, clean_environment, read_log
from test_install import call, make_environment, native_directory, pip, system_python

GLIBC = (2, 28)
SIZE_MAX = 3 << 20
EXIT_FINDINGS = 66
BUILD_SECONDS = 1200
HIDDEN = ("libunwind*.so*", "libZydis*.so*", "libjansson*.so*", "libdw*.so*", "libelf*.so*")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    directory = tmp_path_factory.mktemp("dist")
    result = subprocess.run(["sh", REPOSITORY / "tools" / "wheel.sh", directory], text=True,
                            capture_output=True, timeout=BUILD_SECONDS)
    if result.returncode != 0 and "No matching distribution" in result.stderr:
        pytest.skip("the package index has no compiler for wheels")
    assert result.returncode == 0, result.stderr
    return pathlib.Path(result.stdout.strip())


@pytest.fixture(scope="session")
def hide():
    """Words in front of a command that must not see the machine's copies."""
    files = [name for pattern in HIDDEN for name in glob.glob(f"/usr/lib/x86_64-linux-gnu/{pattern}")
             if not pathlib.Path(name).is_symlink()]
    script = "".join(f"mount --bind /dev/null {name} && " for name in files) + 'exec "$@"'
    words = ["unshare", "-m", "sh", "-c", script, "sh"]
    if not shutil.which("unshare") or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("no mount namespace of one's own here (that needs root)")
    return words


@pytest.fixture(scope="session")
def installed(interpreter, wheel, tmp_path_factory):
    directory = make_environment(interpreter, tmp_path_factory.mktemp("venv") / "v")
    pip(interpreter, "--python", directory / "bin" / "python", "install", "--no-deps", wheel)
    return directory


@pytest.fixture(scope="session")
def installed_gil(interpreter, wheel, tmp_path_factory):
    directory = make_environment(system_python(), tmp_path_factory.mktemp("venv") / "usual")
    pip(interpreter, "--python", directory / "bin" / "python", "install", "--no-deps", wheel)
    return directory


def test_name_and_size(wheel):
    assert wheel.name.endswith("-py3-none-manylinux_2_28_x86_64.whl")
    assert wheel.stat().st_size <= SIZE_MAX


def test_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        name, = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_string(archive.read(name).decode())
    assert {"Homepage", "Documentation", "Issues"} <= \
        {url.split(",")[0] for url in metadata.get_all("Project-URL")}
    assert "Programming Language :: Python :: 3.15" in metadata.get_all("Classifier")
    licenses = {pathlib.Path(name).stem for name in names if "/licenses/" in name}
    assert {"elfutils", "jansson", "libunwind", "zlib", "zycore", "zydis"} <= licenses


def test_needs_no_newer_glibc(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    files = [file for file in (tmp_path / "ftsan" / "_native").iterdir() if file.is_file()]
    assert {"ftsan", "libftsan.so"} < {file.name for file in files}
    for file in files:
        wanted = call("objdump", "-T", file).stdout.split("GLIBC_")[1:]
        versions = {tuple(int(part) for part in text.split(")")[0].split()[0].split("."))
                    for text in wanted if text[0].isdigit()}
        assert all(version <= GLIBC for version in versions), (file.name, versions)


def test_version(installed):
    command = call(installed / "bin" / "ftsan", "version").stdout.split()[1]
    package = call(installed / "bin" / "python", "-c", "import ftsan; print(ftsan.__version__)")
    assert package.stdout.strip() == command, package.stderr


def run_hidden(hide, installed, directory, *words):
    """`ftsan run` in latent mode, with the machine's libraries out of sight."""
    log = directory / "log"
    command = [*hide, installed / "bin" / "ftsan", "run", "--log", log, "--options", "mode=latent",
               "--", *words]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          env=clean_environment({}), cwd=directory, timeout=TIMEOUT,
                          stdin=subprocess.DEVNULL)
    return Outcome(done.returncode, done.stdout, done.stderr, {"log": read_log(log)})


def test_must_report(installed, hide, numpy_fixed, tmp_path):
    """argsort(order=), which NumPy's current releases have: with native stacks (libunwind),
    and lines of source where there are some (libdw)."""
    outcome = run_hidden(hide, installed, tmp_path, numpy_fixed, PROGRAMS / "argsort_order.py", "1")
    assert outcome.status == EXIT_FINDINGS, outcome
    finding = next(finding for finding in outcome.findings if finding["kind"] == "hazard")
    kinds = {frame["type"] for stack in finding["stacks"] for frame in stack["frames"]}
    assert kinds == {"native", "python"}, finding


def test_must_not_report(installed, hide, numpy_fixed, tmp_path):
    outcome = run_hidden(hide, installed, tmp_path, numpy_fixed, PROGRAMS / "repeat_once.py")
    assert (outcome.status, outcome.findings) == (0, []), outcome


def test_uninstall_leaves_nothing(installed_gil, interpreter):
    python = installed_gil / "bin" / "python"
    assert native_directory(installed_gil).is_dir()
    pip(interpreter, "--python", python, "uninstall", "-y", "ftsan")
    left = [path for path in installed_gil.rglob("*ftsan*")]
    assert left == []
