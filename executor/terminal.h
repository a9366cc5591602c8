/* SPDX-License-Identifier: MIT
 *
 * Whose the terminal of a session is now. The kernel stops a process that changes its terminal from
 * the background, but not if that ignores or blocks SIGTTOU; so a task could take the terminal from
 * whoever is in front of it, or change its modes.
 */
#pragma once

#include <sys/types.h>

enum terminal_right {
	TERMINAL_FREE,    /* it is the task's, or there is none */
	TERMINAL_WAITS,   /* it is not, and SIGTTOU stops the process until it is */
	TERMINAL_REFUSED, /* it is not */
};

/* May this thread change its controlling terminal? The terminal is its task's if a process group has
 * it that is below the same child of `roots`. *ret_group is the thread's process group. */
enum terminal_right terminal_right(pid_t thread, const pid_t roots[2], pid_t *ret_group);
