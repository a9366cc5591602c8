/* SPDX-License-Identifier: MIT
 *
 * The lifeline is a pipe that nobody writes to and whose write end only the keeper holds open. When
 * the keeper ends, the kernel ends the pipe.
 */
#pragma once

#include <sys/types.h>

/* Both ends are close-on-exec. Returns 0 or -errno. */
int lifeline_new(int *ret_read, int *ret_write);

/* From now on the kernel sends SIGKILL to `owner` (a pid, or minus a process group) when the
 * keeper is gone, whatever the owner does. Returns 0, -EPIPE if the keeper is gone already, or
 * another -errno. */
int lifeline_arm(int fd, pid_t owner);
int lifeline_disarm(int fd);

/* Opens a file description of its own, close-on-exec: the owner to kill is a property of the
 * description, which a duplicate would share. Returns a descriptor or -errno. */
int lifeline_reopen(int fd);
