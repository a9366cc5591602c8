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
	char *data;      /* when it is full and TRUNCATE, a ring of `limit` bytes */
	size_t capacity; /* allocated */
	size_t size;     /* valid */
	size_t start;    /* of the ring */
	uint64_t dropped;
	bool overflowed;
};

void capture_init(struct capture *capture, int stream);
/* Creates the pipe. The caller owns *ret_write, the worker's end. Returns 0 or -errno. */
int capture_open(struct capture *capture, struct loop *loop, const struct task_stream *stream,
		 source_handler handler, int *ret_write);
/* Reads what is available, without blocking. */
void capture_drain(struct capture *capture);
void capture_close(struct capture *capture); /* closes the pipe; what was kept stays */
/* Closes the pipe and drops the bytes, for another attempt. */
void capture_reset(struct capture *capture);
/* Straightens the ring; the result points into the capture. */
struct wf_capture capture_result(struct capture *capture);
