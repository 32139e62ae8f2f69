"""mode=latent on real NumPy: one thread is enough, and nothing that is right is a hazard."""

import pytest
from conftest import (BLIND, PROGRAMS, REPEAT, assert_repeat_race, assert_silent, fixed_of,
                      has_findings, interpreters, until)

EXIT_FINDINGS = 66
ONCE = """\
import numpy as np
np.repeat(np.arange(10), 2)
"""


@pytest.fixture(params=["numpy_affected", "numpy_affected_gil"], ids=["3.13t", "gil"])
def affected(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[*interpreters(), "gil"], ids=lambda param: getattr(param, "tag", param))
def fixed(request):
    if request.param == "gil":
        return request.getfixturevalue("numpy_fixed_gil")
    return fixed_of(request.param)


@pytest.fixture
def latent(run):
    def call(python, source, *arguments, mode="latent", options=""):
        return run.ftsan(python, "-W", "ignore", run.script(source), *arguments,
                         options=f"mode={mode}{options}")

    return call


def script_lines(outcome, finding, stack=0):
    return [frame["line"] for frame in finding["stacks"][stack]["frames"]
            if frame["type"] == "python" and frame["file"].endswith("script.py")]


def assert_hazard(outcome, operation, name, old, new):
    """Exactly one finding, and that it is."""
    assert outcome.status == EXIT_FINDINGS, outcome
    assert len(outcome.findings) == 1, outcome
    finding, = outcome.findings
    thing = finding["object"]
    assert (finding["kind"], finding["confidence"]) == ("hazard", "latent"), finding
    assert (thing["operation"], thing["name"]) == (operation, name), finding
    assert (thing["old"], thing["new"]) == (old, new), finding
    return finding


def test_once(latent, affected):
    """One call, one thread: the defect of numpy#28197."""
    outcome = latent(affected, ONCE)
    finding = assert_hazard(outcome, "ndarray.repeat", "dims[0]", 10, 20)
    assert script_lines(outcome, finding) == [2], finding
    assert finding["stacks"][0]["frames"][0]["function"] == "PyArray_Repeat", finding
    assert finding["object"]["shape"] == [10] and finding["object"]["dtype"] == "int64", finding
    assert "output" not in finding["object"], finding


def test_once_fixed(latent, fixed):
    outcome = latent(fixed, ONCE)
    assert_silent(outcome)
    assert outcome.coverage["arrays_held"] > 0, outcome.coverage


@pytest.mark.parametrize("mode", ["race", "all"])
def test_once_in_other_modes(latent, numpy_affected, mode):
    outcome = latent(numpy_affected, ONCE, mode=mode)
    if mode == "race":
        assert_silent(outcome, BLIND)
    else:
        assert_hazard(outcome, "ndarray.repeat", "dims[0]", 10, 20)


def test_unknown_mode(latent, numpy_affected):
    outcome = latent(numpy_affected, ONCE, mode="latnet")
    assert outcome.status == 125 and outcome.logs == {}, outcome
    assert "'latnet' is not known; it takes race|latent|all" in outcome.stderr, outcome


# --- which calls of repeat() ----------------------------------------------------------

ARRAYS = """\
import numpy as np

class Sub(np.ndarray):
    pass

a = np.arange(10)
m = np.arange(12).reshape(3, 4).copy()
record = np.zeros(3, dtype=[("x", "i8"), ("y", "f4")])
frozen = np.arange(10)
frozen.flags.writeable = False
frozen_m = m.copy()
frozen_m.flags.writeable = False
"""
WRITES = {
    "a.repeat(2)": (0, 10, 20),
    "a.repeat(3, axis=-1)": (0, 10, 30),
    "np.repeat(m, 2, axis=0)": (0, 3, 6),
    "np.repeat(m, 2, axis=1)": (1, 4, 8),
    "np.repeat(a, list(range(10)))": (0, 10, 45),
    "np.repeat(np.ma.array(np.arange(5)), 2)": (0, 5, 10),
    "np.repeat(np.matrix(np.arange(5)), 2, axis=1)": (1, 5, 10),
    "np.repeat(record.view(np.recarray), 2)": (0, 3, 6),
    "np.repeat(np.arange(4).view(Sub), 2)": (0, 4, 8),
    "np.repeat(a.astype('>i8'), 2)": (0, 10, 20),
    "np.repeat(m[1], 2)": (0, 4, 8),
}
# It works on a copy of these, or on a view that it makes of them.
COPIES = ["np.repeat(frozen, 2)", "np.repeat(frozen_m, 2, axis=1)", "np.repeat(a[::2], 2)",
          "np.repeat(a[::-1], 2)", "np.repeat(m.T, 2, axis=0)", "np.repeat(m[:, 1], 2)",
          "np.repeat(m, 2)", "np.repeat(np.matrix(np.arange(5)), 2)", "np.repeat(np.array(3), 2)",
          "np.repeat(np.broadcast_to(a, (2, 10)), 2, axis=0)", "np.repeat(record['y'], 2)",
          "np.repeat(frozen.view(Sub), 2)", "np.repeat(np.ma.array(a[::2]), 2)"]


# The import of numpy.ma uses .flat, which writes flags back unchanged (test_header_words.py
# has such stores): a finding of medium grade, and not what is looked for here.
MA = ":grade=high"


@pytest.mark.parametrize("statement", WRITES)
def test_writes(latent, numpy_affected, statement):
    word, old, new = WRITES[statement]
    outcome = latent(numpy_affected, ARRAYS + statement, options=MA)
    finding = assert_hazard(outcome, "ndarray.repeat", f"dims[{word}]", old, new)
    assert script_lines(outcome, finding)[0] == ARRAYS.count("\n") + 1


def test_copies(latent, affected):
    outcome = latent(affected, ARRAYS + "\n".join(COPIES), options=":sample=0" + MA)
    assert_silent(outcome)
    assert outcome.coverage["arrays_held"] >= len(COPIES), outcome.coverage


def test_fixed(latent, fixed):
    source = ARRAYS + "\n".join([*WRITES, *COPIES])
    outcome = latent(fixed, source, options=":sample=0")
    assert_silent(outcome)
    assert outcome.coverage["arrays_held"] >= len(WRITES) + len(COPIES), outcome.coverage


# --- operations in operations ---------------------------------------------------------

# poke() stores to the shape as a C function might; ctypes' access is no operation.
CALLBACKS = """\
import ctypes, os, sys, sysconfig, threading, time
import numpy as np

HEAD = 32 if sysconfig.get_config_var("Py_GIL_DISABLED") else 16

def poke(array):
    dims = ctypes.c_ssize_t.from_address(id(array) + HEAD + 16).value
    word = ctypes.c_ssize_t.from_address(dims)
    word.value += 1
    word.value -= 1

class Array:
    def __array__(self, dtype=None, copy=None):
        callback()
        return np.ones(10)

class Index:
    def __index__(self):
        callback()
        return 0

def show(array):
    def formatted(x):
        callback()
        return "x"
    with np.printoptions(formatter={"float": formatted}):
        return repr(array)

a, b = np.ones(10), np.ones(10)
a.shape, b.shape
"""


def callback(*lines):
    return "def callback():\n    " + "\n    ".join(lines) + "\n"


@pytest.mark.parametrize("statement, operation, output", [
    ("np.negative(Array(), out=a)", "ufunc.negative", True),
    ("np.add(a, Array(), a)", "ufunc.add", True),
    ("a += Array()", "ufunc.add", True),
    ("np.add(Array(), a)", "ufunc.add", False),
    ("np.add(Array(), a, out=b)", "ufunc.add", False),
    ("a.take(Index())", "ndarray.take", False),
    ("show(a)", "ndarray.__repr__", False),
])
def test_innermost_operation(latent, numpy_fixed, statement, operation, output):
    outcome = latent(numpy_fixed, CALLBACKS + callback("poke(a)") + statement)
    finding = assert_hazard(outcome, operation, "dims[0]", 10, 11)
    assert finding["object"].get("output", False) == output, finding
    word = "an output" if output else "an input"
    assert f"{word} of {operation}" in finding["title"], finding


def test_operation_in_a_callback(latent, affected):
    """Inside another operation, on the array of both."""
    outcome = latent(affected, CALLBACKS + callback("np.repeat(a, 2)") + "show(a)")
    finding = assert_hazard(outcome, "ndarray.repeat", "dims[0]", 10, 20)
    assert len(script_lines(outcome, finding)) == 4, finding


def test_array_made_inside(latent, affected):
    """Nobody else has it: the outermost operation is not over yet."""
    outcome = latent(affected, CALLBACKS + callback(
        "mine = np.arange(5)", "np.repeat(mine, 2)", "poke(mine)", "mine.repeat(2)",
        "np.repeat(mine.reshape(5, 1), 2, axis=0)") +
        "show(a)\na.take(Index())\nnp.add(a, Array())\na[Index()]\n", options=":sample=0")
    assert_silent(outcome)


MUTATORS = ["a.shape = (5, 2)", "a.shape = (10,)", "a.strides = (8,)", "a.dtype = np.int64",
            "a.dtype = float", "a.resize((2, 5), refcheck=False)", "a.resize(10, refcheck=False)",
            "a.setflags(write=False)", "a.setflags(write=True)", "a.flags.writeable = False",
            "a.flags.writeable = True", "a.__setstate__(state)"]


@pytest.mark.parametrize("options", ["", ":sample=0", ":sample=0:watch=0"])
def test_mutators_inside(latent, fixed, options):
    """Documented to change their array; the operation around them did not do it."""
    outcome = latent(fixed, CALLBACKS + "state = a.__reduce__()[2]\n" +
                     callback(*MUTATORS) + "callback()\nshow(a)\nshow(a)\n" +
                     callback(*MUTATORS[:2], *MUTATORS[7:11]) +
                     "np.frompyfunc(lambda x: callback() or x, 1, 1)(a)\nprint('done')",
                     options=options)
    assert outcome.stdout == "done\n", outcome
    assert_silent(outcome)


def test_outside_of_operations(latent, fixed):
    outcome = latent(fixed, CALLBACKS + "a.sum()\npoke(a)\na.sum()\npoke(a)", options=":sample=0")
    assert_silent(outcome)


RAISES = """\
class Expected(Exception):
    pass

def callback():
    raise Expected

def attempt(f):
    try:
        f()
    except Expected:
        return
    raise AssertionError("it did not raise")

for _ in range(100):
    attempt(lambda: a.take(Index()))
    attempt(lambda: np.add(a, Array()))
    attempt(lambda: np.negative(Array(), out=a))
    attempt(lambda: np.concatenate((a, Array())))
    attempt(lambda: a.reshape(Index()))
    attempt(lambda: show(a))
"""


def test_exceptions_out_of_operations(latent, fixed):
    """What they were given is nobody's any more."""
    outcome = latent(fixed, CALLBACKS + RAISES + "poke(a)\na.shape = (5, 2)\nprint(a.shape)",
                     options=":sample=0")
    assert outcome.stdout == "(5, 2)\n", outcome
    assert_silent(outcome)
    assert outcome.coverage["arrays_held"] >= 600, outcome.coverage


def test_hazard_after_exceptions(latent, affected):
    outcome = latent(affected, CALLBACKS + RAISES + "np.repeat(b, 2)")
    assert_hazard(outcome, "ndarray.repeat", "dims[0]", 10, 20)


# --- sampling -------------------------------------------------------------------------

HOT = CALLBACKS + "for _ in range(100000):\n    a.sum()\n"


def test_hot_site_is_cheap(latent, affected):
    """And a path that is taken once is watched all the same."""
    outcome = latent(affected, HOT + "np.repeat(a, 2)")
    finding = assert_hazard(outcome, "ndarray.repeat", "dims[0]", 10, 20)
    assert script_lines(outcome, finding) == [HOT.count("\n") + 1], finding
    assert outcome.coverage["operations_watched"] < 4000, outcome.coverage


def test_every_call_can_be_asked_for(latent, fixed):
    outcome = latent(fixed, HOT.replace("100000", "3000"), options=":sample=0")
    assert_silent(outcome)
    assert outcome.coverage["operations_watched"] >= 3000, outcome.coverage
    assert outcome.coverage["arrays_held"] >= 3000, outcome.coverage


# --- threads and processes ------------------------------------------------------------


def kinds_of(outcome):
    return {finding["kind"] for finding in outcome.findings}


def test_all_finds_both(run, numpy_affected):
    outcome = until(
        lambda outcome: kinds_of(outcome) == {"hazard", "race"},
        lambda: run.ftsan(numpy_affected, PROGRAMS / "repeat_rare.py", options="mode=all"))
    assert kinds_of(outcome) == {"hazard", "race"}, outcome
    assert_repeat_race(outcome, PROGRAMS / "repeat_rare.py")
    for finding in outcome.findings:
        assert finding["confidence"] == {"hazard": "latent", "race": "confirmed"}[finding["kind"]]


def test_two_threads_in_one_array(run, numpy_affected):
    """No store is held up for a second thread, and the hazard is the only finding."""
    outcome = until(has_findings, lambda: run.ftsan(
        numpy_affected, PROGRAMS / "repeat_rare.py", options="mode=latent"))
    death = set() if outcome.status == EXIT_FINDINGS else {"crash", "use-after-free"}
    assert kinds_of(outcome) - death == {"hazard"}, outcome
    hazard = next(f for f in outcome.findings if f["kind"] == "hazard")
    assert hazard["object"]["operation"] == "ndarray.repeat", outcome
    if outcome.status == EXIT_FINDINGS:
        assert outcome.coverage["windows"] == 0, outcome.coverage


@pytest.mark.parametrize("mode", ["latent", "all"])
def test_two_threads_in_one_array_fixed(run, numpy_fixed, mode):
    for _ in range(REPEAT):
        outcome = run.ftsan(numpy_fixed, PROGRAMS / "repeat_hot.py", options=f"mode={mode}")
        assert_silent(outcome)


FORK = CALLBACKS + """\
pids = []
def callback():
    if not pids:
        pids.append(os.fork())

stop = threading.Event()
def busy():
    while not stop.is_set():
        a.sum()
        a + 1

threads = [threading.Thread(target=busy) for _ in range(int(sys.argv[1]))]
for thread in threads:
    thread.start()
show(a)
stop.set()
np.repeat(np.arange(10), 2)
if pids[0] != 0:
    for thread in threads:
        thread.join()
    print(os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]))
else:
    a.shape = (5, 2)
    poke(a)
"""


@pytest.mark.parametrize("n_threads", [0, 2])
def test_fork_inside_an_operation(latent, affected, fixed, n_threads):
    """Both go on, and both go on detecting."""
    outcome = latent(affected, FORK, n_threads)
    assert (outcome.status, outcome.stdout) == (EXIT_FINDINGS, "0\n"), outcome
    assert sorted(len(outcome.records("finding", log)) for log in outcome.logs) == [1, 1], outcome
    for finding in outcome.findings:
        assert finding["object"]["operation"] == "ndarray.repeat", finding
    outcome = latent(fixed, FORK, n_threads)
    assert outcome.stdout == "0\n" and len(outcome.logs) == 2, outcome
    assert_silent(outcome)


THREADS_END = CALLBACKS + """\
libc = ctypes.CDLL(None)
gone = []

def callback():
    gone.append(threading.get_native_id())
    libc.pthread_exit(None)

for i in range(1, 6):
    threading.Thread(target=np.frompyfunc(lambda x: callback(), 1, 1), args=(a,),
                     daemon=True).start()
    while len(gone) < i or os.path.exists(f"/proc/self/task/{gone[-1]}"):
        time.sleep(0.001)

def change():
    poke(a)
    a.shape = (5, 2)
    a.shape = (10,)

thread = threading.Thread(target=change)
thread.start()
thread.join()
change()
np.repeat(a, 2)
print("done", flush=True)
os._exit(0)
"""


def test_threads_that_end_inside(latent, affected, fixed):
    """The records that they leave are used by other threads."""
    outcome = latent(affected, THREADS_END)
    assert outcome.stdout == "done\n", outcome
    assert_hazard(outcome, "ndarray.repeat", "dims[0]", 10, 20)
    outcome = latent(fixed, THREADS_END)
    assert outcome.stdout == "done\n", outcome
    assert_silent(outcome)


# At its end the interpreter stops daemon threads wherever they are.
DAEMON = CALLBACKS + """\
inside = threading.Event()

def callback():
    inside.set()
    time.sleep(0.01)

threading.Thread(target=show, args=(np.ones(1000),), daemon=True).start()
inside.wait()
print(a.sum())
"""


def test_daemon_thread_inside_at_the_end(latent, fixed):
    for _ in range(REPEAT):
        outcome = latent(fixed, DAEMON)
        assert outcome.stdout == "10.0\n", outcome
        assert_silent(outcome)
