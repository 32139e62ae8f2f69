# shellcheck shell=sh
# Source packages of the distribution, without touching the system's apt lists; sourced,
# not run, after lib.sh.

# mirror_uri: the distribution mirror that this machine's apt already uses.
mirror_uri() {
	# shellcheck disable=SC2016 # apt expands $(...), not the shell
	apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 2>/dev/null |
		awk '($1 == "Debian" || $1 == "Ubuntu") && $2 !~ /security/ {print $2; exit}'
}

keyring() {
	for k in /usr/share/keyrings/debian-archive-keyring.gpg \
		/usr/share/keyrings/ubuntu-archive-keyring.gpg; do
		case "$(. /etc/os-release; echo "$ID ${ID_LIKE-}") $k" in
		*ubuntu*debian-archive*) continue ;;
		esac
		[ -r "$k" ] && { echo "$k"; return; }
	done
}

# need_mirror: sets uri, or ends with what to do; $1 is what could be done instead.
need_mirror() {
	uri=$(mirror_uri)
	if [ -z "$uri" ]; then
		as_root apt-get update >&2 || true
		uri=$(mirror_uri)
	fi
	[ -n "$uri" ] || die "apt knows no Debian or Ubuntu mirror; $1"
}

# apt_in DIR ARGUMENT...: apt-get with the lists of DIR/apt.
apt_in() {
	apt_dir=$1
	shift
	apt-get -o "Dir::Etc::sourcelist=$apt_dir/apt/sources.list" \
		-o "Dir::Etc::sourceparts=$apt_dir/apt/parts" \
		-o "Dir::State::lists=$apt_dir/apt/lists" \
		-o "Dir::Cache=$apt_dir/apt/cache" \
		-o "APT::Sandbox::User=" -o "Acquire::Retries=3" "$@"
}

# source_lists DIR SUITE: DIR knows the source packages of the suite at $uri afterwards.
source_lists() {
	rm -rf "$1/apt"
	mkdir -p "$1/apt/lists/partial" "$1/apt/cache/archives/partial" "$1/apt/parts"
	key=$(keyring)
	printf 'deb-src %s%s %s main\n' "${key:+[signed-by=$key] }" "$uri" "$2" \
		>"$1/apt/sources.list"
	apt_in "$1" update >"$1/apt/log" 2>&1 || {
		tail -n 5 "$1/apt/log" >&2
		return 1
	}
}

# source_archive DIR PACKAGE: leaves the pristine upstream archive in DIR.
source_archive() {
	(cd "$1" && apt_in "$1" source --download-only --tar-only "$2" >>"$1/apt/log" 2>&1) || {
		tail -n 3 "$1/apt/log" >&2
		return 1
	}
	ls "$1/$2"_*.orig.tar.* >/dev/null 2>&1
}
