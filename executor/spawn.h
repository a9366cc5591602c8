/* SPDX-License-Identifier: MIT
 *
 * Starting a program that is no child of this process.
 */
#pragma once

#include <stdbool.h>

/* Its standard input is the null device, 1 and 2 are ours, `first` and `second` become 3 and 4 (as
 * they are, above 4), and it has no other descriptor; no signal is blocked or ignored. */
struct spawn {
	const char *path;
	char *const *argv;
	int first, second;
	bool session; /* of its own; else a process group of its own */
};

/* Returns when the program has been executed: 0 and a pidfd of it, or -errno. This process has no
 * more children then than before, and a wait for any child does not see one meanwhile. */
int spawn_detached(const struct spawn *spawn, int *ret_pidfd);
