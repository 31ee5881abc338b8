#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Fails if the system's <asm/unistd_64.h> has a call that calls.def lacks, or numbers one differently. CC, and CPPFLAGS with -I of
# include/, from the environment.
set -eu

CC=${CC:-cc}
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT

{
	echo '#define CALL(number, name, ...) ROW number #name'
	echo '#include <mosix/calls.def>'
} | $CC ${CPPFLAGS:-} -E -P -x c - | sed -n 's/^ *ROW *\([0-9]*\) *"\(.*\)".*/\2 \1/p' >"$rows"

if [ "$(cut -d' ' -f2 "$rows" | sort -n | uniq -d)" ]; then
	echo "calls.def has a number twice: $(cut -d' ' -f2 "$rows" | sort -n | uniq -d | tr '\n' ' ')" >&2
	exit 1
fi

echo '#include <asm/unistd_64.h>' | $CC ${CPPFLAGS:-} -E -dM -x c - | sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$/\1 \2/p' |
while read -r name number; do
	if ! grep -qx "$name $number" "$rows"; then
		echo "calls.def: no row for $name, call $number" >&2
		exit 1
	fi
done
