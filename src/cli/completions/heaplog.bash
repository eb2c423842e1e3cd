# bash completion for heaplog: subcommands and their options; the words of a command that heaplog runs are completed as
# they would be without heaplog, where the package bash-completion is there.
_heaplog() {
	local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word i at=0 sub=run options free=
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		run | report | compare | history | plan | top | doctor)
			if ((i == 1)); then
				sub=$word
				continue
			fi
			;;
		esac
		if [[ $sub == run || $sub == doctor ]]; then
			case $word in
			--results | --summary | --metric | --warn | --interval | --runner) ((i++)) ;;
			--)
				at=$((i + 1))
				break
				;;
			-*) ;;
			=) ((i++)) ;; # bash splits --results=FILE
			*)
				at=$i
				break
				;;
			esac
		fi
	done
	if ((at && at <= COMP_CWORD)); then
		# A command of its own from here on.
		if ((at == COMP_CWORD)); then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		elif declare -F _command_offset >/dev/null; then
			_command_offset "$at"
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		return
	fi
	if [[ $cur == = ]]; then
		cur=
	elif [[ $previous == = ]]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $previous in
	--summary) options="auto always never" ;;
	--metric) options="rss pss" ;;
	--runner) options="nx npm turbo all" ;;
	--interval) options="100ms 500ms 1s" ;;
	--sort | -s)
		case $sub in
		top) options="peak now age name" ;;
		*) options="peak name median duration processes runs start" ;;
		esac
		;;
	--format | -f)
		case $sub in
		report) options="text json csv markdown html openmetrics trace" ;;
		compare) options="text markdown json" ;;
		history) options="text csv json" ;;
		*) options="text number json" ;;
		esac
		;;
	--use) options="max median upper" ;;
	--warn | --memory | -m | --reserve | --min-growth | --fail-over | --top | -n | --last | --runs) return ;;
	*)
		free=yes # not an option's value
		case $sub in
		run) options="--summary --results --runner --interval --metric --warn --exact --log-heap-usage --no-log-heap-usage --help --version" ;;
		report) options="--format --sort --top --processes --warn --memory --runs --output --help" ;;
		compare) options="--fail-over --min-growth --all --format --help" ;;
		history) options="--last --format --help" ;;
		plan) options="--memory --reserve --use --format --help" ;;
		top) options="--once --interval --sort --help" ;;
		doctor) options="--help" ;;
		esac
		if ((COMP_CWORD == 1)); then
			options="run report compare history plan top doctor $options"
		elif [[ $cur != -* && ($sub == report || $sub == compare || $sub == history || $sub == plan || $previous == --results || $previous == --output || $previous == -o) ]]; then
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	# A runner may stand where an option or a subcommand does.
	if [[ ($sub == run || $sub == doctor) && $free && $cur != -* ]]; then
		mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -c -- "$cur")
	fi
}
complete -F _heaplog heaplog
