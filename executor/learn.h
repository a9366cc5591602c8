/* SPDX-License-Identifier: MIT
 *
 * Learning: the policy that a task would have needed, from what it did.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "executor/future.h"
#include "proto/calls.h"

/* One call of the task. */
struct learned_attempt {
	const struct call *call;
	const uint64_t *arguments;
	const char *path; /* NULL: none that counts */
	uint32_t access;
	bool in_directory; /* a name is made or removed: the rule is for the directory */
	struct sockaddr_storage address; /* AF_UNSPEC: none */
};

/* `future` may be NULL. */
void learn_attempt(struct wf_future *future, const struct learned_attempt *attempt);
/* The text of the policy, for free(3); NULL: nothing was learned. */
char *learn_text(struct wf_future *future);
