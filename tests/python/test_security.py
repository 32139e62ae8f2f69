"""What a stranger can put in ftsan's way: a privileged process, planted files, environments
and logs that are attacks."""

import os
import pathlib
import shutil
import stat
import subprocess

import pytest
from conftest import BUILD, clean_environment

HAZARD = "import numpy as np\nnp.repeat(np.arange(1000), 2)\nprint('alive')\n"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]


@pytest.fixture
def hazard(run):
    return run.script(HAZARD)


def with_log(run, python, script, log, options="mode=latent", **settings):
    """Preloaded by hand, with a log of the test's choosing."""
    return run.preload("env", f"FTSAN_OPTIONS=log={log}:{options}", python, script, **settings)


# --- privileged processes ---------------------------------------------------------------


@pytest.fixture
def privileged(tmp_path_factory):
    """A directory that nobody can reach, with an interpreter that has a capability: to the
    kernel and the loader that is as setuid, AT_SECURE."""
    if os.geteuid() != 0:
        pytest.skip("it takes root to give a file a capability")
    for tool in ("setcap", "setpriv"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool}")
    system = shutil.which("python3", path="/usr/bin:/bin")
    if system is None:
        pytest.skip("no python3 of the system's")
    directory = pathlib.Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True,
                                            check=True).stdout.strip())
    directory.chmod(0o777)
    shutil.copy(os.path.realpath(system), directory / "python")
    (directory / "python").chmod(0o755)
    for name in ("libftsan.so", "ftsan"):
        shutil.copy(BUILD / name, directory / name)
    if subprocess.run(["setcap", "cap_net_raw+ep", directory / "python"]).returncode != 0:
        shutil.rmtree(directory)
        pytest.skip("no file capabilities on this file system")
    yield directory
    shutil.rmtree(directory)




@pytest.mark.parametrize("capable", [False, True])
def test_the_environment_of_a_privileged_process_is_not_heeded(privileged, capable):
    """Whoever may set it must not make that process write files, or load anything."""
    if not capable:
        subprocess.run(["setcap", "-r", privileged / "python"], check=True)
    # A dumpable process may read its own maps; one with capabilities is told by its log.
    environment = clean_environment({"LD_PRELOAD": str(privileged / "libftsan.so"),
                                     "FTSAN_OPTIONS": f"log={privileged}/log:stats=1"})
    command = [*NOBODY, privileged / "python", "-S", "-c", "print('alive')"]
    done = subprocess.run([str(word) for word in command], env=environment, cwd=privileged,
                          capture_output=True, text=True)
    assert done.stdout == "alive\n", done
    assert (privileged / "log").exists() != capable, done
    if capable:
        assert "ftsan:" not in done.stderr, done


def test_the_command_with_a_privileged_process(privileged):
    """It sees nothing of it, and says so: 67 is the status of that."""
    command = [*NOBODY, privileged / "ftsan", "run", "--log", privileged / "log", "--",
               privileged / "python", "-S", "-c", "print('alive')"]
    done = subprocess.run([str(word) for word in command], env=clean_environment({}),
                          cwd=privileged, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (67, "alive\n"), done
    assert "CMD ran no CPython" in done.stderr, done


# --- the log ----------------------------------------------------------------------------


def test_the_log_is_for_its_owner_only(run, numpy_affected, hazard):
    old = os.umask(0)
    try:
        outcome = with_log(run, numpy_affected, hazard, run.directory / "mine")
        by_command = run.ftsan(numpy_affected, hazard, options="mode=latent")
    finally:
        os.umask(old)
    assert outcome.status == by_command.status == 66
    logs = [run.directory / "mine", *run.directory.glob("run-*/log*")]
    assert len(logs) > 1
    for log in logs:
        assert stat.S_IMODE(log.stat().st_mode) == 0o600, log


@pytest.mark.parametrize("how", ["preload", "command", "child"])
def test_a_planted_link_is_not_followed(run, numpy_affected, how):
    """In /tmp anybody can put one where a log is going to be."""
    victim = run.directory / "victim"
    victim.write_text("precious\n")
    log = run.directory / "planted"
    if how == "child":
        # %p is as foreseeable as a pid.
        script = run.script(f"""\
import os
import numpy as np
ends = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(ends[1])
    os.read(ends[0], 1)
    np.repeat(np.arange(1000), 2)
    os._exit(0)
os.symlink("{victim}", "{log}.new")  # the child may have made its log by now, or not
os.replace("{log}.new", f"{log}.{{pid}}")
os.write(ends[1], b"x")
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
print("alive")
""")
        outcome = with_log(run, numpy_affected, script, log, "mode=latent:print=0")
        assert (outcome.status, outcome.stdout) == (0, "alive\n"), outcome
    else:
        script = run.script(HAZARD)
        log.symlink_to(victim)
        if how == "preload":
            outcome = with_log(run, numpy_affected, script, log)
            assert (outcome.status, outcome.stdout) == (66, "alive\n"), outcome
            assert "WARNING: ftsan:" in outcome.stderr
        else:
            outcome = run.bare(BUILD / "ftsan", "run", "--log", log, "--", numpy_affected, script)
            assert (outcome.status, outcome.stdout) == (125, ""), outcome
    assert victim.read_text() == "precious\n"


@pytest.mark.parametrize("kind", ["fifo", "directory", "device"])
def test_a_log_that_is_no_file(run, numpy_affected, hazard, kind):
    """Nothing waits for a reader of a pipe, and nothing is lost."""
    log = run.directory / "special"
    if kind == "fifo":
        os.mkfifo(log)
    elif kind == "directory":
        log.mkdir()
    else:
        log = "/dev/null"
    outcome = with_log(run, numpy_affected, hazard, log)
    assert (outcome.status, outcome.stdout) == (66, "alive\n"), outcome
    assert "WARNING: ftsan:" in outcome.stderr


def test_the_pid_in_the_name(run, numpy_affected, hazard):
    outcome = with_log(run, numpy_affected, hazard, f"{run.directory}/a%pb%%c%d")
    assert outcome.status == 66, outcome
    name, = [path.name for path in run.directory.glob("a*")]
    assert name.startswith("a") and name.endswith("b%c%d") and name[1:-5].isdigit(), name


# --- the environment --------------------------------------------------------------------


@pytest.mark.parametrize("options", [
    "log=" + "x" * 5000, ":" * 10000, "=" * 10000, "mode='", "slots=99999999999999999999999",
    "\x1b[2J=1", "%s%n%p=%s", "mode=latent:mode=" + "a" * 100000, "\xff\xfe=\xff",
])
def test_hostile_options(run, interpreter, options):
    outcome = run.preload("env", f"FTSAN_OPTIONS={options}", interpreter, "-c", "print('alive')",
                          cwd=run.directory)
    assert (outcome.status, outcome.stdout) == (0, "alive\n"), outcome
    assert "\x1b" not in outcome.stderr


@pytest.mark.parametrize("variable, value", [
    ("FTSAN_ROOT_PID", "-1"), ("FTSAN_ROOT_PID", "9" * 100), ("FTSAN_ROOT_PID", ""),
    ("FTSAN_RUN_ID", "x" * 100000), ("FTSAN_RUN_ID", '"},{"\n\x1b[2J'),
])
def test_hostile_environment(run, interpreter, variable, value):
    outcome = run.preload(interpreter, "-c", "print('alive')", environment={variable: value})
    assert (outcome.status, outcome.stdout) == (0, "alive\n"), outcome


def test_hostile_arguments(run, interpreter):
    outcome = run.preload(interpreter, "-c", "print('alive')", "\x1b" * 6000)
    assert (outcome.status, outcome.stdout) == (0, "alive\n"), outcome
    assert outcome.records("process")[0]["argv"][-1].startswith("\x1b" * 1000)


def test_hostile_names_in_the_log(run, numpy_affected):
    """A file and a function can be called anything, and the thread, too."""
    script = run.script(f"""\
import sys, threading
import numpy as np
name = "evil\\x1b[2J\\"\\\\\\n" + "n" * 2000 + ".py"
code = compile("def f():\\n np.repeat(np.arange(1000), 2)\\nf()", name, "exec")
threading.current_thread().name = "\\x1b]0;x\\x07"
open("/proc/self/comm", "w").write("\\x1b[2J\\"\\\\")
exec(code, {{"np": np}})
print("alive")
""")
    outcome = run.ftsan(numpy_affected, script, options="mode=latent")
    assert (outcome.status, outcome.stdout) == (66, "alive\n"), outcome
    assert outcome.findings
    assert "\x1b" not in outcome.stderr
    outcome = run.preload(numpy_affected, script, options="mode=latent")
    assert "WARNING: ftsan:" in outcome.stderr and "\x1b" not in outcome.stderr, outcome
