/* SPDX-License-Identifier: MIT
 *
 * One running task: what the functions of <warmfork/task.h> work on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <warmfork/task.h>

#include "proto/limits.h"

enum call_result { CALL_NOTHING, CALL_INLINE, CALL_MEMFD };

/* Space for results and messages; one for all calls of a worker. */
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
	void *result_map; /* writable; NULL: none */
};

void call_init(struct wf_call *call, struct call_memory *memory);
/* Makes a result ready to be sent, alone or beside the message of a failure: one in a memfd is sealed
 * against its later self, for what the task forked may still have it mapped. 0, also if there is none;
 * -errno. */
int call_seal(struct wf_call *call, bool beside_text);
void call_deinit(struct wf_call *call);
