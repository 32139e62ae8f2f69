"""Configurations (bare, ftsan's modes, valgrind's tools), and the interpreters.

Interpreters are named by the environment as for the tests (FTSAN_BUILD, FTSAN_PYTHON,
FTSAN_VENV_FIXED, FTSAN_VENV_AFFECTED, FTSAN_VENV_SKIMAGE), or found where
sh tools/test.sh left them.
"""

import functools
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PROGRAMS = REPOSITORY / "tests" / "python" / "programs"
BUILD = pathlib.Path(os.environ.get("FTSAN_BUILD", REPOSITORY / "build")).resolve()

MODES = ("race", "latent", "all")
# The second bare one shows what a difference is worth: nothing differs there.
CONFIGURATIONS = ("bare", "bare again", *MODES)


class Unavailable(Exception):
    pass


def _find(variable, *command):
    if os.environ.get(variable):
        return pathlib.Path(os.environ[variable])
    done = subprocess.run(["sh", REPOSITORY / "tools" / command[0], *command[1:]],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Unavailable(f"{command[0]} {' '.join(command[1:])} found none "
                          "(sh tools/test.sh makes it)")
    return pathlib.Path(done.stdout.strip())


@functools.cache
def python(name):
    """The interpreter "plain", or the one of an environment."""
    if name == "plain":
        return _find("FTSAN_PYTHON", "get-python.sh", "--find")
    variable = {"numpy-fixed": "FTSAN_VENV_FIXED", "numpy-affected": "FTSAN_VENV_AFFECTED",
                "skimage": "FTSAN_VENV_SKIMAGE", "pandas": "FTSAN_VENV_PANDAS",
                "scipy": "FTSAN_VENV_SCIPY", "targets": "FTSAN_VENV_TARGETS"}[name]
    return _find(variable, "setup.sh", "venv", "--find", name) / "bin" / "python"


_cython_failure = None


def cython_module(directory, release="3.2.*"):
    """A directory with a module whose functions raise (tools/make_cython_module.py)."""
    global _cython_failure
    if not (directory / "cython").exists() and _cython_failure is None:
        done = subprocess.run(
            ["python3", REPOSITORY / "tools" / "make_cython_module.py", "--version", release,
             "--python", python("plain"), "--lines", "60", "--output", directory / "cython"],
            capture_output=True, text=True)
        if done.returncode != 0:
            _cython_failure = (done.stderr.strip() or "no output").splitlines()[-1]
    if _cython_failure is not None:
        raise Unavailable(_cython_failure)
    return directory / "cython"


def built(path):
    if not (BUILD / path).exists():
        raise Unavailable(f"{BUILD / path} is not built")
    return BUILD / path


def environment(configuration, log, more=None, options=""):
    """Of a process in that configuration; ftsan is preloaded, without its command."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("FTSAN_", "PYTEST_")) and
            name not in ("LD_PRELOAD", "PYTHON_GIL", "PYTHONPATH")}
    kept.update({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
                 "OPENBLAS_NUM_THREADS": "1", **(more or {})})
    if configuration in MODES:
        kept["LD_PRELOAD"] = str(built("libftsan.so"))
        kept["FTSAN_OPTIONS"] = (f"log='{log}':print=0:exitcode=0:mode={configuration}"
                                 f"{options}")
    return kept


def valgrind(tool):
    """The command that an interpreter's is put behind."""
    if shutil.which("valgrind") is None:
        raise Unavailable("valgrind is not installed (Debian's package valgrind)")
    return ["valgrind", f"--tool={tool}", "--error-limit=no", "--num-callers=12",
            "--fair-sched=try"]
