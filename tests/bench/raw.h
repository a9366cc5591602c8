/* SPDX-License-Identifier: MIT
 *
 * The references: what the kernel takes for the same thing, with nothing around it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- a process that forks and reaps -------------------------------------------------------- */

struct raw_forker {
	pid_t pid;
	int socket;
};

/* A new process on `cpu` (-1: any) calls prepare(argument), if there is one, and waits. */
void raw_forker_start(struct raw_forker *forker, int cpu, void (*prepare)(void *argument),
		      void *argument);
/* fork, _exit, waitid, `n` times one after the other: the median, in microseconds. */
double raw_forker_median(struct raw_forker *forker, int n);
/* The same until CLOCK_MONOTONIC is `until`, with up to `depth` children at a time; the answer is
 * the number of children. */
void raw_forker_ask(struct raw_forker *forker, int depth, uint64_t until);
double raw_forker_answer(struct raw_forker *forker);
void raw_forker_stop(struct raw_forker *forker);

/* --- a byte there and back ----------------------------------------------------------------- */

struct raw_echo {
	pid_t pid;
	int socket;
};

/* A process on `cpu` (-1: any) that sends back each byte that it receives on a SEQPACKET pair. */
void raw_echo_start(struct raw_echo *echo, int cpu);
void raw_echo_trip(struct raw_echo *echo);
void raw_echo_stop(struct raw_echo *echo);

/* posix_spawn and waitid, in microseconds. */
double raw_spawn(const char *path);
void raw_reap(pid_t pid);
