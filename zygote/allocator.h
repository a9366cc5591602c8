/* SPDX-License-Identifier: MIT
 *
 * Allocators of the image that give pages back with MADV_DONTNEED and count on zeroes afterwards.
 */
#pragma once

#include <stddef.h>

/* On frozen memory MADV_DONTNEED brings the bytes of the image back, not zeroes. An allocator that is known
 * to count on those is told not to give pages back; if it cannot be told, -EBUSY, and why in
 * `text`. The C library's own does not. Before the freeze. */
int allocator_prepare(char *text, size_t size);
