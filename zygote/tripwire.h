/* SPDX-License-Identifier: MIT
 *
 * Has a task made a system call? If not, it has changed nothing that the kernel keeps for its process, and
 * nothing of that has to be put back.
 */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

struct tripwire_report {
	bool clean;      /* no system call since it was armed; false if that is not known */
	bool tripped;    /* there was one, and what follows is about the first */
	nsec_t at;       /* CLOCK_MONOTONIC */
	uint64_t cpu_ns; /* of the process, then */
};

/* Once in a process, before the state to come back to is noted: installs a handler of SIGSYS. Without effect
 * where the kernel (5.11) or the image (a handler of its own, SIGSYS blocked, also while another handler
 * runs, threads) does not allow it: then nothing is ever clean. */
void tripwire_prepare(void);

void tripwire_arm(void);
struct tripwire_report tripwire_disarm(void);
