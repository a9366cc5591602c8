/* SPDX-License-Identifier: MIT
 *
 * Evidence for "the kernel killed it for memory": the out-of-memory counters of our control group.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct evidence {
	char path[512]; /* of the counter's file; "": there is none */
	uint64_t kills; /* at the last look */
	uint64_t looked_ns;
	char sentence[768];
};

/* Finds the counter (cgroup v2 memory.events, else v1 memory.oom_control) and reads it. */
void evidence_init(struct evidence *evidence);
/* Has it moved since the last look? The sentence that says so (borrowed until the next call), or
 * NULL. */
const char *evidence_look(struct evidence *evidence);

/* The same of the control group of one cell, whose directory is in `prefix`. */
const char *evidence_group(struct evidence *evidence, const char *prefix, unsigned cell,
			   uint64_t *known);

struct exit_status;

/* Forgets what has moved so far: it is no evidence for what comes. Looks at most every 100 ms. */
void evidence_refresh(struct evidence *evidence, uint64_t now_ns);

/* How a process that somebody else has reaped ended, from its pidfd (PIDFD_GET_INFO with
 * PIDFD_INFO_EXIT, Linux 6.15). False: unknown. */
bool evidence_exit(int pidfd, struct exit_status *ret);
