#!/bin/sh
# Gets what the demo and the tests need. Progress goes to stderr, results to stdout.
set -eu

usage() {
	cat <<'TEXT'
usage: sh tools/setup.sh packages [tests]
       sh tools/setup.sh build DIR COMPILER [CMAKE-ARGUMENT...]
       sh tools/setup.sh fuzzer
       sh tools/setup.sh python
       sh tools/setup.sh pythons
       sh tools/setup.sh venv [--find] [--python PYTHON] NAME
       sh tools/setup.sh venv [--find] --python PYTHON wheels REQUIREMENT...

packages   installs the Debian or Ubuntu packages that are missing
build      configures DIR with COMPILER (gcc, clang) and builds it
fuzzer     succeeds if clang has libFuzzer
python     prints a free-threaded interpreter's path (see tools/get-python.sh)
pythons    prints every free-threaded interpreter that is there, one a line, newest
           first
venv       prints the path of a virtual environment, making it if need be; --find:
           only if it is there; --python: with this interpreter. NAME: numpy-affected,
           numpy-fixed, skimage, runner, plugin-affected, plugin-fixed; scipy, pandas,
           targets: for tests/bench; numpy-affected-gil, numpy-fixed-gil: of the python3 that
           is there. wheels: one with just these; exit status 3 when the interpreter
           has no wheels for them

Interpreter and environments live in $XDG_CACHE_HOME/ftsan (~/.cache/ftsan) and are
used again by later runs. FTSAN_PYTHON names an interpreter to use instead,
FTSAN_PYTHONS further ones (separated by colons or spaces).
TEXT
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
. "$here/lib.sh"
cache=${XDG_CACHE_HOME:-${HOME:?neither HOME nor XDG_CACHE_HOME is set}/.cache}/ftsan

# What the tests of the pytest plugin run with: threads and processes.
plugin_requirements="pytest==9.2.0 pytest-run-parallel==0.10.0 pytest-xdist==3.8.0"

# minor_of PYTHON: 3.14
minor_of() {
	"$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

# current_numpy PYTHON: the newest with wheels for that interpreter (free-threaded 3.13:
# the last there are; 3.15: since 2.5.2).
current_numpy() {
	case $(minor_of "$1") in
	3.11 | 3.13) echo "numpy==2.4.6" ;;
	*) echo "numpy==2.5.5" ;;
	esac
}

# hypothesis PYTHON: what NumPy's tests need; later releases have no wheels for 3.13t.
hypothesis() {
	case $(minor_of "$1") in
	3.11 | 3.13) echo "hypothesis==6.139.3" ;;
	*) echo "hypothesis==6.170.17" ;;
	esac
}

# wheels: what `venv ... wheels` asks for.
wheels=

# requirements NAME PYTHON: what is installed in the environment. Changing a line here
# makes a new environment.
requirements() {
	case $1 in
	numpy-affected) echo "numpy==2.2.1 pytest==9.2.0" ;;
	numpy-affected-gil) echo "numpy==2.2.1" ;;
	numpy-fixed-gil) echo "numpy==2.4.6" ;;
	numpy-fixed) echo "$(current_numpy "$2") pytest==9.2.0 $(hypothesis "$2")" ;;
	skimage)
		echo "numpy==2.2.1 scipy==1.15.2 scikit-image==0.25.2 pooch" \
			"pytest==9.2.0 pytest-run-parallel==0.10.0"
		;;
	scipy) echo "numpy==2.4.6 scipy==1.15.2 pytest==9.2.0 hypothesis==6.139.3" ;;
	pandas) echo "numpy==2.4.6 pandas==2.3.3 pytest==9.2.0 hypothesis==6.139.3" ;;
	targets)
		echo "numpy==2.5.5 scipy==1.18.1 pandas==3.1.1 scikit-learn==1.9.1" \
			"pytest==9.2.0 pytest-run-parallel==0.10.0 $(hypothesis "$2")"
		;;
	plugin-affected) echo "numpy==2.2.1 $plugin_requirements" ;;
	plugin-fixed) echo "$(current_numpy "$2") $plugin_requirements" ;;
	runner) echo "pytest==9.2.0 jsonschema==4.26.0" ;;
	wheels) echo "$wheels" ;;
	*) die "there is no environment '$1'; see sh tools/setup.sh --help" ;;
	esac
}

# in_turn COMMAND...: runs it while no other set-up of this user runs.
in_turn() {
	mkdir -p "$cache"
	(
		if ! flock -n 9; then
			say "waiting for another set-up to end"
			flock 9
		fi
		"$@" 9>&-
	) 9>"$cache/lock"
}

# --- packages ---------------------------------------------------------------------

has_header() {
	echo "#include <$1>" | cc -E - >/dev/null 2>&1
}

# packages_for_build: those whose files are not there, wherever they came from.
packages_for_build() {
	command -v cmake >/dev/null || echo cmake
	command -v ninja >/dev/null || echo ninja-build
	command -v pkg-config >/dev/null || echo pkg-config
	if ! command -v gcc >/dev/null || ! has_header stdio.h; then
		echo gcc libc6-dev
	fi
	pkg-config --exists libunwind 2>/dev/null || echo libunwind-dev
	pkg-config --exists jansson 2>/dev/null || echo libjansson-dev
	pkg-config --exists libdw 2>/dev/null || echo libdw-dev
	pkg-config --exists zlib 2>/dev/null || echo zlib1g-dev
	has_header Zydis/Zydis.h || echo libzydis-dev
	# The demo begins with the python3 that is there.
	command -v python3 >/dev/null || echo python3
	python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
}

packages_for_tests() {
	pkg-config --exists check 2>/dev/null || echo check
	command -v clang >/dev/null || echo clang
	command -v g++ >/dev/null || echo g++
	# Programs of another C library, which libftsan.so must not keep from starting.
	command -v musl-gcc >/dev/null || echo musl-tools
	# xmllint, for the JUnit report.
	command -v xmllint >/dev/null || echo libxml2-utils
	# Its headers, for the extension modules that the tests build.
	ls /usr/include/python3.*/Python.h >/dev/null 2>&1 || echo python3-dev
}

get_packages() {
	wanted=$(packages_for_build)
	[ "${1-}" != tests ] || wanted="$wanted $(packages_for_tests)"
	# shellcheck disable=SC2086 # a list of words
	need_packages $wanted
	[ "${1-}" != tests ] || { get_browser && get_fuzzer; }
}

# get_fuzzer: libFuzzer and the sanitizers' runtimes, where they are a package of their own.
get_fuzzer() {
	has_fuzzer || (need_packages libclang-rt-dev) ||
		say "so the fuzz targets replay their corpus only"
}

has_fuzzer() {
	echo 'int LLVMFuzzerTestOneInput(const char *data, unsigned long size);
	int LLVMFuzzerTestOneInput(const char *data, unsigned long size) { return size > 9 && *data; }' |
		clang -fsanitize=fuzzer,address,undefined -x c - -o /dev/null 2>/dev/null
}

# get_browser: for the tests of the HTML report, which are skipped without one.
get_browser() {
	command -v chromium >/dev/null || (need_packages chromium) ||
		say "so the HTML report is not tested in a browser"
}

# --- build ------------------------------------------------------------------------

# drop_other_cache DIR COMPILER: a cache of another compiler or another source tree
# can't be configured again.
drop_other_cache() {
	known="$1/CMakeCache.txt"
	[ -f "$known" ] || return 0
	known_compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$known")
	source=$(sed -n 's/^CMAKE_HOME_DIRECTORY:[A-Z]*=//p' "$known")
	generator=$(sed -n 's/^CMAKE_GENERATOR:[A-Z]*=//p' "$known")
	if [ "$source" = "$root" ] && [ "$generator" = Ninja ] &&
		[ "$(command -v "$known_compiler")" = "$(command -v "$2")" ]; then
		return 0
	fi
	rm -rf "$known" "$1/CMakeFiles"
}

build() {
	dir=$1
	compiler=$2
	shift 2
	mkdir -p "$dir"
	drop_other_cache "$dir" "$compiler"
	say "building $dir with $compiler"
	log=$dir/setup.log
	if ! cmake -S "$root" -B "$dir" -G Ninja "-DCMAKE_C_COMPILER=$(command -v "$compiler")" \
		"$@" >"$log" 2>&1 || ! cmake --build "$dir" >>"$log" 2>&1; then
		tail -n 40 "$log" >&2
		die "the build in $dir failed; the whole log is $log"
	fi
}

# --- environments -----------------------------------------------------------------

# system_python: the python3 with a GIL that is there, if ftsan knows it.
system_python() {
	python=$(command -v python3) || die "there is no python3"
	"$python" -c 'import sys, sysconfig
version = "%d.%d" % sys.version_info[:2]
sys.exit(sysconfig.get_config_var("Py_GIL_DISABLED") == 1 and "it has no GIL" or
         version not in ("3.11", "3.12", "3.13", "3.14") and version + " is not supported")' ||
		die "$python can't be used with a GIL"
	"$python" -c 'import ensurepip' 2>/dev/null ||
		die "$python can't make virtual environments (package python3-venv)"
	echo "$python"
}

# pythons: every free-threaded one that is there.
pythons() {
	for minor in 3.15 3.14 3.13; do
		sh "$here/get-python.sh" --find "$minor" || true
	done
}

# python_for NAME [--find]: the interpreter that the environment is made with. Releases
# of NumPy that have the bug of numpy#28197, and what goes with them, have no wheels for
# a free-threaded CPython but 3.13. The runner goes with them, for it is there then.
python_for() {
	# shellcheck disable=SC2086 # $2 is nothing, or a word
	case $1 in
	*-gil) system_python ;;
	numpy-affected | plugin-affected | skimage | scipy | pandas | runner)
		sh "$here/get-python.sh" $2 3.13
		;;
	*) sh "$here/get-python.sh" $2 ;;
	esac
}

# environment_path NAME PYTHON: keyed by all that it was made from.
environment_path() {
	key=$("$2" -c 'import sys, sysconfig
print(sys.version, sys.executable, sysconfig.get_config_var("SOABI"))')
	key=$(printf '%s\n%s\n' "$key" "$(requirements "$1" "$2")" | cksum | cut -d ' ' -f 1)
	echo "$cache/venv-$1-$key"
}

# is_complete DIR: the mark is written last, so a run that was cut short has none.
is_complete() {
	[ -f "$1/.complete" ] && [ -x "$1/bin/python" ]
}

# install PYTHON LOG REQUIREMENT...: three attempts, because indexes can be slow.
install() {
	python=$1
	log=$2
	shift 2
	for attempt in 1 2 3; do
		PIP_DEFAULT_TIMEOUT=${PIP_DEFAULT_TIMEOUT:-60} "$python" -m pip install \
			--no-input --disable-pip-version-check --progress-bar off \
			--only-binary=:all: "$@" >>"$log" 2>&1 </dev/null &
		wait_with_progress $! "$log" && return 0
		say "pip failed (attempt $attempt of 3)"
		# Asking again doesn't help where the index answered that there is none.
		! grep -q 'No matching distribution' "$log" || break
	done
	return 1
}

make_environment() {
	name=$1
	python=$2
	dir=$(environment_path "$name" "$python")
	if ! is_complete "$dir"; then
		wanted=$(requirements "$name" "$python")
		log=$dir.log
		rm -rf "$dir"
		say "making the environment $name ($wanted)"
		"$python" -m venv "$dir" >"$log" 2>&1 || {
			tail -n 5 "$log" >&2
			die "$python can't make virtual environments; FTSAN_PYTHON can name another interpreter"
		}
		# shellcheck disable=SC2086 # a list of words
		install "$dir/bin/python" "$log" $wanted || {
			tail -n 5 "$log" >&2
			if [ "$name" = wheels ] && grep -q 'No matching distribution' "$log"; then
				say "no wheels of $wanted for $python"
				exit 3
			fi
			die "no wheels for $wanted.
They come from the package index that pip is configured for; without a network, point
PIP_FIND_LINKS at a directory with the wheels of $("$python" -c 'import sys, sysconfig; print(sysconfig.get_config_var("SOABI"))') (pip download) and set PIP_NO_INDEX=1.
numpy 2.2.1 has wheels for CPython 3.10 to 3.13 and 3.13t only. The whole log is $log"
		}
		: >"$dir/.complete"
	fi
	echo "$dir"
}

# find_environment NAME PYTHON: PYTHON may be empty.
find_environment() {
	python=$2
	[ -n "$python" ] || python=$(python_for "$1" --find) ||
		die "no interpreter for the environment $1 yet; sh tools/test.sh gets one"
	dir=$(environment_path "$1" "$python")
	is_complete "$dir" || die "the environment $1 is not there yet; sh tools/setup.sh venv $1 makes it"
	echo "$dir"
}

# environment [--find] [--python PYTHON] NAME [REQUIREMENT...]
environment() {
	find=no
	python=
	while :; do
		case "${1-}" in
		--find) find=yes ;;
		--python)
			shift
			python=${1-}
			[ -n "$python" ] || die "--python needs an interpreter"
			;;
		*) break ;;
		esac
		shift
	done
	name=${1-}
	[ $# -eq 0 ] || shift
	wheels=$*
	requirements "$name" "${python:-python3}" >/dev/null
	if [ "$find" = yes ]; then
		find_environment "$name" "$python"
		return
	fi
	[ -n "$python" ] || python=$(in_turn python_for "$name" "")
	in_turn make_environment "$name" "$python"
}

case "${1-}" in
packages)
	in_turn get_packages "${2-}"
	;;
build)
	[ $# -ge 3 ] || { usage >&2; exit 2; }
	shift
	build "$@"
	;;
fuzzer)
	has_fuzzer
	;;
python)
	in_turn sh "$here/get-python.sh"
	;;
pythons)
	pythons
	;;
venv)
	shift
	environment "$@"
	;;
-h | --help) usage ;;
*) usage >&2; exit 2 ;;
esac
