/* SPDX-License-Identifier: MIT
 *
 * Tells whether a task has made a system call. If it has not, it has changed nothing that the
 * kernel keeps for its process, and none of that has to be put back.
 */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

struct tripwire_report {
	bool clean;      /* no system call since it was armed; false if that is unknown */
	bool tripped;    /* there was one, and the following is about the first */
	nsec_t at;       /* CLOCK_MONOTONIC */
	uint64_t cpu_ns; /* of the process at that time */
};

/* Called once in a process, before the state to come back to is recorded: installs a handler of
 * SIGSYS. It has no effect where the kernel (before 5.11) or the image (a handler of its own,
 * SIGSYS blocked, even only while another handler runs, threads) does not allow it; then `clean` is
 * never true. */
void tripwire_prepare(void);

void tripwire_arm(void);
struct tripwire_report tripwire_disarm(void);
