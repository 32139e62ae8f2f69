#!/bin/sh
# Finds the hazard in np.repeat (numpy#28197) with the python3 that is there and one
# thread, then the open race in argsort(order=...) with the newest free-threaded Python
# that can be had and NumPy's current release; all on unmodified wheels, and nothing where
# there is nothing. Nothing is installed outside the build directory and the cache, except
# Debian or Ubuntu packages that are missing.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
. "$here/lib.sh"

if [ $# -gt 0 ]; then
	echo "usage: sh tools/demo.sh"
	[ "$1" = -h ] || [ "$1" = --help ] || exit 2
	exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

sh "$here/setup.sh" packages
if [ -f "$root/build/CMakeCache.txt" ]; then
	# Somebody's build: keep what it was configured with.
	cmake --build "$root/build" >"$work/build.log" 2>&1 || {
		tail -n 40 "$work/build.log" >&2
		die "the build in $root/build failed"
	}
else
	sh "$here/setup.sh" build "$root/build" gcc -DFTSAN_TESTS=OFF
fi
# run ENVIRONMENT SCRIPT [OPTIONS]: the script under ftsan; its report in $work/report,
# its status in $status.
run() {
	script=$root/tests/python/programs/$2
	version=$("$1/bin/python" -c 'import numpy; print(numpy.__version__)')
	python=$("$1/bin/python" -c 'import sys, sysconfig
print("%d.%d" % sys.version_info[:2] + "t" * (sysconfig.get_config_var("Py_GIL_DISABLED") or 0))')
	printf '\n$ ftsan run %s-- python %s    # Python %s, NumPy %s\n' \
		"${3:+--options $3 }" "$2" "$python" "$version"
	status=0
	env -u FTSAN_OPTIONS -u FTSAN_RUN_ID "$root/build/ftsan" run --log "$work/log" \
		${3:+--options "$3"} -- timeout -k 1 60 "$1/bin/python" "$script" \
		>"$work/report" 2>&1 ||
		status=$?
	grep -v "^ftsan: the log is " "$work/report" || true
	printf '(exit status %s)\n' "$status"
}

# expect TEXT...: the report says so.
expect() {
	for text in "$@"; do
		grep -Eq "$text" "$work/report" ||
			die "the demo failed: the report on Python $python, NumPy $version does not say '$text'"
	done
}

expect_silence() {
	[ "$status" = 0 ] ||
		die "the demo failed: NumPy $version was to run clean, but the exit status is $status"
	# It counts only if arrays were watched.
	expect '^ftsan: CLEAN .*shapes and strides of arrays'
}

# --- one thread, any Python ----------------------------------------------------------

if affected=$(sh "$here/setup.sh" venv numpy-affected-gil); then
	run "$affected" repeat_once.py mode=latent
	[ "$status" = 66 ] ||
		die "the demo failed: the hazard was to be found on NumPy $version (exit status 66), but the status is $status"
	expect "WARNING: ftsan: metadata hazard" "an input of ndarray.repeat" PyArray_Repeat
	cat <<'TEXT'

No second thread, no free-threaded Python, and no failure: np.repeat stores to the shape
of the array that it was given to read, and takes it back. Any other thread that uses the
array meanwhile races with it. That is a latent hazard, and it shows in any test run.
TEXT
else
	say "no report from the python3 that is there (see above); on to a free-threaded one"
fi

# --- two threads, free-threaded Python -----------------------------------------------

current=$(sh "$here/setup.sh" venv numpy-fixed)

# Two threads that meet by chance may miss each other on a busy machine.
for attempt in 1 2 3; do
	run "$current" argsort_order.py
	grep -q "WARNING: ftsan: data race" "$work/report" && break
	[ "$attempt" = 3 ] || say "the threads did not meet; once more"
done
# A program with this bug may die of it (SIGABRT, SIGBUS, SIGSEGV), or wait for ever (124,
# 137: it was ended); the finding is in the log before.
case $status in
66 | 124 | 134 | 135 | 137 | 139) ;;
*) die "the demo failed: the race was to be found on NumPy $version (exit status 66), but the status is $status" ;;
esac
expect "WARNING: ftsan: data race" array_argsort

run "$current" repeat_rare.py
expect_silence

cat <<'TEXT'

The first script only ever reads its array, yet the report shows one thread inside
argsort(order=...) that puts another dtype into the array while a second thread uses it: an
open bug of NumPy's current release, caught in the wheel as it is. np.repeat, in the last
run, has been repaired since, so there is nothing to report and the exit status is 0.
TEXT
