# SPDX-License-Identifier: LGPL-2.1-or-later
noinst_HEADERS += \
	include/mosix/call.h \
	include/mosix/manifest.h \
	include/mosix/order.h \
	include/mosix/paths.h \
	include/mosix/plan.h \
	include/mosix/reason.h \
	include/mosix/stack.h \
	include/mosix/step.h \
	include/mosix/wire.h \
	include/mosix/calls.def \
	include/mosix/reason.def \
	include/mosix/step.def
