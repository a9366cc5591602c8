/* SPDX-License-Identifier: MIT
 *
 * Tells whether a signal was typed at the terminal. A program that has the terminal gets what is
 * typed, and nobody else does; and when it has ended by such a signal, nothing tells whether it was
 * typed, or the program has raised it. So a process of ours joins its process group. The kernel sends
 * to the whole group what is typed, and says that it is the kernel (SI_KERNEL), which no process can
 * pretend to another (rt_sigqueueinfo(2)).
 */
#pragma once

#include <sys/types.h>

/* Returns its pid, or 0 if it cannot be started. It hears SIGINT and SIGQUIT from when it has joined
 * the group, a moment later. */
pid_t run_witness_start(pid_t group);
/* Ends it. Returns the signal that was typed last, or 0. */
int run_witness_end(pid_t witness);
