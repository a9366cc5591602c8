/* SPDX-License-Identifier: MIT
 *
 * A running task, as the functions of <warmfork/task.h> see it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <warmfork/task.h>

#include "proto/limits.h"

enum call_result { CALL_NOTHING, CALL_INLINE, CALL_MEMFD };

/* Space for results and messages, shared by all calls of a worker. */
struct call_memory {
	_Alignas(16) uint8_t result[LIMIT_INLINE_PAYLOAD];
	char message[LIMIT_TEXT];
};

struct wf_call {
	int slot;
	uint64_t task_number, task_id;
	const void *input;
	size_t input_size;
	const int *descriptors; /* the extra ones */
	size_t n_descriptors;
	struct call_memory *memory;
	bool has_message; /* in `memory` */

	enum call_result result;
	size_t result_size;
	int result_fd;    /* CALL_MEMFD */
	void *result_map; /* writable; NULL if there is none */
};

void call_init(struct wf_call *call, struct call_memory *memory);
/* Prepares a result for sending, alone or next to the message of a failure. A memfd is sealed,
 * because processes that the task forked may still have it mapped. Returns 0, also if there is no
 * result, or -errno. */
int call_seal(struct wf_call *call, bool beside_text);
void call_deinit(struct wf_call *call);
