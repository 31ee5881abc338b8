# SPDX-License-Identifier: LGPL-2.1-or-later
# MOSIX_SANITIZERS: --enable-sanitizers sets SAN_CFLAGS for daemons, tools, common code and their unit tests. libmosix and the
# loader never get them: ASan wants to be first in LD_PRELOAD, and its run-time library cannot live in freestanding code.
AC_DEFUN([MOSIX_SANITIZERS], [
	AC_ARG_ENABLE([sanitizers],
		[AS_HELP_STRING([--enable-sanitizers], [ASan and UBSan in daemons, tools, common code and their unit tests])],
		[], [enable_sanitizers=no])
	SAN_CFLAGS=
	AS_IF([test "$enable_sanitizers" = yes], [
		SAN_CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
		mosix_saved=$CFLAGS
		CFLAGS="$CFLAGS $SAN_CFLAGS"
		AC_MSG_CHECKING([whether $CC links with $SAN_CFLAGS])
		AC_LINK_IFELSE([AC_LANG_PROGRAM], [AC_MSG_RESULT([yes])],
			[AC_MSG_RESULT([no]); AC_MSG_ERROR([the sanitizers' run-time libraries are missing: apt-get install libgcc-12-dev])])
		CFLAGS=$mosix_saved
	])
	AC_SUBST([SAN_CFLAGS])
	AM_CONDITIONAL([SANITIZERS], [test "$enable_sanitizers" = yes])
])
