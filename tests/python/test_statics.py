"""Statics of a module: programs that keep to the rules are silent in every mode, and their
twins that don't are found, on a free-threaded interpreter and on one with the GIL."""

import json
import shutil
import subprocess

import pytest

from conftest import BUILD, PROGRAMS, build_extension, clean_environment, read_log, until

UNDER = BUILD / "engine_under"

SAFE = ["mutex", "rwlock", "spin", "word", "pythread", "once", "called", "atomics", "publish",
        "local", "before", "handover", "locked_by_caller", "double_checked", "replaced"]
SAFE_313 = ["pymutex", "section"]

# What has to be found with one thread: function, static, least grade on a free-threaded
# build, and on one with the GIL ("" where that orders it).
BAD = [
    ("bad_mutex", "bad_mutex_state", "high", "high"),
    ("bad_rwlock", "bad_rwlock_state", "high", "high"),
    ("bad_spin", "bad_spin_state", "high", "high"),
    ("bad_word", "bad_word_state", "high", "high"),
    ("bad_pythread", "bad_pythread_state", "high", "high"),
    ("bad_once", "bad_once_state", "high", "high"),
    ("bad_atomics", "bad_counters", "medium", "medium"),
    ("bad_publish", "bad_published", "medium", ""),
    ("bad_before", "table", "high", ""),
    ("bad_replace", "name_in_use", "high", ""),
    ("by_caller", "caller_state", "high", ""),
]

# Every lock that Python code of the module's own place takes counts.
PACKAGE = """
import threading
import statics_cases
lock = threading.RLock()

def locked_by_caller():
    with lock:
        statics_cases.by_caller()
"""


def build(python, directory):
    build_extension(python, directory, "statics_cases", "-pthread", "-lrt")
    (directory / "statics_package.py").write_text(PACKAGE)
    return directory


class Cases:
    def __init__(self, python, directory, gil):
        self.python, self.directory, self.gil = python, directory, gil
        self.safe = SAFE + ([] if gil else SAFE_313)

    def run(self, run, mode, calls, threads, *names, options="", beside=()):
        path = ":".join(map(str, [self.directory, *beside]))
        return run.preload(self.python, PROGRAMS / "statics.py", str(calls), str(threads), *names,
                           options=f"mode={mode}:statics=site:{options}",
                           environment={"PYTHONPATH": path})


@pytest.fixture(scope="module")
def cases(interpreter, tmp_path_factory):
    return Cases(interpreter, build(interpreter, tmp_path_factory.mktemp("statics")), gil=False)


@pytest.fixture(scope="module")
def cases_gil(tmp_path_factory):
    python = shutil.which("python3")
    if python is None:
        pytest.skip("no python3")
    code = "import sysconfig as s; print(bool(s.get_config_var('Py_GIL_DISABLED')))"
    if subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip() != "False":
        pytest.skip("python3 has no GIL")
    return Cases(python, build(python, tmp_path_factory.mktemp("statics-gil")), gil=True)


def about_statics(outcome):
    return [finding for finding in outcome.findings if "grade" in finding]


def traps(outcome):
    return sum(record["counters"]["statics_traps"] for record in outcome.records("coverage"))


def check_safe(run, cases, mode, calls, threads, *names):
    outcome = cases.run(run, mode, calls, threads, *(names or cases.safe))
    assert outcome.status == 0 and "done" in outcome.stdout, outcome
    assert outcome.findings == [], outcome
    # Silence means something only where the stores were seen.
    assert traps(outcome) > 20, outcome


@pytest.mark.parametrize("mode", ["latent", "race", "all"])
def test_who_keeps_to_the_rules_is_never_reported(run, cases, mode):
    check_safe(run, cases, mode, 200, 1 if mode == "latent" else 4)


@pytest.mark.parametrize("mode", ["latent", "all"])
def test_who_keeps_to_the_rules_is_never_reported_with_the_gil(run, cases_gil, mode):
    check_safe(run, cases_gil, mode, 200, 1 if mode == "latent" else 4)


def test_a_lock_that_is_taken_by_way_of_another_module_is_its_own(run, cases, tmp_path):
    build_extension(cases.python, tmp_path, "lock_helper")
    outcome = cases.run(run, "latent", 20, 1, "helped", beside=[tmp_path])
    assert outcome.status == 0 and "done" in outcome.stdout and outcome.findings == [], outcome
    assert traps(outcome) > 0, outcome


def test_locks_that_nobody_releases_hide_no_others(run, cases):
    check_safe(run, cases, "latent", 5, 1, "leftovers", *cases.safe)


def test_locks_that_nobody_releases_are_no_excuse(run, cases):
    outcome = cases.run(run, "latent", 5, 1, "leftovers", "bad_mutex")
    assert "bad_mutex_state" in str([finding["object"].get("name") for finding in outcome.findings]), outcome


# What one thread stores before the other has answered looks like stores without a lock: of a
# message, hazards can't be told.
@pytest.mark.parametrize("mode, name", [("race", "message"), ("race", "double_checked"),
                                        ("all", "double_checked"), ("race", "replaced"),
                                        ("all", "replaced")])
def test_what_is_released_is_no_race(run, cases, mode, name):
    outcome = cases.run(run, mode, 300, 4, name)
    assert outcome.status == 0 and "done" in outcome.stdout and outcome.findings == [], outcome
    assert traps(outcome) > 0, outcome


def test_another_variable_comes_after_what_is_released(run, cases):
    outcome = cases.run(run, "race", 100000, 2, "message", options="window_budget=100")
    assert outcome.status == 0 and "done" in outcome.stdout and outcome.findings == [], outcome


def check_bad(run, cases):
    # A table is many stores at once, and what comes after it may find its page left open; and
    # what happens only once is not decided right after a counter of bad_rwlock's began, which
    # could be a lock as well.
    alone = ["bad_before", "bad_once", "bad_publish"]
    groups = [[row[0] for row in BAD if row[0] not in alone], *[[name] for name in alone]]
    outcomes = {}
    for names in groups:
        outcome = cases.run(run, "latent", 5, 1, *names)
        outcomes.update(dict.fromkeys(names, outcome))
    grades = {"high": 3, "medium": 2, "low": 1, "": 9}
    for function, static, free_threaded, gil in BAD:
        outcome = outcomes[function]
        assert "done" in outcome.stdout, outcome
        wanted = gil if cases.gil else free_threaded
        findings = [finding for finding in about_statics(outcome)
                    if finding["object"].get("name", "").split("[")[0] == static]
        if not wanted:
            assert findings == [], (function, findings)
            continue
        assert findings, (function, outcome)
        assert max(grades[finding["grade"]] for finding in findings) >= grades[wanted], findings
        for finding in findings:
            assert finding["kind"] == "hazard" and finding["confidence"] == "latent", finding
            assert static in finding["title"] and "statics_cases" in finding["title"], finding
            assert finding["note"] and finding["advice"], finding
            names = [frame.get("function") for frame in finding["stacks"][0]["frames"]]
            assert function in names, (function, names)


def test_one_thread_shows_who_does_not(run, cases):
    check_bad(run, cases)


def test_one_thread_shows_who_does_not_with_the_gil(run, cases_gil):
    check_bad(run, cases_gil)


def together(run, cases, options, calls=500):
    """The threads wait for each other before each store. They meet, unless one of them has lost
    its processor each time: so it is tried again."""
    return until(about_statics, lambda: cases.run(
        run, "race", calls, 2, "bad_together", options=options), 8)


def check_race(run, cases):
    outcome = together(run, cases, "sampler=off")
    races = [finding for finding in about_statics(outcome) if finding["kind"] == "race"]
    assert races and outcome.status == 66, outcome
    for race in races:
        assert race["confidence"] == "confirmed" and race["grade"] == "high", race
        assert "bad_together_state" in race["title"], race
        first, second = race["stacks"][:2]
        assert first["role"] == "write" and first["tid"] != second["tid"], race


def about_words(outcome):
    """How many words of lock pages were held up and could not be watched."""
    return outcome.records("coverage")[-1].get("statics_unread", {}).get("words", 0)


def test_who_loads_next_to_a_lock_is_caught(run, cases):
    """The page stays readable, and the processor watches the word. As above: tried again."""
    for _ in range(6):
        outcome = cases.run(run, "race", 100, 2, "bad_lock_page",
                            options="sampler=off:window_budget=100")
        races = [finding for finding in about_statics(outcome) if finding["kind"] == "race"]
        if races or about_words(outcome):
            break
    if about_words(outcome):
        pytest.skip("no watchpoints")
    assert races and outcome.status == 66, outcome
    for race in races:
        assert race["confidence"] == "confirmed" and race["grade"] == "high", race
        assert race["object"]["name"].startswith("lock_page"), race
        first, second = race["stacks"][:2]
        assert (first["role"], second["role"]) == ("write", "read"), race
        assert "load_often" in [frame.get("function") for frame in second["frames"]], race


def test_without_watchpoints_it_is_said_that_loads_were_not_seen(run, cases):
    for _ in range(6):
        outcome = run.ftsan(UNDER, "EPERM", cases.python, PROGRAMS / "statics.py", "100", "2",
                            "bad_lock_page",
                            options="mode=race:statics=site:sampler=off:window_budget=100",
                            environment={"PYTHONPATH": str(cases.directory)})
        if about_words(outcome):
            break
    assert about_words(outcome) and "done" in outcome.stdout, outcome
    assert outcome.findings == [], outcome
    assert "NOT WATCHED: loads of" in outcome.stderr and "(statics_cases" in outcome.stderr, outcome
    module, = outcome.records("statics_module")
    assert module["unread_words"] == about_words(outcome), outcome


@pytest.mark.parametrize("name, threads", [("lock_page_locked", 2), ("lock_page_beside", 2),
                                           ("lock_page_released", 4)])
def test_who_loads_something_else_next_to_a_lock_is_not(run, cases, name, threads):
    outcome = cases.run(run, "race", 100, threads, name, options="window_budget=100")
    assert outcome.status == 0 and "done" in outcome.stdout and outcome.findings == [], outcome
    assert traps(outcome) > 0, outcome


@pytest.mark.parametrize("folds", [True, False], ids=["clang", "gcc"])
def test_an_add_may_be_an_atomic_of_clangs(run, interpreter, tmp_path, folds):
    """Who counts up is one thread; what is told of gcc's code takes two at the same moment, so it
    is tried again."""
    build_extension(interpreter, tmp_path, "statics_folded", "-O2", *(["-DFOLDS"] if folds else []))

    def attempt():
        outcome = run.ftsan(interpreter, PROGRAMS / "sampler.py", "2", "4", "statics_folded.count",
                            options="mode=race:statics=site:sampler=off:window_budget=100",
                            environment={"PYTHONPATH": str(tmp_path)})
        assert "done" in outcome.stdout and traps(outcome) > 0, outcome
        return outcome

    outcome = until(about_statics, attempt, 2 if folds else 5)
    races = about_statics(outcome)
    if folds:
        assert races == [] and outcome.status == 0, outcome
    else:
        assert [race["object"]["name"] for race in races] == ["counted"], outcome


def test_a_bug_has_one_name_whoever_saw_it(run, cases):
    sampled = "statics=off:sampler_budget=50:sampler_rate=1000:grade=low"
    ways = {
        "one thread": cases.run(run, "latent", 5, 1, "bad_together", options="statics=site"),
        "windows": together(run, cases, "statics=site:sampler=off"),
        "sampler": together(run, cases, sampled, calls=1000),
    }
    names = {}
    for way, outcome in ways.items():
        names[way] = {finding["fingerprint"] for finding in about_statics(outcome)}
        assert names[way], (way, outcome)
    assert len(set().union(*names.values())) == 1, names


def test_both_make_what_only_one_should(run, cases):
    outcome = cases.run(run, "race", 250, 4, "bad_double_checked")
    races = [finding for finding in about_statics(outcome) if finding["kind"] == "race"]
    assert races and {race["grade"] for race in races} == {"high"}, outcome
    assert "all_bad_made" in races[0]["title"], races


def test_two_threads_are_caught(run, cases):
    check_race(run, cases)


def test_two_threads_are_caught_with_the_gil(run, cases_gil):
    check_race(run, cases_gil)


def seeded(run, cases, name):
    """A page whose stores under the GIL are many is not open when those without it come."""
    return cases.run(run, "race", 2000, 4, name, options="sampler=off")


def test_what_follows_stores_under_the_gil_is_seen(run, cases_gil):
    outcome = until(about_statics, lambda: seeded(run, cases_gil, "bad_seeded"), 3)
    races = about_statics(outcome)
    assert races and {race["confidence"] for race in races} == {"confirmed"}, outcome
    assert all("bad_seeded_words" in race["object"]["name"] for race in races), races


def test_what_follows_them_under_a_lock_is_not(run, cases_gil):
    outcome = seeded(run, cases_gil, "seeded_draw")
    assert outcome.status == 0 and "done" in outcome.stdout and outcome.findings == [], outcome
    assert traps(outcome) > 0, outcome


def test_a_grade_is_asked_for(run, cases):
    outcome = cases.run(run, "latent", 5, 1, "bad_publish", options="grade=high")
    assert outcome.status == 0 and outcome.findings == [], outcome
    assert sum(record["counters"]["statics_low"] for record in outcome.records("coverage")) > 0


def watched(outcome):
    return {what["engine"]: what["n"] for record in outcome.records("coverage")
            for what in record["watched"]}


def test_sealed_statics_are_something_watched(run, cases):
    outcome = cases.run(run, "latent", 5, 1, "bad_mutex")
    assert watched(outcome)["statics"] > 0, outcome
    assert sum(record["counters"]["statics_modules"] for record in outcome.records("coverage")) > 0
    assert [record["detail"] for record in outcome.records("engine")
            if record["name"] == "statics"], outcome
    outcome = cases.run(run, "latent", 5, 1, "bad_mutex", options="statics=off")
    assert "statics" not in watched(outcome), outcome


def test_names_choose_the_modules(run, cases):
    outcome = cases.run(run, "latent", 5, 1, "bad_mutex", options="statics=other*")
    assert outcome.findings == [] and traps(outcome) == 0, outcome
    outcome = cases.run(run, "latent", 5, 1, "bad_mutex", options="statics=other*,statics_c*")
    assert about_statics(outcome), outcome
    outcome = cases.run(run, "latent", 5, 1, "bad_mutex", options="statics=off")
    assert outcome.findings == [] and traps(outcome) == 0, outcome


def test_what_the_kernel_does_to_statics_works(run, cases):
    for mode in ("latent", "all"):
        outcome = cases.run(run, mode, 3, 1, "kernel", "robust_mutex")
        assert outcome.status == 0 and "done" in outcome.stdout, outcome
        outcome = cases.run(run, mode, 100, 2, "turns_of_two")
        assert outcome.status == 0 and "done" in outcome.stdout, outcome


def test_calls_that_write_to_sealed_pages_do_what_they_do_bare(run, cases):
    program = run.script("import statics_cases; print(statics_cases.kernel_writes())")
    environment = {"PYTHONPATH": str(cases.directory)}
    bare = run.bare(cases.python, program, environment=environment)
    assert bare.status == 0 and bare.stdout.count("=") == 48, bare
    for mode in ("latent", "race", "all"):
        outcome = run.preload(cases.python, program, options=f"mode={mode}:statics=site",
                              environment=environment)
        assert outcome.status in (0, 66, 67) and outcome.stdout == bare.stdout, outcome
        # They were sealed, or it would say nothing.
        assert sum(record["counters"]["statics_kernel"]
                   for record in outcome.records("coverage")) > 10, outcome


def test_without_names_a_function_is_one_bug(run, cases, tmp_path):
    strip = shutil.which("strip")
    if strip is None:
        pytest.skip("no strip")
    module, = cases.directory.glob("statics_cases*.so")
    subprocess.run([strip, "-o", tmp_path / module.name, module], check=True)
    (tmp_path / "statics_package.py").write_text(PACKAGE)
    outcome = Cases(cases.python, tmp_path, cases.gil).run(run, "latent", 5, 1, "bad_before")
    finding, = about_statics(outcome)
    assert "name" not in finding["object"] and "stores to the static +0x" in finding["title"], finding


def test_debug_information_names_the_member_and_nothing_else(run, cases, tmp_path):
    module, = cases.directory.glob("statics_cases*.so")
    strip = shutil.which("strip")
    if strip is None:
        pytest.skip("no strip")
    subprocess.run([strip, "-g", "-o", tmp_path / module.name, module], check=True)
    (tmp_path / "statics_package.py").write_text(PACKAGE)

    def reported(directory):
        outcome = Cases(cases.python, directory, cases.gil).run(run, "latent", 5, 1, "bad_local",
                                                                "bad_mutex")
        reports = [subprocess.run([BUILD / "ftsan", "report", "--format", form,
                                   run.directory / f"run-{run.n_runs}" / "log"],
                                  capture_output=True, text=True, env=clean_environment({})).stdout
                   for form in ("json", "text")]
        return outcome, json.loads(reports[0])["findings"], reports[1]

    outcome, findings, text = reported(cases.directory)
    members = {finding["object"]["name"]: finding["object"].get("member") for finding in findings}
    assert members and len(members) == len(about_statics(outcome)), (outcome, members)
    for name, member in members.items():
        variable, index = name.rstrip("]").split("[") if "[" in name else (name, "0")
        assert member == f"{variable}.{'value copy'.split()[int(index)]}", members
        assert f", which is {member}" in text, text
    assert {name.split("[")[0].split(".")[0] for name in members} == \
        {"bad_mutex_state", "bad_local_state"}, members
    without, findings, text = reported(tmp_path)
    assert [finding["object"].get("member") for finding in findings] == [None] * len(members)
    assert "which is" not in text
    for key in ("fingerprint", "title", "evidence"):
        assert {finding[key] for finding in without.findings} == \
            {finding[key] for finding in outcome.findings}, (outcome, without)


def test_what_exit_handlers_do_is_no_hazard(run, cases):
    program = run.script("""
import atexit, sys, statics_cases
calls = [statics_cases.bad_mutex] * 5
if sys.argv[1:] == ["now"]:
    for call in calls:
        call()
else:
    for call in calls:
        atexit.register(call)
print("done")
""")
    def found(*arguments):
        outcome = run.preload(cases.python, program, *arguments,
                              options="mode=latent:statics=site",
                              environment={"PYTHONPATH": str(cases.directory)})
        assert "done" in outcome.stdout, outcome
        return about_statics(outcome)

    assert found() == []
    assert found("now")


LIBRARY = """
static long counter, copy;
long next_number(void) { counter = counter * 3 + 1; copy = counter; return copy; }
"""


# Each function's unwind table names its personality routine by a pointer in static data, next
# to what all threads store to; who is met comes by other functions than who waits.
DEEP = """
static long state[4] = {1, 2, 3, 4};
static void put(volatile long *value) { *value = 0; }
void store(long n)
{
    state[0] = state[0] * 3 + n;
    state[1] = state[1] * 5 + n;
    state[2] = state[2] * 7 + n;
}
""" + "".join(f"""
void {side}{i}(long n)
{{
    volatile long kept __attribute__((cleanup(put))) = n;
    {f"{side}{i - 1}" if i else "store"}(n + kept);
}}
""" for side in "abcd" for i in range(20))


def test_stacks_are_walked_while_static_data_is_closed(run, cases, tmp_path):
    cc = next(filter(shutil.which, ("cc", "gcc", "clang")))
    (tmp_path / "deep.c").write_text(DEEP)
    subprocess.run([cc, "-shared", "-fPIC", "-O1", "-fexceptions", "-o", tmp_path / "libdeep.so",
                    tmp_path / "deep.c"], check=True)
    program = run.script(f"""
import ctypes, threading
library = ctypes.CDLL({str(tmp_path / "libdeep.so")!r})
import statics_cases
def work(side):
    for i in range(5000):
        library[side + str(i % 20)](i)
threads = [threading.Thread(target=work, args=(side,)) for side in "abcd"]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("done")
""")
    outcome = run.preload(cases.python, program, options="mode=race:sampler=off:statics=all:grade=low",
                          environment={"PYTHONPATH": str(cases.directory)})
    assert outcome.status == 66 and "done" in outcome.stdout, outcome


@pytest.mark.parametrize("mode", ["latent", "all"])
def test_what_is_unloaded_is_forgotten(run, cases, tmp_path, mode):
    cc = next(filter(shutil.which, ("cc", "gcc", "clang")))
    (tmp_path / "library.c").write_text(LIBRARY)
    for name in ("liba.so", "libb.so"):
        subprocess.run([cc, "-shared", "-fPIC", "-O1", "-o", tmp_path / name,
                        tmp_path / "library.c"], check=True)
    program = run.script(f"""
import ctypes, importlib.util, mmap, sys, _ctypes
import statics_cases
for turn in range(6):
    library = ctypes.CDLL({str(tmp_path)!r} + "/lib" + "ab"[turn % 2] + ".so")
    # The end of a module's initialisation is when its libraries are sealed, too.
    sys.modules.pop("statics_cases", None)
    spec = importlib.util.find_spec("statics_cases")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    print([library.next_number() for _ in range(4)])
    _ctypes.dlclose(library._handle)
    memory = mmap.mmap(-1, 1 << 20)
    memory[:] = b"x" * (1 << 20)
    statics_cases.mutex()
print("done")
""")
    outcome = run.preload(cases.python, program, options=f"mode={mode}:statics=all",
                          environment={"PYTHONPATH": str(cases.directory)})
    assert outcome.status in (0, 66, 67), outcome
    assert outcome.stdout == "[1, 4, 13, 40]\n" * 6 + "done\n", outcome


def test_a_program_that_runs_already_is_sealed_at_once(run, cases, tmp_path):
    program = run.script("""
import sys, threading, time
import statics_cases
print("ready", flush=True)
threading.Thread(target=sys.stdin.read, daemon=True).start()
for _ in range(1500):
    statics_cases.bad_mutex()
    statics_cases.mutex()
    time.sleep(0.02)
""")
    with subprocess.Popen([cases.python, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, env=clean_environment({"PYTHONPATH": str(cases.directory)})
                          ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            log = tmp_path / "log"
            done = subprocess.run([BUILD / "ftsan", "attach", "--log", log, "--duration", "3",
                                   "--options", "mode=latent:statics=site", str(process.pid)],
                                  capture_output=True, text=True, env=clean_environment({}))
            if "ptrace" in done.stderr and done.returncode == 125:
                pytest.skip(done.stderr)
            findings = [record for record in read_log(log) if record["type"] == "finding"]
            assert {finding["object"]["name"].split("[")[0] for finding in findings} == \
                {"bad_mutex_state"}, (done, findings)
            assert process.poll() is None
        finally:
            process.kill()


def test_the_child_of_a_fork_goes_on(run, cases, tmp_path):
    program = run.script("""
import os, statics_cases
statics_cases.mutex()
child = os.fork()
for _ in range(3):
    statics_cases.mutex()
    statics_cases.bad_mutex()
if child == 0:
    os._exit(0)
print("child", os.waitpid(child, 0)[1])
""")
    outcome = run.preload(cases.python, program, options="mode=latent:statics=site",
                          environment={"PYTHONPATH": str(cases.directory)})
    assert "child 0" in outcome.stdout, outcome
    assert len(outcome.logs) == 2, outcome
    for log in outcome.logs.values():
        assert [record for record in log if record["type"] == "finding"], outcome
