# SPDX-License-Identifier: LGPL-2.1-or-later
# All of remoted but main() is a library, so that unit tests can link it.
noinst_LIBRARIES += libremoted.a
bin_PROGRAMS += remoted/remoted

REMOTED_CPPFLAGS = $(AM_CPPFLAGS) $(COMMON_CFLAGS) $(SECCOMP_CFLAGS)
REMOTED_LIBS = libremoted.a $(COMMON_LIBS) $(SECCOMP_LIBS)

libremoted_a_CPPFLAGS = $(REMOTED_CPPFLAGS)
libremoted_a_SOURCES = \
	remoted/cache.c \
	remoted/cage.c \
	remoted/child.c \
	remoted/door.c \
	remoted/filter.c \
	remoted/guest.c \
	remoted/home.c \
	remoted/landing.c \
	remoted/look.c \
	remoted/machine.c \
	remoted/member.c \
	remoted/node.c \
	remoted/offer.c \
	remoted/plan_send.c \
	remoted/snapshot.c \
	remoted/visitor.c \
	remoted/warden.c \
	remoted/warden_enclose.c \
	remoted/warden_spawn.c \
	remoted/watch.c \
	remoted/cache.h \
	remoted/cage.h \
	remoted/child.h \
	remoted/door.h \
	remoted/filter.h \
	remoted/guest.h \
	remoted/home.h \
	remoted/landing.h \
	remoted/look.h \
	remoted/machine.h \
	remoted/member.h \
	remoted/node.h \
	remoted/offer.h \
	remoted/plan_send.h \
	remoted/snapshot.h \
	remoted/visitor.h \
	remoted/warden.h \
	remoted/warden_parts.h \
	remoted/watch.h

remoted_remoted_CPPFLAGS = $(REMOTED_CPPFLAGS)
remoted_remoted_SOURCES = remoted/main.c
remoted_remoted_LDADD = $(REMOTED_LIBS)
