#!/bin/bash
# What the completions offer, in bash, zsh and fish: `make check-completions`. Each shell is asked as a user's Tab asks it.
set -u
: "${BUILD:?}"
cd "$(dirname "$0")/../.." || exit 1
directory=$PWD/src/cli/completions
PATH=$(cd "$BUILD" && pwd):$PATH
failed=0
checked=0

# offers SHELL LINE WORD...: completing LINE offers each WORD; a word with ! before it must not be offered.
offers() {
	local shell=$1 line=$2 offered word
	shift 2
	offered=$("in_$shell" "$line")
	for word; do
		checked=$((checked + 1))
		if [[ $word == !* ]]; then
			! grep -qxF -e "${word#!}" <<<"$offered" && continue
		else
			grep -qxF -e "$word" <<<"$offered" && continue
		fi
		failed=$((failed + 1))
		echo "FAILED: $shell: \"$line\": $word; offered: $(head -c 300 <<<"$offered" | tr '\n' ' ')"
	done
}

# shellcheck disable=SC2016
in_bash() {
	bash --norc -c '
		source "$1/heaplog.bash"
		line=$2
		COMP_WORDS=()
		# As readline splits: "=" is a word of its own.
		for word in ${line//=/ = }; do COMP_WORDS+=("$word"); done
		[[ $line == *" " || $line == *= ]] && [[ $line != *= ]] && COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=${#line}
		_heaplog
		printf "%s\n" "${COMPREPLY[@]}"' _ "$directory" "$1"
}

# shellcheck disable=SC2016
in_fish() {
	fish --no-config -c 'source $argv[1]/heaplog.fish; complete -C $argv[2]' "$directory" "$1" | cut -f 1
}

# zsh completes only in an editor: one on a pseudo-terminal, whose menu is replaced by a list of what was added.
in_zsh() {
	python3 - "$directory" "$1" <<-'PYTHON'
		import os, pty, re, select, sys, time
		directory, line = sys.argv[1:]
		pid, terminal = pty.fork()
		if pid == 0:
		    os.environ.update(TERM='dumb', PS1='', ZDOTDIR='/nonexistent')
		    os.execvp('zsh', ['zsh', '-f', '-i'])
		def read(until, seconds=20):
		    text, end = '', time.time() + seconds
		    while until not in text and time.time() < end:
		        if select.select([terminal], [], [], 0.2)[0]:
		            text += os.read(terminal, 65536).decode(errors='replace')
		    return text
		def send(text):
		    os.write(terminal, text.encode())
		send("PROMPT=; fpath=(%s $fpath); autoload -U compinit; compinit -u -D\n" % directory)
		# compadd tells what it was given instead of showing it.
		send('''compadd() { if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
		local -a found; builtin compadd -A found "$@"; local w; for w in $found; do print -r -- "OFFER:$w:"; done; builtin compadd "$@" }\n''')
		send("bindkey '^I' complete-word; zstyle ':completion:*' list-prompt ''; LISTMAX=0; setopt no_beep; echo READ''Y\n")
		read('READY')
		send(line + '\t')
		time.sleep(1.5)
		send('\x03echo DO''NE\n')
		send('\x15exit\n')
		text = read('DONE', 5)
		print('\n'.join(sorted(set(re.findall(r'OFFER:(.*?):\r?\n', text)))))
		os.close(terminal)
		os.waitpid(pid, 0)
	PYTHON
}

for shell in bash fish zsh; do
	command -v "$shell" >/dev/null || { echo "$shell is not installed: not tested"; continue; }
	offers "$shell" "heaplog " run report compare history plan top doctor
	offers "$shell" "heaplog re" report !run
	offers "$shell" "heaplog run --s" --summary
	offers "$shell" "heaplog run --summary " auto always never
	offers "$shell" "heaplog report --format " html openmetrics trace !number
	offers "$shell" "heaplog plan --format " number !html
	offers "$shell" "heaplog plan --use " max median upper
	offers "$shell" "heaplog top --sort " peak now age name !runs
	offers "$shell" "heaplog run --runner " turbo
	offers "$shell" "heaplog tru" true
done
offers bash "heaplog run --summary=a" auto always !never
offers bash "heaplog --metric " pss
offers bash "heaplog report M" Makefile
offers bash "heaplog run --results M" Makefile
offers bash "heaplog run --exact gre" grep
echo "completions: $checked checked, $failed failed"
[ "$failed" -eq 0 ]
