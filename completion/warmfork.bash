# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Completion of warmfork(1) for bash. It works without the package bash-completion, and uses of it
# what completes somebody else's program behind `warmfork run`.

# The options of a command; "=" for those with a value, "[=]" for those that may have one.
_warmfork_options() { # COMMAND
	case $1 in
	attack) echo '--preset= --policy= --only= --quick --json --help --version' ;;
	doctor) echo '--json --help --version' ;;
	image)
		echo '--argument= --waive= --freeze= --forks= --preload-timeout= --json --help' \
			'--version'
		;;
	run)
		echo '--read= --write= --execute= --device= --calls= --socket= --tcp-connect=' \
			'--tcp-bind= --env= --timeout= --cpu= --memory= --file-size= --processes=' \
			'--descriptors= --scratch= --output= --preset= --policy= --identity=' \
			'--namespaces= --layers= --best-effort --on-refusal= --watch= --probe=' \
			'--chdir= --explain --report= --print-policy --learn[=] --help --version'
		;;
	esac
}

# The words that an option's value may be, or lists of which; nothing: any, or a file.
_warmfork_values() { # OPTION
	case $1 in
	--preset) echo 'pure stage tests' ;;
	--freeze) echo 'auto always never' ;;
	--waive) echo 'threads descriptors locks timers signals children' ;;
	--calls)
		echo 'files processes threads sockets events inotify scheduling ipc jit debug' \
			'sanitizer privileged'
		;;
	--socket) echo 'unix inet inet6 netlink' ;;
	--namespaces) echo 'user mount pid net ipc uts all none' ;;
	--layers)
		echo 'descriptors limits cgroup identity capabilities no_new_privs landlock seccomp' \
			'all none'
		;;
	--on-refusal) echo 'continue end' ;;
	--watch) echo 'none calls paths' ;;
	--probe) echo 'once worker' ;;
	--report) echo 'json json=' ;;
	--timeout | --cpu) echo '10s 1m 1h none' ;;
	--memory | --file-size | --scratch | --output) echo '64M 512M 2G none' ;;
	--processes | --descriptors) echo 'none' ;;
	esac
}

_warmfork_words() { # WORD...
	mapfile -t COMPREPLY < <(compgen -W "$*" -- "$current")
}

_warmfork_files() { # [-d]: directories only
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen "${1:--f}" -- "$current")
}

_warmfork_value() { # OPTION
	local values list=''

	case $1 in
	--calls | --socket | --namespaces | --layers | --waive)
		compopt -o nospace 2>/dev/null
		[[ $current != *,* ]] || list=${current%,*},
		;;
	--report) compopt -o nospace 2>/dev/null ;;
	--chdir) _warmfork_files -d && return ;;
	--env)
		mapfile -t COMPREPLY < <(compgen -e -- "$current")
		return
		;;
	--only | --forks | --preload-timeout | --argument | --identity | --tcp-connect | --tcp-bind)
		return
		;;
	esac
	values=$(_warmfork_values "$1")
	if [[ -z $values ]]; then
		_warmfork_files
	elif [[ -z $list ]]; then
		_warmfork_words "$values"
	else
		local value
		for value in $values; do
			[[ $list$value != "$current"* ]] || COMPREPLY+=("$list$value")
		done
	fi
}

# The place of the first word that is no option of `run`: the program. Empty: there is none yet.
# Bash cuts words at "=": --read=in is three of them.
_warmfork_program() {
	local options i word

	options=" $(_warmfork_options run) "
	for ((i = 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--)
			echo $((i + 1))
			return
			;;
		--*)
			if [[ ${COMP_WORDS[i + 1]-} == '=' ]]; then
				((i += 2))
				# --report json=FILE, --env NAME=VALUE
			elif [[ $options == *" $word= "* ]]; then
				((i++))
				[[ ${COMP_WORDS[i + 1]-} != '=' ]] || ((i += 2))
			fi
			;;
		*)
			echo "$i"
			return
			;;
		esac
	done
	((i > COMP_CWORD)) || [[ ${COMP_WORDS[COMP_CWORD]} == -* ]] || echo "$COMP_CWORD"
}

_warmfork_behind_options() { # COMMAND
	local program

	case $1 in
	image) _warmfork_files ;;
	run)
		program=$(_warmfork_program)
		if [[ -n $program ]] && declare -F _command_offset >/dev/null; then
			_command_offset "$program"
		elif [[ $program == "$COMP_CWORD" && $current != */* ]]; then
			mapfile -t COMPREPLY < <(compgen -c -- "$current")
		else
			_warmfork_files
		fi
		;;
	help) _warmfork_words attack doctor image run ;;
	esac
}

_warmfork() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]-} options program=''

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_warmfork_words attack doctor image run help --help --version
		return
	fi
	options=" $(_warmfork_options "$command") "
	[[ $command != run ]] || program=$(_warmfork_program)
	if [[ -n $program ]]; then
		_warmfork_behind_options run
		return
	fi
	[[ $current != '=' ]] || current=''
	if [[ $previous == '=' || ${COMP_WORDS[COMP_CWORD]} == '=' ]]; then
		[[ $previous != '=' ]] || previous=${COMP_WORDS[COMP_CWORD - 2]}
		if [[ $previous == --learn || $previous == json ]]; then
			_warmfork_files
			return
		fi
	fi
	if [[ $options == *" $previous= "* ]]; then
		_warmfork_value "$previous"
	elif [[ $current == -* ]]; then
		options=${options//\[=\]/}
		_warmfork_words "${options//=/}"
	else
		_warmfork_behind_options "$command"
	fi
}

complete -F _warmfork warmfork
