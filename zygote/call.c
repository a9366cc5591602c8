/* SPDX-License-Identifier: MIT
 *
 * The functions that a task may call. A small result lies in the worker's own buffer. A large
 * one lies in a memfd that is sealed and sent to the executor, which then maps bytes that
 * nobody can change.
 */
#include "zygote/call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>

#include "base/error.h"
#include "base/fd.h"

_Static_assert(WF_MAX_FUNCTIONS == LIMIT_FUNCTIONS, "the public limit is the protocol's");

void call_init(struct wf_call *call, struct call_memory *memory) {
	memset(call, 0, sizeof *call);
	call->memory = memory;
	call->input = "";
	call->result_fd = -1;
}

static void result_clear(struct wf_call *call) {
	if (call->result_map)
		(void)munmap(call->result_map, call->result_size);
	call->result_map = NULL;
	call->result_fd = fd_close(call->result_fd);
	call->result = CALL_NOTHING;
	call->result_size = 0;
}

void call_deinit(struct wf_call *call) {
	result_clear(call);
}

/* --- results ------------------------------------------------------------------------------- */

/* A memfd counts as a file for RLIMIT_FSIZE, and exceeding that raises SIGXFSZ. The limit is meant
 * for the files of the task, so it is lifted for a moment, as far as possible. */
static int limit_lift(size_t size, struct rlimit *ret_before) {
	struct rlimit lifted;

	if (getrlimit(RLIMIT_FSIZE, ret_before) < 0)
		return error_origin(-errno);
	if (ret_before->rlim_max < size)
		return error_origin(-E2BIG);
	if (ret_before->rlim_cur >= size)
		return 0;
	lifted = (struct rlimit){ ret_before->rlim_max, ret_before->rlim_max };
	return setrlimit(RLIMIT_FSIZE, &lifted) < 0 ? error_origin(-errno) : 0;
}

static void limit_put_back(size_t size, const struct rlimit *before) {
	if (before->rlim_cur < size)
		(void)setrlimit(RLIMIT_FSIZE, before);
}

static int result_memfd(size_t size) {
	struct rlimit before;
	int fd = limit_lift(size, &before);

	if (fd < 0)
		return error_trace(fd);
	fd = fd_memfd("warmfork: result", size);
	limit_put_back(size, &before);
	return error_trace(fd);
}

/* Replaces the result with a new memfd, all zero, mapped writable. */
static int result_in_memfd(struct wf_call *call, size_t size) {
	cleanup_close int fd = result_memfd(size);
	void *map;

	if (fd < 0)
		return error_trace(fd);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return error_origin(-errno);
	result_clear(call);
	call->result = CALL_MEMFD;
	call->result_fd = fd_steal(&fd);
	call->result_map = map;
	call->result_size = size;
	return 0;
}

static void *result_inline(struct wf_call *call, size_t size) {
	result_clear(call);
	call->result = CALL_INLINE;
	call->result_size = size;
	return call->memory->result;
}

/* `data` may point into the result that it replaces. */
static int return_large(struct wf_call *call, const void *data, size_t size) {
	struct wf_call old = *call;
	int r;

	call->result = CALL_NOTHING;
	call->result_map = NULL;
	call->result_fd = -1;
	r = result_in_memfd(call, size);
	if (r < 0) {
		*call = old;
		return error_trace(r);
	}
	memcpy(call->result_map, data, size);
	result_clear(&old);
	return 0;
}

int wf_return(struct wf_call *call, const void *data, size_t size) {
	int r;

	if (size > LIMIT_PAYLOAD)
		return -E2BIG;
	if (size > LIMIT_INLINE_PAYLOAD) {
		r = return_large(call, data, size);
		return r < 0 && r != -E2BIG ? -ENOMEM : error_trace(r);
	}
	if (size > 0)
		memmove(call->memory->result, data, size);
	(void)result_inline(call, size);
	return 0;
}

void *wf_return_buffer(struct wf_call *call, size_t size) {
	int r;

	if (size <= LIMIT_INLINE_PAYLOAD)
		return memset(result_inline(call, size), 0, size);
	r = size > LIMIT_PAYLOAD ? -E2BIG : result_in_memfd(call, size);
	if (r == 0)
		return call->result_map;
	errno = r == -E2BIG || r == -EMFILE ? -r : ENOMEM;
	return NULL;
}

static int copy_all(int to, int from, size_t size) {
	off_t at = 0;

	while ((size_t)at < size)
		if (sendfile(to, from, &at, size - (size_t)at) <= 0)
			return error_origin(errno ? -errno : -EIO);
	return 0;
}

/* If a process that the task forked still maps the memfd, sealing fails with EBUSY, so a copy
 * is sealed. */
static int seal_copy(struct wf_call *call) {
	cleanup_close int copy = result_memfd(call->result_size);
	struct rlimit before;
	int r;

	if (copy < 0)
		return error_trace(copy);
	r = limit_lift(call->result_size, &before);
	if (r < 0)
		return error_trace(r);
	r = copy_all(copy, call->result_fd, call->result_size);
	limit_put_back(call->result_size, &before);
	if (r < 0)
		return error_trace(r);
	fd_close(call->result_fd);
	call->result_fd = fd_steal(&copy);
	return 0;
}

/* Next to a message, the frame has less room for the result. */
static int make_room(struct wf_call *call) {
	if (call->result != CALL_INLINE || call->result_size <= LIMIT_INLINE_BESIDE_TEXT)
		return 0;
	return return_large(call, call->memory->result, call->result_size);
}

int call_seal(struct wf_call *call, bool beside_text) {
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	int r = beside_text ? make_room(call) : 0;

	if (r < 0 || call->result != CALL_MEMFD)
		return error_trace(r);
	(void)munmap(call->result_map, call->result_size);
	call->result_map = NULL;
	r = fd_seal(call->result_fd, seals);
	if (r != -EBUSY)
		return error_trace(r);
	r = seal_copy(call);
	if (r < 0)
		return error_trace(r);
	return error_trace(fd_seal(call->result_fd, seals));
}

/* --- the rest ------------------------------------------------------------------------------ */

int wf_fail(struct wf_call *call, int code, const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(call->memory->message, sizeof call->memory->message, format, arguments);
	call->has_message = true;
	va_end(arguments);
	return code != 0 ? code : 1;
}

const void *wf_call_input(struct wf_call *call, size_t *ret_size) {
	if (ret_size)
		*ret_size = call->input_size;
	return call->input;
}

int wf_call_slot(const struct wf_call *call) {
	return call->slot;
}

uint64_t wf_call_task_number(const struct wf_call *call) {
	return call->task_number;
}

uint64_t wf_call_task_id(const struct wf_call *call) {
	return call->task_id;
}

int wf_call_descriptor(const struct wf_call *call, size_t index) {
	return index < call->n_descriptors ? call->descriptors[index] : -1;
}
