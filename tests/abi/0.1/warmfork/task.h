/* SPDX-License-Identifier: MIT
 *
 * warmfork/task.h: for code that lives inside an image.
 *
 * An image is what a zygote loads once: a shared object (image kind "module") or your own program
 * (image kind "self"). It declares one `struct wf_module`. The preload hook runs once, in the
 * zygote, before anything is forked; every function of the table runs in a worker, a process that
 * was forked from the preloaded zygote.
 *
 * Threads: a worker is single-threaded when it calls a function; the function may start threads,
 * but must have joined them when it returns. Every call below that takes a `struct wf_call` may be
 * made from the thread that runs the function and from no other.
 *
 * Between two tasks of a worker, what a task changed in its process is put back, or the worker is
 * replaced. Kept, for the tasks that follow: memory, I/O priority, oom_score_adj, timer slack,
 * namespaces, floating-point rounding, O_NONBLOCK on open files that were there before the task,
 * and up to 64 descriptors that were left open.
 *
 * For those who submit work: <warmfork/executor.h>.
 */
#ifndef WARMFORK_TASK_H
#define WARMFORK_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* The task that is running now: its input on the way in, its result on the way out. It lives until
 * the function returns. */
struct wf_call;

/* What an initializer or an after_fork hook may know about its worker. */
struct wf_worker_info {
	size_t size;            /* sizeof(struct wf_worker_info) as the library knows it */
	int slot;               /* 0 .. workers-1; no two running tasks of a pool share one */
	uint64_t worker_id;     /* never used twice by one executor */
	uint64_t generation;    /* of the image; 1 for the first */
	const uint8_t *entropy; /* 32 bytes from getrandom(2), fresh in each worker; borrowed */
	size_t entropy_size;
};

/* What the preload hook is told. */
struct wf_preload_info {
	size_t size;
	const void *argument; /* options.preload_argument; borrowed, valid during the call */
	size_t argument_size;
	uint64_t generation;
};

/* One function that a task can name.
 *
 * Runs in a worker. Returns 0 when it has done its work (the outcome is `returned`, with what
 * wf_return() was given, or with no bytes); anything else makes the outcome `failed` with that code
 * and the message of the last wf_fail(). */
typedef int (*wf_function)(struct wf_call *call);

struct wf_function_entry {
	const char *name; /* at most 127 bytes; unique in its table */
	wf_function function;
};

/* The declaration of an image. Zero what you do not use. A module exports it as
 *
 *     const struct wf_module wf_module = { .size = sizeof wf_module, ... };
 *
 * and a program of kind "self" hands it to wf_init(). */
struct wf_module {
	size_t size; /* sizeof(struct wf_module) */

	/* Loads the heavy state. Once per image, in the zygote. Non-zero refuses the image; what it
	 * wrote to stdout and stderr is part of the report that wf_executor_open() gives. */
	int (*preload)(const struct wf_preload_info *info);

	/* Right after the fork, in the worker, before the initializer: the place to reseed random
	 * generators (info->entropy) and to reopen what must not be shared. Never fails. */
	void (*after_fork)(const struct wf_worker_info *info);

	/* Once per worker, before its first task. Non-zero or a crash means that this worker cannot
	 * start; the executor backs off and tries again. */
	int (*initialize)(const struct wf_worker_info *info);

	/* Ends with the first entry whose name is NULL. At most WF_MAX_FUNCTIONS entries. */
	const struct wf_function_entry *functions;
};

#define WF_MAX_FUNCTIONS 256

/* What wf_init() and a module's table look like, shortest form:
 *
 *     static int shout(struct wf_call *call) { ... }
 *     WF_MODULE(.preload = load, .functions = WF_FUNCTIONS({ "shout", shout }));
 */
#if defined(__GNUC__)
#define WF_EXPORT __attribute__((visibility("default")))
#else
#define WF_EXPORT
#endif
#ifdef __cplusplus
#define WF_EXPORT_C extern "C" WF_EXPORT /* without it a const object would stay inside its file */
#else
#define WF_EXPORT_C WF_EXPORT
#endif
#define WF_FUNCTIONS(...) ((const struct wf_function_entry[]){ __VA_ARGS__, { NULL, NULL } })
#define WF_MODULE(...)                                                                             \
	WF_EXPORT_C const struct wf_module wf_module = { .size = sizeof(struct wf_module),         \
							 __VA_ARGS__ }

/* --- the running task ---------------------------------------------------------------------- */

/* What a task asks is called wf_call_...(); how it ends, wf_return() and wf_fail(). */

/* The input of the task. Borrowed: valid until the function returns. Never NULL; `*ret_size` may be
 * 0. Read-only. Does not block, does not fail. Since 0.1. */
const void *wf_call_input(struct wf_call *call, size_t *ret_size);

/* Sets the bytes of the result, whether the function then returns 0 (outcome->returned) or fails
 * (outcome->failed has them beside the message). They are copied; a later call replaces an earlier
 * one. Does not block. Returns 0, or -ENOMEM, -E2BIG (over WF_MAX_PAYLOAD). Since 0.1. */
int wf_return(struct wf_call *call, const void *data, size_t size);

/* Gives a buffer of `size` writable zero bytes that will be the result, so that a large one is
 * never copied: it is memory that both processes can map (memfd_create(2)). Owned by the library;
 * valid until the function returns. A later wf_return() or wf_return_buffer() replaces it. NULL
 * with errno ENOMEM, EMFILE or E2BIG. Since 0.1. */
void *wf_return_buffer(struct wf_call *call, size_t size);

/* Sets the message (printf style, at most 4,095 bytes are kept) that goes with a failing return,
 * and returns `code`, or 1 if `code` is 0, so that `return wf_fail(call, 7, "no such word");` reads
 * well. Bytes that a program shall read go with it by wf_return(). Does not block, does not fail.
 * Since 0.1. */
int wf_fail(struct wf_call *call, int code, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* Where the task runs. Do not block, do not fail. Since 0.1. */
int wf_call_slot(const struct wf_call *call);             /* 0 .. workers-1 */
uint64_t wf_call_task_number(const struct wf_call *call); /* 1 for the worker's first task */
uint64_t wf_call_task_id(const struct wf_call *call);     /* as in struct wf_outcome */

/* The extra descriptors of the task, in the order in which the submitter listed them. Borrowed: the
 * library closes them when the function has returned; dup(2) one to keep it. -1 if there is no
 * descriptor `index`. Since 0.1. */
int wf_call_descriptor(const struct wf_call *call, size_t index);

/* --- image kind "self" --------------------------------------------------------------------- */

/* Call it first in main(), before threads, before descriptors are opened, before arguments are
 * read.
 *
 * In your program it returns 0 at once and remembers `module` (borrowed: it must stay valid) for
 * executors of kind WF_IMAGE_SELF. When the library has started your program again to be a zygote
 * it does not return: it preloads, serves, and exits. If it cannot (the table is bad, the greeting
 * of the executor cannot be read, the program is set-uid or set-gid), it writes a sentence to
 * stderr and exits with status 2: your main() never runs in a zygote. What tells the two apart is a
 * descriptor and a nonce in the environment, removed before anything else happens, so that children
 * of your own which use the library too are not taken for zygotes.
 *
 * Returns 0, or -EINVAL for a module with a bad table. Since 0.1. */
int wf_init(int argc, char **argv, const struct wf_module *module);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
