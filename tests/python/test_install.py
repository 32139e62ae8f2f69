"""`pip install .` and `cmake --install`, each into a fresh place, and a run from there."""

import pathlib
import shutil
import subprocess
import sys

import pytest
from conftest import (BLIND, BUILD, PROGRAMS, REPOSITORY, TIMEOUT, assert_repeat_race,
                      assert_silent, clean_environment, read_log, Outcome)

HOT = PROGRAMS / "repeat_hot.py"
EXIT_FINDINGS = 66

# What pip says when there is no index, or none with the build's requirements in it.
NO_INDEX = ("No matching distribution found", "Could not find a version",
            "Failed to establish a new connection", "Temporary failure in name resolution",
            "Read timed out", "ReadTimeoutError")


def system_python():
    """A usual interpreter, with the GIL; the distribution's, if it has one."""
    for python in ("/usr/bin/python3", shutil.which("python3"), sys.executable):
        if python and subprocess.run([python, "-c", "import venv"],
                                     capture_output=True).returncode == 0:
            return python
    pytest.skip("no python3 that can make virtual environments")


def call(*command, cwd=None, **environment):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          env=clean_environment(environment), cwd=cwd, timeout=TIMEOUT,
                          stdin=subprocess.DEVNULL)


def pip(python, *arguments):
    result = call(python, "-m", "pip", "--no-input", "--disable-pip-version-check", *arguments)
    if result.returncode != 0 and any(text in result.stderr for text in NO_INDEX):
        pytest.skip("pip gets nothing from the package index: " +
                    result.stderr.strip().splitlines()[-1])
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def ftsan_run(command, directory, *words, **environment):
    """`COMMAND run`; the outcome as the other tests have it."""
    log = directory / "log"
    done = call(command, "run", "--log", log, "--", *words, cwd=directory, **environment)
    return Outcome(done.returncode, done.stdout, done.stderr, {"log": read_log(log)})


def make_environment(python, directory):
    """As `python -m venv`, without a pip: the free-threaded interpreter's installs into it."""
    result = call(python, "-m", "venv", "--without-pip", directory)
    assert result.returncode == 0, result.stderr
    return directory


@pytest.fixture(scope="module")
def wheel(interpreter, tmp_path_factory):
    """Made from the source tree as it is; the tree itself must stay as it was."""
    directory = tmp_path_factory.mktemp("wheel")
    pip(interpreter, "wheel", "--no-deps", "--wheel-dir", directory, REPOSITORY)
    made, = directory.glob("*.whl")
    return made


@pytest.fixture(scope="module", params=["free-threaded", "usual"])
def installed(request, interpreter, wheel, tmp_path_factory):
    """The directory of a fresh environment with the wheel in it."""
    python = interpreter if request.param == "free-threaded" else system_python()
    directory = make_environment(python, tmp_path_factory.mktemp("venv") / "v")
    pip(interpreter, "--python", directory / "bin" / "python", "install", "--no-deps", wheel)
    return directory


def test_tag_names_no_interpreter(wheel):
    assert wheel.name.endswith("-py3-none-linux_x86_64.whl")


def test_command_and_page(installed):
    result = call(installed / "bin" / "ftsan", "--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert call(installed / "bin" / "python", "-m", "ftsan", "--version").stdout == result.stdout
    assert (installed / "share" / "man" / "man1" / "ftsan.1").is_file()


def test_entry_point_of_the_plugin(installed):
    result = call(installed / "bin" / "python", "-c", """if True:
        from importlib.metadata import entry_points
        print([entry.value for entry in entry_points(group="pytest11") if entry.name == "ftsan"])
    """)
    assert result.stdout == "['ftsan.pytest_plugin']\n", result.stderr


def test_must_report(installed, numpy_affected, tmp_path):
    outcome = ftsan_run(installed / "bin" / "ftsan", tmp_path, numpy_affected, HOT)
    assert_repeat_race(outcome, HOT)


def test_must_not_report(installed, numpy_fixed, tmp_path):
    assert_silent(ftsan_run(installed / "bin" / "ftsan", tmp_path, numpy_fixed, HOT))


def test_runs_the_interpreter_of_the_environment(installed, tmp_path):
    python = installed / "bin" / "python"
    script = tmp_path / "script.py"
    script.write_text("import lzma, bz2, zlib, sys; print(sys.prefix)")
    outcome = ftsan_run(installed / "bin" / "ftsan", tmp_path, python, script)
    assert_silent(outcome, BLIND)  # one thread, and no extension to watch
    assert outcome.stdout.strip() == str(installed)


def native_directory(installed):
    directory, = installed.glob("lib/python*/site-packages/ftsan/_native")
    return directory


def test_every_library_is_bundled(installed):
    """Nothing but the C library may come from the machine."""
    for file in native_directory(installed).iterdir():
        listing = call("ldd", file).stdout
        for line in listing.splitlines():
            name = line.split()[0]
            assert (name.startswith(("libc.so", "libm.so", "linux-vdso", "/lib64/ld-linux")) or
                    str(native_directory(installed)) in line or "statically" in line), listing


def test_bundled_libraries_do_without_the_machines(installed, numpy_affected, tmp_path):
    """The system's libunwind and Zydis come first, so here they get names it has not."""
    copy = tmp_path / "native"
    shutil.copytree(native_directory(installed), copy)
    library = copy / "libftsan.so"
    content = library.read_bytes()
    for name in ("libunwind.so.8", "libZydis.so.4"):
        other = name.replace(".so.", ".so_")
        assert name.encode() in content
        content = content.replace(name.encode(), other.encode())
        for file in copy.glob(name + "*"):
            file.rename(copy / file.name.replace(name, other))
    library.write_bytes(content)
    outcome = ftsan_run(copy / "ftsan", tmp_path, numpy_affected, HOT)
    assert_repeat_race(outcome, HOT)
    engine, = (record for record in outcome.records("engine") if record["name"] == "guard")
    assert "no native stacks" not in engine["detail"], engine
    assert "no decoder" not in engine["detail"], engine


def test_bundled_libraries_are_not_the_programs(installed):
    """Loaded or not, they are not what a module that needs liblzma gets."""
    result = call(installed / "bin" / "python", "-c", f"""if True:
        import ctypes
        ctypes.CDLL({str(native_directory(installed) / "libunwind.so.8")!r})
        import lzma
        paths = {{line.split()[-1] for line in open("/proc/self/maps") if "lzma.so" in line}}
        print(sorted(path.rpartition("/")[2] for path in paths))
    """)
    assert result.returncode == 0, result.stderr
    assert "'libftsan-lzma.so.5', 'liblzma.so." in result.stdout


def test_cmake_install(numpy_affected, numpy_fixed, tmp_path):
    prefix = tmp_path / "prefix"
    if not (BUILD / "CMakeCache.txt").exists():
        pytest.skip(f"{BUILD} is no build directory")
    result = call("cmake", "--install", BUILD, "--prefix", prefix)
    assert result.returncode == 0, result.stderr
    assert list(prefix.glob("share/man/man1/ftsan.1"))
    for python, check in ((numpy_affected, lambda o: assert_repeat_race(o, HOT)),
                          (numpy_fixed, assert_silent)):
        directory = tmp_path / pathlib.Path(python).parents[1].name
        directory.mkdir()
        check(ftsan_run(prefix / "bin" / "ftsan", directory, python, HOT))
