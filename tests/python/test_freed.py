"""Memory that is used after it was freed: who freed it, who uses it; done right: silence."""

import signal
import subprocess

import pytest
from conftest import built
from deaths import SEGV


@pytest.fixture(scope="session")
def extension(interpreter, tmp_path_factory):
    free = subprocess.run([interpreter, "-c", "import sysconfig, sys; "
                           "sys.exit(not sysconfig.get_config_var('Py_GIL_DISABLED'))"], check=False)
    if free.returncode != 0:
        pytest.skip("sizes of blocks are known in free-threaded builds only")
    return built(interpreter, tmp_path_factory.mktemp("crashing"), "crashing")


SCRIPT = """
import crashing
from crashing import Pair
def culprit():
    pairs = [Pair() for _ in range(3)]
    crashing.{call}
{how}
print("alive")
"""
HERE = "culprit()"
THREAD = "import threading\nt = threading.Thread(target=culprit)\nt.start(); t.join()"

# call: what the detail, or the object, says
USED = {
    "borrowed_item(pairs, pairs.clear)": "a crashing.Pair of ",
    "freed_buffer()": "a block of 320 bytes",
    "moved_buffer()": "a block of 320 bytes",
}
FREED = {
    "give_back_twice(Pair)": "a crashing.Pair of ",
    "buffer_freed_twice()": "a block of ",
}
RIGHT = ("owned_item(pairs, pairs.clear)", "fresh_size(pairs, pairs.clear)", "give_back_once(Pair)",
         "buffers()", "detached_buffers()")


def held(outcome):
    """A test that passes where nothing was held is worth nothing."""
    return outcome.records("coverage")[-1]["counters"]["freed_held"]


def functions(stack):
    return [frame.get("function") for frame in stack["frames"]]


@pytest.mark.parametrize("how", [HERE, THREAD], ids=["one", "two"])
@pytest.mark.parametrize("call", USED)
def test_used(run, interpreter, extension, call, how):
    outcome = run.ftsan(interpreter, run.script(SCRIPT.format(call=call, how=how)),
                        environment=extension)
    assert outcome.status == 128 + SEGV, outcome
    (found,) = outcome.findings
    assert found["kind"] == "use-after-free" and found["confidence"] == "confirmed", found
    assert "was loaded from " + USED[call] in found["death"]["detail"], found
    assert call.split("(")[0] in found["title"], found
    used, freed = found["stacks"][:2]
    assert (used["role"], freed["role"]) == ("crash", "free"), found
    assert "culprit" in functions(used) and "culprit" in functions(freed), found
    assert "Freed by" in outcome.stderr, outcome


@pytest.mark.parametrize("call", FREED)
def test_freed_twice(run, interpreter, extension, call):
    """The second time is no harm, and the program goes on."""
    outcome = run.ftsan(interpreter, run.script(SCRIPT.format(call=call, how=HERE)),
                        environment=extension)
    assert outcome.status == 66 and outcome.stdout == "alive\n", outcome
    (found,) = outcome.findings
    assert found["kind"] == "use-after-free" and found["confidence"] == "confirmed", found
    assert found["object"]["description"].startswith(FREED[call]), found
    assert [stack["role"] for stack in found["stacks"]] == ["free", "free"], found
    assert all("culprit" in functions(stack) for stack in found["stacks"]), found
    assert "One of the two owners gives up" in outcome.stderr, outcome
    assert "hold one lock" not in outcome.stderr and "same lock" not in outcome.stderr, outcome


ALL_RIGHT = """
import crashing, gc, os, threading, weakref
from crashing import Pair
class Child(Pair):
    def __init__(self):
        self.me, self.list = self, [1]
class Again(Pair):
    def __del__(self):
        again.append(self)
again = []
def work():
    for _ in range(60):
        pairs = [Pair() for _ in range(100)]
        children = [Child() for _ in range(20)]
        alive = [weakref.ref(child) for child in children]
        {calls}
        Again()
        again.clear()
        del children, pairs
        assert len([child() for child in alive]) == 20
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(5):
    gc.collect()
for thread in threads:
    thread.join()
pid = os.fork()
if pid == 0:
    work()
    gc.collect()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
print("fine")
"""


@pytest.mark.parametrize("how", ["auto", "own", "all", "all:freed_mb=1", "own:freed_mb=1", "own:debug"])
def test_done_right(run, interpreter, extension, how):
    options, _, debug = how.partition(":debug")
    calls = "; ".join("crashing." + call for call in RIGHT)
    script = run.script(ALL_RIGHT.format(calls=calls.replace("pairs, pairs.clear", "pairs, pairs.copy")))
    environment = {**extension, **({"PYTHONMALLOC": "debug"} if how.endswith(":debug") else {})}
    outcome = run.ftsan(interpreter, script, environment=environment, options="freed=" + options)
    assert outcome.status in (0, 67) and outcome.stdout == "fine\n", outcome
    assert outcome.findings == [], outcome
    coverage = outcome.records("coverage")[0]
    assert coverage["counters"]["freed_held"] > 1000, coverage


SMALL = """
import ctypes
allocate, free = (getattr(ctypes.pythonapi, "PyObject_" + name) for name in ("Malloc", "Free"))
allocate.restype = ctypes.c_void_p
for size in (1, 8, 16, 24, 32, 40, 48):
    blocks = [ctypes.c_void_p(allocate(size)) for _ in range(64)]
    for block in blocks:
        ctypes.memset(block, 0xff, size)
    for block in blocks[::2]:
        free(block)
    for block in blocks[1::2]:
        assert ctypes.string_at(block, size) == b"\\xff" * size, size
        free(block)
print("fine")
"""


@pytest.mark.parametrize("debug", [False, True])
def test_what_is_beside_a_small_block(run, interpreter, extension, debug):
    """Blocks of the objects' heap that are smaller than any object is."""
    outcome = run.ftsan(interpreter, run.script(SMALL), options="freed=all",
                        environment={**extension, **({"PYTHONMALLOC": "debug"} if debug else {})})
    assert outcome.stdout == "fine\n" and outcome.findings == [], outcome
    assert held(outcome) > 200, outcome


OVERFLOW = """
import ctypes
allocate, free = ctypes.pythonapi.PyMem_Malloc, ctypes.pythonapi.PyMem_Free
allocate.restype = ctypes.c_void_p
block = ctypes.c_void_p(allocate(16))
ctypes.memset(block, 0x78, {size})
free(block)
print("alive", flush=True)
"""


@pytest.mark.parametrize("size", [16, 17])
def test_past_the_end_with_the_debug_hooks(run, interpreter, extension, size):
    """CPython tells of it where the block is freed, as it does bare."""
    outcome = run.ftsan(interpreter, run.script(OVERFLOW.format(size=size)),
                        environment={**extension, "PYTHONMALLOC": "debug"}, options="freed=all")
    if size == 16:
        assert outcome.stdout == "alive\n" and outcome.findings == [], outcome
        assert held(outcome) > 0, outcome
        return
    assert outcome.status == 128 + signal.SIGABRT and outcome.stdout == "", outcome
    assert "bad trailing pad byte" in outcome.stderr, outcome
    assert [found["kind"] for found in outcome.findings] == ["crash"], outcome


OWN_ALLOCATOR = """
import own_allocator
import crashing, threading
def work():
    for _ in range(60):
        pairs = [crashing.Pair() for _ in range(40)]
        crashing.buffers()
        [list(range(n)) for n in range(60)], {str(n): n for n in range(60)}
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("fine")
"""


@pytest.mark.parametrize("how", ["auto", "own", "all"])
def test_an_allocator_of_a_modules_own(run, interpreter, extension, how):
    """Its word behind each block stays as it is."""
    built(interpreter, extension["PYTHONPATH"], "own_allocator")
    outcome = run.ftsan(interpreter, run.script(OWN_ALLOCATOR), environment=extension,
                        options="freed=" + how)
    assert outcome.status in (0, 67) and outcome.stdout == "fine\n", outcome
    assert outcome.findings == [], outcome
    assert held(outcome) > 0, outcome


def test_with_the_debug_hooks(run, interpreter, extension):
    script = run.script(SCRIPT.format(call="give_back_twice(Pair)", how=HERE))
    environment = {**extension, "PYTHONMALLOC": "debug"}
    outcome = run.ftsan(interpreter, script, environment=environment)
    assert outcome.status == 66 and outcome.stdout == "alive\n", outcome


def test_switched_off(run, interpreter, extension):
    script = run.script(SCRIPT.format(call="buffers()", how=HERE))
    outcome = run.ftsan(interpreter, script, environment=extension, options="freed=off")
    engine = next(r for r in outcome.records("engine") if r["name"] == "freed")
    assert not engine["active"] and "freed=off" in engine["reason"], engine
    assert outcome.records("coverage")[-1]["counters"]["freed_held"] == 0, outcome
