# SPDX-License-Identifier: LGPL-2.1-or-later
# MOSIX_WARNINGS: WARN_CFLAGS, the warnings of the whole tree; --enable-werror turns them into errors.
AC_DEFUN([MOSIX_WARNINGS], [
	AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [treat warnings as errors])], [], [enable_werror=no])
	WARN_CFLAGS=
	for mosix_flag in -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2; do
		mosix_saved=$CFLAGS
		CFLAGS="$CFLAGS -Werror $mosix_flag"
		AC_MSG_CHECKING([whether $CC takes $mosix_flag])
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM],
			[AC_MSG_RESULT([yes]); AS_VAR_APPEND([WARN_CFLAGS], [" $mosix_flag"])], [AC_MSG_RESULT([no])])
		CFLAGS=$mosix_saved
	done
	AS_IF([test "$enable_werror" = yes], [AS_VAR_APPEND([WARN_CFLAGS], [" -Werror"])])
	AC_SUBST([WARN_CFLAGS])
])
