# SPDX-License-Identifier: LGPL-2.1-or-later
bin_PROGRAMS += tools/mosrun tools/mosctl tools/mosps

TOOLS_CPPFLAGS = $(AM_CPPFLAGS) $(COMMON_CFLAGS) $(JANSSON_CFLAGS)
TOOLS_ASK = tools/ask.c tools/ask.h tools/descriptor.h
TOOLS_START = tools/daemon.c tools/daemon.h tools/clock.h tools/locate.c tools/locate.h
TOOLS_SHOW = tools/show.c tools/show.h
TOOLS_STACK = tools/elf.c tools/elf.h tools/images.c tools/images.h tools/snapshot.c tools/snapshot.h tools/unwind.c tools/unwind.h

tools_mosrun_CPPFLAGS = $(TOOLS_CPPFLAGS)
tools_mosrun_SOURCES = tools/mosrun.c tools/program.c tools/program.h $(TOOLS_ASK) $(TOOLS_START)
tools_mosrun_LDADD = $(COMMON_LIBS)

tools_mosctl_CPPFLAGS = $(TOOLS_CPPFLAGS) $(UNWIND_CFLAGS)
tools_mosctl_SOURCES = tools/mosctl.c tools/cluster.c tools/cluster.h tools/crew.c tools/crew.h tools/number.h tools/stack.c tools/stack.h $(TOOLS_ASK) $(TOOLS_START) $(TOOLS_SHOW) $(TOOLS_STACK)
tools_mosctl_LDADD = $(COMMON_LIBS) $(JANSSON_LIBS) $(UNWIND_LIBS)

tools_mosps_CPPFLAGS = $(TOOLS_CPPFLAGS)
tools_mosps_SOURCES = tools/mosps.c $(TOOLS_ASK) $(TOOLS_SHOW)
tools_mosps_LDADD = $(COMMON_LIBS) $(JANSSON_LIBS)
