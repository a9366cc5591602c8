/* SPDX-License-Identifier: MIT
 *
 * Evidence that the kernel killed a process for lack of memory: the out-of-memory counters of our
 * control group.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct evidence {
	char path[512]; /* of the counter's file; "" if there is none */
	uint64_t kills; /* at the last look */
	uint64_t used;  /* up to here, kills have explained the ends of workers */
	uint64_t looked_ns;
	char sentence[768];
};

/* Finds the counter (cgroup v2 memory.events, else v1 memory.oom_control) and reads it. */
void evidence_init(struct evidence *evidence);
/* Has it moved since it stood at `since`, by a kill that has not explained the end of another
 * worker? Returns the sentence that says so (borrowed until the next call), or NULL. */
const char *evidence_look(struct evidence *evidence, uint64_t since);

/* The same of the control group of one cell, whose directory is in `prefix`: all of its kills are
 * about the cell's worker. */
const char *evidence_group(struct evidence *evidence, const char *prefix, unsigned cell,
			   uint64_t *known);

struct exit_status;

/* Where it stands: what has moved so far is no evidence for what comes. Reads it at most every 100
 * ms. */
uint64_t evidence_kills(struct evidence *evidence, uint64_t now_ns);

/* How a process that has been reaped elsewhere ended, from its pidfd (PIDFD_GET_INFO with
 * PIDFD_INFO_EXIT, Linux 6.15). Returns false if that is unknown. */
bool evidence_exit(int pidfd, struct exit_status *ret);
