"""Words of headers that were missed, or reported where nothing is wrong; with their twins."""

import pytest
from conftest import has_findings, until

ADD_AT = """
import sys, threading
import numpy as np
index, values = np.arange(4), np.ones(4)
def work(rounds, shared):
    own, mine = np.zeros(4), values if shared else np.ones(4)
    for _ in range(rounds):
        np.add.at(own, index, mine)
threads = [threading.Thread(target=work, args=(int(sys.argv[1]), sys.argv[2] == "shared"))
           for _ in range(int(sys.argv[3]))]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""

BUFFERS = """
import inspect, sys, threading
import numpy as np
flags = inspect.BufferFlags
kinds = [flags.STRIDED_RO, flags.RECORDS_RO, flags.F_CONTIGUOUS, flags.F_CONTIGUOUS | flags.FORMAT]
arrays = [np.zeros((3, 1), dtype="i4") for _ in range(int(sys.argv[1]))]
barrier = threading.Barrier(int(sys.argv[2]))
def work(number):
    barrier.wait()
    for at, array in enumerate(arrays):
        array.__buffer__(kinds[(at + number) % 4])
threads = [threading.Thread(target=work, args=(number,)) for number in range(int(sys.argv[2]))]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""

OUTPUT = """
import sys, threading, time
import numpy as np
values, shared = np.arange(1000.0), np.zeros(())
end = time.monotonic() + float(sys.argv[1])
def work():
    out = shared if sys.argv[2] == "shared" else np.zeros(())
    while time.monotonic() < end:
        np.add.reduce(values, out=out)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""

NESTED = """
import numpy as np
a = np.arange(12, dtype="f4").reshape(2, 3, 2)
i, j = np.nested_iters(a, [[0], [1, 2]], ["buffered"], ["readwrite", "updateifcopy"],
                       op_dtypes="f8", casting="same_kind")
with i, j:
    for _ in i:
        for item in j:
            item[...] += 1
assert a[0, 0, 0] == 1
"""


def words(outcome):
    return {(finding["kind"], finding["object"].get("name")) for finding in outcome.findings}


def skip_without_watchpoints(outcome):
    details = [record.get("detail", "") for record in outcome.records("engine")
               if record["name"] == "watch"]
    if not any(detail.startswith("perf") for detail in details):
        pytest.skip(f"no hardware watchpoints here: {details}")
    return outcome


def test_a_flag_word_that_is_written_back(run, numpy_fixed):
    """numpy#30540: the values that np.add.at is given to read."""
    outcome = run.ftsan(numpy_fixed, run.script(ADD_AT), "3", "shared", "1",
                        options="mode=latent")
    skip_without_watchpoints(outcome)
    assert words(outcome) == {("hazard", "flags")}, outcome
    finding = outcome.findings[0]
    assert finding["grade"] == "medium" and "written back unchanged" in finding["note"]
    assert finding["object"]["old"] == finding["object"]["new"]
    assert finding["object"]["operation"].endswith(".at")
    assert run.ftsan(numpy_fixed, run.script(ADD_AT), "3", "shared", "1",
                     options="mode=latent:grade=high").findings == []


def test_an_import_that_writes_it_back(run, numpy_affected):
    """numpy.ma of 2.2.1 uses .flat when it is imported; then it is told of the program's."""
    outcome = run.ftsan(numpy_affected, "-c", "import numpy.ma", options="mode=latent:sample=0")
    skip_without_watchpoints(outcome)
    assert outcome.findings == [] and outcome.status == 0, outcome
    outcome = run.ftsan(numpy_affected, "-c", "import numpy as np; a = np.ones((40, 40)).T\n"
                        "for _ in range(200): a.flat", options="mode=latent:sample=0")
    assert ("hazard", "flags") in words(outcome), outcome


def test_two_threads_write_it_back(run, numpy_fixed):
    # The sampler may be first to find it, by the read that goes before the store.
    outcome = until(has_findings, lambda: skip_without_watchpoints(run.ftsan(
        numpy_fixed, run.script(ADD_AT), "8000", "shared", "4", options="sampler=off")), 5)
    assert words(outcome) == {("race", "flags")}, outcome
    assert {finding["confidence"] for finding in outcome.findings} == {"confirmed"}
    assert [stack["role"] for stack in outcome.findings[0]["stacks"]][:2] == ["write", "write"]


def test_each_its_own_values(run, numpy_fixed):
    outcome = run.ftsan(numpy_fixed, run.script(ADD_AT), "3000", "own", "4")
    # The index is shared, and only read.
    assert words(outcome) == set() and outcome.status == 0, outcome


def test_requests_of_buffers(run, numpy_affected, numpy_fixed):
    """numpy#30648: a list in the header, under the array's lock since 2.4.2."""
    affected = run.ftsan(numpy_affected, run.script(BUFFERS), "20", "1", options="mode=latent")
    skip_without_watchpoints(affected)
    assert words(affected) == {("hazard", "_buffer_info")}, affected
    fixed = run.ftsan(numpy_fixed, run.script(BUFFERS), "20", "1", options="mode=latent")
    assert fixed.findings == [] and fixed.status == 0, fixed
    assert run.ftsan(numpy_fixed, run.script(BUFFERS), "20000", "4").findings == []


def test_requests_of_buffers_with_the_gil(run, numpy_affected_gil):
    outcome = run.ftsan(numpy_affected_gil, "-c", "import numpy as np\n"
                        "for _ in range(20): memoryview(np.zeros((3, 1), dtype='i4'))",
                        options="mode=latent")
    assert outcome.findings == [], outcome


# The indices lie in the array itself, so NumPy works with a copy of the array.
AT = """
import sys
import numpy as np
if sys.argv[1] == "operand":
    a = np.arange(10000, dtype=np.int16)
    np.invert.at(a[::-1], a[:10])
else:
    own, values = np.zeros(4), np.ones(4)
    for _ in range(3):
        np.add.at(own, np.arange(4), values)
"""


def has_nd(outcome):
    return any(word == "nd" for _, word in words(outcome))


def test_the_dimensions_of_an_output_without_any(run, numpy_affected):
    """NumPy 2.2.1 counts the dimensions of out= up and down again."""
    outcome = until(has_nd, lambda: skip_without_watchpoints(run.ftsan(
        numpy_affected, run.script(OUTPUT), "1.5", "shared")), 6)
    assert has_nd(outcome), outcome


def test_outputs_of_their_own(run, numpy_affected):
    outcome = run.ftsan(numpy_affected, run.script(OUTPUT), "1", "own")
    assert outcome.findings == [] and outcome.status == 0, outcome


def test_what_a_ufunc_works_on_in_place_is_written_to(run, numpy_affected, numpy_fixed):
    """The flags of an output say that there is a copy meanwhile: documented."""
    for python in (numpy_affected, numpy_fixed):
        outcome = run.ftsan(python, run.script(AT), "operand", options="mode=latent:sample=0")
        assert outcome.findings == [] and outcome.status == 0, outcome


def test_what_a_ufunc_adds_in_place_is_read(run, numpy_fixed):
    outcome = run.ftsan(numpy_fixed, run.script(AT), "values", options="mode=latent:sample=0")
    assert [finding["object"]["name"] for finding in outcome.findings] == ["flags"], outcome
    assert "an input of ufunc.at" in outcome.findings[0]["title"], outcome


def test_nested_iterators_write_to_their_operand(run, numpy_affected, numpy_fixed):
    """Documented as nditer is: the flags of what is written to belong to the iterator."""
    for python in (numpy_affected, numpy_fixed):
        outcome = run.ftsan(python, run.script(NESTED), options="mode=latent:sample=0")
        assert outcome.findings == [] and outcome.status == 0, outcome
