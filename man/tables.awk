# SPDX-License-Identifier: LGPL-2.1-or-later
# Fills the lists of libmosix.7.in from the tables they are about: calls.def, reason.def and reals.def in this order, then the page.
# A call with a second table is served for some commands at least; rows of such a table may say RETURN as well.
FNR == 1 { file++ }
file == 1 && /^CALL\(/ {
	split($0, column, /[(,] */)
	sub(/ *$/, "", column[3])
	call[++calls] = column[3]
	if (column[4] ~ /^RETURN/) home[column[3]] = 1
}
file == 1 && /^SUBS\(/ { split($0, column, /[(,] */); second[column[2]] = 1 }
file == 2 && /^REASON\(/ {
	split($0, column, /[(,] */)
	split($0, sentence, /"/)
	if (column[2] + 0 < 100) reasons = reasons sprintf("%3d  %s\n", column[2], sentence[2])
}
file == 3 && /^REAL\(/ {
	sub(/^REAL\([^,]*, */, "")
	sub(/,.*/, "")
	if ($0 !~ /^_/) functions = functions sep $0
	sep = ", "
}
file == 4 && /^@RETURN@$/ {
	line = ""
	for (i = 1; i <= calls; i++)
		if (home[call[i]] && !second[call[i]]) line = line (line ? ", " : "") call[i]
	print line "."
	next
}
file == 4 && /^@PARTLY@$/ {
	line = ""
	for (i = 1; i <= calls; i++)
		if (second[call[i]]) line = line (line ? ", " : "") call[i]
	print line "."
	next
}
file == 4 && /^@REASONS@$/ { printf "%s", reasons; next }
file == 4 && /^@FUNCTIONS@$/ { print functions "."; next }
file == 4 { gsub(/@libdir@/, libdir); print }
