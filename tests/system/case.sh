# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs one side of a case in the current directory: bash case.sh FILE. $M is the prefix of the programs under test ("" natively).
# A case is a fragment of shell with a header (see HACKING.md) and
#   setup      prepares files, never under test (optional)
#   run        what is compared; puts $M before the programs under test
#   normalise  a filter of stdout, for what may differ between two native runs (optional; applied by the runner)
set -u
case_file=$1
case_helper() { printf '%s/%s' "$SUITE_HELPERS" "$1"; }
# pty STEPS PROG...: PROG on a terminal; the steps are read from stdin (see ptyrun.c)
pty() {
	cat > .steps
	"$SUITE_HELPERS/ptyrun" .steps "$@"
}
# repeat N PROG...: stops at the first failure
repeat() {
	local n=$1
	shift
	while [ "$((n--))" -gt 0 ]; do "$@" || return; done
}
# $SOMEBODY PROG...: for programs that refuse to run as root, who becomes an ordinary user in a user namespace of its own
SOMEBODY=''
[ "$(id -u)" -ne 0 ] || SOMEBODY='unshare --user --map-user=1000 --map-group=1000 --'
# until_ready PROG...: until PROG succeeds, for half a minute
until_ready() {
	local end=$((SECONDS + 30))
	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { echo "not ready: $*" >&2; return 1; }
		read -r -t 0.02 <> <(:) || :
	done
}
# free_port: a port of the loopback address that nobody listens on
free_port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
. "$case_file"
run
