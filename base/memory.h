/* SPDX-License-Identifier: MIT
 *
 * Memory by the page: sparse structs, and huge pages for memory files.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define MEMORY_HUGE ((size_t)2 << 20) /* x86-64 */

/* Zeroed memory of which only those pages exist that are used, for structs that are large and mostly
 * empty: calloc(3) may write to all of it. NULL: there is none. To be given back by
 * memory_free_sparse(); NULL is fine. */
void *memory_new_sparse(size_t size);
void memory_free_sparse(void *memory, size_t size);

/* Maps `fd` at an address that is congruent with `offset` modulo 2 MiB, so that huge pages of the
 * file can be mapped as such. Fails like mmap(2): MAP_FAILED and errno. */
void *memory_map(int fd, size_t size, int protection, int flags, off_t offset);

/* Gives 2 MiB of a memfd a huge page before anything is written there. `address` is a mapping of it
 * from memory_map(). Clearing one huge page is several times as fast as clearing 512 pages at their
 * first use. Returns 0; -errno: none is available (MADV_COLLAPSE, 6.1); -ETIME: it got one, but so
 * slowly that you should not ask for more now. */
int memory_make_huge(int fd, void *address, off_t offset);
