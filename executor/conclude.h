/* SPDX-License-Identifier: MIT
 *
 * How an outcome of each kind is made. Every one carries the sentence that says how we know.
 */
#pragma once

#include "base/process.h"
#include "executor/future.h"
#include "proto/message.h"

/* Each sets the kind, its members and the evidence. All but the first never fail: without memory
 * the evidence is a static sentence. */

/* From a Result; `memfd` (borrowed) carries a large payload. 0; CONCLUDE_E_UNTRUSTED if the memfd
 * could change under the reader; -errno if it cannot be mapped. */
enum { CONCLUDE_E_UNTRUSTED = 1 };
int conclude_result(struct wf_future *future, const struct message_result *result, int memfd);
/* What is known of the end of a worker. */
struct conclude_end {
	struct exit_status status;
	const char *oom;    /* the sentence that proves that the kernel ended it for memory; NULL */
	bool address_known; /* of the fault, by the worker's own handler */
	uint64_t address;
	int code; /* si_code */
};
/* From an exit that nobody here asked for. */
void conclude_exit(struct wf_future *future, const struct conclude_end *end);
/* From a verdict of ours; `status` NULL if it never ran. */
void conclude_verdict(struct wf_future *future, const struct exit_status *status);
void conclude_cancelled(struct wf_future *future, const char *why);
/* `how`: what is known; a static sentence. */
void conclude_zygote_lost(struct wf_future *future, const char *how);
void conclude_not_started(struct wf_future *future, enum wf_phase phase, int error,
			  const char *text);
