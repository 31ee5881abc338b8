# SPDX-License-Identifier: LGPL-2.1-or-later
dist_man_MANS += \
	man/homed.8 \
	man/mosctl.1 \
	man/mosix.conf.5 \
	man/mosps.1 \
	man/mosrun.1 \
	man/remoted.8

# Its lists come from the tables they are about.
nodist_man_MANS = man/libmosix.7
LIBMOSIX_TABLES = include/mosix/calls.def include/mosix/reason.def preload/reals.def
EXTRA_DIST += man/libmosix.7.in man/tables.awk
CLEANFILES += man/libmosix.7

man/libmosix.7: man/libmosix.7.in man/tables.awk $(LIBMOSIX_TABLES)
	$(AM_V_GEN)$(MKDIR_P) man && cd $(srcdir) && $(AWK) -v libdir='$(libdir)' -f man/tables.awk $(LIBMOSIX_TABLES) \
		man/libmosix.7.in >'$(abs_builddir)/$@.new' && cd '$(abs_builddir)' && mv $@.new $@
