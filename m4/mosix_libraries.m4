# SPDX-License-Identifier: LGPL-2.1-or-later
m4_ifndef([PKG_PROG_PKG_CONFIG],
	[m4_fatal([pkg.m4 is missing: apt-get install pkg-config])])

# MOSIX_LIBRARY(VARIABLE, PKG-CONFIG NAMES, DEBIAN PACKAGE)
# Sets VARIABLE_CFLAGS and VARIABLE_LIBS from the first of the names that pkg-config knows, or notes the library as missing.
AC_DEFUN([MOSIX_LIBRARY], [
	AC_REQUIRE([MOSIX_PKG_CONFIG])
	mosix_found=no
	m4_foreach_w([mosix_name], [$2],
		[AS_IF([test $mosix_found = no],
			[PKG_CHECK_MODULES([$1], mosix_name, [mosix_found=yes], [:])])
	])
	AS_IF([test $mosix_found = no],
		[AS_VAR_APPEND([mosix_missing], [" m4_car(m4_unquote(m4_split([$2]))) $3"])])
])

AC_DEFUN([MOSIX_PKG_CONFIG], [
	PKG_PROG_PKG_CONFIG
	AS_IF([test -z "$PKG_CONFIG"], [AC_MSG_ERROR([pkg-config is missing: apt-get install pkg-config])])
	mosix_missing=
])

# Stops if anything is missing, with one line for each.
AC_DEFUN([MOSIX_LIBRARIES_END], [
	AS_IF([test -n "$mosix_missing"], [
		set dummy $mosix_missing
		shift
		while test -n "$[]3"; do
			AS_ECHO(["configure: error: $[]1 is missing: apt-get install $[]2"]) >&2
			shift 2
		done
		AC_MSG_ERROR([$[]1 is missing: apt-get install $[]2])
	])
])
