"""What ftsan may cost: the figures that have a target, each next to the bare program."""

import measure
import setups
from macro import NUMPY, PYTEST, counts

SLICE_NS = 20e6
PARALLEL = ["--parallel-threads=4"]
NUMPY_SUITE = [*NUMPY, "numpy._core.tests.test_indexing", "numpy._core.tests.test_item_selection"]

# Name of the configuration: mode, options behind it.
FREED = {"bare": ("bare", ""), "bare again": ("bare again", ""),
         "freed=off": ("race", ":freed=off"), "freed=auto": ("race", ""),
         "freed=all": ("race", ":freed=all")}
RACE = {"bare": ("bare", ""), "race": ("race", ""), "race, sampler=0": ("race", ":sampler=0")}
LATENT = {"bare": ("bare", ""), "latent": ("latent", "")}


def once(name, n_threads, n_rounds):
    return [setups.HERE / "workloads.py", "--once", name, n_threads, n_rounds]


# With more threads a process that mostly waits would show what it saved up for: budgets go
# by the clock. Those are whole runs, and without the sampler, which is another row's.
WORK = {"Python's own": ("pure", 1), "small NumPy operations": ("small", 1),
        "pandas groupby": ("groupby", 1)}
THREADS = {"bare": ("bare", ""), "freed=off": ("race", ":sampler=0:freed=off"),
           "freed=auto": ("race", ":sampler=0"), "freed=all": ("race", ":sampler=0:freed=all")}
RUNS = {
    "race, what is freed": (THREADS, {
        "small NumPy operations, 4 threads": once("small", 4, 1500),
        "pandas groupby, 4 threads": once("groupby", 4, 100),
    }),
    "race": (RACE, {
        "NumPy's indexing, item_selection; run-parallel, 4 threads": [*NUMPY_SUITE, *PARALLEL],
        "pandas groupby, 4 threads": once("groupby", 4, 150),
        "scikit-learn tree, 4 threads": once("tree", 4, 60),
    }),
    "latent": (LATENT, {
        "NumPy's indexing, item_selection": NUMPY_SUITE,
        "scipy.spatial": [*PYTEST, "--pyargs", "scipy.spatial.tests.test_kdtree",
                          "scipy.spatial.tests.test_qhull", "-k", "not slow"],
        "pandas groupby": once("groupby", 1, 400),
        "sklearn.svm": [*PYTEST, "--pyargs", "sklearn.svm.tests.test_svm"],
    }),
}


def environment(configuration, log):
    mode, options = configuration
    return setups.environment(mode, log, {"PYTHON_GIL": "0", "OMP_NUM_THREADS": "1"}, options)


def freed(quick, directory):
    """Processes that stay, in slices: what is left when everything is warm."""
    group = measure.Group("What is freed", "CPU time of a round, warm; mode race.")
    rows = {name: group.row(name, "us") for name in WORK}
    for set_number in range(2 if quick else 4):
        workers = {name: measure.Worker([setups.python("targets"), setups.HERE / "workloads.py"],
                                        environment(configuration,
                                                    directory / f"freed-{set_number}.%p"),
                                        directory)
                   for name, configuration in FREED.items()}
        for name, (work, n_threads) in WORK.items():
            n_rounds = rounds_for(workers, work, n_threads)
            for _, configuration in measure.interleaved(workers, 20 if quick else 50):
                ns = workers[configuration].ask(work, n_threads, n_rounds)
                rows[name].add(configuration, ns / 1000)
        for worker in workers.values():
            worker.close()
    yield group


def rounds_for(workers, work, n_threads):
    n_rounds = 1
    while workers["bare"].ask(work, n_threads, n_rounds) * n_rounds < SLICE_NS:
        n_rounds *= 2
    for worker in workers.values():
        worker.ask(work, n_threads, 4 * n_rounds)
    return n_rounds


def runs(quick, directory):
    """Whole processes, start-up and all."""
    for title, (configurations, programs) in RUNS.items():
        group = measure.Group(f"Whole processes, mode {title}", "CPU time of the process.")
        for name, arguments in programs.items():
            row, said = group.row(name, "s"), {}
            for _, configuration in measure.interleaved(configurations, 5 if quick else 15):
                done = measure.run([setups.python("targets"), *arguments],
                                   environment(configurations[configuration],
                                               directory / "runs.%p"), directory)
                said.setdefault(counts(done.output) or f"status {done.status}",
                                set()).add(configuration)
                row.add(configuration, done.cpu)
            row.note = "; ".join(f"{text}: {', '.join(sorted(names))}" if len(said) > 1 else text
                                 for text, names in said.items())
        yield group


def targets(quick, directory):
    yield from freed(quick, directory)
    yield from runs(quick, directory)
