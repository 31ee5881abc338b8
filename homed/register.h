/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The register socket: one datagram from each process that has loaded libmosix, and from each of its fork children. */
#ifndef HOMED_REGISTER_H
#define HOMED_REGISTER_H

#include "homed/homed.h"

/* Opens the socket in the runtime directory and listens. 0 or -errno. */
int registrar_start(struct homed *homed, struct registrar **ret_registrar);

#endif
