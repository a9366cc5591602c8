/* SPDX-License-Identifier: MIT
 *
 * Makes the outcome of each kind, with a sentence that says how we know.
 */
#pragma once

#include "base/process.h"
#include "executor/future.h"
#include "proto/message.h"

/* Each sets the kind, its members and the evidence. Only the first can fail: without memory the
 * others use a static sentence as the evidence. */

/* From a Result; `memfd` (borrowed) carries a large payload. Returns 0; CONCLUDE_E_UNTRUSTED if the
 * memfd could change under its reader; -errno if it cannot be mapped. */
enum { CONCLUDE_E_UNTRUSTED = 1 };
int conclude_result(struct wf_future *future, const struct message_result *result, int memfd);
/* What is known about the end of a worker. */
struct conclude_end {
	struct exit_status status;
	/* the sentence that proves that the kernel ended it for lack of memory; NULL */
	const char *oom;
	bool address_known; /* from the worker's own handler */
	uint64_t address;
	int code; /* si_code */
};
/* From an exit that the library did not ask for. */
void conclude_exit(struct wf_future *future, const struct conclude_end *end);
/* From a verdict of ours; `status` NULL if it never ran. */
void conclude_verdict(struct wf_future *future, const struct exit_status *status);
/* Resolves the futures in engine::read. */
void conclude_read(struct engine *engine);
void conclude_cancelled(struct wf_future *future, const char *why);
/* `how`: a static sentence with what is known. */
void conclude_zygote_lost(struct wf_future *future, const char *how);
void conclude_not_started(struct wf_future *future, enum wf_phase phase, int error,
			  const char *text);
