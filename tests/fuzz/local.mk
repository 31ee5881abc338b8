# SPDX-License-Identifier: LGPL-2.1-or-later
# One driver for each decoder of what another machine or another process sent. `make check` gives each a bounded number of
# rounds from seed 1; more by hand: tests/fuzz/fuzz_NAME -n ROUNDS -s SEED. As targets of libFuzzer, built apart:
#   configure CC=clang CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,address,undefined'
#   make tests/fuzz/fuzz_NAME CPPFLAGS=-DFUZZ_LIBFUZZER LDFLAGS=-fsanitize=fuzzer
FUZZ_CPPFLAGS = $(AM_CPPFLAGS) $(COMMON_CFLAGS)
FUZZ_COMMON = tests/fuzz/mutate.c

FUZZ_TESTS = \
	tests/fuzz/fuzz_conf \
	tests/fuzz/fuzz_door \
	tests/fuzz/fuzz_frame \
	tests/fuzz/fuzz_homed \
	tests/fuzz/fuzz_key \
	tests/fuzz/fuzz_manifest \
	tests/fuzz/fuzz_remoted \
	tests/fuzz/fuzz_stack
check_PROGRAMS += $(FUZZ_TESTS)
TESTS += $(FUZZ_TESTS)

noinst_HEADERS += \
	tests/fuzz/cage_double.h \
	tests/fuzz/homed_double.h \
	tests/fuzz/image.h \
	tests/fuzz/mutate.h \
	tests/fuzz/plain_tls.h

tests_fuzz_fuzz_conf_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c $(FUZZ_COMMON)
tests_fuzz_fuzz_conf_LDADD = $(COMMON_LIBS)

tests_fuzz_fuzz_door_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_fuzz_door_SOURCES = tests/fuzz/fuzz_door.c $(FUZZ_COMMON)
tests_fuzz_fuzz_door_LDADD = $(REMOTED_LIBS)

tests_fuzz_fuzz_frame_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c $(FUZZ_COMMON)
tests_fuzz_fuzz_frame_LDADD = $(COMMON_LIBS)

tests_fuzz_fuzz_homed_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_fuzz_homed_SOURCES = \
	tests/fuzz/fuzz_homed.c \
	tests/fuzz/homed_double.c \
	tests/fuzz/plain_tls.c \
	$(FUZZ_COMMON)
tests_fuzz_fuzz_homed_LDADD = $(HOMED_LIBS)

tests_fuzz_fuzz_key_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_fuzz_key_SOURCES = tests/fuzz/fuzz_key.c $(FUZZ_COMMON)
tests_fuzz_fuzz_key_LDADD = $(COMMON_LIBS)

tests_fuzz_fuzz_manifest_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_fuzz_manifest_SOURCES = tests/fuzz/fuzz_manifest.c $(FUZZ_COMMON)
tests_fuzz_fuzz_manifest_LDADD = $(COMMON_LIBS)

tests_fuzz_fuzz_remoted_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_fuzz_remoted_SOURCES = \
	tests/fuzz/fuzz_remoted.c \
	tests/fuzz/cage_double.c \
	tests/fuzz/plain_tls.c \
	$(FUZZ_COMMON)
tests_fuzz_fuzz_remoted_LDADD = $(REMOTED_LIBS)

tests_fuzz_fuzz_stack_CPPFLAGS = $(FUZZ_CPPFLAGS) $(UNWIND_CFLAGS)
tests_fuzz_fuzz_stack_SOURCES = tests/fuzz/fuzz_stack.c $(TOOLS_STACK) $(FUZZ_COMMON)
tests_fuzz_fuzz_stack_LDADD = $(COMMON_LIBS) $(UNWIND_LIBS)

check-fuzz:
	$(AM_V_GEN)$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(FUZZ_TESTS)'

.PHONY: check-fuzz
