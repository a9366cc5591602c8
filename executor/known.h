/* SPDX-License-Identifier: MIT
 *
 * What callers give: structs of an older or a newer header, and times.
 *
 * Such a struct begins with its size, as the caller's header has it, and grows at its end. To add a
 * member: append it, in whole words of 8 bytes (else the padding behind it, which nobody clears,
 * would be taken for a member that we do not know), and leave the constants below alone.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <warmfork/executor.h>

/* The sizes of 0.1. They never change: a caller of 0.1 will always have a struct of that size. */
#define KNOWN_FIRST_OPTIONS     ((size_t)304)
#define KNOWN_FIRST_CONTEXT     ((size_t)216)
#define KNOWN_FIRST_TASK        ((size_t)72)
#define KNOWN_FIRST_MAP_OPTIONS ((size_t)24)
#define KNOWN_FIRST_IMAGE_FACTS ((size_t)176)

/* Of a struct that only we fill in, and that holds nothing but numbers, any beginning will do. */
#define KNOWN_FIRST_ANY sizeof(size_t)

/* Copies what the caller's header knew of a struct into `ours`; the rest of it is zero. `first` is
 * the size that the struct had when it was first published. -EINVAL, reported, if the size is
 * absurd or a member is set that this library does not know. */
int known_take(void *ours, size_t our_size, const void *given, size_t first, const char *what);

/* The other way: fills the caller's struct with as much of `ours` as his header knows. What we do
 * not know is zero. His size stays. -EINVAL, reported, if it is absurd: known_check_size(). */
void known_give(void *theirs, const void *ours, size_t our_size);
int known_check_size(const void *theirs, size_t first, const char *what);

/* Are they all zero? `what` is a struct without a size, whose reserved members these are. */
int known_reserved(const uint64_t *reserved, size_t n, const char *what);

/* A time to wait: from 0 on, or WF_FOREVER. -EINVAL, reported, for any other: WF_NO_GRACE, or what
 * a subtraction made negative. `what` as in "wf_wait: timeout_ms". */
int known_timeout(const char *what, int timeout_ms);
