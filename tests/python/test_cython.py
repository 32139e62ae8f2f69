"""cython#6718: modules of Cython 3.1.0a1 share a cache of code objects, unprotected.

scikit-image 0.25.2 is the published case. Modules of other releases are made here by
tools/make_cython_module.py; Cython 3.1.0a1 itself is no longer on the package index:
FTSAN_CYTHON_3_1_0A1 can name a source tree of it.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest
from conftest import REPEAT, REPOSITORY, assert_silent, found

EXIT_FINDINGS = 66
EXIT_UNAVAILABLE = 3
RACY = "3.1.0a1"
FIXED = ["3.1.0b1", "3.1.*", "3.2.*"]
THREADS = 8

# The suite takes most of a minute, so the default is once.
SUITE_REPEAT = 5 if "FTSAN_REPEAT" in os.environ else 1

# Threads raise on each line of the module, in orders of their own, and look whether
# the traceback says so. The cache grows at each 64 lines. The last pass is the main
# thread's: fixed releases don't remember a line while another thread is in the cache.
HAMMER = """\
import random, sys, threading
import steps

n_lines, n_threads = int(sys.argv[1]), int(sys.argv[2])
start = threading.Barrier(n_threads)
wrong = []

def raise_all(order):
    for step in order:
        try:
            steps.STEPS[step]()
        except LookupError as error:
            last = error.__traceback__
            while last.tb_next:
                last = last.tb_next
            function = last.tb_frame.f_code.co_name.rpartition(".")[2]
            if (error.args, function, last.tb_lineno) != (
                    (step,), f"step_{step}", steps.LINES[step]):
                wrong.append((step, function, last.tb_lineno))

def hammer(seed):
    order = list(range(n_lines))
    random.Random(seed).shuffle(order)
    start.wait()
    for _ in range(3):
        raise_all(order)

threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(n_threads)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
raise_all(range(n_lines))
print(n_lines, "lines, wrong:", wrong)
"""

# As many lines of _mcp as wrong arguments get to raise, by several threads.
RAISE_IN_MCP = """\
import random, threading, warnings
import numpy as np
from skimage.graph import MCP, MCP_Connect, MCP_Flexible, MCP_Geometric, _mcp

warnings.simplefilter("ignore")
N_THREADS = 8
costs = np.ones((8, 8))

def found(*arguments):
    return lambda: MCP(costs).find_costs(*arguments)

def traced(end):
    def call():
        mcp = MCP(costs)
        mcp.find_costs([(0, 0)])
        mcp.traceback(end)
    return call

MISTAKES = [
    lambda: MCP(), lambda: MCP("x"), lambda: MCP(np.float64(1)),
    lambda: MCP(costs, offsets=[(1, 2, 3)]), lambda: MCP(costs, offsets=3),
    lambda: MCP(costs, sampling=3), lambda: MCP(costs, sampling=(1,)),
    lambda: MCP(costs, fully_connected=np.ones(3)),
    found(), found([(100, 100)]), found([(0, 0)], [(100, 100)]), found(3), found([]),
    found([("a", "b")]), found([(0, 0)], 3),
    traced((0,)), traced(3), traced("ab"), lambda: MCP(costs).traceback((1, 1)),
    lambda: MCP(costs).goal_reached(), lambda: _mcp.make_offsets(),
    lambda: _mcp.make_offsets("a", 1), lambda: _mcp._offset_edge_map(),
    lambda: _mcp._offset_edge_map(3, 3), lambda: _mcp._offset_edge_map((3, 3), 3),
    lambda: MCP_Geometric(3), lambda: MCP_Geometric(costs, sampling=("a", "b")),
    lambda: MCP_Connect(3), lambda: MCP_Connect(costs).create_connection(1),
    lambda: MCP_Flexible(costs).travel_cost("a", 1, 1),
    lambda: MCP_Flexible(costs).examine_neighbor("a", 1, 1),
    lambda: MCP_Flexible(costs).update_node("a", 1, 1),
    lambda: _mcp._unravel_index_fortran(3, "a"), lambda: _mcp._ravel_index_fortran([3], 3),
    lambda: _mcp._normalize_indices([3], (1, 2)), lambda: _mcp._reverse(3),
]
start = threading.Barrier(N_THREADS)
failures = []

def hammer(seed):
    mistakes = MISTAKES * 5
    random.Random(seed).shuffle(mistakes)
    start.wait()
    for mistake in mistakes:
        try:
            mistake()
        except Exception:
            continue
        failures.append(mistake)

threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(N_THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("unexpected successes:", len(failures))
"""


# --- scikit-image ---------------------------------------------------------------------


@pytest.fixture(scope="session")
def skimage():
    return found("FTSAN_VENV_SKIMAGE", "setup.sh", "venv", "--find", "skimage") + "/bin/python"


def accesses(finding):
    return [stack for stack in finding["stacks"] if stack["role"] in ("read", "write", "free")]


def module_frames(stack, module):
    return [frame for frame in stack["frames"] if frame["type"] == "native" and
            os.path.basename(frame.get("module", "")).startswith(f"{module}.")]


def races_of(outcome, module, where="code-object cache"):
    """The confirmed races on the module's cache, both threads inside the module."""
    races = []
    for finding in outcome.findings:
        if finding["kind"] != "race" or not re.search(f"{where} of {module}\\.", finding["title"]):
            continue
        assert finding["confidence"] == "confirmed", finding
        assert f"(Cython {RACY})" in finding["title"] or "static" in finding["title"], finding
        first, second = accesses(finding)
        assert first["tid"] != second["tid"], finding
        assert "write" in (first["role"], second["role"]), finding
        assert module_frames(first, module) and module_frames(second, module), finding
        races.append(finding)
    return races


def assert_gil_was_asked_for(outcome, module):
    assert any(module in name for name in outcome.coverage["gil_requested_by"]), outcome.coverage
    assert outcome.coverage["gil"] == "off", outcome.coverage
    assert {finding["gil_forced"] for finding in outcome.findings} == {True}, outcome.findings


def died_of_it(outcome):
    """Its cache hands out entries that are half made, or were freed; some runs die of one."""
    culprits = {finding["culprit"]["function"] for finding in outcome.findings
                if finding["kind"] in ("crash", "use-after-free")}
    return culprits == {"__Pyx_AddTraceback"} and outcome.status in (
        -signal.SIGSEGV, 128 + signal.SIGSEGV)


# Its array, or the static that has the array's address and length: the sampler is at that.
ANYWHERE = r"(code-object cache|static __pyx_code_cache(\[\d+\])?)"


def is_told(outcome):
    """The two threads in the cache; one that runs into an array that another thread has
    freed may come before any store to a guarded one."""
    return races_of(outcome, "_mcp", ANYWHERE) or (died_of_it(outcome) and any(
        finding["kind"] == "use-after-free" for finding in outcome.findings))


# A run that dies before a store to the cache is met has only its death to tell.
LIVES = 3


def until_told(attempt):
    """The first run that tells of the two threads. One that doesn't must have died of the bug."""
    for _ in range(LIVES):
        outcome = attempt()
        if is_told(outcome):
            return outcome
        assert died_of_it(outcome), outcome
    pytest.fail(f"{LIVES} runs died, and none told of the race: {outcome}")


@pytest.mark.parametrize("attempt", range(SUITE_REPEAT))
def test_scikit_image_suite(run, skimage, attempt):
    """The report that cython#6718 began with."""
    outcome = until_told(lambda: run.ftsan(
        skimage, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "--pyargs", "skimage.graph", "--parallel-threads=4",
        # OpenBLAS's own threads spin, and would take most of the time.
        environment={"OPENBLAS_NUM_THREADS": "1"}))
    if died_of_it(outcome):
        return
    assert re.search(r"^44 passed", outcome.stdout, re.MULTILINE), outcome
    assert outcome.status == EXIT_FINDINGS, outcome
    # pytest's plugins and fixtures import more of scikit-image than graph.
    assert_gil_was_asked_for(outcome, "_skeletonize_lee_cy")


@pytest.mark.parametrize("attempt", range(REPEAT))
@pytest.mark.parametrize("how", ["ftsan", "preload"])
def test_scikit_image_script(run, skimage, how, attempt):
    script = run.script(RAISE_IN_MCP)
    outcome = until_told(lambda: getattr(run, how)(skimage, script))
    assert died_of_it(outcome) or (outcome.status, outcome.stdout) == (
        EXIT_FINDINGS, "unexpected successes: 0\n"), outcome


@pytest.mark.parametrize("import_morphology", [True, False])
def test_gil_of_scikit_image(run, skimage, import_morphology):
    module = "skimage.morphology._skeletonize_lee_cy"
    script = run.script((f"import {module}\n" if import_morphology else "") + RAISE_IN_MCP)
    outcome = until_told(lambda: run.ftsan(skimage, script))
    assert died_of_it(outcome) or outcome.status == EXIT_FINDINGS, outcome
    if import_morphology:
        assert_gil_was_asked_for(outcome, "_skeletonize_lee_cy")
    else:
        assert not any("_skeletonize_lee_cy" in name
                       for name in outcome.coverage.get("gil_requested_by", []))


# --- generated modules ------------------------------------------------------------------


@pytest.fixture(scope="session")
def generated(interpreter, tmp_path_factory):
    """A directory with the module `steps` of a Cython release, each made once."""
    made = {}

    def make(version, python=interpreter, cflags="-O0"):
        key = version, cflags
        if key not in made:
            directory = tmp_path_factory.mktemp("cython")
            # -O0: compiling takes most of the time, and without a race the cache works
            # the same.
            done = subprocess.run(
                [interpreter, REPOSITORY / "tools" / "make_cython_module.py",
                 "--version", version, "--python", python, "--lines", "300",
                 "--output", directory, f"--cflags={cflags}"], capture_output=True, text=True)
            assert done.returncode in (0, EXIT_UNAVAILABLE), done.stderr
            assert done.returncode or pathlib.Path(done.stdout.strip()).is_file(), done.stdout
            why = done.stderr.rpartition("error: ")[2].strip() if done.returncode else None
            made[key] = None if why else directory, why
        directory, why = made[key]
        if directory is None:
            pytest.skip(why)
        return {"PYTHONPATH": str(directory)}

    return make


def of_cache(outcome):
    return [finding for finding in outcome.findings
            if "code-object cache of steps." in finding["title"]]


def hammer(run, how, python, environment, n_lines, n_threads=THREADS, **settings):
    return getattr(run, how)(python, run.script(HAMMER), n_lines, n_threads,
                             environment=environment, **settings)


@pytest.mark.parametrize("n_lines", [60, 300])
@pytest.mark.parametrize("version", FIXED)
def test_fixed(run, interpreter, generated, version, n_lines):
    module = generated(version)
    bare = hammer(run, "bare", interpreter, module, n_lines)
    assert (bare.status, bare.stdout) == (0, f"{n_lines} lines, wrong: []\n"), bare
    for _ in range(REPEAT):
        outcome = hammer(run, "ftsan", interpreter, module, n_lines)
        assert outcome.stdout == bare.stdout, outcome
        assert_silent(outcome)
        # Silence counts only if the cache, and each larger one, was watched.
        assert outcome.coverage["buffers_published"] >= 1 + n_lines // 64, outcome.coverage
        # The first one is watched from its owner's first traceback on, by when the other
        # threads may have filled it; a larger one before anybody sees it.
        assert outcome.coverage["traps"] > 0 or n_lines < 64, outcome.coverage


@pytest.mark.parametrize("n_lines", [60, 300])
def test_not_shared(run, interpreter, generated, n_lines):
    outcome = hammer(run, "ftsan", interpreter, generated(FIXED[0]), n_lines, n_threads=1)
    assert outcome.stdout == f"{n_lines} lines, wrong: []\n", outcome
    assert_silent(outcome)
    assert outcome.coverage["buffers_guarded"] >= 1, outcome.coverage


@pytest.mark.parametrize("n_lines", [60, 300])
def test_racy_not_shared(run, interpreter, generated, n_lines):
    """The racy release is no finding by itself."""
    outcome = hammer(run, "ftsan", interpreter, generated(RACY), n_lines, n_threads=1)
    assert outcome.stdout == f"{n_lines} lines, wrong: []\n", outcome
    assert_silent(outcome)
    assert outcome.coverage["buffers_guarded"] >= 1, outcome.coverage


@pytest.mark.parametrize("attempt", range(REPEAT))
@pytest.mark.parametrize("how", ["ftsan", "preload"])
def test_racy(run, interpreter, generated, how, attempt):
    """Too few lines for the cache to grow: the program never crashes by itself."""
    outcome = hammer(run, how, interpreter, generated(RACY), 60)
    assert outcome.status == EXIT_FINDINGS, outcome
    assert races_of(outcome, "steps"), outcome


@pytest.mark.parametrize("attempt", range(2 * REPEAT))
def test_racy_growing(run, interpreter, generated, attempt):
    """A reader uses the array that a writer has replaced, of which bare runs die."""
    outcome = hammer(run, "ftsan", interpreter, generated(RACY), 300)
    assert outcome.status == EXIT_FINDINGS, outcome
    assert "300 lines, wrong: " in outcome.stdout, outcome
    assert of_cache(outcome), outcome


@pytest.mark.parametrize("attempt", range(REPEAT))
def test_racy_growing_optimised(run, interpreter, generated, attempt):
    """An optimised insertion can run away, and no hook is in its way (docs/heal.md)."""
    outcome = hammer(run, "ftsan", interpreter, generated(RACY, cflags="-O1"), 300)
    assert outcome.status in (EXIT_FINDINGS, 128 + signal.SIGSEGV), outcome
    assert of_cache(outcome), outcome


def test_use_after_realloc(run, interpreter, generated):
    module = generated(RACY)
    complete = False
    for _ in range(10):  # the reader has to be late, which a run or two may not show
        outcome = hammer(run, "ftsan", interpreter, module, 300)
        for finding in outcome.findings:
            # The same bug also makes two threads replace one array: a double free.
            if finding["kind"] != "use-after-free" or "double free" in finding["title"]:
                continue
            assert "use after realloc" in finding["title"], finding
            assert finding["confidence"] == "confirmed", finding
            roles = [stack["role"] for stack in finding["stacks"]]
            # The stack of a free that is still under way is not known yet.
            assert roles[0] in ("read", "write"), finding
            assert roles[1:] in (["free", "alloc"], ["alloc"]), finding
            assert all(module_frames(stack, "steps") for stack in finding["stacks"]), finding
            complete = complete or "free" in roles
        if complete:
            return
    pytest.fail(f"no use after realloc with all its stacks: {outcome}")


# --- interpreters with the GIL --------------------------------------------------------


@pytest.mark.parametrize("n_lines", [60, 300])
def test_gil(run, generated, n_lines):
    """Cython 3.0 has the same cache; here the GIL protects it."""
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None:
        pytest.skip("no python3 of the distribution's")
    module = generated("3.0.12", python)
    outcome = hammer(run, "ftsan", python, module, n_lines)
    assert outcome.stdout == f"{n_lines} lines, wrong: []\n", outcome
    assert_silent(outcome)
