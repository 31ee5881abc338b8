# SPDX-License-Identifier: LGPL-2.1-or-later
# libmosix.so, loaded into every program that mosrun starts. preload/core/ is freestanding: it is compiled with flags of its own,
# and ci/check-core proves that it needs nothing from outside.
CORE_CFLAGS = -ffreestanding -fno-stack-protector -mgeneral-regs-only -fno-builtin -fPIC -fvisibility=hidden -fcf-protection=none \
	-fno-tree-loop-distribute-patterns -O2 -fno-jump-tables -fno-asynchronous-unwind-tables -fno-stack-clash-protection -fno-lto \
	-U_FORTIFY_SOURCE
# Once more behind the user's CFLAGS, so that a hardened build (stack protector, _FORTIFY_SOURCE) leaves the core as it must be.
preload/core/libcore_la-%.lo: override CFLAGS += $(CORE_CFLAGS)

noinst_LTLIBRARIES += libcore.la
libcore_la_CPPFLAGS = -I$(top_srcdir)/include
libcore_la_CFLAGS = $(MOSIX_STD) $(CORE_CFLAGS)
libcore_la_CCASFLAGS = -fcf-protection=none
libcore_la_LDFLAGS =

libcore_la_SOURCES = \
	preload/core/apart.c \
	preload/core/call_table.c \
	preload/core/capture.c \
	preload/core/capture_guest.c \
	preload/core/capture_home.c \
	preload/core/content.c \
	preload/core/deputy.c \
	preload/core/deputy_call.c \
	preload/core/deputy_fork.c \
	preload/core/deputy_map.c \
	preload/core/deputy_settle.c \
	preload/core/deputy_signals.c \
	preload/core/deputy_thread.c \
	preload/core/entry_check.c \
	preload/core/frame_build.c \
	preload/core/frames.c \
	preload/core/freeze.c \
	preload/core/gate.c \
	preload/core/gate_call.c \
	preload/core/gate_fork.c \
	preload/core/gate_local.c \
	preload/core/gate_map.c \
	preload/core/gate_signal.c \
	preload/core/gate_thread.c \
	preload/core/guest.c \
	preload/core/home_resume.c \
	preload/core/homecoming.c \
	preload/core/io.c \
	preload/core/leave.c \
	preload/core/lock.c \
	preload/core/manifest_check.c \
	preload/core/maps.c \
	preload/core/marshal_deputy.c \
	preload/core/marshal_deputy_vector.c \
	preload/core/marshal_gate.c \
	preload/core/marshal_gate_result.c \
	preload/core/marshal_gate_vector.c \
	preload/core/marshal_reply.c \
	preload/core/marshal_rest.c \
	preload/core/marshal_strings.c \
	preload/core/orders.c \
	preload/core/pages.c \
	preload/core/ranges.c \
	preload/core/receive.c \
	preload/core/resume.c \
	preload/core/sigframe.c \
	preload/core/snapshot.c \
	preload/core/start.c \
	preload/core/stop.c \
	preload/core/step.c \
	preload/core/string.c \
	preload/core/trace.c \
	preload/core/xstate.c \
	preload/core/entry.S \
	preload/core/api.h \
	preload/core/apart.h \
	preload/core/arena.h \
	preload/core/capture.h \
	preload/core/capture_parts.h \
	preload/core/content.h \
	preload/core/core.h \
	preload/core/deputy.h \
	preload/core/deputy_fork.h \
	preload/core/deputy_map.h \
	preload/core/deputy_settle.h \
	preload/core/deputy_signals.h \
	preload/core/deputy_thread.h \
	preload/core/entry.h \
	preload/core/entry_offsets.h \
	preload/core/frame_build.h \
	preload/core/frames.h \
	preload/core/freeze.h \
	preload/core/gate.h \
	preload/core/gate_fork.h \
	preload/core/gate_map.h \
	preload/core/gate_thread.h \
	preload/core/guest.h \
	preload/core/homecoming.h \
	preload/core/leave.h \
	preload/core/lock.h \
	preload/core/maps.h \
	preload/core/marshal.h \
	preload/core/marshal_wire.h \
	preload/core/orders.h \
	preload/core/pages.h \
	preload/core/ranges.h \
	preload/core/receive.h \
	preload/core/resume.h \
	preload/core/sigabi.h \
	preload/core/sigframe.h \
	preload/core/snapshot.h \
	preload/core/step.h \
	preload/core/stop.h \
	preload/core/thread.h \
	preload/core/trace.h \
	preload/core/xstate.h

preload_libmosix_la_SOURCES = \
	preload/cancel.c \
	preload/enroll.c \
	preload/gather.c \
	preload/reals.c \
	preload/record.c \
	preload/start.c \
	preload/syscall.c \
	preload/syscall_bytes.c \
	preload/syscall_signals.c \
	preload/urgent.c \
	preload/urgent_mask.c \
	preload/vdso.c \
	preload/wrap_action.c \
	preload/wrap_altstack.c \
	preload/wrap_bytes.c \
	preload/wrap_clock.c \
	preload/wrap_inner.c \
	preload/wrap_ipc.c \
	preload/wrap_mask.c \
	preload/wrap_poll.c \
	preload/wrap_sleep.c \
	preload/wrap_socket.c \
	preload/wrap_thread.c \
	preload/wrap_wait.c \
	preload/syscall_entry.S \
	preload/action.h \
	preload/altstack.h \
	preload/enroll.h \
	preload/gather.h \
	preload/record.h \
	preload/socket.h \
	preload/syscall.h \
	preload/urgent.h \
	preload/vdso.h \
	preload/wrap.h \
	preload/reals.def

lib_LTLIBRARIES = preload/libmosix.la
preload_libmosix_la_CPPFLAGS = $(GNU_CPPFLAGS) -I$(top_srcdir)/include
preload_libmosix_la_CFLAGS = $(MOSIX_STD) -fvisibility=hidden
preload_libmosix_la_LDFLAGS = -module -avoid-version -shared -Wl,-z,now -Wl,-z,defs -Wl,--version-script=$(top_srcdir)/preload/libmosix.map
preload_libmosix_la_LIBADD = libcore.la
EXTRA_preload_libmosix_la_DEPENDENCIES = preload/libmosix.map preload/core/checked
EXTRA_DIST += preload/libmosix.map

preload/core/checked: libcore.la ci/check-core
	$(AM_V_GEN)NM='$(NM)' OBJDUMP='$(OBJDUMP)' LD='$(LD)' $(top_srcdir)/ci/check-core .libs/libcore.a && echo checked >$@
CLEANFILES += preload/core/checked

# The libtool archive is of no use to anybody: libmosix.so is preloaded, never linked.
install-exec-hook:
	rm -f '$(DESTDIR)$(libdir)/libmosix.la'
uninstall-hook:
	rm -f '$(DESTDIR)$(libdir)/libmosix.so'
