/* SPDX-License-Identifier: MIT
 *
 * A capture is drained once when its task has ended, and then closed. We do not wait for the end of
 * the pipe, which proves nothing: a grandchild may hold it for hours.
 */
#include "executor/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/uninitialized.h"

void capture_init(struct capture *capture, int stream) {
	*capture = (struct capture){ .fd = -1, .stream = stream };
}

int capture_open(struct capture *capture, struct loop *loop, const struct task_stream *stream,
		 source_handler handler, int *ret_write) {
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_origin(-errno);
	capture->fd = fds[0];
	capture->limit = stream->limit;
	capture->overflow = stream->overflow;
	r = fd_set_nonblocking(fds[0], true);
	if (r >= 0)
		r = source_add(loop, &capture->source, fds[0], EPOLLIN, handler);
	if (r < 0) {
		(void)fd_close(fds[1]);
		capture->fd = fd_close(capture->fd);
		return error_trace(r);
	}
	*ret_write = fds[1];
	return 0;
}

/* Grows towards the limit. If memory runs out, that acts as a lower limit: further bytes are
 * counted as dropped. */
static void capture_grow(struct capture *capture, size_t needed) {
	size_t capacity = capture->capacity ? capture->capacity : 4096;
	char *data;

	while (capacity < needed && capacity < capture->limit)
		capacity *= 2;
	if (capacity > capture->limit)
		capacity = capture->limit;
	if (capacity <= capture->capacity)
		return;
	data = realloc(capture->data, capacity + 1);
	if (!data)
		return;
	capture->data = data;
	capture->capacity = capacity;
}

static void capture_keep_last(struct capture *capture, const char *bytes, size_t n) {
	for (size_t i = 0; i < n; i++) {
		capture->data[capture->start] = bytes[i];
		capture->start = (capture->start + 1) % capture->capacity;
	}
	capture->dropped += n;
}

static void capture_append(struct capture *capture, const char *bytes, size_t n) {
	size_t room;

	capture_grow(capture, capture->size + n);
	room = capture->capacity - capture->size;
	if (room > n)
		room = n;
	if (room) {
		memcpy(capture->data + capture->size, bytes, room);
		capture->size += room;
	}
	if (room == n)
		return;
	capture->overflowed = true;
	if (capture->overflow == WF_OVERFLOW_TRUNCATE && capture->capacity)
		capture_keep_last(capture, bytes + room, n - room);
	else
		capture->dropped += n - room;
}

/* Returns false if there is nothing to read now. A function of its own, because touching so large a
 * frame page by page (-fstack-clash-protection) is a cost that tasks without captures need not
 * pay. */
__attribute__((noinline)) static bool read_some(struct capture *capture) {
	char bytes[16384] uninitialized;
	ssize_t n = read(capture->fd, bytes, sizeof bytes);

	if (n > 0)
		capture_append(capture, bytes, (size_t)n);
	else if (n == 0)
		capture_close(capture);
	else
		return errno == EINTR;
	return true;
}

void capture_drain(struct capture *capture) {
	/* Bounded, so that a writer that never pauses cannot keep the executor here. */
	for (int i = 0; i < 64 && capture->fd >= 0; i++)
		if (!read_some(capture))
			return;
}

void capture_close(struct capture *capture) {
	source_remove(&capture->source);
	capture->fd = fd_close(capture->fd);
}

void capture_reset(struct capture *capture) {
	int stream = capture->stream;

	capture_close(capture);
	free(capture->data);
	capture_init(capture, stream);
}

static void reverse(char *data, size_t from, size_t to) {
	while (from + 1 < to) {
		char byte = data[from];

		data[from++] = data[--to];
		data[to] = byte;
	}
}

struct wf_capture capture_result(struct capture *capture) {
	if (capture->start) { /* rotate left by `start`, in place */
		reverse(capture->data, 0, capture->start);
		reverse(capture->data, capture->start, capture->size);
		reverse(capture->data, 0, capture->size);
		capture->start = 0;
	}
	if (capture->data)
		capture->data[capture->size] = '\0';
	return (struct wf_capture){
		.data = capture->data ? capture->data : "",
		.size = capture->size,
		.dropped = capture->dropped,
	};
}
