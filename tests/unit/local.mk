# SPDX-License-Identifier: LGPL-2.1-or-later
# Each test_*.c is one program of the Check library. What it tests comes from the folders' libraries; core code is compiled
# here for the ordinary C environment, with the doubles of its helpers that the test brings along.
UNIT_CPPFLAGS = $(AM_CPPFLAGS) $(COMMON_CFLAGS) $(CHECK_CFLAGS) -iquote $(top_srcdir)/preload/core
UNIT_LIBS = $(COMMON_LIBS) $(CHECK_LIBS)

UNIT_TESTS = \
	tests/unit/test_cache \
	tests/unit/test_cage \
	tests/unit/test_common \
	tests/unit/test_filter \
	tests/unit/test_frame \
	tests/unit/test_homed \
	tests/unit/test_key \
	tests/unit/test_loader \
	tests/unit/test_manifest \
	tests/unit/test_marshal \
	tests/unit/test_marshal_hostile \
	tests/unit/test_marshal_ipc \
	tests/unit/test_marshal_strings \
	tests/unit/test_ranges \
	tests/unit/test_relay \
	tests/unit/test_session \
	tests/unit/test_sigframe \
	tests/unit/test_sigframe_direct \
	tests/unit/test_stack \
	tests/unit/test_table \
	tests/unit/test_wrap \
	tests/unit/test_xstate
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)

# Marshalling, both ends of it, in an ordinary program.
check_LIBRARIES = tests/unit/libmarshal.a
tests_unit_libmarshal_a_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_libmarshal_a_SOURCES = \
	tests/unit/core_double.c \
	tests/unit/marshal_pair.c \
	tests/unit/marshal_pair.h \
	preload/core/marshal_deputy.c \
	preload/core/marshal_deputy_vector.c \
	preload/core/marshal_gate.c \
	preload/core/marshal_gate_result.c \
	preload/core/marshal_gate_vector.c \
	preload/core/marshal_reply.c \
	preload/core/marshal_rest.c \
	preload/core/marshal_strings.c

noinst_HEADERS += \
	tests/unit/cage_guest.h \
	tests/unit/cage_image.h \
	tests/unit/marshal_pair.h \
	tests/unit/sigprobe.h \
	tests/unit/test_cage.h \
	tests/unit/test_wrap.h

UNIT_CHECKS = \
	tests/unit/check_calls.sh
TESTS += $(UNIT_CHECKS)
dist_check_SCRIPTS += $(UNIT_CHECKS)

tests_unit_test_cache_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_cache_SOURCES = \
	tests/unit/test_cache.c
tests_unit_test_cache_LDADD = $(REMOTED_LIBS) $(UNIT_LIBS)

tests_unit_test_cage_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_cage_SOURCES = \
	tests/unit/test_cage.c \
	tests/unit/cage_guest.c \
	tests/unit/cage_guest.h \
	tests/unit/cage_image.c \
	tests/unit/cage_image.h \
	tests/unit/test_cage.h
tests_unit_test_cage_LDADD = $(REMOTED_LIBS) $(UNIT_LIBS)

tests_unit_test_common_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_common_SOURCES = \
	tests/unit/test_common.c
tests_unit_test_common_LDADD = $(UNIT_LIBS)

tests_unit_test_filter_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_filter_SOURCES = \
	tests/unit/test_filter.c
tests_unit_test_filter_LDADD = $(REMOTED_LIBS) $(UNIT_LIBS)

tests_unit_test_frame_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_frame_SOURCES = \
	tests/unit/test_frame.c
tests_unit_test_frame_LDADD = $(UNIT_LIBS)

tests_unit_test_homed_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_homed_SOURCES = \
	tests/unit/test_homed.c
tests_unit_test_homed_LDADD = $(HOMED_LIBS) $(UNIT_LIBS)

tests_unit_test_key_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_key_SOURCES = \
	tests/unit/test_key.c
tests_unit_test_key_LDADD = $(UNIT_LIBS)

tests_unit_test_loader_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_loader_SOURCES = \
	tests/unit/test_loader.c \
	tests/unit/cage_guest.c \
	tests/unit/cage_guest.h \
	tests/unit/cage_image.c \
	tests/unit/cage_image.h \
	tests/unit/test_cage.h
tests_unit_test_loader_LDADD = $(REMOTED_LIBS) $(UNIT_LIBS)

tests_unit_test_manifest_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_manifest_SOURCES = \
	tests/unit/test_manifest.c
tests_unit_test_manifest_LDADD = $(UNIT_LIBS)

tests_unit_test_marshal_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_marshal_SOURCES = \
	tests/unit/test_marshal.c
tests_unit_test_marshal_LDADD = tests/unit/libmarshal.a $(UNIT_LIBS)

tests_unit_test_marshal_hostile_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_marshal_hostile_SOURCES = \
	tests/unit/test_marshal_hostile.c
tests_unit_test_marshal_hostile_LDADD = tests/unit/libmarshal.a $(UNIT_LIBS)

tests_unit_test_marshal_ipc_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_marshal_ipc_SOURCES = \
	tests/unit/test_marshal_ipc.c
tests_unit_test_marshal_ipc_LDADD = tests/unit/libmarshal.a $(UNIT_LIBS)

tests_unit_test_marshal_strings_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_marshal_strings_SOURCES = \
	tests/unit/test_marshal_strings.c
tests_unit_test_marshal_strings_LDADD = tests/unit/libmarshal.a $(UNIT_LIBS)

tests_unit_test_ranges_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_ranges_SOURCES = \
	tests/unit/test_ranges.c \
	tests/unit/core_double.c \
	preload/core/lock.c \
	preload/core/ranges.c
tests_unit_test_ranges_LDADD = $(UNIT_LIBS)

tests_unit_test_relay_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_relay_SOURCES = \
	tests/unit/test_relay.c
tests_unit_test_relay_LDADD = $(UNIT_LIBS)

tests_unit_test_session_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_session_SOURCES = \
	tests/unit/test_session.c
tests_unit_test_session_LDADD = $(UNIT_LIBS)

tests_unit_test_sigframe_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_sigframe_SOURCES = \
	tests/unit/test_sigframe.c \
	tests/unit/sigprobe.c \
	preload/core/xstate.c \
	preload/core/sigframe.c
tests_unit_test_sigframe_LDADD = $(UNIT_LIBS)

tests_unit_test_sigframe_direct_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_sigframe_direct_SOURCES = \
	tests/unit/test_sigframe_direct.c \
	tests/unit/sigprobe.c \
	preload/core/xstate.c \
	preload/core/sigframe.c
tests_unit_test_sigframe_direct_LDADD = $(UNIT_LIBS)

tests_unit_test_stack_CPPFLAGS = $(UNIT_CPPFLAGS) $(UNWIND_CFLAGS)
tests_unit_test_stack_SOURCES = \
	tests/unit/test_stack.c \
	$(TOOLS_STACK)
tests_unit_test_stack_LDADD = $(UNIT_LIBS) $(UNWIND_LIBS)

tests_unit_test_table_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_table_SOURCES = \
	tests/unit/test_table.c
tests_unit_test_table_LDADD = $(UNIT_LIBS)

tests_unit_test_wrap_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_wrap_CFLAGS = $(MOSIX_STD)
tests_unit_test_wrap_SOURCES = \
	tests/unit/test_wrap.c \
	tests/unit/test_wrap_moves.c \
	tests/unit/test_wrap_record.c \
	tests/unit/test_wrap_same.c \
	tests/unit/test_wrap.h \
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
	preload/syscall_entry.S
tests_unit_test_wrap_LDFLAGS = 
tests_unit_test_wrap_LDADD = $(UNIT_LIBS)

tests_unit_test_xstate_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_xstate_SOURCES = \
	tests/unit/test_xstate.c \
	tests/unit/sigprobe.c \
	tests/unit/sigprobe.h \
	preload/core/xstate.c
tests_unit_test_xstate_LDADD = $(UNIT_LIBS)

# Unit tests and fuzz drivers alone, without the system tests: what the sanitizer build runs.
check-unit:
	$(AM_V_GEN)$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(UNIT_TESTS) $(UNIT_CHECKS) $(FUZZ_TESTS)'
.PHONY: check-unit
