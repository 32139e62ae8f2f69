"""Test suites of others, as their users run them."""

import re

import measure
import setups

PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
# Examples that hypothesis draws at random would make two runs differ; test_huge_list_error
# fills tens of gigabytes.
NUMPY = [*PYTEST, "--hypothesis-seed=0", "-k", "not test_huge_list_error", "--pyargs"]
SUITES = {
    "numpy test_shape_base": ("numpy-fixed", *NUMPY, "numpy._core.tests.test_shape_base"),
    "numpy test_indexing": ("numpy-fixed", *NUMPY, "numpy._core.tests.test_indexing"),
    "numpy test_item_selection": ("numpy-fixed", *NUMPY,
                                  "numpy._core.tests.test_item_selection"),
    "numpy.ma test_core": ("numpy-fixed", *NUMPY, "numpy.ma.tests.test_core"),
    "scipy.ndimage test_measurements": ("scipy", *PYTEST, "--pyargs",
                                        "scipy.ndimage.tests.test_measurements"),
    "pandas frame/indexing": ("pandas", *PYTEST, "--pyargs", "pandas.tests.frame.indexing"),
    "skimage.graph, 4 threads": ("skimage", *PYTEST, "--pyargs", "skimage.graph",
                                 "--parallel-threads=4"),
}
LONG = {"numpy test_multiarray": ("numpy-fixed", *NUMPY, "numpy._core.tests.test_multiarray")}

SLOW = {"skimage.graph, 4 threads", *LONG}


def counts(output):
    """Of pytest's last line: what passed and failed must not differ."""
    lines = [line for line in output.splitlines() if re.search(r"\d+ passed", line)]
    return re.sub(r" in .*", "", lines[-1]) if lines else None


def suites(quick, directory, full=False):
    group = measure.Group("Test suites", "The whole process, start-up and pytest included.")
    for name, (venv, *arguments) in {**SUITES, **(LONG if full else {})}.items():
        n_rounds = 9 if not quick else 2 if name in SLOW else 3
        cpu, wall = group.row(f"{name}, CPU", "s"), group.row(f"{name}, clock", "s")
        rss = group.row(f"{name}, peak RSS", "MiB")
        said = {}
        try:
            python = setups.python(venv)
        except setups.Unavailable as error:
            for row in (cpu, wall, rss):
                row.skip("all", str(error))
            continue
        for _, configuration in measure.interleaved(setups.CONFIGURATIONS, n_rounds):
            done = measure.run([python, *arguments],
                               setups.environment(configuration, directory / "suites.%p",
                                                  {"PYTHON_GIL": "0"}), directory)
            if counts(done.output) is None:
                for row in (cpu, wall, rss):
                    row.skip(configuration, "no test ran")
                said.setdefault(f"no test ran: {done.output.strip()[-200:]}",
                                set()).add(configuration)
                continue
            said.setdefault(counts(done.output), set()).add(configuration)
            cpu.add(configuration, done.cpu)
            wall.add(configuration, done.seconds)
            rss.add(configuration, done.rss)
        cpu.note = "; ".join(f"{text}: {', '.join(sorted(names))}" if len(said) > 1 else text
                             for text, names in said.items())
    yield group
