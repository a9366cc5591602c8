/* SPDX-License-Identifier: MIT
 *
 * The heavy toy: a module whose preload builds memory of every kind, of which it knows each byte,
 * and whose tasks look whether a frozen image is as good as the memory that it was.
 *
 * Words in the preload argument, separated by blanks:
 *
 *     little      next to nothing is built
 *     threads     part of it is built by eight threads, which are joined
 *     running     a thread is left running
 *     handlers    pthread_atfork() handlers write to the same pages at each fork
 *     spreading   ... and here to another page at each fork
 *     flooding    ... and here to a hundred pages at each fork
 *     masking     workers are interrupted each millisecond, by a handler that blocks all signals
 *
 * Tasks, beside those of `struct heavy_answer`: "hold" reports "held" on descriptor 0, waits for a
 * byte on descriptor 1 and answers as "hash"; "abort" dumps core; "scribble" writes to all of it;
 * "write_pages" writes to HEAVY_WRITTEN pages and answers how many faults that took.
 */
#pragma once

#include <stdint.h>

#define HEAVY_MARKER  "warmfork: this text lies in the heap of the image"
#define HEAVY_WRITTEN 32
#define HEAVY_BYTES   ((uint64_t)32 << 20) /* at least so much is built */

/* What most tasks answer. */
struct heavy_answer {
	uint64_t wrong;           /* how many things were not as they should be; 0: all is well */
	uint64_t line;            /* of toy_heavy.c, where the first of them was found */
	uint64_t at_preload, now; /* hashes of all that was built */
	uint64_t generation;      /* of the image */
	uint64_t marker;          /* where HEAVY_MARKER lies */
	uint64_t filter;          /* /proc/self/coredump_filter */
	uint64_t image_file;      /* the inode of the image's file */
};
