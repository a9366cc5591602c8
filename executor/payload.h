/* SPDX-License-Identifier: MIT
 *
 * The input of a task: inline in the heap, or in a memfd that the worker maps.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <warmfork/executor.h>

#include "base/fd.h"

/* Memory that the library owns, for a large input: the public wf_buffer. Only this process can
 * write to it, through `data`: its seals allow no other writable mapping and no write(2). */
struct wf_buffer {
	int memfd;
	struct fd_file file; /* of the memfd */
	void *data;          /* NULL: size 0 */
	size_t size;
	size_t capacity; /* of the memfd and the mapping */
	uint64_t owner;  /* the number of the executor it was last given to; 0: none */
};

struct payload {
	void *data; /* inline */
	size_t size;
	int memfd;                /* of the buffer; -1: inline */
	struct wf_buffer *buffer; /* ours until the task has ended */
};

/* Copies `data` (inline if it has at most `inline_limit` bytes, otherwise into a memfd), or takes
 * over `buffer` on success. Returns 0 or a public error, reported. `owner` is the executor's
 * number: workers of another executor never see this input. */
int payload_init(struct payload *payload, const void *data, size_t size, size_t inline_limit,
		 struct wf_buffer *buffer, uint64_t owner);
/* `read_out`: its reader is done with it, so the memory may be used again. */
void payload_deinit(struct payload *payload, bool read_out);
/* An executor begins or ends. Buffers are kept for reuse as long as there is one. */
void payload_keep(bool begin);
/* Keeps none of those that are kept now: the host may have closed their descriptors. */
void payload_drop_kept(void);
