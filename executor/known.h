/* SPDX-License-Identifier: MIT
 *
 * Structs of callers who were compiled against an older or a newer header.
 */
#pragma once

#include <stddef.h>

/* Copies what the caller's header knew of a struct whose first member is its size; the rest of `ours` is
 * zero. `first` is the size that the struct had when it was first published. -EINVAL, reported, if the
 * size is absurd or a member is set that this library does not know. */
int known_take(void *ours, size_t our_size, const void *given, size_t first, const char *what);
