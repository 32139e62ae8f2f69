# bash completion for ftsan(1). Which options a run has is asked of the command itself.

# _ftsan_choose WORDS: those that the word at the cursor may become.
_ftsan_choose() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# _ftsan_run_command: the index of the command to run, when the cursor is at it or past it.
_ftsan_run_command() {
	local i
	for ((i = 2; i <= COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) i=$((i + 1)) && break ;;
		-*) ;;
		*)
			# A value, perhaps in pieces: bash cuts words at '=' and ':'.
			case ${COMP_WORDS[i - 1]} in
			--log | --options | --suppressions | = | :) ;;
			-o | --output | --format | --baseline | --grade | --from) ;;
			*) [[ ${COMP_WORDS[i]} == [=:] ]] || break ;;
			esac
			;;
		esac
	done
	((i <= COMP_CWORD)) && echo "$i"
}

_ftsan_run() {
	local word=$1 last=$2 at
	case $last in
	--log | --suppressions)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--options | :)
		compopt -o nospace 2>/dev/null
		_ftsan_choose "$(ftsan options 2>/dev/null |
			sed -n '3,$s/^  \([a-z_]*\) .*/\1=/p')" "$word"
		return
		;;
	esac
	at=$(_ftsan_run_command)
	if [ -z "$at" ] || [[ $at = "$COMP_CWORD" && $word = -* ]]; then
		_ftsan_choose "--log --options --keep-gil --suppressions --gen-suppressions \
			--print-at-end --progress --timeout --no-findings --full-stacks \
			--help" "$word"
	elif [ "$at" -lt "$COMP_CWORD" ] && declare -F _command_offset >/dev/null; then
		_command_offset "$at"
	else
		mapfile -t COMPREPLY < <(compgen -c -f -- "$word")
	fi
}

_ftsan_audit() {
	local word=$1 last=$2 at
	case $last in
	-o | --output | --baseline | --from | --log)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--format) _ftsan_choose "text json html" "$word" && return ;;
	--grade) _ftsan_choose "low medium high" "$word" && return ;;
	--options | :)
		_ftsan_run "$word" "$last"
		return
		;;
	esac
	at=$(_ftsan_run_command)
	if [ -z "$at" ] || [[ $at = "$COMP_CWORD" && $word = -* ]]; then
		_ftsan_choose "--output --format --baseline --grade --all --log --options \
			--keep-gil --progress --from --help" "$word"
	else
		_ftsan_run "$word" "$last"
	fi
}

_ftsan() {
	local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		_ftsan_choose "run attach detach audit report doctor scan options version --help --version" "$word"
		return
	fi
	case ${COMP_WORDS[1]}:$last:$word in
	run:*) _ftsan_run "$word" "$last" ;;
	audit:*) _ftsan_audit "$word" "$last" ;;
	attach:--by:* | detach:--by:*) _ftsan_choose "ptrace remote" "$word" ;;
	attach:--log:* | attach:--suppressions:* | attach:--python:* | detach:--python:*)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		;;
	attach:*:-*)
		_ftsan_choose "--log --options --duration --keep --live --suppressions --by --python \
			--timeout --help" "$word"
		;;
	detach:*:-*) _ftsan_choose "--by --python --timeout --help" "$word" ;;
	attach:* | detach:*)
		_ftsan_choose "$(cd /proc && printf '%s ' [0-9]*)" "$word"
		;;
	doctor:--format:* | scan:--format:*) _ftsan_choose "text json" "$word" ;;
	report:--format:*) _ftsan_choose "text json sarif junit html csv github markdown" "$word" ;;
	report:--color:*) _ftsan_choose "auto always never" "$word" ;;
	report:*:-*)
		_ftsan_choose "--format --output --color --suppressions --gen-suppressions \
			--baseline --exit-code --full-stacks --no-summary --stats --open \
			 --sysroot --debug-dir --source-root --help" "$word"
		;;
	doctor:*:-*) _ftsan_choose "--format --help" "$word" ;;
	scan:*:-*) _ftsan_choose "--format --exit-code --help" "$word" ;;
	options:*:-* | version:*:-*) _ftsan_choose "--help" "$word" ;;
	doctor:*) mapfile -t COMPREPLY < <(compgen -c -f -- "$word") ;;
	*) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	esac
}

complete -F _ftsan ftsan
