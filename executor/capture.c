/* SPDX-License-Identifier: MIT
 *
 * When its task has ended, the pipe is read once more, and then closed. We do not wait for its end,
 * which proves nothing: a grandchild may hold it for hours. So our copy of the task's end does no
 * harm, and is closed with ours.
 */
#include "executor/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/uninitialized.h"
#include "executor/offload.h"

#define PASS_MOST (1 << 20) /* bytes, so that other jobs have their turn */

/* Its own object, because whoever reads it may come back long after its capture has gone. */
struct capture_pipe {
	struct job job; /* a pass of reads, or its end */
	struct engine *engine;
	struct source source;
	struct capture *capture; /* NULL: nobody wants the rest */
	int fds[2];              /* -1: closed, or forgotten */
	struct fd_file file;     /* the host may have closed them, and use their numbers */
	bool busy;               /* a pass is under way, or waits for its turn */
	bool last;               /* what is in the pipe when the pass begins is all that is read */
	bool ended;              /* nobody has an end to write to */
};

void capture_init(struct capture *capture, int stream) {
	*capture = (struct capture){ .stream = stream };
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

	if (!capture->overflowed) /* afterwards it is a ring */
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

/* --- aside --------------------------------------------------------------------------------- */

static void run_close(struct job *job) {
	struct capture_pipe *pipe = container_of(job, struct capture_pipe, job);

	for (int i = 0; i < 2; i++)
		if (pipe->fds[i] >= 0)
			(void)fd_close_file(pipe->fds[i], &pipe->file);
}

static void free_pipe(struct job *job) {
	free(container_of(job, struct capture_pipe, job));
}

static void close_aside(struct capture_pipe *pipe) {
	pipe->job = (struct job){ .kind = JOB_READ, .run = run_close, .done = free_pipe };
	offload_add(pipe->engine->offload, &pipe->job);
}

/* Keeps what was read. Returns the descriptor to read from, or -1 if nobody wants more. */
static int take(struct capture_pipe *pipe, const char *bytes, ssize_t n) {
	int fd;

	engine_lock(pipe->engine);
	if (pipe->capture && n > 0)
		capture_append(pipe->capture, bytes, (size_t)n);
	fd = pipe->capture && fd_is_of(pipe->fds[0], &pipe->file) ? pipe->fds[0] : -1;
	engine_unlock(pipe->engine);
	return fd;
}

/* For the last pass what is in the pipe now, so that none of it is lost and a writer that never
 * pauses cannot keep us there: a task may have enlarged its pipe (F_SETPIPE_SZ). */
static size_t size_of_pass(const struct capture_pipe *pipe, int fd) {
	int due = 0;

	if (!pipe->last)
		return PASS_MOST;
	return fd >= 0 && ioctl(fd, FIONREAD, &due) == 0 && due > 0 ? (size_t)due : 0;
}

/* A read that is not full has not emptied the pipe: with O_DIRECT the task has made packets of
 * what it writes. */
static void run_pass(struct job *job) {
	struct capture_pipe *pipe = container_of(job, struct capture_pipe, job);
	char bytes[16384] uninitialized;
	int fd = take(pipe, NULL, 0);
	size_t left = size_of_pass(pipe, fd);
	ssize_t n = 1;

	while (left > 0 && fd >= 0 && n > 0) {
		do
			n = read(fd, bytes, left < sizeof bytes ? left : sizeof bytes);
		while (n < 0 && errno == EINTR);
		fd = take(pipe, bytes, n);
		left -= n > 0 ? (size_t)n : 0;
	}
	pipe->ended = n == 0;
}

static void done_pass(struct job *job);

static void start_pass(struct capture_pipe *pipe) {
	pipe->busy = true;
	pipe->last = pipe->capture->finishing;
	pipe->job = (struct job){ .kind = JOB_READ, .run = run_pass, .done = done_pass };
	offload_add(pipe->engine->offload, &pipe->job);
}

static bool is_readable(const struct capture_pipe *pipe) {
	struct pollfd poller = { .fd = pipe->fds[0], .events = POLLIN };

	return pipe->fds[0] >= 0 && poll(&poller, 1, 0) == 1 && poller.revents & POLLIN;
}

/* One event for each pass. */
static void await_more(struct capture_pipe *pipe) {
	(void)source_modify(&pipe->source, EPOLLIN | EPOLLONESHOT);
}

static void after_pass(struct capture_pipe *pipe) {
	struct capture *capture = pipe->capture;
	bool again = capture && capture->again && is_readable(pipe);

	pipe->busy = false;
	if (!capture) {
		close_aside(pipe);
		return;
	}
	capture->again = false;
	if (again) {
		start_pass(pipe);
		return;
	}
	if (pipe->ended)
		capture_close(capture);
	else if (!capture->finishing)
		await_more(pipe);
	capture->news(capture);
}

static void done_pass(struct job *job) {
	struct capture_pipe *pipe = container_of(job, struct capture_pipe, job);
	struct engine *engine = pipe->engine;

	engine_lock(engine);
	after_pass(pipe);
	engine_unlock(engine);
}

static void on_readable(struct source *source, uint32_t events) {
	struct capture_pipe *pipe = container_of(source, struct capture_pipe, source);

	if (pipe->busy || pipe->capture->finishing)
		return;
	if (events & EPOLLIN)
		start_pass(pipe);
	else
		capture_close(pipe->capture); /* there is nothing to read, nor anybody to write */
}

/* --- its life ------------------------------------------------------------------------------ */

static int open_pipe(struct capture_pipe *pipe) {
	int r;

	if (pipe2(pipe->fds, O_CLOEXEC) < 0)
		return error_origin(-errno);
	r = fd_identify(pipe->fds[0], &pipe->file);
	if (r >= 0)
		r = fd_set_nonblocking(pipe->fds[0], true);
	if (r >= 0)
		r = source_add(pipe->engine->loop, &pipe->source, pipe->fds[0],
			       EPOLLIN | EPOLLONESHOT, on_readable);
	if (r < 0)
		fd_close_all(pipe->fds, 2);
	return r < 0 ? error_trace(r) : 0;
}

int capture_open(struct capture *capture, struct engine *engine, const struct task_stream *stream,
		 void (*news)(struct capture *), int *ret_write) {
	struct capture_pipe *pipe = calloc(1, sizeof *pipe);
	int r = pipe ? 0 : error_origin(-ENOMEM);

	if (r == 0) {
		pipe->engine = engine;
		r = open_pipe(pipe);
	}
	if (r < 0) {
		free(pipe);
		return error_trace(r);
	}
	pipe->capture = capture;
	capture->pipe = pipe;
	capture->news = news;
	capture->limit = stream->limit;
	capture->overflow = stream->overflow;
	*ret_write = pipe->fds[1];
	return 0;
}

void capture_sent(struct capture *capture) {
	if (capture->pipe)
		capture->pipe->fds[1] = fd_close(capture->pipe->fds[1]);
}

bool capture_is_read(const struct capture *capture) {
	return !capture->pipe || !capture->pipe->busy;
}

bool capture_finish(struct capture *capture) {
	struct capture_pipe *pipe = capture->pipe;

	capture->finishing = true;
	if (!pipe)
		return true;
	if (pipe->busy)
		capture->again = true; /* it may have read before the last bytes came */
	else if (is_readable(pipe))
		start_pass(pipe);
	return !pipe->busy;
}

void capture_resume(struct capture *capture) {
	capture->finishing = false;
	if (capture->pipe && !capture->pipe->busy)
		await_more(capture->pipe);
}

void capture_close(struct capture *capture) {
	struct capture_pipe *pipe = capture->pipe;

	if (!pipe)
		return;
	source_remove(&pipe->source);
	capture->pipe = NULL;
	pipe->capture = NULL;
	if (pipe->busy)
		capture->incomplete = true; /* its pass closes it */
	else
		close_aside(pipe);
}

void capture_forget(struct capture *capture) {
	if (!capture->pipe)
		return;
	capture->pipe->fds[0] = capture->pipe->fds[1] = -1;
	capture->incomplete = true;
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
		.incomplete = capture->incomplete,
	};
}
