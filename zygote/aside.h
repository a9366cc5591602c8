/* SPDX-License-Identifier: MIT
 *
 * Descriptors that a worker keeps for itself, out of the way of tasks that count on low numbers, or
 * close what they think is theirs.
 */
#pragma once

/* Moves `fd` (consumed; a negative errno is handed through) to a number of 200 or above if the
 * limit allows it, else wherever there is room. Close-on-exec. A descriptor or -errno. */
int aside_consume(int fd);
/* The same with a duplicate. */
int aside_duplicate(int fd);

/* Opens /dev/null at those of 0, 1 and 2 that are closed, lest something of ours come to lie there
 * and be written to as if it were a stream. */
void aside_fill_standard(void);
