/* SPDX-License-Identifier: MIT
 *
 * Moves the descriptors that a worker keeps for itself out of the way of tasks, which may count on
 * low numbers or close what they take for their own.
 */
#pragma once

/* Moves `fd` to a number of 200 or above if the limit allows it, else to any free one,
 * close-on-exec. `fd` is consumed; a negative errno is passed through. Returns a descriptor
 * or -errno. */
int aside_consume(int fd);
/* Does the same with a duplicate of `fd`. */
int aside_duplicate(int fd);

/* Opens /dev/null at those of 0, 1 and 2 that are closed, so that none of our descriptors lands
 * there and is written to as if it were a stream. */
void aside_fill_standard(void);
