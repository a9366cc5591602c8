/* SPDX-License-Identifier: MIT
 *
 * Huge pages for a frozen image.
 */
#pragma once

#include <sys/types.h>

/* Makes the pages of the file huge wherever 2 MiB of it are full, in this process's mapping of it, at
 * offset = address. Takes seconds for each GiB. Returns how many huge pages there are then. */
size_t collapse_file(int memfd);

/* A child that does this and leaves; `memfd` is borrowed. It goes with its parent. -errno. */
pid_t collapse_start(int memfd);
