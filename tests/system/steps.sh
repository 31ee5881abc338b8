# SPDX-License-Identifier: LGPL-2.1-or-later
# Who is there in a move that stands at one of its steps, who waits there, and letting them go on. Sourced by steps. It looks a
# hundred times a second, so it starts no process for a look: results are in variables. $program, $homed, remoted[n2] and
# remoted[n3] are pids; $step is the name of the step, $node the node that it is about.

at_step=7ffffffffffbfeff go_on=64 # the mask of who waits, and the signal that ends it (mosix/step.h)

look() { # PID: sets state, threads, blocked, pending, inner (its pid in the innermost namespace); fails if there is none
	local text='' # as a whole: if the process died halfway, bash would take the rest for the beginning of what is read next
	state='' threads='' blocked='' pending='' inner=''
	{ IFS= read -r -d '' text < "/proc/$1/status"; } 2> /dev/null
	[[ $text =~ State:[[:space:]]*([A-Za-z]) ]] && state=${BASH_REMATCH[1]}
	[[ $text =~ Threads:[[:space:]]*([0-9]+) ]] && threads=${BASH_REMATCH[1]}
	[[ $text =~ NSpid:[0-9[:blank:]]*[[:blank:]]([0-9]+) ]] && inner=${BASH_REMATCH[1]}
	[[ $text =~ ShdPnd:[[:space:]]*([0-9a-f]+) ]] && pending=${BASH_REMATCH[1]}
	[[ $text =~ SigBlk:[[:space:]]*([0-9a-f]+) ]] && blocked=${BASH_REMATCH[1]}
}
# Of a zombie all threads must have gone as well: they hold its files.
is_dead() { ! look "$1" || [ "$state$threads" = Z1 ] || [ "$state" = X ]; }
are_dead() { local pid; for pid; do is_dead "$pid" || return 1; done; }
waits() { look "$1" && [ "$blocked" = $at_step ] && [ "$state" != Z ]; }
has_taken_it() { ! look "$1" || case $pending in [89a-f]*) false ;; esac; }
send_on() { # PID: who waits; a second signal would be one too many
	kill -$go_on "$1" 2> /dev/null || return 0
	until has_taken_it "$1"; do pause; done
}

children() { # PID: sets kids
	kids=
	{ read -r kids < "/proc/$1/task/$1/children"; } 2> /dev/null
}
declare -A remoted warden guest
survey() { # sets warden[] and guest[] of both nodes, '' for none
	local node pid
	for node in n2 n3; do
		warden[$node]='' guest[$node]=''
		[ -n "${remoted[$node]}" ] || continue
		children "${remoted[$node]}"
		for pid in $kids; do look "$pid" && [ "$inner" = 1 ] && warden[$node]=$pid; done
		[ -n "${warden[$node]}" ] || continue
		children "${warden[$node]}"
		for pid in $kids; do look "$pid" && [ "$inner" = "$program" ] && [ "$state" != Z ] && guest[$node]=$pid; done
	done
}
daemons() { # sets homed and remoted[] as soon as they are known
	local node
	{
		for node in n2 n3; do read -r "remoted[$node]" _ < run/$node.pid; done
		read -r homed _ < run/homed.pid
	} 2> /dev/null
}
everybody() { # sets all
	[ -n "$homed" ] || daemons
	survey
	all="$program $homed ${remoted[*]} ${warden[*]} ${guest[*]}"
}
who() { # PART: sets found, who it is: who stands at steps of that name, or is to be killed
	local other=n2
	[ "$node" != n2 ] || other=n3
	case $1 in
	homed | again) found=$homed ;;
	remoted) found=${remoted[$node]} ;;
	other) found=${remoted[$other]} ;;
	warden) found=${warden[$node]} ;;
	guest | threads | loader) found=${guest[$node]} ;;
	deputy) found=$program ;;
	*) found= ;;
	esac
	[ -n "$found" ]
}
where_really() {
	survey
	if [ -n "${guest[n2]}" ]; then echo n2; elif [ -n "${guest[n3]}" ]; then echo n3; else echo home; fi
}
stands() { survey; who "${step%%.*}" && waits "$found"; }
let_go() { local all pid; everybody; for pid in $all; do ! waits "$pid" || send_on "$pid"; done; }

pause() { sleep 0.01; } # not `read -t`: under load that leaves SIGCHLD blocked in bash 5.2, for good
within() { # SECONDS COMMAND...: until COMMAND succeeds; if freely=yes, whoever waits at a step goes on meanwhile
	local until=$((SECONDS + $1 + 1))
	shift
	until "$@"; do
		[ $SECONDS -lt $until ] || return 1
		[ $freely = no ] || let_go
		pause
	done
}
has_ended() { is_dead "$driven"; }
begin() { # FILE COMMAND...: in the background; what it says is in FILE
	local said=$1
	shift
	timeout 60 "$@" > "$said" 2>&1 &
	driven=$!
}
await() { # its status
	within 60 has_ended
	wait "$driven" 2> /dev/null
}
drive() { begin said "$@"; await; } # COMMAND...
