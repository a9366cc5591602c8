/* SPDX-License-Identifier: MIT
 *
 * What the kernel says of other processes.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* The number behind `key` in /proc/PID/FILE, which has lines "Key: number". */
long proc_number(pid_t pid, const char *file, const char *key);
/* Fills in at most `room`, and returns how many. */
size_t proc_children(pid_t pid, pid_t *ret, size_t room);
