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
 * but must have joined them when it returns. Calls below that take a `struct wf_call` may only be
 * made from the thread that runs the function.
 *
 * Between two tasks of a worker, what a task changed in its process is restored, or the worker
 * is replaced. Later tasks do see some changes: memory, I/O priority, oom_score_adj, timer slack,
 * namespaces, floating-point rounding, O_NONBLOCK on open files that were there before the task,
 * and up to 64 descriptors that were left open.
 *
 * Programs that submit work use <warmfork/executor.h>.
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

#if defined(__GNUC__)
#define WF_EXPORT __attribute__((visibility("default")))
#else
#define WF_EXPORT
#endif
#ifdef __cplusplus
/* without extern a const object would be local to its file */
#define WF_EXPORT_C extern "C" WF_EXPORT
#else
#define WF_EXPORT_C WF_EXPORT
#endif

/* --- a module ------------------------------------------------------------------------------ */

/* The running task: its input on the way in, its result on the way out. Valid until the function
 * returns. */
struct wf_call;

/* Describes its worker to an initializer or an after_fork hook. */
struct wf_worker_info {
	size_t size;            /* sizeof(struct wf_worker_info) as the library knows it */
	int slot;               /* 0 .. workers-1; no two running tasks of a pool share one */
	uint64_t worker_id;     /* never used twice by one executor */
	uint64_t generation;    /* of the image; 1 for the first */
	const uint8_t *entropy; /* 32 bytes from getrandom(2), fresh in each worker; borrowed */
	size_t entropy_size;
};

/* The argument of the preload hook. */
struct wf_preload_info {
	size_t size;
	const void *argument; /* options.preload_argument; borrowed, valid during the call */
	size_t argument_size;
	uint64_t generation;
};

/* A function that a task can name; it runs in a worker.
 *
 * Return 0 on success: the outcome is `returned`, with the bytes given to wf_return(), if any. Any
 * other value makes the outcome `failed`, with that value as its code and the message of the last
 * wf_fail(). */
typedef int (*wf_function)(struct wf_call *call);

struct wf_function_entry {
	const char *name; /* at most 127 bytes; unique in its table */
	wf_function function;
};

/* The declaration of an image. Leave what you do not use zero. A module exports it as
 *
 *     const struct wf_module wf_module = { .size = sizeof wf_module, ... };
 *
 * and a program of kind "self" passes it to wf_init(). */
struct wf_module {
	size_t size; /* sizeof(struct wf_module) */

	/* Loads the heavy state, once per image, in the zygote. A non-zero return refuses the
	 * image, and wf_executor_open() reports what the hook wrote to stdout and stderr. */
	int (*preload)(const struct wf_preload_info *info);

	/* Runs in the worker right after the fork, before the initializer: the place to reseed
	 * random generators (info->entropy) and to reopen what must not be shared. It cannot
	 * fail. */
	void (*after_fork)(const struct wf_worker_info *info);

	/* Runs once per worker, before its first task. A non-zero return or a crash means that this
	 * worker cannot start; the executor backs off and tries again. */
	int (*initialize)(const struct wf_worker_info *info);

	/* Ends with the first entry whose name is NULL. At most WF_MAX_FUNCTIONS entries. */
	const struct wf_function_entry *functions;
};

#define WF_MAX_FUNCTIONS 256

/* The shortest form of a module:
 *
 *     static int shout(struct wf_call *call) { ... }
 *     WF_MODULE(.preload = load, .functions = WF_FUNCTIONS({ "shout", shout })); */
#define WF_FUNCTIONS(...) ((const struct wf_function_entry[]){ __VA_ARGS__, { NULL, NULL } })
#define WF_MODULE(...)                                                                             \
	WF_EXPORT_C const struct wf_module wf_module = { .size = sizeof(struct wf_module),         \
							 __VA_ARGS__ }

/* --- the running task ---------------------------------------------------------------------- */

/* Calls named wf_call_...() ask about the task; wf_return() and wf_fail() set how it ends. */

/* Returns the input of the task: read-only, borrowed until the function returns, and never NULL;
 * `*ret_size` may be 0. Does not block or fail. Since 0.1. */
const void *wf_call_input(struct wf_call *call, size_t *ret_size);

/* Sets the bytes of the result, whether the function then returns 0 (outcome->returned) or fails
 * (outcome->failed has them along with the message). They are copied; a later call replaces an
 * earlier one. Does not block. Returns 0, or -ENOMEM, -E2BIG (over WF_MAX_PAYLOAD). Since 0.1. */
int wf_return(struct wf_call *call, const void *data, size_t size);

/* Returns a writable, zeroed buffer of `size` bytes that becomes the result. A large result is
 * never copied this way: the buffer is memory that both processes can map (memfd_create(2)). The
 * library owns it; it is valid until the function returns. A later wf_return() or
 * wf_return_buffer() replaces it. Returns NULL with errno ENOMEM, EMFILE or E2BIG. Since 0.1. */
void *wf_return_buffer(struct wf_call *call, size_t size);

/* Sets the message of a failing return (printf style, at most 4,095 bytes are kept), and returns
 * `code`, or 1 if `code` is 0, so that you can write `return wf_fail(call, 7, "no such word");`.
 * Use wf_return() to add bytes for a program to read. Does not block or fail. Since 0.1. */
int wf_fail(struct wf_call *call, int code, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* Where the task runs. These calls do not block or fail. Since 0.1. */
int wf_call_slot(const struct wf_call *call);             /* 0 .. workers-1 */
uint64_t wf_call_task_number(const struct wf_call *call); /* 1 for the worker's first task */
uint64_t wf_call_task_id(const struct wf_call *call);     /* as in struct wf_outcome */

/* Returns an extra descriptor of the task; they are in the submitter's order. It is borrowed: the
 * library closes it when the function has returned; dup(2) it to keep it. Returns -1 if there is no
 * descriptor `index`. Since 0.1. */
int wf_call_descriptor(const struct wf_call *call, size_t index);

/* --- image kind "self" --------------------------------------------------------------------- */

/* Call this first in main(): before you start threads, open descriptors or read arguments.
 *
 * In your program it returns 0 at once and remembers `module` (borrowed: it must stay valid) for
 * executors of kind WF_IMAGE_SELF. When the library has started your program again as a zygote, it
 * does not return: it preloads, serves, and exits. If it cannot do that (the table is bad, the
 * executor's greeting cannot be read, the program is set-uid or set-gid), it writes a sentence to
 * stderr and exits with status 2: your main() never goes on in a zygote. It recognizes a zygote by
 * a descriptor and a nonce in the environment, and removes them before anything else happens, so
 * that your own children are not taken for zygotes if they use the library too.
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
