"""`ftsan scan`: what is known of an environment's modules, without running any of them."""

import json
import os
import pathlib
import random
import shutil
import socket
import subprocess

import pytest
from conftest import BUILD, TIMEOUT, clean_environment, found, version_in

FTSAN = BUILD / "ftsan"
ABI = "cpython-313t-x86_64-linux-gnu"

pytestmark = pytest.mark.skipif(not FTSAN.exists(), reason=f"{FTSAN} is not built")


def scan(*arguments, status=0, **settings):
    result = subprocess.run([str(word) for word in (FTSAN, "scan", *arguments)], text=True,
                            capture_output=True, timeout=TIMEOUT, errors="surrogateescape",
                            **{"env": clean_environment({}), **settings})
    assert result.returncode == status, (result.returncode, result.stdout, result.stderr)
    return result


def scanned(*arguments, **settings):
    return json.loads(scan("--format", "json", *arguments, **settings).stdout)


def issues(place):
    return [hazard["issue"] for hazard in place["hazards"]]


@pytest.fixture(scope="session")
def modules(tmp_path_factory):
    """Makes extension modules that hold a text and import a function."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for the modules")
    directory = tmp_path_factory.mktemp("modules")

    def make(path, text="", imports="PyMem_Malloc", init="PyInit_m", flags=()):
        source = directory / "m.c"
        call = f"extern void {imports}(void); void use(void) {{ {imports}(); }}" if imports else ""
        source.write_text(f'const char *text(void) {{ return "{text}"; }}\n'
                          f"void {init}(void) {{}}\n{call}\n")
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-shared", "-fPIC", "-O0", *flags, "-o", path, source],
                       check=True)
        return path

    return make


@pytest.mark.parametrize("text, version, expected", [
    ("_cython_3_1_0a1", "3.1.0a1", ["cython#6718", "cython#6721"]),
    ("x_cython_3_1_0a1nofreelists", "3.1.0a1", ["cython#6718", "cython#6721"]),
    ("_cython_3_0_12limited", "3.0.12", ["cython#6718", "cython#6721"]),
    ("_cython_3_0_13", "3.0.13", ["cython#6718"]),
    ("_cython_0_29_37", "0.29.37", ["cython#6718", "cython#6721"]),
    ("_cython_3_1_0b1", "3.1.0b1", []), ("_cython_3_1_0", "3.1.0", []),
    ("_cython_3_1_4", "3.1.4", []), ("_cython_3_2_0rc2", "3.2.0rc2", []),
    ("_cython_", None, []), ("_cython_dict _cython_3", None, []),
    ("_cython_x _cython_3_1_0a1", "3.1.0a1", ["cython#6718", "cython#6721"]),
    ("cython_runtime", "unknown", []), ("cython_runtime _cython_3_1_1", "3.1.1", []),
    ("", None, [])])
def test_cython(modules, tmp_path, text, version, expected):
    modules(tmp_path / f"m.{ABI}.so", text)
    module, = scanned(tmp_path)["modules"]
    assert (module["cython"], issues(module)) == (version, expected)
    scan("--exit-code", tmp_path, status=66 if expected else 0)
    scan(tmp_path, status=0)


@pytest.mark.parametrize("name, abi, free_threaded, reason", [
    (f"m.{ABI}.so", "cp313t", True, None),
    ("m.cpython-314td-x86_64-linux-gnu.so", "cp314td", True, None),
    ("m.cpython-313-x86_64-linux-gnu.so", "cp313", False, None),
    ("m.abi3.so", "abi3", False, "limited API"), ("m.abi3t.so", "abi3t", True, "limited API"),
    ("m.so", None, True, None)])
def test_abi(modules, tmp_path, name, abi, free_threaded, reason):
    """Only what a free-threaded interpreter can load is a hazard there."""
    modules(tmp_path / name, "_cython_3_1_0a1")
    module, = scanned(tmp_path)["modules"]
    assert (module["abi"], module["free_threaded"]) == (abi, free_threaded)
    assert (module["hookable"], module["reason"]) == (reason is None, reason)
    assert bool(module["hazards"]) == free_threaded


def test_what_is_imported(modules, tmp_path):
    modules(tmp_path / f"a.{ABI}.so", imports="PyMem_RawMalloc")
    modules(tmp_path / f"b.{ABI}.so", imports="PyMemoryView_New")
    modules(tmp_path / f"c.{ABI}.so", imports="PyFrame_New")
    modules(tmp_path / f"lib.so", init="something")
    result = scanned(tmp_path)
    assert [module["hookable"] for module in result["modules"]] == [True, False, False]
    assert [module["imports_frame_new"] for module in result["modules"]] == [False, False, True]
    assert result["other_objects"] == 1


# Of every release from 2.2.1 on: nobody can update, so it is no reason to fail.
ARGSORT = "numpy-argsort-order"


@pytest.mark.parametrize("version, expected, supported", [
    ("2.2.1", ["numpy#28197", "numpy#28813", "numpy#30234", ARGSORT], True),
    ("2.2.0", ["numpy#28197", "numpy#27955", "numpy#28813", "numpy#30234"], True),
    ("2.2.3", ["numpy#28813", "numpy#30234", ARGSORT], True),
    ("2.3.0rc1", ["numpy#30234", ARGSORT], True), ("2.4.0", [ARGSORT], True),
    ("2.5.0.dev0+git20260101.abc", [ARGSORT], True), ("2.0.2", [], False),
    ("1.26.4", [], False), ("garbage", [], False)])
def test_numpy(tmp_path, version, expected, supported):
    (tmp_path / "x" / f"numpy-{version}.dist-info").mkdir(parents=True)
    (tmp_path / "x" / "numpy_quaternion-1.0.dist-info").mkdir()
    numpy, = scanned(tmp_path)["numpy"]
    assert (numpy["version"], numpy["supported"]) == (version, supported)
    assert issues(numpy) == expected
    scan("--exit-code", tmp_path, status=66 if set(expected) - {ARGSORT} else 0)


def test_text(modules, tmp_path):
    path = modules(tmp_path / f"m.{ABI}.so", "_cython_3_1_0a1")
    output = scan(tmp_path).stdout
    assert f"{path}  cp313t, Cython 3.1.0a1  HAZARD cython#6718, cython#6721\n" in output
    assert "cython#6718 (1 place): " in output
    assert "ftsan: 1 extension module, 1 for free-threaded interpreters, 1 with arrays or code " \
           "caches to guard; 0 other shared objects\n" \
           "ftsan: 2 known hazards, 2 fixed in a newer version\n" in output


def test_text_of_what_is_not_fixed(modules, tmp_path):
    (tmp_path / "numpy-2.5.5.dist-info").mkdir()
    path = modules(tmp_path / f"m.{ABI}.so", imports="PyList_New")
    output = scan(tmp_path).stdout
    assert f"{path}  cp313t, statics and sampler only (takes no memory that is guarded)\n" in output
    assert f"{ARGSORT} (1 place): " in output and "no numpy has it fixed so far\n" in output
    assert "ftsan: 1 known hazard, 0 fixed in a newer version\n" in output


# --- real environments -----------------------------------------------------------------


def test_affected_environment():
    skimage = found("FTSAN_VENV_SKIMAGE", "setup.sh", "venv", "--find", "skimage")
    result = scanned(f"{skimage}/bin/python")
    numpy, = result["numpy"]
    assert numpy["version"] == "2.2.1" and "numpy#28197" in issues(numpy)
    by_name = {module["path"].rpartition("/")[2].partition(".")[0]: module
               for module in result["modules"]}
    assert by_name["_mcp"]["cython"] == "3.1.0a1" and by_name["_mcp"]["imports_frame_new"]
    assert "cython#6718" in issues(by_name["_mcp"])
    assert by_name["_multiarray_umath"]["hookable"]
    assert by_name["_multiarray_umath"]["cython"] is None
    assert result["problems"] == []


def test_fixed_environment(numpy_fixed):
    result = scanned(numpy_fixed)
    numpy, = result["numpy"]
    assert (numpy["version"], issues(numpy)) == (version_in(numpy_fixed), [ARGSORT])
    assert all(module["hazards"] == [] for module in result["modules"])
    assert any(module["cython"] for module in result["modules"])
    scan("--exit-code", numpy_fixed, status=0)


def fake_environment(python, directory, shared=False):
    """A virtual environment whose packages would leave a trace if they were imported."""
    (directory / "bin").mkdir(parents=True)
    (directory / "bin" / "python").symlink_to(python)
    (directory / "pyvenv.cfg").write_text(
        f"home = {os.path.dirname(os.path.realpath(python))}\n"
        f"include-system-site-packages = {str(shared).lower()}\n")
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d%s' % (*sys.version_info[:2], "
         "'t' * ('t' in sys.abiflags)))"], capture_output=True, text=True,
        check=True).stdout.strip()
    packages = directory / "lib" / f"python{version}" / "site-packages"
    packages.mkdir(parents=True)
    trace = f"open({str(directory / 'trace')!r}, 'w').close()\n"
    for name in ("sitecustomize.py", "usercustomize.py", "json.py", "os.py"):
        (packages / name).write_text(trace)
    (packages / "x.pth").write_text(f"import os; {trace}")
    return packages


@pytest.mark.parametrize("shared", [False, True])
def test_nothing_of_the_environment_is_run(modules, interpreter, tmp_path, shared):
    packages = fake_environment(interpreter, tmp_path / "v", shared)
    (packages / "numpy-2.2.1.dist-info").mkdir()
    modules(packages / f"m.{ABI}.so", "_cython_3_1_0a1")
    trace = f"open({str(tmp_path / 'v' / 'trace')!r}, 'w').close()\n"
    (tmp_path / "json.py").write_text(trace)
    (tmp_path / "startup.py").write_text(trace)
    result = scanned(tmp_path / "v" / "bin" / "python", cwd=tmp_path, env={
        **clean_environment({}), "PYTHONPATH": str(packages),
        "PYTHONSTARTUP": str(tmp_path / "startup.py")})
    assert [numpy["version"] for numpy in result["numpy"]] == ["2.2.1"]
    assert str(packages / f"m.{ABI}.so") in [module["path"] for module in result["modules"]]
    assert not (tmp_path / "v" / "trace").exists()


def test_name_of_an_interpreter(interpreter, tmp_path):
    fake_environment(interpreter, tmp_path / "v")
    environment = {**clean_environment({}), "PATH": f"{tmp_path}/v/bin:{os.environ['PATH']}"}
    assert scanned("python", env=environment)["modules"] == []


# --- what may lie about ----------------------------------------------------------------


def test_links(modules, tmp_path):
    """A file counts once; a circle of directories ends."""
    root = tmp_path / "root"
    path = modules(root / "a" / f"m.{ABI}.so", "_cython_3_1_0a1")
    (root / "a" / "loop").symlink_to(root)
    (root / f"b.{ABI}.so").symlink_to(path)
    os.link(path, root / f"c.{ABI}.so")
    (root / f"dangling.{ABI}.so").symlink_to("nowhere")
    (root / f"self.{ABI}.so").symlink_to(f"self.{ABI}.so")
    result = scanned(root)
    assert len(result["modules"]) == 1
    assert len(result["problems"]) == 2
    (tmp_path / "link").symlink_to(root)
    assert len(scanned(tmp_path / "link")["modules"]) == 1
    assert len(scanned(path)["modules"]) == 1


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / f"pipe.{ABI}.so")
    (tmp_path / f"directory.{ABI}.so").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s.so"))
    result = scanned(tmp_path)
    listener.close()
    assert result["modules"] == []


@pytest.mark.parametrize("content", [
    b"", b"\x7fELF", b"\x7fELF" + b"\xff" * 60, b"\x7fELF\2\1\1" + b"\0" * 57,
    b"#!/bin/sh\n" * 100, bytes(range(256)) * 64], ids=range(6))
def test_garbage(tmp_path, content):
    path = tmp_path / f"m.{ABI}.so"
    path.write_bytes(content)
    result = scanned(tmp_path)
    assert [problem["path"] for problem in result["problems"]] == [str(path)]
    assert result["modules"] == []


def test_linker_scripts_are_no_problem(tmp_path):
    (tmp_path / "libx.so").write_text("INPUT(libx.so.1)\n")
    assert scanned(tmp_path)["problems"] == []


def test_damaged_files(modules, tmp_path):
    """Cut short at every place, and with changed bytes where lengths and places are."""
    good = modules(tmp_path / "good.so", "_cython_3_1_0a1").read_bytes()
    sections = int.from_bytes(good[40:48], "little")
    random_ = random.Random(1)
    directory = tmp_path / "bad"
    directory.mkdir()
    for length in range(0, len(good), 97):
        (directory / f"cut-{length}.so").write_bytes(good[:length])
    for number in range(600):
        bad = bytearray(good)
        for _ in range(random_.randint(1, 8)):
            place = random_.choice([random_.randrange(64), random_.randrange(sections, len(bad)),
                                    random_.randrange(len(bad))])
            bad[place] = random_.choice([0, 1, 127, 128, 255, random_.randrange(256)])
        (directory / f"changed-{number}.so").write_bytes(bad)
    result = scanned(directory)
    assert len(result["modules"]) + len(result["problems"]) + result["other_objects"] > 500


def test_huge_files(modules, tmp_path):
    good = modules(tmp_path / "m.so", "_cython_3_1_0a1")
    with (tmp_path / "garbage.so").open("wb") as file:
        file.truncate(1 << 40)
    with (tmp_path / "long.so").open("wb") as file:
        content = bytearray(good.read_bytes())
        # Every section as long as the file.
        at, size, count = (int.from_bytes(content[a:b], "little")
                           for a, b in ((40, 48), (58, 60), (60, 62)))
        for number in range(count):
            place = at + number * size + 32
            content[place:place + 8] = (1 << 39).to_bytes(8, "little")
        file.write(content)
        file.truncate(1 << 40)
    result = scanned(tmp_path)
    assert [module["cython"] for module in result["modules"] if "m.so" in module["path"]] == \
        ["3.1.0a1"]


def test_unreadable_places(modules, tmp_path_factory):
    directory = pathlib.Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True,
                                            check=True).stdout.strip())
    try:
        directory.chmod(0o755)
        modules(directory / f"m.{ABI}.so")
        modules(directory / f"secret.{ABI}.so").chmod(0)
        (directory / "closed").mkdir(0)
        user = {"user": 65534, "group": 65534} if os.getuid() == 0 else {}
        result = subprocess.run([FTSAN, "scan", "--format", "json", directory], text=True,
                                capture_output=True, timeout=TIMEOUT, **user)
        if "Permission denied" in result.stderr:
            pytest.skip("the build directory is not everybody's")
        assert result.returncode == 0, result.stderr
        problems = json.loads(result.stdout)["problems"]
        assert {problem["path"].rpartition("/")[2]: problem["reason"] for problem in problems} == {
            f"secret.{ABI}.so": "Permission denied", "closed": "Permission denied"}
    except PermissionError:
        pytest.skip("the build directory is not everybody's")
    finally:
        shutil.rmtree(directory)


def test_names_that_are_no_text(modules, tmp_path):
    path = modules(tmp_path / "good.so")
    shutil.copy(path, os.fsencode(tmp_path) + b"/\xff\x1b.so")
    assert len(scanned(tmp_path)["modules"]) == 2
    assert "\x1b" not in scan(tmp_path).stdout


def test_other_processors(modules, tmp_path):
    path = modules(tmp_path / f"m.{ABI}.so")
    content = bytearray(path.read_bytes())
    content[18:20] = (183).to_bytes(2, "little")  # aarch64
    path.write_bytes(content)
    module, = scanned(tmp_path)["modules"]
    assert module["reason"] == "not for x86-64"


@pytest.mark.parametrize("arguments, text", [
    ([], "no path"), (["/nonexistent/path"], "No such file"), (["--format", "xml", "/"], "xml"),
    (["--frmat"], "unknown option"), (["no-such-interpreter"], "No such file"),
    (["/bin/true"], "nor a Python")])
def test_bad_arguments(arguments, text):
    assert text in scan(*arguments, status=125).stderr


def test_full_disk(tmp_path):
    with open("/dev/full", "w") as full:
        result = subprocess.run([FTSAN, "scan", tmp_path], stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 125


def test_several_places(modules, tmp_path):
    modules(tmp_path / "a" / "m.so")
    modules(tmp_path / "b" / "m.so")
    assert len(scanned(tmp_path / "a", tmp_path / "b", tmp_path / "a")["modules"]) == 2
