# SPDX-License-Identifier: LGPL-2.1-or-later
# `make bench`: programs that are measured natively and under mosrun, never sanitised, and the script that compares them.
BENCH_FLAGS = -std=gnu17 $(WARN_CFLAGS)
BENCHES = bench/calls bench/children bench/compute bench/pingpong bench/resident bench/startup bench/threads
EXTRA_PROGRAMS = $(BENCHES)
CLEANFILES += $(BENCHES)
noinst_HEADERS += bench/measure.h
EXTRA_DIST += bench/run

bench_calls_SOURCES = bench/calls.c
bench_calls_CFLAGS = $(BENCH_FLAGS)
bench_calls_LDFLAGS =

bench_children_SOURCES = bench/children.c
bench_children_CFLAGS = $(BENCH_FLAGS)
bench_children_LDFLAGS =

bench_compute_SOURCES = bench/compute.c
bench_compute_CFLAGS = $(BENCH_FLAGS)
bench_compute_LDFLAGS =

bench_pingpong_SOURCES = bench/pingpong.c
bench_pingpong_CFLAGS = $(BENCH_FLAGS)
bench_pingpong_LDFLAGS =

bench_resident_SOURCES = bench/resident.c
bench_resident_CFLAGS = $(BENCH_FLAGS)
bench_resident_LDFLAGS =

bench_startup_SOURCES = bench/startup.c
bench_startup_CFLAGS = $(BENCH_FLAGS)
bench_startup_LDFLAGS =

bench_threads_SOURCES = bench/threads.c
bench_threads_CFLAGS = $(BENCH_FLAGS)
bench_threads_LDFLAGS =

.PHONY: bench
bench: all $(BENCHES)
	$(AM_TESTS_ENVIRONMENT) $(srcdir)/bench/run
