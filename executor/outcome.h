/* SPDX-License-Identifier: MIT
 *
 * Outcomes: how each kind is made, and how it reads.
 */
#pragma once

#include <stdbool.h>

#include <warmfork/executor.h>

#include "base/process.h"
#include "proto/message.h"

struct outcome_memory;
struct wf_future;

/* An outcome that points at static nothings. */
void outcome_init(struct wf_outcome *outcome);
void outcome_memory_clear(struct outcome_memory *memory);

/* Each sets the kind, its members and the evidence. All but the first never fail: without memory
 * the evidence is a static sentence. */

/* From a Result; `memfd` (borrowed) carries a large payload. 0; OUTCOME_E_UNTRUSTED if the memfd
 * could change under the reader; -errno if it cannot be mapped. */
enum { OUTCOME_E_UNTRUSTED = 1 };
int outcome_from_result(struct wf_future *future, const struct message_result *result, int memfd);
/* What is known of the end of a worker. */
struct outcome_end {
	struct exit_status status;
	const char *oom;    /* the sentence that proves that the kernel ended it for memory; NULL */
	bool address_known; /* of the fault, by the worker's own handler */
	uint64_t address;
	int code; /* si_code */
};
/* From an exit that nobody here asked for. */
void outcome_from_exit(struct wf_future *future, const struct outcome_end *end);
/* From a verdict of ours; `status` NULL if it never ran. */
void outcome_from_verdict(struct wf_future *future, const struct exit_status *status);
void outcome_cancelled(struct wf_future *future, const char *why);
/* `how`: what is known; a static sentence. */
void outcome_zygote_lost(struct wf_future *future, const char *how);
void outcome_not_started(struct wf_future *future, enum wf_phase phase, int error,
			 const char *text);

void outcome_evidence(struct wf_future *future, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
