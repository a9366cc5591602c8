# SPDX-License-Identifier: MIT
#
# Completion of warmfork(1) for fish. Behind the options of `run` the program's own completion goes
# on: what is on the line from there is completed as a line of its own.

# Is this the command, and its options not yet over? What follows the program is the program's own.
function __warmfork_is --argument-names command
	set -l words (commandline --tokenize --cut-at-cursor)
	test "$words[2]" = "$command"; and not __warmfork_program >/dev/null
end

function __warmfork_has_no_command
	test (count (commandline --tokenize --cut-at-cursor)) -eq 1
end

# Prints the place of the program behind `warmfork run`; false if there is none before the cursor.
function __warmfork_program
	set -l plain --best-effort --explain --print-policy --help --version
	set -l words (commandline --tokenize --cut-at-cursor)
	set -l i 3
	test "$words[2]" = run; or return 1
	while test $i -le (count $words)
		switch $words[$i]
			case --
				set i (math $i + 1)
				break
			case '--*=*' --learn $plain
				set i (math $i + 1)
			case '--*'
				set i (math $i + 2)
			case '*'
				break
		end
	end
	test $i -le (count $words); and echo $i
end

function __warmfork_complete_program
	set -l words (commandline --tokenize --cut-at-cursor)
	set -l current (commandline --current-token --cut-at-cursor)
	set -l line (string escape -- $words[(__warmfork_program)..-1]) "$current"
	complete --do-complete "$line"
end

function __warmfork_complete_command
	set -l current (commandline --current-token --cut-at-cursor)
	string match --quiet -- '-*' "$current"; or complete --do-complete "$current"
end

function __warmfork_words --description 'a list with commas: what is there, and each word behind it'
	set -l list (string replace --regex '[^,]*$' '' -- (commandline --current-token | string replace --regex '^--[a-z-]*=' ''))
	printf "$list%s\n" $argv
end

complete -c warmfork -f
complete -c warmfork -n __warmfork_has_no_command -a attack -d 'test whether the sandbox stops hostile tasks on this machine'
complete -c warmfork -n __warmfork_has_no_command -a doctor -d 'report what this machine offers, and what is missing'
complete -c warmfork -n __warmfork_has_no_command -a image -d 'load an image and report what it costs'
complete -c warmfork -n __warmfork_has_no_command -a run -d 'run a program in a sandbox'
complete -c warmfork -n __warmfork_has_no_command -a help -d 'print the commands, or the options of one'
complete -c warmfork -n __warmfork_has_no_command -l help -d 'the commands'
complete -c warmfork -n __warmfork_has_no_command -l version -d 'the version of the library'
complete -c warmfork -n '__warmfork_is help' -a 'attack doctor image run'

complete -c warmfork -n '__warmfork_is attack' -l preset -x -a 'pure stage tests' -d 'what the policy starts from'
complete -c warmfork -n '__warmfork_is attack' -l policy -r -F -d 'a policy file, to use instead of a preset, or to add to the one given'
complete -c warmfork -n '__warmfork_is attack' -l only -x -d 'make only the attacks with these numbers'
complete -c warmfork -n '__warmfork_is attack' -l quick -d 'do not try the layers alone'
complete -c warmfork -n '__warmfork_is attack' -l json -d 'the table as JSON'
complete -c warmfork -n '__warmfork_is attack' -l help -d 'the options'
complete -c warmfork -n '__warmfork_is attack' -l version -d 'the version of the library'

complete -c warmfork -n '__warmfork_is doctor' -l json -d 'the report as JSON'
complete -c warmfork -n '__warmfork_is doctor' -l help -d 'the options'
complete -c warmfork -n '__warmfork_is doctor' -l version -d 'the version of the library'

complete -c warmfork -n '__warmfork_is image' -F
complete -c warmfork -n '__warmfork_is image' -l argument -x -d 'the argument of the preload hook'
complete -c warmfork -n '__warmfork_is image' -l waive -x -a '(__warmfork_words threads descriptors locks timers signals children)' -d 'findings of the audit that do not refuse the image'
complete -c warmfork -n '__warmfork_is image' -l freeze -x -a 'auto always never' -d 'whether the image is frozen'
complete -c warmfork -n '__warmfork_is image' -l forks -x -d 'workers to fork before pages are counted'
complete -c warmfork -n '__warmfork_is image' -l preload-timeout -x -d 'how long the preload may take, in milliseconds'
complete -c warmfork -n '__warmfork_is image' -l json -d 'the report as JSON'
complete -c warmfork -n '__warmfork_is image' -l help -d 'the options'
complete -c warmfork -n '__warmfork_is image' -l version -d 'the version of the library'

complete -c warmfork -n '__warmfork_is run' -a '(__warmfork_complete_command)'
complete -c warmfork -n '__warmfork_program >/dev/null' -x -a '(__warmfork_complete_program)'
complete -c warmfork -n '__warmfork_is run' -l read -r -F -d 'a path that may be read'
complete -c warmfork -n '__warmfork_is run' -l write -r -F -d 'a path that may be written'
complete -c warmfork -n '__warmfork_is run' -l execute -r -F -d 'a path that may be executed'
complete -c warmfork -n '__warmfork_is run' -l device -r -F -d 'a device'
complete -c warmfork -n '__warmfork_is run' -l calls -x -a '(__warmfork_words files processes threads sockets events inotify scheduling ipc jit debug sanitizer privileged)' -d 'system calls, or groups of them'
complete -c warmfork -n '__warmfork_is run' -l socket -x -a '(__warmfork_words unix inet inet6 netlink)' -d 'address families'
complete -c warmfork -n '__warmfork_is run' -l tcp-connect -x -d 'ports to connect to'
complete -c warmfork -n '__warmfork_is run' -l tcp-bind -x -d 'ports to bind'
complete -c warmfork -n '__warmfork_is run' -l env -x -a '(set --names --export)' -d 'a variable, NAME or NAME=VALUE'
complete -c warmfork -n '__warmfork_is run' -l timeout -x -a '10s 1m 1h none' -d 'how long it may take'
complete -c warmfork -n '__warmfork_is run' -l cpu -x -a '10s 1m 1h none' -d 'CPU time'
complete -c warmfork -n '__warmfork_is run' -l memory -x -a '64M 512M 2G none' -d 'memory of the program and what it starts'
complete -c warmfork -n '__warmfork_is run' -l file-size -x -a '64M 512M 2G none' -d 'bytes of each file'
complete -c warmfork -n '__warmfork_is run' -l processes -x -a none -d 'processes and threads'
complete -c warmfork -n '__warmfork_is run' -l descriptors -x -a none -d 'open descriptors of each process'
complete -c warmfork -n '__warmfork_is run' -l scratch -x -a '64M 512M 2G none' -d 'a /tmp of its own'
complete -c warmfork -n '__warmfork_is run' -l output -x -a '64M 512M 2G none' -d 'bytes of each output'
complete -c warmfork -n '__warmfork_is run' -l preset -x -a 'pure stage tests' -d 'what the policy starts from'
complete -c warmfork -n '__warmfork_is run' -l policy -r -F -d 'a policy file'
complete -c warmfork -n '__warmfork_is run' -l identity -x -d 'UID or UID:GID to run under if root starts it'
complete -c warmfork -n '__warmfork_is run' -l namespaces -x -a '(__warmfork_words user mount pid net ipc uts all none)' -d 'only these; by default all'
complete -c warmfork -n '__warmfork_is run' -l layers -x -a '(__warmfork_words descriptors limits cgroup identity capabilities no_new_privs landlock seccomp all none)' -d 'only these; by default all'
complete -c warmfork -n '__warmfork_is run' -l best-effort -d 'leave out the layers that this machine lacks'
complete -c warmfork -n '__warmfork_is run' -l on-refusal -x -a 'continue end' -d 'what a refusal does'
complete -c warmfork -n '__warmfork_is run' -l watch -x -a 'none calls paths' -d 'which refusals are noted'
complete -c warmfork -n '__warmfork_is run' -l probe -x -a 'once worker' -d 'when it is tested that the layers are in force'
complete -c warmfork -n '__warmfork_is run' -l chdir -x -a '(__fish_complete_directories)' -d 'the directory to run in'
complete -c warmfork -n '__warmfork_is run' -l explain -d 'say what was refused, and which option would allow it'
complete -c warmfork -n '__warmfork_is run' -l report -x -a 'json json=' -d 'write what became of the program'
complete -c warmfork -n '__warmfork_is run' -l print-policy -d 'print the policy and run nothing'
complete -c warmfork -n '__warmfork_is run' -l learn -d 'refuse nothing, and print the policy that the program needs'
complete -c warmfork -n '__warmfork_is run' -l help -d 'the options'
complete -c warmfork -n '__warmfork_is run' -l version -d 'the version of the library'
