# shellcheck shell=sh
# Helpers that the set-up scripts share; sourced, not run.

say() {
	printf '[ftsan] %s\n' "$*" >&2
}

die() {
	printf '[ftsan] error: %s\n' "$*" >&2
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		die "'$*' needs root, and there is no sudo"
	fi
}

# need_packages NAME...: installs the Debian packages that are missing.
need_packages() {
	missing=
	for package in "$@"; do
		case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" in
		installed) ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null 2>&1 ||
		die "these packages are missing and there is no apt-get to install them:$missing"
	# Here, because below its message would end in the log.
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1 ||
		die "these packages are missing, and there is neither root nor sudo to install them:$missing"
	say "installing$missing"
	log=$(mktemp)
	# env, because sudo drops the caller's variables.
	set -- env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends
	# shellcheck disable=SC2086 # a list of words
	if ! { as_root "$@" $missing || { as_root apt-get update && as_root "$@" $missing; }; } \
		>"$log" 2>&1 </dev/null; then
		tail -n 15 "$log" >&2
		rm -f "$log"
		die "apt-get could not install:$missing"
	fi
	rm -f "$log"
}

# wait_with_progress PID LOG: a line every 20 s until PID ends; its status.
wait_with_progress() {
	began=$(date +%s)
	tick=0
	while kill -0 "$1" 2>/dev/null; do
		sleep 1
		tick=$((tick + 1))
		[ $((tick % 20)) -ne 0 ] ||
			say "  ... $(($(date +%s) - began)) s, $(wc -l <"$2") lines of log"
	done
	wait "$1"
}
