/* SPDX-License-Identifier: MIT
 *
 * One captured stream of one task: a pipe, and the bytes that are kept.
 *
 * Whoever has an end of the pipe can hold the kernel's lock of it for as long as they like, for
 * instance in splice(2) from a socket that has nothing to read. Until then every read, and every
 * close, blocks, also with O_NONBLOCK. So the pipe is read and closed aside (offload.h), and nobody
 * waits for that longer than they want: capture_close() leaves the pipe to whoever is at it.
 * poll(2) and epoll(7) do not take that lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/engine.h"
#include "executor/task.h"

struct capture_pipe;

struct capture {
	struct capture_pipe *pipe; /* NULL: not captured, or closed */
	/* Under the lock, in any thread: something was read, or the pipe has ended. */
	void (*news)(struct capture *capture);
	int stream; /* 1 or 2 */
	size_t limit;
	enum wf_on_overflow overflow;
	char *data;      /* when it is full and TRUNCATE, a ring of `limit` bytes */
	size_t capacity; /* allocated */
	size_t size;     /* valid */
	size_t start;    /* of the ring */
	uint64_t dropped;
	bool overflowed;
	bool finishing;  /* what comes from now on is not read */
	bool again;      /* one more pass was asked for during one */
	bool incomplete; /* the pipe was left to whoever holds it */
};

/* All of these are called under the lock. */

void capture_init(struct capture *capture, int stream);
/* Creates the pipe. *ret_write is the task's end; the capture closes it. Returns 0 or -errno. */
int capture_open(struct capture *capture, struct engine *engine, const struct task_stream *stream,
		 void (*news)(struct capture *), int *ret_write);
/* The other end was sent to code that is trusted not to hold the pipe: closes ours, so that its
 * end is seen. */
void capture_sent(struct capture *capture);
/* What has been written until now is to be read, and no more. Returns true if that is done. If not,
 * `news` tells when capture_is_read() is true. */
bool capture_finish(struct capture *capture);
bool capture_is_read(const struct capture *capture);
/* After capture_finish(): goes on reading. */
void capture_resume(struct capture *capture);
/* Closes the pipe; what was kept stays. */
void capture_close(struct capture *capture);
/* Closes the pipe and drops the bytes, for another attempt. */
void capture_reset(struct capture *capture);
/* The host may have closed our descriptors, so nothing may be done to them: see wreck.h. */
void capture_forget(struct capture *capture);
/* Straightens the ring; the result points into the capture. */
struct wf_capture capture_result(struct capture *capture);
