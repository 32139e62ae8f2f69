"""The torture suite's short forms; tests/torture has the long ones."""

import subprocess
import sys

import pytest
from conftest import BUILD, REPOSITORY, clean_environment, found

TORTURE = REPOSITORY / "tests" / "torture"


def torture(script, *arguments):
    if not (BUILD / "libftsan.so").exists():
        pytest.skip(f"{BUILD} is not built")
    command = [sys.executable, TORTURE / script, "--build", BUILD, *arguments]
    done = subprocess.run([str(word) for word in command], env=clean_environment({}),
                          capture_output=True, text=True, errors="replace", timeout=1200)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_cpythons_own_tests(interpreter):
    """Six modules on threads, forks, signals and exits; every case as bare."""
    out = torture("cpython.py", "--python", interpreter, "--short", "--runs", "1",
                  "--ways", "bare,preload")
    assert "0 modules with differences" in out


@pytest.mark.parametrize("mode, cycles", [("all", 300), ("race", 100)])
def test_cycles(numpy_affected, mode, cycles):
    torture("cycles.py", "--python", numpy_affected, "--cycles", cycles, "--ways", mode)


def test_attach_cycles(numpy_affected):
    """More than 64: so many buffers a thread makes between two looks at the clock."""
    torture("attach_cycles.py", "--python", numpy_affected, "--cycles", 70,
            "--duration", "0.05")


def test_cycles_with_the_gil():
    venv = found("FTSAN_VENV_AFFECTED_GIL", "setup.sh", "venv", "--find", "numpy-affected-gil")
    torture("cycles.py", "--python", f"{venv}/bin/python", "--cycles", 100, "--ways", "latent")
