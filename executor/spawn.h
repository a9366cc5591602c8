/* SPDX-License-Identifier: MIT
 *
 * Starts a program that is not a child of this process.
 */
#pragma once

#include <stdbool.h>

/* The program's standard input is the null device, 1 and 2 are ours, `first` and `second` become 3
 * and 4, and it has no other descriptor; no signal is blocked or ignored. */
struct spawn {
	const char *path;
	char *const *argv;
	char *const *environment; /* NULL: that of this process */
	int first, second;
	bool session; /* in its own session; otherwise in its own process group */
};

/* Returns when the program has been executed: 0 and a pidfd of it, or -errno. This process then has
 * no more children than before, and a wait for any child does not see one in between. */
int spawn_detached(const struct spawn *spawn, int *ret_pidfd);
