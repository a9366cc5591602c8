/* SPDX-License-Identifier: MIT
 *
 * Allocators of the image that give pages back with MADV_DONTNEED and count on zeroes afterwards.
 */
#pragma once

#include <stddef.h>

/* On frozen memory MADV_DONTNEED brings the bytes of the image back, not zeroes. If the image uses an
 * allocator that is known to count on those, -EBUSY, and which in `text`; else 0. The C library's
 * own does not. Before the freeze. */
int allocator_check(char *text, size_t size);
