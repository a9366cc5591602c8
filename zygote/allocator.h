/* SPDX-License-Identifier: MIT
 *
 * Detects allocators that give pages back with MADV_DONTNEED and count on zeroes afterwards.
 */
#pragma once

#include <stddef.h>

/* On frozen memory, MADV_DONTNEED brings back the bytes of the image instead of zeroes. Returns
 * -EBUSY if the image uses an allocator that is known to count on zeroes, and names it in `text`;
 * else 0. The C library's allocator does not count on them. Call this before the freeze. */
int allocator_check(char *text, size_t size);
