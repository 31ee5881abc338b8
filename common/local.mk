# SPDX-License-Identifier: LGPL-2.1-or-later
# What daemons and tools share. The table of calls and the manifest's validator are written for the core and used here as well.
noinst_LIBRARIES += libcommon.a
libcommon_a_CPPFLAGS = $(AM_CPPFLAGS) $(COMMON_CFLAGS)
libcommon_a_SOURCES = \
	common/clock.c \
	common/conf.c \
	common/cpu.c \
	common/digest.c \
	common/frame.c \
	common/key.c \
	common/log.c \
	common/msg.c \
	common/pass.c \
	common/proc.c \
	common/reason.c \
	common/relay.c \
	common/runtime.c \
	common/session.c \
	common/step.c \
	common/tls.c \
	common/clock.h \
	common/conf.h \
	common/cpu.h \
	common/digest.h \
	common/frame.h \
	common/key.h \
	common/log.h \
	common/msg.h \
	common/pass.h \
	common/proc.h \
	common/reason.h \
	common/relay.h \
	common/runtime.h \
	common/session.h \
	common/step.h \
	common/tls.h \
	preload/core/call_table.c \
	preload/core/manifest_check.c

COMMON_CFLAGS = $(MSGPACK_CFLAGS) $(UV_CFLAGS) $(GNUTLS_CFLAGS) $(INIH_CFLAGS)
COMMON_LIBS = libcommon.a $(MSGPACK_LIBS) $(UV_LIBS) $(GNUTLS_LIBS) $(INIH_LIBS)
