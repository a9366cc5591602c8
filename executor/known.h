/* SPDX-License-Identifier: MIT
 *
 * What callers give: structs of an older or a newer header, and times.
 */
#pragma once

#include <stddef.h>

/* Copies what the caller's header knew of a struct whose first member is its size; the rest of `ours` is
 * zero. `first` is the size that the struct had when it was first published. -EINVAL, reported, if the
 * size is absurd or a member is set that this library does not know. */
int known_take(void *ours, size_t our_size, const void *given, size_t first, const char *what);

/* A time to wait: from 0 on, or WF_FOREVER. -EINVAL, reported, for any other: WF_NO_GRACE, or what a
 * subtraction made negative. `what` as in "wf_wait: timeout_ms". */
int known_timeout(const char *what, int timeout_ms);
