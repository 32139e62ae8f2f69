#!/bin/sh
# Prints the path of a free-threaded CPython, making one if there is none. Progress goes
# to stderr.
#
# Order: $FTSAN_PYTHON, $FTSAN_PYTHONS, interpreters on PATH, what an earlier run made,
# `uv python install`, a build of the distribution's source package; within each the
# newest release first.
set -eu

# Newest first; what the layouts are known of (detector/stacks/pyabi_words.c).
known="3.15 3.14 3.13"

usage() {
	cat <<'TEXT'
usage: sh tools/get-python.sh [--find] [MINOR]

Prints the path of a free-threaded CPython: MINOR (3.13, 3.14, 3.15), or the newest that
is there, or else the newest that can be had. Nothing is installed outside the cache
directory ($XDG_CACHE_HOME/ftsan or ~/.cache/ftsan), except the compiler's packages when
the interpreter has to be built (root or sudo).

--find         only look for one that is there; exit status 1 if there is none

FTSAN_PYTHON   use this interpreter; an error if it is not free-threaded
FTSAN_PYTHONS  interpreters to look at first, separated by colons or spaces
TEXT
}

minors=$known
asked=
find_only=no
if [ "${1-}" = --find ]; then
	find_only=yes
	shift
fi
case "${1-}" in
-h | --help) usage; exit 0 ;;
3.[0-9]*) minors=$1 asked=$1 ;;
'') ;;
*) usage >&2; exit 2 ;;
esac

cache=${XDG_CACHE_HOME:-$HOME/.cache}/ftsan

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$here/lib.sh"
. "$here/debian-source.sh"

# is_free_threaded PYTHON MINOR: MINOR may be empty, then any version will do.
is_free_threaded() {
	"$1" -c "import sys, sysconfig
ok = sysconfig.get_config_var('Py_GIL_DISABLED') == 1
want = '$2'
ok = ok and (not want or '%d.%d' % sys.version_info[:2] == want)
sys.exit(not ok)" 2>/dev/null
}

# try_named MINOR: one of FTSAN_PYTHONS.
try_named() {
	for path in $(echo "${FTSAN_PYTHONS-}" | tr ':;' '  '); do
		if is_free_threaded "$path" "$1"; then
			echo "$path"
			return 0
		fi
	done
	return 1
}

try_path() {
	for name in "python$1t" python3t python3 python; do
		path=$(command -v "$name" 2>/dev/null) || continue
		if is_free_threaded "$path" "$1"; then
			echo "$path"
			return 0
		fi
	done
	return 1
}

# prefix_of MINOR: where a build of ours is.
prefix_of() {
	echo "$cache/python-$1t"
}

try_cache() {
	path=$(prefix_of "$1")/bin/python$1t
	[ -x "$path" ] && is_free_threaded "$path" "$1" && echo "$path"
}

try_uv() {
	command -v uv >/dev/null 2>&1 || return 1
	say "asking uv for CPython $1t"
	# uv gives no answer within reason where its download host can't be
	# reached; its own retries would take minutes.
	timeout 180 uv python install "$1t" >&2 2>&1 || {
		say "uv could not install CPython $1t"
		return 1
	}
	path=$(uv python find "$1t" 2>/dev/null) || return 1
	is_free_threaded "$path" "$1" || return 1
	echo "$path"
}

# each_minor FUNCTION: the first answer, newest release first.
each_minor() {
	for minor in $minors; do
		"$1" "$minor" && return 0
	done
	return 1
}

# source_suites: those of this distribution that may hold a package, newest first. A
# suite's list may name a version that its pool no longer has: then the next one's turn.
source_suites() {
	. /etc/os-release
	case "${ID-} ${ID_LIKE-}" in
	*ubuntu*) echo "resolute questing plucky" ;;
	*) echo "sid forky trixie" ;;
	esac
}

# fetch_source DIR: leaves a pristine upstream tarball in DIR, of the newest release that
# can be had, without touching the system's apt lists. Sets minor.
fetch_source() {
	need_mirror "set FTSAN_PYTHON to a free-threaded CPython${asked:+ $asked}"
	suites=
	for suite in $(source_suites); do
		mkdir -p "$1/$suite"
		source_lists "$1/$suite" "$suite" && suites="$suites $suite"
	done
	for minor in $minors; do
		for suite in $suites; do
			say "looking for the source package python$minor in suite $suite"
			source_archive "$1/$suite" "python$minor" 2>/dev/null || continue
			mv "$1/$suite/python${minor}"_*.orig.tar.* "$1"
			return 0
		done
	done
	return 1
}

build() {
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/build.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM
	need_packages build-essential xz-utils libssl-dev zlib1g-dev libffi-dev \
		libbz2-dev liblzma-dev libsqlite3-dev libreadline-dev uuid-dev
	fetch_source "$work" || die "no source package of CPython ${asked:-3.13 or later} could be had.
Install a free-threaded CPython (https://docs.python.org/3/howto/free-threading-python.html)
and set FTSAN_PYTHON to it."
	prefix=$(prefix_of "$minor")
	mkdir "$work/src" "$work/out"
	tar -C "$work/src" --strip-components=1 -xf "$(find "$work" -maxdepth 1 -name '*.orig.tar.*' ! -name '*.asc' | head -n 1)"
	say "building CPython ${minor}t, about 4 minutes on 2 cores (log: $cache/build.log)"
	(
		cd "$work/out"
		../src/configure --disable-gil --with-ensurepip=install --prefix="$prefix"
		make -j"$(nproc)"
		make install DESTDIR="$work/dest"
	) >"$cache/build.log" 2>&1 &
	wait_with_progress $! "$cache/build.log" || {
		tail -n 20 "$cache/build.log" >&2
		die "building CPython ${minor}t failed; the whole log is $cache/build.log"
	}
	# One rename, so that a run which is cut short leaves no half interpreter.
	rm -rf "$prefix"
	mv "$work/dest$prefix" "$prefix"
	echo "$prefix/bin/python${minor}t"
}

# build_in_turn: two at a time would install into one place, and pip in neither.
build_in_turn() {
	mkdir -p "$cache"
	exec 9>"$cache/build.lock"
	if ! flock -n 9; then
		say "waiting for another build of CPython to end"
		flock 9
		each_minor try_cache && return 0
	fi
	build
}

if [ -n "${FTSAN_PYTHON-}" ]; then
	is_free_threaded "$FTSAN_PYTHON" "" ||
		die "FTSAN_PYTHON=$FTSAN_PYTHON is not a free-threaded CPython (python -c 'import sysconfig; print(sysconfig.get_config_var(\"Py_GIL_DISABLED\"))' must print 1)"
	# Where another release is asked for by number, it is one more to look at.
	if is_free_threaded "$FTSAN_PYTHON" "$asked"; then
		echo "$FTSAN_PYTHON"
		exit 0
	fi
fi
each_minor try_named && exit 0
each_minor try_path && exit 0
each_minor try_cache && exit 0
[ "$find_only" = no ] || exit 1
each_minor try_uv && exit 0
build_in_turn
