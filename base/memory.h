/* SPDX-License-Identifier: MIT
 *
 * Huge pages for files in memory.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define MEMORY_HUGE ((size_t)2 << 20) /* x86-64 */

/* mmap(2) of `fd` at an address that is congruent with `offset` modulo 2 MiB, so that huge pages of the file
 * can be mapped as such. MAP_FAILED and errno. */
void *memory_map(int fd, size_t size, int protection, int flags, off_t offset);

/* Gives 2 MiB of a memfd a huge page before anything is written there, through `address`, a mapping of it as
 * made by memory_map(). Clearing one at a time is several times as fast as 512 pages at their first
 * use. 0; -errno: there are none to be had (MADV_COLLAPSE, 6.1); -ETIME: there was one, but finding
 * it took so long that more should not be asked for now. */
int memory_make_huge(int fd, void *address, off_t offset);
