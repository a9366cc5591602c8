/* SPDX-License-Identifier: MIT
 *
 * Mount points, which are opened as descriptors. Mounting by name would follow a link that another
 * run of the same program puts there at that moment.
 */
#pragma once

#include <stdbool.h>

/* Opens `path`, which is absolute, has no links, and begins at the directory `root`. What is missing
 * is made in the file system of `root` and nowhere else, since any other belongs to somebody.
 * Returns a descriptor (O_PATH) or -errno: -ENOENT or -ELOOP if what is mounted above the point has
 * changed. */
int point_open(int root, const char *path, bool directory);

/* Mounts a detached tree there. Returns 0 or -errno. */
int point_attach(int point, int tree);
