/* SPDX-License-Identifier: MIT
 *
 * A small input is copied and travels in the frame, which is cheaper than a memfd up to the size of
 * a frame (docs/performance.md). A large one goes straight into a memfd, so that it is copied only
 * once; and one that is built in a wf_buffer is not copied at all.
 *
 * F_SEAL_FUTURE_WRITE (Linux 5.1) leaves our own mapping of a buffer writable and lets no other
 * process make one. So the buffer of a finished task can be used for the next: having the kernel
 * find and clear new pages costs more than writing to them. We keep a few for as long as there is
 * an executor.
 */
#include "executor/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/report.h"
#include "executor/registry.h"
#include "proto/limits.h"

/* Smaller ones are made as fast as they are found. */
#define KEEP_SMALLEST ((size_t)65536)
#define KEEP_BYTES    ((size_t)256 << 20)
#define KEEP_BUFFERS  8
/* Only the beginning of a buffer gets huge pages: a caller that asks for more may not fill it. */
#define HUGE_BYTES ((size_t)64 << 20)
#define HUGE_SLOW  16 /* how many of these may take long to allocate */

static struct {
	pthread_mutex_t lock;
	uint64_t process;         /* a forked child has the descriptors, but not the mappings */
	_Atomic unsigned n_users; /* executors */
	struct wf_buffer *buffers[KEEP_BUFFERS];
	size_t n, bytes;
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* --- buffers ------------------------------------------------------------------------------- */

static struct wf_buffer *buffer_destroy(struct wf_buffer *buffer) {
	if (buffer->data)
		(void)munmap(buffer->data, buffer->capacity);
	(void)fd_close_file(buffer->memfd, &buffer->file);
	free(buffer);
	return NULL;
}

/* Not inherited by a forked child of the host, which would see what is written later. */
static int buffer_map(struct wf_buffer *buffer) {
	if (buffer->capacity == 0)
		return 0;
	buffer->data =
	    memory_map(buffer->memfd, buffer->capacity, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	if (buffer->data == MAP_FAILED) {
		buffer->data = NULL;
		return error_origin(-errno);
	}
	(void)madvise(buffer->data, buffer->capacity, MADV_DONTFORK);
	return 0;
}

/* As far as huge pages are available without much delay. */
static void buffer_make_huge(const struct wf_buffer *buffer) {
	size_t size = buffer->capacity < HUGE_BYTES ? buffer->capacity : HUGE_BYTES;
	unsigned n_slow = 0;

	for (size_t at = 0; at + MEMORY_HUGE <= size && n_slow <= HUGE_SLOW; at += MEMORY_HUGE) {
		int r = memory_make_huge(buffer->memfd, (char *)buffer->data + at, (off_t)at);

		n_slow += r == -ETIME;
		if (r < 0 && r != -ETIME)
			return;
	}
}

/* The first time with write(2): through a mapping, each new page would cost a fault. */
static int buffer_write(struct wf_buffer *buffer, const void *data) {
	size_t done = 0;

	while (done < buffer->size) {
		ssize_t n = pwrite(buffer->memfd, (const char *)data + done, buffer->size - done,
				   (off_t)done);

		if (n < 0 && errno != EINTR)
			return error_origin(-errno);
		done += n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

/* If `data` is NULL, the caller fills the buffer later. */
static int buffer_make(const void *data, size_t size, struct wf_buffer **ret) {
	struct wf_buffer *buffer = calloc(1, sizeof *buffer);
	int r;

	if (!buffer)
		return error_origin(-ENOMEM);
	buffer->size = buffer->capacity = size;
	buffer->memfd = fd_memfd("warmfork-input", size);
	r = buffer->memfd < 0 ? buffer->memfd : fd_identify(buffer->memfd, &buffer->file);
	if (r == 0)
		r = buffer_map(buffer);
	if (r == 0)
		buffer_make_huge(buffer);
	if (r == 0 && data)
		r = buffer_write(buffer, data);
	if (r == 0)
		r = fd_seal(buffer->memfd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
	if (r < 0) {
		(void)buffer_destroy(buffer);
		return error_trace(r);
	}
	*ret = buffer;
	return 0;
}

/* In a process that has forked, another thread may have held the lock, so a thread that does not
 * get it does without. In the child, what is left of the buffers is dropped. */
static bool kept_lock(void) {
	if (pthread_mutex_trylock(&kept.lock) != 0)
		return false;
	if (!registry_is_this_process(kept.process)) {
		for (size_t i = 0; i < kept.n; i++) {
			(void)fd_close_file(kept.buffers[i]->memfd, &kept.buffers[i]->file);
			free(kept.buffers[i]);
		}
		kept.process = registry_process();
		kept.n = kept.bytes = 0;
	}
	return true;
}

/* Finds a buffer of which at most half would lie idle. */
static struct wf_buffer *kept_find(size_t size) {
	struct wf_buffer *found = NULL;

	if (size < KEEP_SMALLEST || !kept_lock())
		return NULL;
	for (size_t i = 0; i < kept.n && !found; i++) {
		struct wf_buffer *buffer = kept.buffers[i];

		if (buffer->capacity < size || buffer->capacity / 2 > size)
			continue;
		found = buffer;
		found->size = size;
		kept.bytes -= buffer->capacity;
		kept.buffers[i] = kept.buffers[--kept.n];
	}
	(void)pthread_mutex_unlock(&kept.lock);
	return found;
}

static bool kept_add(struct wf_buffer *buffer) {
	bool room;

	if (buffer->capacity < KEEP_SMALLEST || !kept_lock())
		return false;
	room = kept.n_users > 0 && kept.n < KEEP_BUFFERS &&
	       buffer->capacity <= KEEP_BYTES - kept.bytes;
	if (room) {
		kept.buffers[kept.n++] = buffer;
		kept.bytes += buffer->capacity;
	}
	(void)pthread_mutex_unlock(&kept.lock);
	return room;
}

void payload_drop_kept(void) {
	if (!kept_lock())
		return;
	while (kept.n > 0)
		(void)buffer_destroy(kept.buffers[--kept.n]);
	kept.bytes = 0;
	(void)pthread_mutex_unlock(&kept.lock);
}

void payload_keep(bool begin) {
	if (begin)
		atomic_fetch_add(&kept.n_users, 1);
	else if (atomic_fetch_sub(&kept.n_users, 1) == 1)
		payload_drop_kept();
}

int wf_buffer_new(size_t size, struct wf_buffer **ret) {
	int r;

	if (!ret)
		return report_error(-EINVAL, "wf_buffer_new: ret is NULL");
	if (size > WF_MAX_PAYLOAD)
		return report_error(-E2BIG,
				    "a buffer of %zu bytes is too large; it may have at most %zu",
				    size, WF_MAX_PAYLOAD);
	*ret = kept_find(size);
	if (*ret)
		return 0;
	r = buffer_make(NULL, size, ret);
	return r < 0 ? report_internal(r, "a buffer") : 0;
}

void *wf_buffer_data(struct wf_buffer *buffer) {
	static char nothing;

	if (!buffer)
		return NULL;
	return buffer->data ? buffer->data : &nothing;
}

size_t wf_buffer_size(const struct wf_buffer *buffer) {
	return buffer ? buffer->size : 0;
}

struct wf_buffer *wf_buffer_free(struct wf_buffer *buffer) {
	if (buffer && !kept_add(buffer))
		(void)buffer_destroy(buffer);
	return NULL;
}

/* --- payloads ------------------------------------------------------------------------------ */

/* Clears the part behind the payload, which may hold input of an earlier task. */
static void payload_take(struct payload *payload, struct wf_buffer *buffer, uint64_t owner) {
	if (buffer->owner != 0 && buffer->size < buffer->capacity)
		memset((char *)buffer->data + buffer->size, 0, buffer->capacity - buffer->size);
	buffer->owner = owner;
	payload->buffer = buffer;
	payload->memfd = buffer->memfd;
	payload->size = buffer->size;
}

/* A worker of the executor that last used the buffer may have kept its mapping. */
static bool is_anothers(const struct wf_buffer *buffer, uint64_t owner) {
	return buffer->owner != 0 && buffer->owner != owner;
}

static int copy_large(struct payload *payload, const void *data, size_t size, uint64_t owner) {
	struct wf_buffer *buffer = kept_find(size);
	int r = 0;

	if (buffer && is_anothers(buffer, owner))
		buffer = buffer_destroy(buffer);

	if (buffer)
		memcpy(buffer->data, data, size);
	else
		r = buffer_make(data, size, &buffer);
	if (r < 0)
		return report_internal(r, "copying an input");
	payload_take(payload, buffer, owner);
	return 0;
}

static int copy_small(struct payload *payload, const void *data, size_t size) {
	payload->size = size;
	if (size == 0)
		return 0;
	payload->data = malloc(size);
	if (!payload->data)
		return report_internal(-ENOMEM, "copying an input");
	memcpy(payload->data, data, size);
	return 0;
}

static int take_buffer(struct payload *payload, struct wf_buffer *buffer, uint64_t owner) {
	struct wf_buffer *copy;
	int r;

	if (!is_anothers(buffer, owner)) {
		payload_take(payload, buffer, owner);
		return 0;
	}
	r = buffer_make(buffer->data, buffer->size, &copy);
	if (r < 0)
		return report_internal(r, "copying a buffer");
	(void)wf_buffer_free(buffer);
	payload_take(payload, copy, owner);
	return 0;
}

int payload_init(struct payload *payload, const void *data, size_t size, size_t inline_limit,
		 struct wf_buffer *buffer, uint64_t owner) {
	*payload = (struct payload){ .memfd = -1 };
	if (buffer && (data || size))
		return report_error(-EINVAL, "the task has both an input and a buffer; give it "
					     "only one of them");
	if (buffer)
		return take_buffer(payload, buffer, owner);
	if (size > WF_MAX_PAYLOAD)
		return report_error(-E2BIG,
				    "an input of %zu bytes is too large; it may have at most %zu",
				    size, WF_MAX_PAYLOAD);
	if (size && !data)
		return report_error(-EINVAL, "task.input is NULL, but its size is %zu", size);
	return size > inline_limit ? copy_large(payload, data, size, owner)
				   : copy_small(payload, data, size);
}

void payload_deinit(struct payload *payload, bool read_out) {
	free(payload->data);
	payload->data = NULL;
	if (payload->buffer && read_out)
		(void)wf_buffer_free(payload->buffer);
	else if (payload->buffer)
		(void)buffer_destroy(payload->buffer);
	payload->buffer = NULL;
	payload->memfd = -1;
}
