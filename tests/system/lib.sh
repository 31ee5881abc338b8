# SPDX-License-Identifier: LGPL-2.1-or-later
# What the system tests share: where things are, a private cluster, and the checks that nothing of it is left over.
# Sourced by bash with `set -u`.

suite_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
suite_source=$(cd "${top_srcdir:-$suite_dir/../..}" && pwd)
suite_build=$(cd "${top_builddir:-$suite_source}" && pwd)

# The same surroundings for every side of a comparison.
suite_environment() {
	export PATH=$suite_build/tools:$SUITE_HELPERS:/usr/bin:/bin:/usr/sbin:/sbin
	export LC_ALL=C.UTF-8 TZ=UTC TERM=vt100 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 COLUMNS=80 LINES=24
	export TMOUT=0 HISTFILE='' INPUTRC=/dev/null LESSHISTFILE=- LESS='' PAGER=cat SUITE_DATA=$suite_dir/data
	unset LD_PRELOAD XDG_RUNTIME_DIR PYTHONPATH PYTHONSTARTUP PS1 PS2 ENV BASH_ENV MAKEFLAGS MFLAGS MAKELEVEL
	ulimit -c 0
	ulimit -Sn 1024 2>/dev/null
	ulimit -Ss 8192 2>/dev/null
	umask 022
}

# Helpers come from `make check`; without it they are compiled into the suite's own directory.
suite_helpers() { # DIRECTORY
	SUITE_HELPERS=$suite_build/tests/helpers
	local name source missing=()
	for source in "$suite_source"/tests/helpers/*.c; do
		name=$(basename "$source" .c)
		[ -x "$SUITE_HELPERS/$name" ] && [ ! "$source" -nt "$SUITE_HELPERS/$name" ] || missing+=("$source")
	done
	if [ ${#missing[@]} -gt 0 ]; then
		SUITE_HELPERS=$1/helpers
		mkdir -p "$SUITE_HELPERS"
		for source in "$suite_source"/tests/helpers/*.c; do
			printf '%s\0' "$source"
		done | xargs -0 -P "$(nproc)" -I{} sh -c \
			'${CC:-cc} -std=gnu17 -O2 -I "$3" -o "$1/$(basename "$2" .c)" "$2" -lm' sh "$SUITE_HELPERS" {} "$suite_source/include" || return 1
	fi
	export SUITE_HELPERS
}

suite_tools() { # succeeds if the tools have been built
	local tool
	for tool in mosrun mosctl mosps; do
		[ -x "$suite_build/tools/$tool" ] || { echo "$suite_build/tools/$tool has not been built" >&2; return 1; }
	done
}

suite_tree() { # PID: it and its descendants, one "pid start" a line
	local pid=$1 line rest child
	{ read -r line < "/proc/$pid/stat"; } 2>/dev/null || return 0
	rest=${line##*) }
	set -- $rest
	printf '%s %s\n' "$pid" "${20}"
	for child in $(cat /proc/"$pid"/task/*/children 2>/dev/null); do suite_tree "$child"; done
}

suite_alive() { # succeeds while one of the "pid start" lines of stdin is alive
	local pid start line rest
	while read -r pid start; do
		{ read -r line < "/proc/$pid/stat"; } 2>/dev/null || continue
		rest=${line##*) }
		set -- $rest
		[ "${20}" = "$start" ] && [ "$1" != Z ] && return 0
	done
	return 1
}

suite_within() { # MILLISECONDS COMMAND...: until COMMAND succeeds
	local until=$(($(date +%s%N) / 1000000 + $1))
	shift
	until "$@"; do
		[ $(($(date +%s%N) / 1000000)) -lt $until ] || return 1
		read -r -t 0.02 <> <(:) || :
	done
}

cluster_pids() { # pids of the daemons of the current cluster; a pid file has "pid start-time"
	awk '{ print $1 }' "$MOSIX_RUNTIME_DIR"/*.pid 2>/dev/null
}

cluster_up() { # DIRECTORY NODES [CHURN_MS]: starts one there and makes it the current one
	export MOSIX_RUNTIME_DIR=$1
	unset MOSIX_CHURN_MS MOSIX_CONF
	mkdir -p -m 700 "$1" || return 1
	if [ "${3:-0}" -gt 0 ]; then
		timeout 60 mosctl up --local "$2" --churn "$3" > "$1.up" 2>&1
	else
		timeout 60 mosctl up --local "$2" > "$1.up" 2>&1
	fi || { echo "the cluster did not come up:" >&2; cat "$1.up" >&2; return 1; }
}

# Guests that stand in cages of the current cluster: "outer-pid home-pid" lines. A warden is pid 1 of its namespace.
cluster_guests() {
	local daemon pid start id
	for daemon in $(cluster_pids); do
		suite_tree "$daemon"
	done | while read -r pid start; do
		id=$(sed -n 's/^NSpid:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null)
		case $id in *[[:space:]]*) [ "${id##*[[:space:]]}" = 1 ] || printf '%s %s\n' "$pid" "${id##*[[:space:]]}" ;; esac
	done
}

cluster_no_guests() { [ -z "$(cluster_guests)" ]; }

# All moves since the cluster came up.
cluster_moves() {
	timeout 10 mosctl --json status 2>/dev/null | sed -n 's/.*"moves": *\([0-9][0-9]*\).*/\1/p' | head -1
}

suite_process() { # PID: "start state ppid command" of a process that lives
	local line
	{ read -r line < "/proc/$1/stat"; } 2>/dev/null || return 0
	set -- "$1" ${line##*) }
	printf '%s %s %s %s\n' "${21}" "$2" "$3" "$(tr '\0' ' ' < "/proc/$1/cmdline" 2>/dev/null)"
}

suite_of_cluster() { # DIRECTORY: daemons, wardens and guests of the cluster there, one "pid start" a line
	local process pid start
	for process in /proc/[0-9]*; do
		pid=${process#/proc/}
		[ "$process/exe" -ef "$suite_build/homed/homed" ] || [ "$process/exe" -ef "$suite_build/remoted/remoted" ] ||
			[ "$process/exe" -ef "$suite_build/guest/mosix-loader" ] || continue
		start=$(suite_process "$pid")
		tr '\0' '\n' < "$process/environ" 2>/dev/null | grep -qxF "MOSIX_RUNTIME_DIR=$1" && echo "$pid ${start%% *}"
	done
}

# Stops the current cluster and succeeds if nothing of it is left: no process, no file.
cluster_down() {
	local directory=$MOSIX_RUNTIME_DIR daemon trees left=0
	trees=$(for daemon in $(cluster_pids); do suite_tree "$daemon"; done)
	timeout 60 mosctl down > "$directory.down" 2>&1 || { echo "mosctl down failed: $(cat "$directory.down")" >&2; left=1; }
	suite_gone() { ! suite_alive <<< "$trees"; }
	if [ -n "$trees" ] && ! suite_within 5000 suite_gone; then
		echo "processes of the cluster are left over:" >&2
		while read -r daemon _; do
			ps -o pid=,ppid=,stat=,args= -p "$daemon" >&2
			kill -KILL "$daemon" 2>/dev/null
		done <<< "$trees"
		left=1
	fi
	local pid start now
	while read -r pid start; do
		# Other tests run meanwhile, and pids are used again: what is said is of one process.
		now=$(suite_process "$pid")
		[ "${now%% *}" = "$start" ] || continue
		echo "left over: $pid $now" >&2
		kill -KILL "$pid" 2>/dev/null
		left=1
	done < <(suite_of_cluster "$directory")
	local files
	files=$(find "$directory" -mindepth 1 2>/dev/null)
	[ -z "$files" ] || { echo "files are left over: $files" >&2; left=1; }
	rm -rf "$directory"
	return $left
}

# What is to be known of a process that hangs, and of everything below it.
suite_diagnose() { # PID
	local pid
	echo "---- diagnosis of $1"
	suite_tree "$1" | while read -r pid _; do
		echo "-- $pid $(tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | cut -c1-150)"
		grep -E '^(State|Threads|Sig|Shd)' "/proc/$pid/status" 2>/dev/null | tr '\n\t' '  '
		echo
		echo "   wchan $(cat "/proc/$pid/wchan" 2>/dev/null)  syscall $(cat "/proc/$pid/syscall" 2>/dev/null)"
		cat "/proc/$pid/stack" 2>/dev/null | sed 's/^/   /'
		[ -z "${MOSIX_RUNTIME_DIR:-}" ] || timeout 5 mosctl why "$pid" 2>&1 | sed 's/^/   /'
	done
	if [ -n "${MOSIX_RUNTIME_DIR:-}" ] && [ -d "$MOSIX_RUNTIME_DIR" ]; then
		echo "-- processes of the cluster"
		timeout 5 mosps 2>&1
		cluster_guests | while read -r pid home; do
			echo "-- guest $pid (home $home): $(cat "/proc/$pid/wchan" 2>/dev/null) $(cat "/proc/$pid/syscall" 2>/dev/null)"
		done
		tail -n 15 "$MOSIX_RUNTIME_DIR"/*.log 2>/dev/null
	fi
	echo "----"
}

# ---- tests that are not differential ----

passed=0 failed=0
ok() { printf 'ok   %s\n' "$*"; passed=$((passed + 1)); }
bad() { printf 'FAIL %s\n' "$*"; failed=$((failed + 1)); }
expect() { # WHAT COMMAND...: COMMAND must succeed
	local what=$1
	shift
	if "$@"; then ok "$what"; else bad "$what"; fi
}
same() { # WHAT EXPECTED GOT
	if [ "$2" = "$3" ]; then ok "$1"; else bad "$1: expected $(printf '%q' "$2"), got $(printf '%q' "$3")"; fi
}
matches() { # WHAT PATTERN GOT: an extended regular expression
	if grep -qE -- "$2" <<< "$3"; then ok "$1"; else bad "$1: nothing like $2 in $(printf '%q' "$3")"; fi
}

# A directory of one's own, the tools, the same surroundings as the suite; the current cluster is stopped at the end.
suite_test() { # NAME
	SUITE_TMP=$(mktemp -d "${TMPDIR:-/tmp}/mosix-$1.XXXXXX") || exit 1
	trap suite_test_end EXIT
	trap 'exit 130' INT TERM HUP
	suite_helpers "$SUITE_TMP" && suite_tools || exit 1
	suite_environment
	export HOME=$SUITE_TMP TMPDIR=$SUITE_TMP
	cd "$SUITE_TMP" || exit 1
}

suite_test_end() {
	[ -z "${MOSIX_RUNTIME_DIR:-}" ] || [ ! -d "$MOSIX_RUNTIME_DIR" ] || cluster_down > /dev/null 2>&1
	cd /
	rm -rf "$SUITE_TMP"
}

suite_verdict() {
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
	exit
}

# Where a registered process runs ("home", "n2", ...), "" if it is not known.
where_is() { # PID
	timeout 10 mosctl --json why "$1" 2> /dev/null | sed -n 's/.*"where": *"\([^"]*\)".*/\1/p' | head -1
}
# mosrun announces the pid before libmosix is loaded into the program; reason 14 says so.
is_registered() { # PID
	local said
	said=$(timeout 10 mosctl --json why "$1" 2> /dev/null) && ! grep -q "\"reason\": *14," <<< "$said"
}
is_at() { [ "$(where_is "$1")" = "$2" ]; } # PID NODE
is_gone() { [ ! -e "/proc/$1" ] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2> /dev/null; }
is_asleep() { grep -q '^State:[[:space:]]*S' "/proc/$1/status" 2> /dev/null; }
short_wait() { read -r -t "$1" <> <(:) || :; } # SECONDS: a random point of time in a test of faults
