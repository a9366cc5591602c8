/* SPDX-License-Identifier: MIT
 *
 * Input from callers: structs of an older or a newer header, and times.
 *
 * Such a struct begins with its size, as the caller's header has it, and grows at its end. To add a
 * member: append it, in whole words of 8 bytes, and leave the constants below alone. (Otherwise the
 * padding after it, which nothing clears, would be taken for a member that we do not know.)
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <warmfork/executor.h>

/* The sizes of 0.1. They never change: a caller of 0.1 always has a struct of that size. */
#define KNOWN_FIRST_OPTIONS     ((size_t)304)
#define KNOWN_FIRST_CONTEXT     ((size_t)216)
#define KNOWN_FIRST_TASK        ((size_t)72)
#define KNOWN_FIRST_MAP_OPTIONS ((size_t)24)
#define KNOWN_FIRST_IMAGE_FACTS ((size_t)176)

/* For structs that only we fill in and that hold nothing but numbers, any beginning will do. */
#define KNOWN_FIRST_ANY sizeof(size_t)

/* Copies what the caller's header knew of a struct into `ours`; the rest becomes zero. `first` is
 * the size of the struct when it was first published. Returns -EINVAL, reported, if the size is
 * absurd or a member that this library does not know is set. */
int known_take(void *ours, size_t our_size, const void *given, size_t first, const char *what);

/* The other way: fills the caller's struct with as much of `ours` as the caller's header knows.
 * Members that we do not know become zero; the size stays. Returns -EINVAL, reported, if the size
 * is absurd: known_check_size(). */
void known_give(void *theirs, const void *ours, size_t our_size);
int known_check_size(const void *theirs, size_t first, const char *what);

/* Are they all zero? `what` names the struct that has these reserved members instead of a size. */
int known_reserved(const uint64_t *reserved, size_t n, const char *what);

/* Checks a time to wait: from 0 on, or WF_FOREVER. Returns -EINVAL, reported, for any other, such
 * as WF_NO_GRACE or the negative result of a subtraction. `what` as in "wf_wait: timeout_ms". */
int known_timeout(const char *what, int timeout_ms);
