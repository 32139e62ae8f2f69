"""Every way into an operation: a store to the shape of its argument is a hazard."""

import pytest
from conftest import BLIND, assert_silent, build_extension

EXIT_FINDINGS = 66

# How each operation is entered with something in its arguments that calls back, and what
# the finding has to name. poke() stores to the shape of `a`, from the function of
# operations.c that bears the line's number.
CALLBACKS = {
    20: ("a.take(Index())", "ndarray.take"),
    21: ("a[Index()]", "ndarray.__getitem__"),
    22: ("a[Index()] = 5", "ndarray.__setitem__"),
    23: ("sub[Index()]", "ndarray.__getitem__"),
    24: ("a.flat[:] = Array()", "flatiter.__setitem__"),
    25: ("bool(boxed)", "ndarray.__bool__"),
    27: ("repr(a)", "ndarray.__repr__"),
    28: ("np.add(a, Array())", "ufunc.add"),
    29: ("a + Array()", "ufunc.add"),
    30: ("np.negative(Array(), out=a)", "ufunc.negative"),
    31: ("np.add.reduce(a, axis=Index())", "ufunc.reduce"),
    32: ("np.frompyfunc(called, 1, 1)(a)", "ufunc.called (vectorized)"),
    34: ("np.concatenate((a, Array()))", "numpy.concatenate"),
    35: ("np.dot(a, Array())", "numpy.dot"),
    36: ("np.copyto(a, Array())", "numpy.copyto"),
    37: ("np.broadcast(a, Array())", "broadcast.__new__"),
    38: ("np.nditer((a, Array()))", "nditer.__init__"),
    39: ("operations.api_take(a, Index())", "PyArray_TakeFrom"),
    40: ("operations.api_from_any(sub)", "PyArray_FromAny"),
    41: ("operations.api_einsum(boxed)", "PyArray_EinsteinSum"),
}
# The same without a callback: C functions that are given the array.
FUNCTIONS = {
    10: ("operations.touch_one(a)", "operations.touch_one"),
    11: ("operations.touch_fast(1, 'two', a)", "operations.touch_fast"),
    12: ("operations.touch_fast_keywords(1, key=a)", "operations.touch_fast_keywords"),
    13: ("operations.touch_tuple((1, a))", "operations.touch_tuple"),
    14: ("operations.touch_tuple_keywords(a, key=1)", "operations.touch_tuple_keywords"),
    17: ("operations.identity(a)", "ufunc.identity"),
}
CASES = CALLBACKS | FUNCTIONS
# The store is there, too, but nobody else can have the array, or has to expect otherwise.
HARMLESS = ["operations.touch_global()", "operations.touch_own(a)",
            "operations.api_resize(np.zeros(5))", "np.add(1, Array())",
            "np.array([Array()])"]

PROGRAM = """\
import ctypes
import sys
import numpy as np
import operations

library = ctypes.PyDLL(operations.__file__)
ctypes.c_int.in_dll(library, "only_look").value = sys.argv[1] == "look"
number = 0

def poke(array=None):
    if number in CALLBACKS:
        library[f"poke_{number}"](ctypes.py_object(a if array is None else array))

class Index:
    def __index__(self):
        poke()
        return 0

class Array:
    def __array__(self, dtype=None, copy=None):
        poke()
        return np.ones(10)

class Sub(np.ndarray):
    def __array_finalize__(self, parent):
        if number == 40:
            poke(parent)

class Element:
    def __bool__(self):
        poke(boxed)
        return True

    def __mul__(self, other):
        poke(boxed)
        return 1

def called(x):
    poke()
    return x

def formatted(x):
    poke()
    return "x"

CALLBACKS = {CALLBACKS}
a = np.ones(10)
boxed = np.array([Element()], dtype=object)
np.set_printoptions(formatter={"float": formatted})
for case, statement in {CASES}.items():
    if "sub" in statement:
        a = sub = a.view(Sub)
        sub.shape  # the first array of a class is not taken for an old one
    number = case
    print(case, statement, flush=True)
    exec(statement)
    number = 0
    a = np.ones(10)
print("done")
"""


@pytest.fixture(scope="session")
def directory(numpy_fixed, tmp_path_factory):
    made = tmp_path_factory.mktemp("operations")
    build_extension(numpy_fixed, made, "operations")
    return made


def program(cases):
    statements = {number: case[0] for number, case in cases.items()}
    return (PROGRAM.replace("{CALLBACKS}", repr(set(CALLBACKS)))
            .replace("{CASES}", repr(statements)))


def call(run, python, directory, cases, how, mode="latent"):
    return run.ftsan(python, "-W", "ignore", run.script(program(cases)), how,
                     options=f"mode={mode}", environment={"PYTHONPATH": str(directory)})


def found(outcome):
    """{number: [operations]} by the function that stored."""
    operations = {}
    for finding in outcome.findings:
        assert (finding["kind"], finding["confidence"]) == ("hazard", "latent"), finding
        function = finding["stacks"][0]["frames"][0]["function"]
        number = int(function.removeprefix("poke_"))
        operations.setdefault(number, []).append(finding["object"]["operation"])
    return operations


def test_stores(run, numpy_fixed, directory):
    outcome = call(run, numpy_fixed, directory, CASES, "poke")
    assert outcome.stdout.endswith("done\n"), outcome
    assert found(outcome) == {number: [name] for number, (_, name) in CASES.items()}
    assert outcome.status == EXIT_FINDINGS, outcome
    assert outcome.coverage["counters"]["left_out_operations"] == 0, outcome.coverage


def test_outputs(run, numpy_fixed, directory):
    """What is written to is called an output, however the function takes its arguments."""
    statements = {"np.copyto(a, Array())": True, "np.place(a, Array(), [1])": True,
                  "np.putmask(a, Array(), 1)": True, "np.dot(a, Array())": False}
    for statement, written in statements.items():
        outcome = call(run, numpy_fixed, directory, {36: (statement,)}, "poke")
        assert outcome.stdout.endswith("done\n"), outcome
        assert [bool(f["object"].get("output")) for f in outcome.findings] == [written], outcome


def test_looks(run, numpy_fixed, directory):
    outcome = call(run, numpy_fixed, directory, CASES, "look")
    assert outcome.stdout.endswith("done\n"), outcome
    assert_silent(outcome)
    assert outcome.coverage["counters"]["held"] > len(CASES), outcome.coverage


def test_harmless(run, numpy_fixed, directory):
    for statement in HARMLESS:
        outcome = call(run, numpy_fixed, directory, {28: (statement,)}, "poke")
        assert outcome.stdout.endswith("done\n"), outcome
        assert_silent(outcome)


def test_race_mode_alone(run, numpy_fixed, directory):
    """Without a second thread, stores are nothing that mode=race looks for."""
    outcome = call(run, numpy_fixed, directory, CASES, "poke", mode="race")
    assert outcome.stdout.endswith("done\n"), outcome
    assert_silent(outcome, BLIND)


def test_read_only_table(run, numpy_fixed, tmp_path):
    """A table of functions in read-only memory is left alone, and counted."""
    build_extension(numpy_fixed, tmp_path, "operations", "-DTABLE=static const PyMethodDef")
    outcome = call(run, numpy_fixed, tmp_path, FUNCTIONS, "poke")
    assert outcome.stdout.endswith("done\n"), outcome
    assert found(outcome) == {17: ["ufunc.identity"]}
    assert outcome.coverage["counters"]["left_out_operations"] == 11, outcome.coverage


def test_output_compared(run, numpy_fixed):
    """The same where the header's words are compared: sort() swaps the dtype meanwhile."""
    program = """if True:
        import numpy as np
        a = np.zeros(300000, dtype=[("x", "i8"), ("y", "i8")])
        a["y"] = np.random.default_rng(0).permutation(len(a))
        for _ in range(4):
            a.METHOD(order="y")
        """
    for method in "sort", "argsort":
        script = run.script(program.replace("METHOD", method))
        outcome = run.ftsan(numpy_fixed, script, options="mode=latent:watch=0")
        assert [f["object"]["name"] for f in outcome.findings] == ["descr"], outcome
        assert bool(outcome.findings[0]["object"].get("output")) == (method == "sort"), outcome
