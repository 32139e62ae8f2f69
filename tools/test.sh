#!/bin/sh
# Builds with gcc and clang (warnings are errors) and runs every test; the last line is
# pytest's summary. Exit status 0 when all passed.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
. "$here/lib.sh"

if [ $# -gt 0 ]; then
	cat <<'TEXT'
usage: sh tools/test.sh

FTSAN_REPEAT=N   runs of each race that is left to chance (default 3; 20 is thorough)
FTSAN_PYTHON     the free-threaded interpreter to test with; FTSAN_PYTHONS: all of them,
                 separated by colons. Default: the newest that can be had, and the
                 others that are there. NumPy's wheels with the bug of numpy#28197 need
                 one of 3.13, which is made if it isn't there
TEXT
	[ "$1" = -h ] || [ "$1" = --help ] || exit 2
	exit 0
fi

# What the caller has set is not to change what is tested.
unset FTSAN_OPTIONS FTSAN_RUN_ID FTSAN_ROOT_PID FTSAN_LIBRARY PYTHON_GIL PYTHONPATH \
	PYTEST_ADDOPTS LD_PRELOAD || true

sh "$here/setup.sh" packages tests
# The newest first: what is got for the older one must not be what is found.
python=$(sh "$here/setup.sh" python)
affected=$(sh "$here/setup.sh" venv numpy-affected)
if [ -n "${FTSAN_PYTHON-}" ] && [ -z "${FTSAN_PYTHONS-}" ]; then
	pythons=$python
else
	pythons=$(sh "$here/setup.sh" pythons)
fi
say "testing with $(printf %s "$pythons" | tr '\n' ' ')"
runner=$(sh "$here/setup.sh" venv runner)
skimage=$(sh "$here/setup.sh" venv skimage)
plugin_affected=$(sh "$here/setup.sh" venv plugin-affected)
for each in $pythons; do
	sh "$here/setup.sh" venv --python "$each" numpy-fixed >/dev/null
	sh "$here/setup.sh" venv --python "$each" plugin-fixed >/dev/null
done
# Tests that need these are skipped, with the reason, where python3 can't be used.
affected_gil=$(sh "$here/setup.sh" venv numpy-affected-gil) || affected_gil=
fixed_gil=$(sh "$here/setup.sh" venv numpy-fixed-gil) || fixed_gil=

# The interpreters that ctest compares stacks with: ours, and one with the GIL.
compared=$(printf %s "$pythons" | tr '\n' ';')
if system=$(command -v python3) && [ "$system" != "$python" ]; then
	compared="$compared;$system"
fi
sh "$here/setup.sh" build "$root/build" gcc -DFTSAN_TESTS=ON -DFTSAN_WERROR=ON \
	"-DFTSAN_TEST_PYTHONS=$compared"
failed=0
sh "$here/setup.sh" build "$root/build-clang" clang -DFTSAN_TESTS=ON -DFTSAN_WERROR=ON \
	"-DFTSAN_TEST_PYTHONS=$compared" || failed=1

ctest --test-dir "$root/build" -j2 --output-on-failure || {
	say "ctest failed"
	failed=1
}

# What needs no preloaded process once more, under sanitizers; fuzz targets for seconds.
# sanitized DIR COMPILER CMAKE-ARGUMENT
sanitized() {
	if ! sh "$here/setup.sh" build "$root/$1" "$2" -DFTSAN_TESTS=ON -DFTSAN_WERROR=ON "$3" ||
		! ctest --test-dir "$root/$1" -j2 --output-on-failure; then
		say "$3 failed"
		failed=1
	fi
}
if sh "$here/setup.sh" fuzzer; then
	sanitized build-sanitize clang -DFTSAN_FUZZ=ON
	sanitized build-tsan clang -DFTSAN_SANITIZE=thread
else
	say "no libFuzzer (package libclang-rt-dev): the fuzz targets only replay their corpus"
	sanitized build-sanitize gcc -DFTSAN_SANITIZE=address,undefined
	sanitized build-tsan gcc -DFTSAN_SANITIZE=thread
fi

cd "$root"
FTSAN_BUILD=$root/build FTSAN_PYTHONS=$(printf %s "$pythons" | tr '\n' ':') \
	FTSAN_VENV_AFFECTED=$affected FTSAN_VENV_SKIMAGE=$skimage \
	FTSAN_VENV_PLUGIN_AFFECTED=$plugin_affected \
	FTSAN_VENV_AFFECTED_GIL=$affected_gil FTSAN_VENV_FIXED_GIL=$fixed_gil \
	"$runner/bin/python" -m pytest -ra --durations=5 -p no:cacheprovider tests/python || failed=1
exit "$failed"
