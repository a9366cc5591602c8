/* SPDX-License-Identifier: MIT
 *
 * One captured stream of one task: the read end of a pipe, and the bytes that are kept.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "executor/task.h"

struct capture {
	struct source source;
	int fd;     /* read end; -1: not captured, or closed */
	int stream; /* 1 or 2 */
	size_t limit;
	enum wf_on_overflow overflow;
	char *data;      /* a ring of `limit` bytes once it is full and TRUNCATE */
	size_t capacity; /* allocated */
	size_t size;     /* valid */
	size_t start;    /* of the ring */
	uint64_t dropped;
	bool overflowed;
};

void capture_init(struct capture *capture, int stream);
/* Makes the pipe. *ret_write is the worker's end, owned by the caller. 0 or -errno. */
int capture_open(struct capture *capture, struct loop *loop, const struct task_stream *stream,
		 source_handler handler, int *ret_write);
/* Reads what is there, without blocking. */
void capture_drain(struct capture *capture);
void capture_close(struct capture *capture); /* the pipe; what was kept stays */
/* Closes and forgets: for another attempt. */
void capture_reset(struct capture *capture);
/* Straightens the ring; the result points into the capture. */
struct wf_capture capture_result(struct capture *capture);
