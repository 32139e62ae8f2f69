#!/bin/sh
# usage: musl.sh MUSL-GCC DIRECTORY LIBFTSAN FTSAN
# A program of musl's starts with libftsan.so preloaded, is not watched, and that is said
# where it hosts CPython.
set -eu
[ -n "$1" ] || { echo "skipped: no musl-gcc (Debian: musl-tools)"; exit 77; }
cd "$2"
echo 'int main(void) { return 3; }' >musl_plain.c
echo 'const char _PyRuntime[1] = {1}; int main(void) { return 3; }' >musl_python.c
"$1" musl_plain.c -o musl_plain
"$1" -rdynamic musl_python.c -o musl_python

# ends COMMAND...: its standard error in $said, its status has to be 3
ends() {
	status=0
	said=$("$@" 2>&1) || status=$?
	[ "$status" = 3 ] || { echo "status $status of $*: $said"; exit 1; }
}
ends env LD_PRELOAD="$3" ./musl_plain
[ -z "$said" ] || { echo "a program without CPython was told: $said"; exit 1; }
ends env LD_PRELOAD="$3" ./musl_python
case "$said" in *"NOTHING WATCHED"*glibc*) ;; *) echo "not said: $said"; exit 1 ;; esac
ends "$4" run -- ./musl_python
case "$said" in *"NOTHING WATCHED"*musl*) ;; *) echo "not said: $said"; exit 1 ;; esac
