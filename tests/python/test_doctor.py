"""`ftsan doctor`: what it says of machines where something is missing."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from conftest import BUILD, TIMEOUT, clean_environment, version_in

FTSAN = BUILD / "ftsan"
OK, DEGRADED, UNUSABLE = range(3)

pytestmark = pytest.mark.skipif(not FTSAN.exists(), reason=f"{FTSAN} is not built")

# Runs the rest of its arguments under a seccomp filter that refuses one system call.
REFUSE = """
import ctypes, os, struct, sys
number, error = int(sys.argv[1]), int(sys.argv[2])
program = b"".join(struct.pack("HBBI", *step) for step in [
    (0x20, 0, 0, 0),                      # load the number
    (0x15, 0, 1, number),                 # is it this one?
    (0x06, 0, 0, 0x00050000 | error),     # then the error
    (0x06, 0, 0, 0x7fff0000)])            # else go on
code = ctypes.create_string_buffer(program)
filter = struct.pack("HxxxxxxP", 4, ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, filter, 0, 0):
    sys.exit(77)
os.execv(sys.argv[3], sys.argv[3:])
"""
PERF_EVENT_OPEN = 298


def doctor(*arguments, command=(FTSAN,), status, **environment):
    words = [str(word) for word in (*command, "doctor", "--format", "json", *arguments)]
    result = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT,
                            env=clean_environment(environment))
    if result.returncode == 77:
        pytest.skip("no seccomp filters here")
    assert result.returncode == status, (result.returncode, result.stdout, result.stderr)
    report = json.loads(result.stdout)
    assert report["status"] == ("ok", "degraded", "unusable")[status]
    return {check["name"]: check for check in report["checks"]}


def refusing(number, error):
    return [sys.executable, "-c", REFUSE, number, error, FTSAN]


@pytest.fixture(scope="module")
def perf_allowed(numpy_fixed):
    """Machines where it is refused have their own test."""
    words = [FTSAN, "doctor", "--format", "json", numpy_fixed]
    result = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT,
                            env=clean_environment({}))
    if any(check["name"] == "perf" and check["status"] != "ok"
           for check in json.loads(result.stdout)["checks"]):
        pytest.skip("perf_event_open is refused here")


def test_all_is_well(numpy_affected, perf_allowed):
    checks = doctor(numpy_affected, status=OK)
    assert {check["status"] for check in checks.values()} <= {"ok", "note"}
    assert "free-threaded" in checks["python"]["detail"]
    assert "canary was caught" in checks["engine guard"]["detail"]
    assert "its arrays are guarded; has numpy#28197" in checks["numpy"]["detail"]
    assert checks["numpy"]["status"] == "note"
    assert set(checks) >= {"kernel", "pku", "perf", "mem", "maps", "ptrace", "libftsan",
                           "libunwind", "Zydis", "frames"}


def test_fixed_numpy_is_no_note(numpy_fixed, perf_allowed):
    assert doctor(numpy_fixed, status=OK)["numpy"] == {
        "name": "numpy", "status": "ok", "detail": f"{version_in(numpy_fixed)}, its arrays are guarded"}


def test_text(numpy_fixed, perf_allowed):
    result = subprocess.run([FTSAN, "doctor", numpy_fixed], capture_output=True, text=True,
                            env=clean_environment({}), timeout=TIMEOUT)
    assert result.returncode == 0
    assert result.stdout.endswith("\nftsan: ok\n")
    assert (f"ok        numpy         {version_in(numpy_fixed)}, its arrays are guarded\n"
            in result.stdout)


def test_without_numpy(interpreter, perf_allowed):
    assert doctor(interpreter, status=OK)["numpy"]["status"] == "note"


def test_with_the_gil():
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    if subprocess.run([python, "-c", "import sysconfig, sys; "
                       "sys.exit(bool(sysconfig.get_config_var('Py_GIL_DISABLED')))"]).returncode:
        pytest.skip("no interpreter with the GIL")
    check = doctor(python, status=DEGRADED)["python"]
    assert check["status"] == "degraded" and "with the GIL" in check["detail"]


def test_perf_refused(numpy_fixed):
    check = doctor(numpy_fixed, command=refusing(PERF_EVENT_OPEN, 1), status=DEGRADED)["perf"]
    assert check["status"] == "degraded"
    assert "refused: Operation not permitted" in check["detail"]
    assert "windows by sites" in check["detail"], check
    # No sysctl gives what a filter refuses.
    assert "--cap-add PERFMON" in check["advice"] and "sysctl kernel" not in check["advice"], check


def test_perf_refused_by_level(numpy_fixed):
    check = doctor(numpy_fixed, command=refusing(PERF_EVENT_OPEN, 13), status=DEGRADED)["perf"]
    assert "sysctl kernel.perf_event_paranoid=2" in check["advice"], check
    assert "PERFMON" not in check["advice"], check


def test_guard_that_does_not_work(numpy_fixed):
    checks = doctor(numpy_fixed, FTSAN_OPTIONS="guard=0", status=UNUSABLE)
    assert checks["engine guard"]["status"] == "unusable"


def test_missing_helpers(numpy_fixed, tmp_path):
    """A command and a library that look for names nobody has."""
    for name in ("ftsan", "libftsan.so"):
        content = (BUILD / name).read_bytes()
        for soname in (b"libunwind.so.", b"libZydis.so."):
            assert soname in content
            content = content.replace(soname, soname.replace(b".so.", b".no."))
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o755)
    checks = doctor(numpy_fixed, command=[tmp_path / "ftsan"], status=DEGRADED)
    assert checks["libunwind"]["status"] == checks["Zydis"]["status"] == "degraded"
    assert "no native stacks" in checks["engine guard"]["detail"]
    assert "no decoder" in checks["engine guard"]["detail"]


def test_missing_library(numpy_fixed, tmp_path):
    shutil.copy(FTSAN, tmp_path)
    checks = doctor(numpy_fixed, command=[tmp_path / "ftsan"], status=UNUSABLE)
    assert checks["libftsan"]["status"] == "unusable"


def test_interpreters_that_are_none(tmp_path):
    def python(source):
        path = tmp_path / "python"
        path.write_text("#!/bin/sh\n" + source)
        path.chmod(0o755)
        return doctor(path, status=UNUSABLE)["python"]["detail"]

    assert "No such file" in doctor("/nonexistent", status=UNUSABLE)["python"]["detail"]
    assert "Permission denied" in doctor("/etc/passwd", status=UNUSABLE)["python"]["detail"]
    assert "does not answer" in python("exit 0")
    assert "exit status 3: two" in python("echo one >&2; echo two >&2; exit 3")
    assert "without libftsan.so" in python("echo '{}'")


def test_output_without_end(interpreter, tmp_path):
    """A site that talks a lot must not keep us waiting, nor fill the memory."""
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\nhead -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero\n")
    path.chmod(0o755)
    assert doctor(path, status=UNUSABLE)["python"]["status"] == "unusable"


def test_interpreter_of_the_active_environment(numpy_affected, perf_allowed):
    environment = str(pathlib.Path(numpy_affected).parents[1])
    checks = doctor(VIRTUAL_ENV=environment, status=OK)
    assert checks["python"]["detail"].startswith(environment)


def test_nothing_is_left_behind(numpy_fixed, tmp_path, perf_allowed):
    doctor(numpy_fixed, TMPDIR=str(tmp_path), status=OK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--format", "xml"], ["--format"], ["--x"], ["a", "b"]])
def test_bad_arguments(arguments):
    result = subprocess.run([FTSAN, "doctor", *arguments], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (125, "")
    assert result.stderr.startswith("ftsan: doctor: ")
