# SPDX-License-Identifier: LGPL-2.1-or-later
# All of homed but main() is a library, so that unit tests can link it.
noinst_LIBRARIES += libhomed.a
bin_PROGRAMS += homed/homed

HOMED_CPPFLAGS = $(AM_CPPFLAGS) $(COMMON_CFLAGS)
HOMED_LIBS = libhomed.a $(COMMON_LIBS)

libhomed_a_CPPFLAGS = $(HOMED_CPPFLAGS)
libhomed_a_SOURCES = \
	homed/births.c \
	homed/book.c \
	homed/channels.c \
	homed/check.c \
	homed/churn.c \
	homed/control.c \
	homed/ending.c \
	homed/files.c \
	homed/moves.c \
	homed/nodes.c \
	homed/offer.c \
	homed/orders.c \
	homed/outcome.c \
	homed/past.c \
	homed/place.c \
	homed/process.c \
	homed/register.c \
	homed/requests.c \
	homed/ring.c \
	homed/snapshot.c \
	homed/stops.c \
	homed/survey.c \
	homed/truth.c \
	homed/births.h \
	homed/book.h \
	homed/channels.h \
	homed/check.h \
	homed/churn.h \
	homed/client.h \
	homed/control.h \
	homed/ending.h \
	homed/files.h \
	homed/homed.h \
	homed/move.h \
	homed/moves.h \
	homed/nodes.h \
	homed/orders.h \
	homed/outcome.h \
	homed/past.h \
	homed/place.h \
	homed/process.h \
	homed/register.h \
	homed/states.h \
	homed/stops.h

homed_homed_CPPFLAGS = $(HOMED_CPPFLAGS)
homed_homed_SOURCES = homed/main.c
homed_homed_LDADD = $(HOMED_LIBS)
