/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the other parts of mosix are: beside this program in a build tree, else where they were configured to be installed. */
#ifndef MOSIX_LOCATE_H
#define MOSIX_LOCATE_H

#include <stddef.h>

enum part { PART_HOMED, PART_REMOTED, PART_LIBRARY, PARTS };

/*
 * The absolute path of a part: the variable named for it ($MOSIX_HOMED, $MOSIX_REMOTED, $MOSIX_LIB) if it is set, else the build
 * tree this program lies in, else the folder of this program (a moved installation), else the configured directory.
 * Returns 0, -ENOENT with the last place in ret_path, or -ENAMETOOLONG.
 */
int locate(enum part part, char *ret_path, size_t size);

#endif
