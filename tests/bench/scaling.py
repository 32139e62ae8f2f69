"""More of everything: threads, live arrays, log."""

import json

import measure
import setups


def answer(row_of, configuration, command, directory, log):
    done = measure.run(command, setups.environment(configuration, log), directory)
    if done.status != 0:
        for row in row_of.values():
            row.add(configuration, None)
        return
    for name, value in json.loads(done.output.splitlines()[-1]).items():
        if name in row_of:
            row_of[name].add(configuration, value)


def threads(quick, directory):
    group = measure.Group("Threads", "60,000 calls in all: on arrays of one's own, and on one "
                          "that all threads share.")
    for n in (1, 2, 4, 8, 16, 32, 64):
        rows = {"cpu": group.row(f"{n} threads, CPU", "s"),
                "wall": group.row(f"{n} threads, clock", "s")}
        for _, name in measure.interleaved(setups.CONFIGURATIONS, 3 if quick else 9):
            answer(rows, name, [setups.python("numpy-fixed"), setups.HERE / "threads_work.py",
                                n, 60000], directory, directory / "threads.%p")
    yield group


def live(quick, directory):
    group = measure.Group("Live arrays", "A list of np.empty(3); a second thread is alive, so "
                          "the scout runs. Its CPU time is that of a second of rest.")
    for n in (10**3, 10**4, 10**5, 10**6):
        rows = {"rss": group.row(f"{n:,} arrays, peak RSS", "MiB"),
                "make": group.row(f"{n:,} arrays, making one", "ns"),
                "free": group.row(f"{n:,} arrays, freeing one", "ns"),
                "scout": group.row(f"{n:,} arrays, scout", "ms/s")}
        for _, name in measure.interleaved(setups.CONFIGURATIONS, 2 if quick else 5):
            answer(rows, name, [setups.python("numpy-fixed"), setups.HERE / "live_arrays.py",
                                n, "--thread"], directory, directory / "live.%p")
    yield group


def logs(quick, directory):
    group = measure.Group("Log", "KiB of the log, and how many records.", columns=("race", "all"))
    programs = {"import numpy": ["numpy-fixed", "-c", "import numpy"],
                "repeat_hot.py (one race)": ["numpy-affected", setups.PROGRAMS / "repeat_hot.py"],
                "repeat_rare.py": ["numpy-affected", setups.PROGRAMS / "repeat_rare.py"]}
    for name, (venv, *arguments) in programs.items():
        size, records = group.row(name, "KiB"), group.row(f"{name}, records", "")
        for i, mode in measure.interleaved(("race", "all"), 3 if quick else 9):
            log = directory / f"log-{len(group.rows)}-{i}-{mode}"
            measure.run([setups.python(venv), *arguments], setups.environment(mode, log), directory)
            text = log.read_bytes() if log.exists() else b""
            size.add(mode, len(text) / 1024)
            records.add(mode, text.count(b"\n"))
    yield group
