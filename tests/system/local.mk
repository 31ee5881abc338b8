# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs that the system tests run under mosrun: plain C, never sanitised, because libmosix is loaded into them.
HELPER_FLAGS = -std=gnu17 $(WARN_CFLAGS)
HELPERS = \
	tests/helpers/altstack \
	tests/helpers/blocking \
	tests/helpers/clocks \
	tests/helpers/coroutine \
	tests/helpers/descriptors \
	tests/helpers/exec_errors \
	tests/helpers/fft_avx \
	tests/helpers/filemaps \
	tests/helpers/files \
	tests/helpers/fork_churn \
	tests/helpers/fork_inherits \
	tests/helpers/fork_signals \
	tests/helpers/forks \
	tests/helpers/fpu \
	tests/helpers/futexes \
	tests/helpers/ids \
	tests/helpers/latethreads \
	tests/helpers/libraries \
	tests/helpers/locks \
	tests/helpers/lu \
	tests/helpers/mapped \
	tests/helpers/memory \
	tests/helpers/ptyrun \
	tests/helpers/raw \
	tests/helpers/recursion \
	tests/helpers/rows_commands \
	tests/helpers/rows_files \
	tests/helpers/rows_io \
	tests/helpers/rows_memory \
	tests/helpers/rows_process \
	tests/helpers/rows_sockets \
	tests/helpers/signals \
	tests/helpers/sockets \
	tests/helpers/sparse \
	tests/helpers/stacks \
	tests/helpers/steady \
	tests/helpers/stranger \
	tests/helpers/supervise \
	tests/helpers/sysv \
	tests/helpers/thread_calls \
	tests/helpers/thread_cancel \
	tests/helpers/thread_churn \
	tests/helpers/thread_ends \
	tests/helpers/thread_faults \
	tests/helpers/thread_files \
	tests/helpers/thread_fork \
	tests/helpers/thread_io \
	tests/helpers/thread_maps \
	tests/helpers/thread_order \
	tests/helpers/thread_signals \
	tests/helpers/thread_timers \
	tests/helpers/threads \
	tests/helpers/tracer \
	tests/helpers/vfork_maps \
	tests/helpers/vforks
check_PROGRAMS += $(HELPERS)
noinst_HEADERS += \
	tests/helpers/check.h \
	tests/helpers/fork.h \
	tests/helpers/rows.h \
	tests/helpers/thread.h

tests_helpers_altstack_SOURCES = tests/helpers/altstack.c
tests_helpers_altstack_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_altstack_CFLAGS = $(HELPER_FLAGS)
tests_helpers_altstack_LDFLAGS =
tests_helpers_altstack_LDADD = -lm

tests_helpers_blocking_SOURCES = tests/helpers/blocking.c
tests_helpers_blocking_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_blocking_CFLAGS = $(HELPER_FLAGS)
tests_helpers_blocking_LDFLAGS =
tests_helpers_blocking_LDADD = -lm

tests_helpers_clocks_SOURCES = tests/helpers/clocks.c
tests_helpers_clocks_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_clocks_CFLAGS = $(HELPER_FLAGS)
tests_helpers_clocks_LDFLAGS =
tests_helpers_clocks_LDADD = -lm

tests_helpers_coroutine_SOURCES = tests/helpers/coroutine.c
tests_helpers_coroutine_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_coroutine_CFLAGS = $(HELPER_FLAGS)
tests_helpers_coroutine_LDFLAGS =
tests_helpers_coroutine_LDADD = -lm

tests_helpers_descriptors_SOURCES = tests/helpers/descriptors.c
tests_helpers_descriptors_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_descriptors_CFLAGS = $(HELPER_FLAGS)
tests_helpers_descriptors_LDFLAGS =
tests_helpers_descriptors_LDADD = -lm

tests_helpers_exec_errors_SOURCES = tests/helpers/exec_errors.c
tests_helpers_exec_errors_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_exec_errors_CFLAGS = $(HELPER_FLAGS)
tests_helpers_exec_errors_LDFLAGS =
tests_helpers_exec_errors_LDADD = -lm

tests_helpers_fft_avx_SOURCES = tests/helpers/fft_avx.c
tests_helpers_fft_avx_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_fft_avx_CFLAGS = $(HELPER_FLAGS)
tests_helpers_fft_avx_LDFLAGS =
tests_helpers_fft_avx_LDADD = -lm

tests_helpers_filemaps_SOURCES = tests/helpers/filemaps.c
tests_helpers_filemaps_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_filemaps_CFLAGS = $(HELPER_FLAGS)
tests_helpers_filemaps_LDFLAGS =
tests_helpers_filemaps_LDADD = -lm

tests_helpers_files_SOURCES = tests/helpers/files.c
tests_helpers_files_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_files_CFLAGS = $(HELPER_FLAGS)
tests_helpers_files_LDFLAGS =
tests_helpers_files_LDADD = -lm

tests_helpers_fork_churn_SOURCES = tests/helpers/fork_churn.c
tests_helpers_fork_churn_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_fork_churn_CFLAGS = $(HELPER_FLAGS)
tests_helpers_fork_churn_LDFLAGS =
tests_helpers_fork_churn_LDADD = -lm

tests_helpers_fork_inherits_SOURCES = tests/helpers/fork_inherits.c
tests_helpers_fork_inherits_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_fork_inherits_CFLAGS = $(HELPER_FLAGS)
tests_helpers_fork_inherits_LDFLAGS =
tests_helpers_fork_inherits_LDADD = -lm

tests_helpers_fork_signals_SOURCES = tests/helpers/fork_signals.c
tests_helpers_fork_signals_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_fork_signals_CFLAGS = $(HELPER_FLAGS)
tests_helpers_fork_signals_LDFLAGS =
tests_helpers_fork_signals_LDADD = -lm

tests_helpers_forks_SOURCES = tests/helpers/forks.c
tests_helpers_forks_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_forks_CFLAGS = $(HELPER_FLAGS)
tests_helpers_forks_LDFLAGS =
tests_helpers_forks_LDADD = -lm

tests_helpers_fpu_SOURCES = tests/helpers/fpu.c
tests_helpers_fpu_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_fpu_CFLAGS = $(HELPER_FLAGS)
tests_helpers_fpu_LDFLAGS =
tests_helpers_fpu_LDADD = -lm

tests_helpers_futexes_SOURCES = tests/helpers/futexes.c
tests_helpers_futexes_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_futexes_CFLAGS = $(HELPER_FLAGS)
tests_helpers_futexes_LDFLAGS =
tests_helpers_futexes_LDADD = -lm

tests_helpers_ids_SOURCES = tests/helpers/ids.c
tests_helpers_ids_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_ids_CFLAGS = $(HELPER_FLAGS)
tests_helpers_ids_LDFLAGS =
tests_helpers_ids_LDADD = -lm

tests_helpers_latethreads_SOURCES = tests/helpers/latethreads.c
tests_helpers_latethreads_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_latethreads_CFLAGS = $(HELPER_FLAGS)
tests_helpers_latethreads_LDFLAGS =
tests_helpers_latethreads_LDADD = -lm

tests_helpers_libraries_SOURCES = tests/helpers/libraries.c
tests_helpers_libraries_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_libraries_CFLAGS = $(HELPER_FLAGS)
tests_helpers_libraries_LDFLAGS =
tests_helpers_libraries_LDADD = -lm

tests_helpers_locks_SOURCES = tests/helpers/locks.c
tests_helpers_locks_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_locks_CFLAGS = $(HELPER_FLAGS)
tests_helpers_locks_LDFLAGS =
tests_helpers_locks_LDADD = -lm

tests_helpers_lu_SOURCES = tests/helpers/lu.c
tests_helpers_lu_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_lu_CFLAGS = $(HELPER_FLAGS)
tests_helpers_lu_LDFLAGS =
tests_helpers_lu_LDADD = -lm

tests_helpers_mapped_SOURCES = tests/helpers/mapped.c
tests_helpers_mapped_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_mapped_CFLAGS = $(HELPER_FLAGS)
tests_helpers_mapped_LDFLAGS =
tests_helpers_mapped_LDADD = -lm

tests_helpers_memory_SOURCES = tests/helpers/memory.c
tests_helpers_memory_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_memory_CFLAGS = $(HELPER_FLAGS)
tests_helpers_memory_LDFLAGS =
tests_helpers_memory_LDADD = -lm

tests_helpers_ptyrun_SOURCES = tests/helpers/ptyrun.c
tests_helpers_ptyrun_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_ptyrun_CFLAGS = $(HELPER_FLAGS)
tests_helpers_ptyrun_LDFLAGS =
tests_helpers_ptyrun_LDADD = -lm

tests_helpers_raw_SOURCES = tests/helpers/raw.c
tests_helpers_raw_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_raw_CFLAGS = $(HELPER_FLAGS)
tests_helpers_raw_LDFLAGS =
tests_helpers_raw_LDADD = -lm

tests_helpers_recursion_SOURCES = tests/helpers/recursion.c
tests_helpers_recursion_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_recursion_CFLAGS = $(HELPER_FLAGS)
tests_helpers_recursion_LDFLAGS =
tests_helpers_recursion_LDADD = -lm

tests_helpers_rows_commands_SOURCES = tests/helpers/rows_commands.c
tests_helpers_rows_commands_CPPFLAGS = -D_GNU_SOURCE= -I$(top_srcdir)/include
tests_helpers_rows_commands_CFLAGS = $(HELPER_FLAGS)
tests_helpers_rows_commands_LDFLAGS =
tests_helpers_rows_commands_LDADD =

tests_helpers_rows_files_SOURCES = tests/helpers/rows_files.c
tests_helpers_rows_files_CPPFLAGS = -D_GNU_SOURCE= -I$(top_srcdir)/include
tests_helpers_rows_files_CFLAGS = $(HELPER_FLAGS)
tests_helpers_rows_files_LDFLAGS =
tests_helpers_rows_files_LDADD =

tests_helpers_rows_io_SOURCES = tests/helpers/rows_io.c
tests_helpers_rows_io_CPPFLAGS = -D_GNU_SOURCE= -I$(top_srcdir)/include
tests_helpers_rows_io_CFLAGS = $(HELPER_FLAGS)
tests_helpers_rows_io_LDFLAGS =
tests_helpers_rows_io_LDADD =

tests_helpers_rows_memory_SOURCES = tests/helpers/rows_memory.c
tests_helpers_rows_memory_CPPFLAGS = -D_GNU_SOURCE= -I$(top_srcdir)/include
tests_helpers_rows_memory_CFLAGS = $(HELPER_FLAGS)
tests_helpers_rows_memory_LDFLAGS =
tests_helpers_rows_memory_LDADD =

tests_helpers_rows_process_SOURCES = tests/helpers/rows_process.c
tests_helpers_rows_process_CPPFLAGS = -D_GNU_SOURCE= -I$(top_srcdir)/include
tests_helpers_rows_process_CFLAGS = $(HELPER_FLAGS)
tests_helpers_rows_process_LDFLAGS =
tests_helpers_rows_process_LDADD =

tests_helpers_rows_sockets_SOURCES = tests/helpers/rows_sockets.c
tests_helpers_rows_sockets_CPPFLAGS = -D_GNU_SOURCE= -I$(top_srcdir)/include
tests_helpers_rows_sockets_CFLAGS = $(HELPER_FLAGS)
tests_helpers_rows_sockets_LDFLAGS =
tests_helpers_rows_sockets_LDADD =

tests_helpers_signals_SOURCES = tests/helpers/signals.c
tests_helpers_signals_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_signals_CFLAGS = $(HELPER_FLAGS)
tests_helpers_signals_LDFLAGS =
tests_helpers_signals_LDADD = -lm

tests_helpers_sockets_SOURCES = tests/helpers/sockets.c
tests_helpers_sockets_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_sockets_CFLAGS = $(HELPER_FLAGS)
tests_helpers_sockets_LDFLAGS =
tests_helpers_sockets_LDADD = -lm

tests_helpers_sparse_SOURCES = tests/helpers/sparse.c
tests_helpers_sparse_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_sparse_CFLAGS = $(HELPER_FLAGS)
tests_helpers_sparse_LDFLAGS =
tests_helpers_sparse_LDADD = -lm

tests_helpers_stacks_SOURCES = tests/helpers/stacks.c
tests_helpers_stacks_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_stacks_CFLAGS = $(HELPER_FLAGS)
tests_helpers_stacks_LDFLAGS =
tests_helpers_stacks_LDADD = -lm

tests_helpers_steady_SOURCES = tests/helpers/steady.c
tests_helpers_steady_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_steady_CFLAGS = $(HELPER_FLAGS)
tests_helpers_steady_LDFLAGS =
tests_helpers_steady_LDADD = -lm

tests_helpers_stranger_SOURCES = tests/helpers/stranger.c
tests_helpers_stranger_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_stranger_CFLAGS = $(HELPER_FLAGS)
tests_helpers_stranger_LDFLAGS =
tests_helpers_stranger_LDADD = -lm

tests_helpers_supervise_SOURCES = tests/helpers/supervise.c
tests_helpers_supervise_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_supervise_CFLAGS = $(HELPER_FLAGS)
tests_helpers_supervise_LDFLAGS =
tests_helpers_supervise_LDADD = -lm

tests_helpers_sysv_SOURCES = tests/helpers/sysv.c
tests_helpers_sysv_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_sysv_CFLAGS = $(HELPER_FLAGS)
tests_helpers_sysv_LDFLAGS =
tests_helpers_sysv_LDADD = -lm

tests_helpers_thread_calls_SOURCES = tests/helpers/thread_calls.c
tests_helpers_thread_calls_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_thread_calls_CFLAGS = $(HELPER_FLAGS)
tests_helpers_thread_calls_LDFLAGS =
tests_helpers_thread_calls_LDADD = -lm

tests_helpers_thread_cancel_SOURCES = tests/helpers/thread_cancel.c
tests_helpers_thread_cancel_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_thread_cancel_CFLAGS = $(HELPER_FLAGS)
tests_helpers_thread_cancel_LDFLAGS =
tests_helpers_thread_cancel_LDADD = -lm

tests_helpers_thread_churn_SOURCES = tests/helpers/thread_churn.c
tests_helpers_thread_churn_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_thread_churn_CFLAGS = $(HELPER_FLAGS)
tests_helpers_thread_churn_LDFLAGS =
tests_helpers_thread_churn_LDADD = -lm

tests_helpers_thread_ends_SOURCES = tests/helpers/thread_ends.c
tests_helpers_thread_ends_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_thread_ends_CFLAGS = $(HELPER_FLAGS)
tests_helpers_thread_ends_LDFLAGS =
tests_helpers_thread_ends_LDADD = -lm

tests_helpers_thread_faults_SOURCES = tests/helpers/thread_faults.c
tests_helpers_thread_faults_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_thread_faults_CFLAGS = $(HELPER_FLAGS)
tests_helpers_thread_faults_LDFLAGS =
tests_helpers_thread_faults_LDADD = -lm

tests_helpers_thread_files_SOURCES = tests/helpers/thread_files.c
tests_helpers_thread_files_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_thread_files_CFLAGS = $(HELPER_FLAGS)
tests_helpers_thread_files_LDFLAGS =
tests_helpers_thread_files_LDADD = -lm

tests_helpers_thread_fork_SOURCES = tests/helpers/thread_fork.c
tests_helpers_thread_fork_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_thread_fork_CFLAGS = $(HELPER_FLAGS)
tests_helpers_thread_fork_LDFLAGS =
tests_helpers_thread_fork_LDADD = -lm

tests_helpers_thread_io_SOURCES = tests/helpers/thread_io.c
tests_helpers_thread_io_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_thread_io_CFLAGS = $(HELPER_FLAGS)
tests_helpers_thread_io_LDFLAGS =
tests_helpers_thread_io_LDADD = -lm

tests_helpers_thread_maps_SOURCES = tests/helpers/thread_maps.c
tests_helpers_thread_maps_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_thread_maps_CFLAGS = $(HELPER_FLAGS)
tests_helpers_thread_maps_LDFLAGS =
tests_helpers_thread_maps_LDADD = -lm

tests_helpers_thread_order_SOURCES = tests/helpers/thread_order.c
tests_helpers_thread_order_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_thread_order_CFLAGS = $(HELPER_FLAGS)
tests_helpers_thread_order_LDFLAGS =
tests_helpers_thread_order_LDADD = -lm

tests_helpers_thread_signals_SOURCES = tests/helpers/thread_signals.c
tests_helpers_thread_signals_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_thread_signals_CFLAGS = $(HELPER_FLAGS)
tests_helpers_thread_signals_LDFLAGS =
tests_helpers_thread_signals_LDADD = -lm

tests_helpers_thread_timers_SOURCES = tests/helpers/thread_timers.c
tests_helpers_thread_timers_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_thread_timers_CFLAGS = $(HELPER_FLAGS)
tests_helpers_thread_timers_LDFLAGS =
tests_helpers_thread_timers_LDADD = -lm

tests_helpers_threads_SOURCES = tests/helpers/threads.c
tests_helpers_threads_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_threads_CFLAGS = $(HELPER_FLAGS)
tests_helpers_threads_LDFLAGS =
tests_helpers_threads_LDADD = -lm

tests_helpers_tracer_SOURCES = tests/helpers/tracer.c
tests_helpers_tracer_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_tracer_CFLAGS = $(HELPER_FLAGS)
tests_helpers_tracer_LDFLAGS =
tests_helpers_tracer_LDADD = -lm

tests_helpers_vfork_maps_SOURCES = tests/helpers/vfork_maps.c
tests_helpers_vfork_maps_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_vfork_maps_CFLAGS = $(HELPER_FLAGS)
tests_helpers_vfork_maps_LDFLAGS =
tests_helpers_vfork_maps_LDADD = -lm

tests_helpers_vforks_SOURCES = tests/helpers/vforks.c
tests_helpers_vforks_CPPFLAGS = -D_GNU_SOURCE=
tests_helpers_vforks_CFLAGS = $(HELPER_FLAGS)
tests_helpers_vforks_LDFLAGS =
tests_helpers_vforks_LDADD = -lm

# The suite, by its entry programs; `make check SYSTEM_TESTS=` leaves it out.
SYSTEM_TESTS = \
	tests/system/blocked \
	tests/system/run \
	tests/system/faults \
	tests/system/steps \
	tests/system/badinput \
	tests/system/garbage \
	tests/system/cage \
	tests/system/rows \
	tests/system/orders \
	tests/system/stack \
	tests/system/stays \
	tests/system/tools
TESTS += $(SYSTEM_TESTS)
dist_check_SCRIPTS += \
	tests/system/blocked \
	tests/system/run \
	tests/system/faults \
	tests/system/steps \
	tests/system/badinput \
	tests/system/garbage \
	tests/system/cage \
	tests/system/rows \
	tests/system/orders \
	tests/system/stack \
	tests/system/stays \
	tests/system/tools

EXTRA_DIST += \
	bench/calls.c \
	bench/children.c \
	bench/compute.c \
	bench/measure.h \
	bench/pingpong.c \
	bench/resident.c \
	bench/run \
	bench/startup.c \
	bench/threads.c \
	ci/second-kernel \
	tests/fuzz/cage_double.c \
	tests/fuzz/cage_double.h \
	tests/fuzz/fuzz_conf.c \
	tests/fuzz/fuzz_door.c \
	tests/fuzz/fuzz_frame.c \
	tests/fuzz/fuzz_homed.c \
	tests/fuzz/fuzz_key.c \
	tests/fuzz/fuzz_manifest.c \
	tests/fuzz/fuzz_remoted.c \
	tests/fuzz/fuzz_stack.c \
	tests/fuzz/homed_double.c \
	tests/fuzz/homed_double.h \
	tests/fuzz/image.h \
	tests/fuzz/mutate.c \
	tests/fuzz/mutate.h \
	tests/fuzz/plain_tls.c \
	tests/fuzz/plain_tls.h \
	tests/system/case.sh \
	tests/system/cases/altstack.case \
	tests/system/cases/awk.case \
	tests/system/cases/bash_compute.case \
	tests/system/cases/bash_jobs.case \
	tests/system/cases/bash_pipes.case \
	tests/system/cases/bash_script.case \
	tests/system/cases/bash_traps.case \
	tests/system/cases/bc_dc_gp.case \
	tests/system/cases/bc_pi.case \
	tests/system/cases/blocking_plain.case \
	tests/system/cases/blocking_restart.case \
	tests/system/cases/blocking_signal.case \
	tests/system/cases/bzip2.case \
	tests/system/cases/clocks.case \
	tests/system/cases/coroutine.case \
	tests/system/cases/cpio_zip.case \
	tests/system/cases/cpp_threads.case \
	tests/system/cases/dash_script.case \
	tests/system/cases/dd_pipe.case \
	tests/system/cases/descriptors.case \
	tests/system/cases/diff_patch.case \
	tests/system/cases/erlang.case \
	tests/system/cases/exec_errors.case \
	tests/system/cases/exit_status.case \
	tests/system/cases/fft_avx.case \
	tests/system/cases/filemaps.case \
	tests/system/cases/files.case \
	tests/system/cases/find.case \
	tests/system/cases/flex_bison.case \
	tests/system/cases/fork_churn.case \
	tests/system/cases/fork_inherits.case \
	tests/system/cases/fork_signals.case \
	tests/system/cases/forks.case \
	tests/system/cases/fpu.case \
	tests/system/cases/futexes.case \
	tests/system/cases/gawk_numeric.case \
	tests/system/cases/gcc_build.case \
	tests/system/cases/git.case \
	tests/system/cases/git_pack.case \
	tests/system/cases/go.case \
	tests/system/cases/grep_r.case \
	tests/system/cases/guile.case \
	tests/system/cases/gxx_build.case \
	tests/system/cases/gzip.case \
	tests/system/cases/ids.case \
	tests/system/cases/imagemagick.case \
	tests/system/cases/java.case \
	tests/system/cases/java_build.case \
	tests/system/cases/latethreads.case \
	tests/system/cases/libraries.case \
	tests/system/cases/locks.case \
	tests/system/cases/lu.case \
	tests/system/cases/lua_ruby_tcl.case \
	tests/system/cases/make_j2.case \
	tests/system/cases/mapped.case \
	tests/system/cases/memcached.case \
	tests/system/cases/memory.case \
	tests/system/cases/mpi.case \
	tests/system/cases/nginx.case \
	tests/system/cases/node.case \
	tests/system/cases/node_http.case \
	tests/system/cases/node_workers.case \
	tests/system/cases/numpy.case \
	tests/system/cases/openmp.case \
	tests/system/cases/openssl_dgst.case \
	tests/system/cases/openssl_loopback.case \
	tests/system/cases/openssl_speed.case \
	tests/system/cases/perl_compute.case \
	tests/system/cases/perl_processes.case \
	tests/system/cases/perl_text.case \
	tests/system/cases/perl_threads.case \
	tests/system/cases/pg_initdb.case \
	tests/system/cases/php_jq.case \
	tests/system/cases/pigz.case \
	tests/system/cases/postgres.case \
	tests/system/cases/pty_bash.case \
	tests/system/cases/pty_bc.case \
	tests/system/cases/pty_ctrl_c.case \
	tests/system/cases/pty_ctrl_z.case \
	tests/system/cases/pty_less.case \
	tests/system/cases/pty_python.case \
	tests/system/cases/pty_terminal.case \
	tests/system/cases/py_compute.case \
	tests/system/cases/py_extensions.case \
	tests/system/cases/py_files.case \
	tests/system/cases/py_input.case \
	tests/system/cases/py_own_proc.case \
	tests/system/cases/py_processes.case \
	tests/system/cases/py_select.case \
	tests/system/cases/py_signals.case \
	tests/system/cases/py_sockets.case \
	tests/system/cases/py_test_archives.case \
	tests/system/cases/py_test_asyncio.case \
	tests/system/cases/py_test_bz2_lzma.case \
	tests/system/cases/py_test_compile.case \
	tests/system/cases/py_test_ctypes.case \
	tests/system/cases/py_test_faulthandler.case \
	tests/system/cases/py_test_file.case \
	tests/system/cases/py_test_futures.case \
	tests/system/cases/py_test_gc.case \
	tests/system/cases/py_test_hashlib.case \
	tests/system/cases/py_test_io.case \
	tests/system/cases/py_test_json.case \
	tests/system/cases/py_test_math.case \
	tests/system/cases/py_test_mmap.case \
	tests/system/cases/py_test_mp_fork.case \
	tests/system/cases/py_test_mp_forkserver.case \
	tests/system/cases/py_test_mp_spawn.case \
	tests/system/cases/py_test_numbers.case \
	tests/system/cases/py_test_os.case \
	tests/system/cases/py_test_pickle.case \
	tests/system/cases/py_test_pty.case \
	tests/system/cases/py_test_queue.case \
	tests/system/cases/py_test_re.case \
	tests/system/cases/py_test_select.case \
	tests/system/cases/py_test_servers.case \
	tests/system/cases/py_test_signal.case \
	tests/system/cases/py_test_socket.case \
	tests/system/cases/py_test_sqlite3.case \
	tests/system/cases/py_test_ssl.case \
	tests/system/cases/py_test_subprocess.case \
	tests/system/cases/py_test_threading.case \
	tests/system/cases/py_test_trees.case \
	tests/system/cases/py_test_zlib.case \
	tests/system/cases/py_threads.case \
	tests/system/cases/py_transfer.case \
	tests/system/cases/raw.case \
	tests/system/cases/recursion.case \
	tests/system/cases/redis.case \
	tests/system/cases/rsync.case \
	tests/system/cases/ruby.case \
	tests/system/cases/sed.case \
	tests/system/cases/shells.case \
	tests/system/cases/signals.case \
	tests/system/cases/small_tools.case \
	tests/system/cases/sockets.case \
	tests/system/cases/sort_large.case \
	tests/system/cases/sort_threads.case \
	tests/system/cases/sparse.case \
	tests/system/cases/sqlite3.case \
	tests/system/cases/sqlite_processes.case \
	tests/system/cases/sysv.case \
	tests/system/cases/tar.case \
	tests/system/cases/tar_xz_pipe.case \
	tests/system/cases/text_pipes.case \
	tests/system/cases/thread_calls.case \
	tests/system/cases/thread_cancel.case \
	tests/system/cases/thread_churn.case \
	tests/system/cases/thread_ends.case \
	tests/system/cases/thread_faults.case \
	tests/system/cases/thread_files.case \
	tests/system/cases/thread_fork.case \
	tests/system/cases/thread_io.case \
	tests/system/cases/thread_maps.case \
	tests/system/cases/thread_order.case \
	tests/system/cases/thread_signals.case \
	tests/system/cases/thread_timers.case \
	tests/system/cases/threads.case \
	tests/system/cases/tmux.case \
	tests/system/cases/urgent_fd.case \
	tests/system/cases/vforks.case \
	tests/system/cases/vim.case \
	tests/system/cases/xargs_parallel.case \
	tests/system/cases/xz.case \
	tests/system/cases/xz_threads.case \
	tests/system/cases/zstd_threads.case \
	tests/system/data/pytests.py \
	tests/system/data/sqlite_tests.py \
	tests/system/garbage \
	tests/system/lib.sh \
	tests/system/steps.sh
