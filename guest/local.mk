# SPDX-License-Identifier: LGPL-2.1-or-later
# The loader: static, freestanding, at a low fixed address that no program uses. No libc start-up, no user LDFLAGS.
pkglibexec_PROGRAMS = guest/mosix-loader
LOADER_CFLAGS = -ffreestanding -fno-stack-protector -mgeneral-regs-only -fno-builtin -fno-pic -fno-pie -fcf-protection=none \
	-fno-tree-loop-distribute-patterns -O2 -fno-jump-tables -fno-asynchronous-unwind-tables -fno-stack-clash-protection -fno-lto \
	-U_FORTIFY_SOURCE
LOADER_LINK = -nostdlib -static -no-pie -Wl,-Ttext-segment=0x10000 -Wl,-z,noseparate-code -Wl,--build-id=none
# Once more behind the user's CFLAGS, as for the core.
guest/mosix_loader-%.o preload/core/guest_mosix_loader-%.o: override CFLAGS += $(LOADER_CFLAGS)

guest_mosix_loader_CPPFLAGS = $(GNU_CPPFLAGS) -I$(top_srcdir)/include -iquote $(top_srcdir)/preload/core
guest_mosix_loader_CFLAGS = $(MOSIX_STD) $(LOADER_CFLAGS)
guest_mosix_loader_CCASFLAGS = -fcf-protection=none
guest_mosix_loader_LINK = $(CC) $(LOADER_LINK) -o $@
guest_mosix_loader_SOURCES = \
	guest/loader.c \
	guest/pages.c \
	guest/plan.c \
	guest/process.c \
	guest/space.c \
	guest/vdso.c \
	guest/start.S \
	guest/loader.h \
	guest/sys.h \
	preload/core/xstate.c \
	preload/core/string.c

