/* SPDX-License-Identifier: MIT
 *
 * Huge pages for a frozen image.
 */
#pragma once

#include <sys/types.h>

/* Makes the pages of the file huge wherever 2 MiB of it are full, through this process's mapping
 * of it, where offset = address. This takes seconds for each GiB. Returns the number of huge
 * pages afterwards. */
size_t collapse_file(int memfd);

/* Starts a child that does this and exits; it dies with its parent. `memfd` is borrowed. Returns
 * its pid or -errno. */
pid_t collapse_start(int memfd);
