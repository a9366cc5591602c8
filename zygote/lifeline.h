/* SPDX-License-Identifier: MIT
 *
 * The lifeline: a pipe that nobody writes and that only the keeper holds open. Its end is the
 * keeper's end, told by the kernel.
 */
#pragma once

#include <sys/types.h>

/* Both ends close-on-exec. -errno. */
int lifeline_new(int *ret_read, int *ret_write);

/* From now on the kernel sends SIGKILL to `owner` (a pid, or minus a process group) when the keeper
 * is gone, whatever the owner does. 0; -EPIPE if it is gone already; -errno. */
int lifeline_arm(int fd, pid_t owner);
int lifeline_disarm(int fd);

/* An open file description of its own, close-on-exec: who is killed is a property of the
 * description, and a duplicate would share it. A descriptor or -errno. */
int lifeline_reopen(int fd);
