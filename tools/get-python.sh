#!/bin/sh
# Prints the path of a free-threaded CPython 3.13 (or of another minor version
# given as the argument), making one if there is none. Progress goes to stderr.
#
# Order: $FTSAN_PYTHON, an interpreter on PATH, an earlier run's cache,
# `uv python install`, a build of the distribution's source package.
set -eu

usage() {
	cat <<'TEXT'
usage: sh tools/get-python.sh [--find] [3.13|3.14]

Prints the path of a free-threaded CPython (default 3.13). Nothing is installed
outside the cache directory ($XDG_CACHE_HOME/ftsan or ~/.cache/ftsan), except
the compiler's packages when the interpreter has to be built (root or sudo).

--find         only look for one that is there; exit status 1 if there is none

FTSAN_PYTHON   use this interpreter; an error if it is not free-threaded
TEXT
}

minor=3.13
find_only=no
if [ "${1-}" = --find ]; then
	find_only=yes
	shift
fi
case "${1-}" in
-h | --help) usage; exit 0 ;;
3.[0-9]*) minor=$1 ;;
'') ;;
*) usage >&2; exit 2 ;;
esac

cache=${XDG_CACHE_HOME:-$HOME/.cache}/ftsan
prefix=$cache/python-${minor}t

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

try_path() {
	for name in "python${minor}t" python3t python3 python; do
		path=$(command -v "$name" 2>/dev/null) || continue
		if is_free_threaded "$path" "$minor"; then
			echo "$path"
			return 0
		fi
	done
	return 1
}

try_uv() {
	command -v uv >/dev/null 2>&1 || return 1
	say "asking uv for CPython ${minor}t"
	# uv gives no answer within reason where its download host can't be
	# reached; its own retries would take minutes.
	timeout 180 uv python install "${minor}t" >&2 2>&1 || {
		say "uv could not install CPython ${minor}t"
		return 1
	}
	path=$(uv python find "${minor}t" 2>/dev/null) || return 1
	is_free_threaded "$path" "$minor" || return 1
	echo "$path"
}

# source_suites: the suites of this distribution that may hold the package.
source_suites() {
	. /etc/os-release
	case "${ID-} ${ID_LIKE-}" in
	*ubuntu*) echo "resolute questing plucky" ;;
	*) [ "$minor" = 3.14 ] && echo "forky sid" || echo "trixie" ;;
	esac
}

# fetch_source DIR: leaves the pristine upstream tarball in DIR, without
# touching the system's apt lists.
fetch_source() {
	need_mirror "set FTSAN_PYTHON to a free-threaded CPython ${minor}"
	for suite in $(source_suites); do
		say "looking for the source package python$minor in suite $suite"
		source_lists "$1" "$suite" && source_archive "$1" "python$minor" && return 0
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
	fetch_source "$work" || die "no source package python$minor could be had.
Install a free-threaded CPython $minor (https://docs.python.org/3/howto/free-threading-python.html)
and set FTSAN_PYTHON to it."
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

if [ -n "${FTSAN_PYTHON-}" ]; then
	is_free_threaded "$FTSAN_PYTHON" "" ||
		die "FTSAN_PYTHON=$FTSAN_PYTHON is not a free-threaded CPython (python -c 'import sysconfig; print(sysconfig.get_config_var(\"Py_GIL_DISABLED\"))' must print 1)"
	echo "$FTSAN_PYTHON"
	exit 0
fi
try_path && exit 0
if [ -x "$prefix/bin/python${minor}t" ] && is_free_threaded "$prefix/bin/python${minor}t" "$minor"; then
	echo "$prefix/bin/python${minor}t"
	exit 0
fi
[ "$find_only" = no ] || exit 1
try_uv && exit 0
build
