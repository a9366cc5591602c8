/* SPDX-License-Identifier: MIT
 *
 * Memory as the tests of the freeze make it and look at it. Nothing here asserts or allocates: it
 * runs in frozen processes too, which a test has forked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/pattern.h"
#include "zygote/mapping.h"

/* `n_pages` private pages between two that forbid everything, so that they have no neighbour to
 * become one mapping with. NULL: no memory. */
unsigned char *memory_region(size_t n_pages, int protection);

/* The mapping that holds `address`; if there is none, its `end` is 0 and all else is nonsense. */
struct mapping memory_at(const void *address);

/* True if it can be read. Asking raises no signal. */
bool memory_is_readable(const void *address);

/* MADV_GUARD_INSTALL; false: this kernel has none. */
bool memory_guard(void *memory, size_t size);
/* Does this kernel tell where they are (PAGE_IS_GUARD)? */
bool memory_guard_is_told(void);
