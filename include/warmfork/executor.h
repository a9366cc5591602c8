/* SPDX-License-Identifier: MIT
 *
 * warmfork/executor.h: for those who submit work.
 *
 * An executor owns a pool of processes: a keeper, one zygote for each generation of the image, and
 * workers that are forked from the zygote. You submit tasks and get futures. The promise: every
 * future resolves exactly once, with an outcome that says what became of the task and how the
 * library knows.
 *
 *     struct wf_executor *executor;
 *     struct wf_future *future;
 *     wf_executor_open(&WF_EXECUTOR_OPTIONS(.module = "./upper.so"), &executor);
 *     wf_submit(executor, &WF_TASK(.function = "upper", .input = "hi", .input_size = 2), &future);
 *     const struct wf_outcome *outcome = wf_future_wait(future, WF_FOREVER);
 *     ...
 *     wf_future_free(future);
 *     wf_executor_free(executor);
 *
 * Ten calls are enough for most programs; they come first. Then: outcomes, tasks, options, and the
 * calls that fewer programs need. <warmfork/map.h> runs one function over many inputs,
 * <warmfork/inspect.h> has statistics and facts, <warmfork/policy.h> restricts what workers may do,
 * <warmfork/task.h> is for the code that runs in them.
 *
 * Errors: functions that return int give 0 or a positive count on success and a negative errno out
 * of the list below on failure; wf_last_error() has the sentence. The failure of a task is never
 * such an error: it is an outcome.
 *
 *     -EINVAL     a NULL, an unknown enum value, a negative or absurd count, a contradiction
 *     -ENOENT     no function of that name in the image; wf_policy_load(): no such file
 *     -EACCES     wf_policy_load(): the file may not be read
 *     -ENOEXEC    the image cannot be used: its preload failed, crashed or hung, or the audit found
 *                 something that no worker may inherit; the sentence names it (also: the file is
 *                 missing or no shared object)
 *     -ESHUTDOWN  the executor is closed
 *     -EAGAIN     the queue is full (WF_QUEUE_FAIL), or no image is ready now
 *     -ETIMEDOUT  the time given to this call is over
 *     -EBUSY      wf_future_cancel(): it has started; wf_future_signal(), wf_future_process(): it
 *                 has not
 *     -EALREADY   a call about a task that runs or waits: it has ended
 *     -ENODATA    wf_map_next(): there are no more
 *     -EDEADLK    this call would wait for something that only the calling thread can do
 *     -E2BIG      larger than a documented maximum
 *     -EMFILE     the process (RLIMIT_NOFILE) or the system has no free descriptors
 *     -ENOMEM     no memory
 *     -ELOOP      pools nested deeper than WF_MAX_DEPTH
 *     -EPERM      the program is set-uid or set-gid
 *     -ECHILD     the executor belongs to another process: this one is a fork of its owner
 *     -EIO        what has no other number here: the helper program or the pool could not be
 *                 started, a policy file could not be read; the sentence names the step and the
 *                 errno
 *
 * Threads: every function may be called from any thread unless it says otherwise. None is
 * async-signal-safe. After a fork of the host without exec, every call in the child returns -ECHILD
 * (or NULL, or nothing) and touches nothing: the locks and sockets are the parent's.
 *
 * The library installs no signal handler, waits for no child but its own, changes no process
 * attribute, and starts one thread per executor, or none (options.caller_driven).
 *
 * Ownership, the same in every call: what a call takes is borrowed until it returns, and copied if
 * it is needed for longer (descriptors are duplicated). There are two exceptions, which say so: the
 * buffer of a task is consumed, and the inputs of a wf_map() are borrowed until wf_map_free(). What
 * a call returns through `ret` is the caller's, and is given back with the ..._free() of its type.
 * What a call returns as a pointer to const is borrowed from the object that it was asked of.
 *
 * Structs whose first member is `size_t size` grow at their end. Fill `size` (the WF_... macros
 * do); zero is the default of every other member. A program may have been compiled with an older or
 * a newer header than the library: what it does not know is default, and what the library does not
 * know must be zero, else the call returns -EINVAL; of what the library fills in, no more than
 * `size` bytes are written, and what it does not know is zero. Structs that stand inside others, or
 * in arrays, have `reserved` members instead, which must be zero. Three are complete and will never
 * change: struct wf_bytes, struct wf_function_entry and struct wf_rlimit.
 *
 * C11 or newer. From C++ (20) the option macros need a named variable: their address cannot be
 * taken in place.
 */
#ifndef WARMFORK_EXECUTOR_H
#define WARMFORK_EXECUTOR_H

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

struct wf_executor;
struct wf_future;
struct wf_buffer;
struct wf_policy; /* <warmfork/policy.h> */

struct wf_executor_options;
struct wf_task;
struct wf_outcome;

/* Timeouts are in milliseconds of CLOCK_MONOTONIC; 0 polls. What is no number of milliseconds or
 * things has a value of its own, so that one that stands in the wrong place is refused with
 * -EINVAL. */
#define WF_FOREVER       (-1) /* a timeout: none */
#define WF_NO_GRACE      (-2) /* kill_grace_ms, wf_future_kill(): SIGKILL at once */
#define WF_NO_SPARES     (-3) /* options.spares: none */
#define WF_DEFAULT_GRACE (-4) /* wf_future_kill(): options.kill_grace_ms */

/* --- the ten calls ------------------------------------------------------------------------- */

/* Opens an executor: starts the keeper and the zygote, and waits until the image is preloaded,
 * audited and frozen. On success `*ret` is the caller's, who gives it back with wf_executor_free().
 * Blocks until the image is ready or refused (options.preload_timeout_ms). Workers are not waited
 * for: an initializer that fails shows in outcomes. Errors: -EINVAL, -ENOEXEC, -ENOMEM, -EMFILE,
 * -ELOOP, -EPERM, -EIO. Since 0.1. */
int wf_executor_open(const struct wf_executor_options *options, struct wf_executor **ret);

/* Submits a task. All that it points to is copied, but for `task->buffer`, which is consumed on
 * success. On success `*ret` is the caller's, who gives it back with wf_future_free(); NULL for
 * `ret` means fire and forget. Does not block, unless the queue is bounded (options.queue_full); in
 * a callback it fails with -EDEADLK rather than block. Errors: -EINVAL, -ENOENT, -E2BIG,
 * -ESHUTDOWN, -EAGAIN, -ETIMEDOUT, -EDEADLK, -EMFILE, -ENOMEM, -ECHILD. Since 0.1. */
int wf_submit(struct wf_executor *executor, const struct wf_task *task, struct wf_future **ret);

/* Waits until the future has resolved and returns its outcome, which is borrowed from the future
 * and constant. NULL after `timeout_ms`; also for a NULL future, for a `timeout_ms` that is none,
 * and in a callback for a future that has not resolved: wf_last_error() tells them apart. With
 * WF_FOREVER, outside of callbacks, it is not NULL for a future of this process. Since 0.1. */
const struct wf_outcome *wf_future_wait(struct wf_future *future, int timeout_ms);

/* Writes one line that a person can read ("signalled: SIGSEGV at 0x0, core dumped (pid 4711, slot 2,
 * attempt 1)") into `text`, cut to `size` bytes, always terminated. Returns the length that it would
 * have, as snprintf(3). It is one line whatever the task wrote: newlines, other control characters,
 * characters that change the direction or cannot be seen (Unicode's category Cf) and bytes that are
 * not UTF-8 are escaped, so that no task can forge a line of a log. Does not block. Since 0.1. */
size_t wf_outcome_describe(const struct wf_outcome *outcome, char *text, size_t size);

/* Cancels a task that has not started: no worker is touched. It resolves as WF_CANCELLED before the
 * call returns. Does not block. Errors: -EBUSY (it runs: see wf_future_kill()), -EALREADY, -EINVAL,
 * -ECHILD. Since 0.1. */
int wf_future_cancel(struct wf_future *future);

/* Ends a task: cancels it if it has not started; else SIGTERM, and after `grace_ms`
 * (WF_DEFAULT_GRACE: options.kill_grace_ms) SIGKILL to its whole tree. SIGKILL at once if it is
 * stopped, and with WF_NO_GRACE or 0. Returns when that is under way; it resolves as WF_KILLED when
 * the worker is reaped, unless a result arrives first. Does not block. Errors: -EALREADY, -EINVAL
 * (any other negative `grace_ms`: with WF_FOREVER it might never end, and wf_future_signal() sends
 * SIGTERM alone), -ECHILD. Since 0.1. */
int wf_future_kill(struct wf_future *future, int grace_ms);

/* Calls `function` once, when the future has resolved: in the executor's thread (in
 * wf_executor_dispatch() if it is caller-driven), or in the thread that cancels it, or here and now
 * if it has already. Callbacks of one future run in the order in which they were added, without any
 * lock. A callback may submit, cancel, kill and add callbacks; it may not wait (-EDEADLK).
 * `context` is handed on and never looked at. The future is borrowed by the callback, and kept
 * alive until it has run. Errors: -EINVAL, -ENOMEM, -ECHILD. Since 0.1. */
typedef void (*wf_callback)(struct wf_future *future, const struct wf_outcome *outcome,
			    void *context);
int wf_future_on_done(struct wf_future *future, wf_callback function, void *context);

/* Gives the future back; the task goes on. NULL is ignored. Returns NULL. Since 0.1. */
struct wf_future *wf_future_free(struct wf_future *future);

enum wf_close {
	WF_CLOSE_FINISH = 0, /* what is queued still runs */
	WF_CLOSE_CANCEL = 1, /* what is queued is cancelled; what runs may finish */
	WF_CLOSE_KILL = 2,   /* what is queued is cancelled, what runs is killed without grace */
};

/* Takes no more tasks, ends the pool and waits until every process of it is gone. All futures have
 * resolved when it returns. A second call is harmless; a harsher one hastens the first. Errors:
 * -EINVAL, -EDEADLK (from a callback that runs while dispatching), -ECHILD. Since 0.1. */
int wf_executor_close(struct wf_executor *executor, enum wf_close how);

/* Gives the executor back. If nobody has closed it, this closes it with WF_CLOSE_FINISH, so that no task
 * is lost by tidying up: what was submitted still runs, and this waits for it. To end it sooner call
 * wf_executor_close() before. A shared executor (wf_executor_shared()) is closed when the last of its
 * holders gives it back. From a callback it closes without waiting; a caller-driven executor, which
 * nobody can drive any more then, is ended instead. Futures stay valid. NULL is ignored. Returns NULL.
 * Since 0.1. */
struct wf_executor *wf_executor_free(struct wf_executor *executor);

/* --- one call instead ---------------------------------------------------------------------- */

/* wf_submit() and wf_future_wait() in one: runs a task and waits for its end. On success `*ret` is the
 * caller's, who gives it back with wf_outcome_free(). Blocks until the task has resolved, which
 * task->timeout_ms may limit. Errors: as wf_submit(); -EDEADLK in a callback. Since 0.1. */
int wf_run(struct wf_executor *executor, const struct wf_task *task, const struct wf_outcome **ret);

/* Gives back what wf_run() returned, and nothing else: other outcomes belong to their futures. NULL is
 * ignored. Returns NULL. Since 0.1. */
const struct wf_outcome *wf_outcome_free(const struct wf_outcome *outcome);

/* --- what went wrong ----------------------------------------------------------------------- */

/* The sentence of the last call that failed in this thread: what, where, and the remedy; several
 * lines when it quotes what a preload wrote. Never NULL; valid until the next call into the library
 * from this thread. Since 0.1. */
const char *wf_last_error(void);

/* "0.1.0"; static. Since 0.1. */
const char *wf_version(void);

/* --- outcomes ------------------------------------------------------------------------------ */

/* Bytes that somebody else owns. */
struct wf_bytes {
	const void *data;
	size_t size;
};

enum wf_outcome_kind {
	WF_RETURNED = 1,     /* the function returned 0 */
	WF_FAILED = 2,       /* the function returned something else */
	WF_EXITED = 3,       /* the process ended by exit or _exit before the function returned */
	WF_SIGNALLED = 4,    /* the process was ended by a signal that the library did not send */
	WF_TIMED_OUT = 5,    /* a clock ran out */
	WF_CANCELLED = 6,    /* it never started */
	WF_KILLED = 7,       /* the library ended it: see by */
	WF_MEMORY_LIMIT = 8, /* the kernel ended it for memory, and there is evidence */
	WF_OUTPUT_LIMIT = 9, /* it wrote more than its limit (WF_OVERFLOW_KILL) */
	WF_VIOLATION = 10,   /* the sandbox policy ended it */
	WF_ZYGOTE_LOST =
	    11, /* its worker ended without a result, and with nobody left to tell how */
	WF_NOT_STARTED = 12, /* no worker could be had for it: see phase and error */
};

enum wf_clock {
	WF_CLOCK_RUN = 1,      /* wf_task.timeout_ms or limits.wall, from the start */
	WF_CLOCK_DEADLINE = 2, /* wf_task.deadline_ms, from submit; it was running */
	WF_CLOCK_QUEUE = 3,    /* wf_task.deadline_ms, from submit; it had not started */
	WF_CLOCK_CPU = 4,      /* limits.cpu of the policy */
};

enum wf_killer {
	WF_BY_CALLER = 1,   /* wf_future_kill() */
	WF_BY_CLOSE = 2,    /* wf_executor_close(WF_CLOSE_KILL) */
	WF_BY_PROTOCOL = 3, /* its worker closed, flooded or garbled its channel */
};

enum wf_phase {
	WF_PHASE_LAUNCH = 1,     /* starting the keeper or the zygote */
	WF_PHASE_PRELOAD = 2,    /* loading the image */
	WF_PHASE_FORK = 3,       /* forking the worker */
	WF_PHASE_INITIALIZE = 4, /* the image's initialize hook */
	WF_PHASE_HAND_OUT = 5,   /* giving it the task; its workers died before they took it */
	WF_PHASE_CONTEXT = 6,    /* setting up the task's directory, streams, limits */
	WF_PHASE_SANDBOX = 7,    /* entering the sandbox */
	WF_PHASE_EXEC = 8,       /* executing the program of a command */
};

/* Something that the policy did not allow. Strings are never NULL. */
struct wf_refusal {
	const char *call; /* "openat" */
	/* decoded, as far as they could be read: "AT_FDCWD, \"in/a\", O_RDONLY" */
	const char *arguments;
	const char *path;  /* that the call named, absolute; "" if it named none */
	const char *allow; /* the policy line that would allow it; "" if none does */
	/* errno of the refusal; 0: the task was ended instead. A call that is refused for its path
	 * may return another: ENOENT where the path is not in the view, EROFS where it is read-only */
	int error;
	unsigned count; /* how often the task tried the same */
	uint64_t reserved[4];
};
#define WF_MAX_REFUSALS 64

enum wf_source {
	WF_SOURCE_NONE = 0,
	WF_SOURCE_WORKER = 1, /* the worker's own getrusage(2), over the task */
	WF_SOURCE_KERNEL = 2, /* the rusage of the reaped process, over its life */
};

struct wf_capture {
	const char *data; /* NUL-terminated beyond `size`; never NULL */
	size_t size;
	uint64_t dropped; /* bytes beyond the limit */
	uint64_t reserved[2];
};

/* A start that did not end in a result: what a quarantine is judged by. */
struct wf_death {
	pid_t pid;
	int slot;
	enum wf_outcome_kind kind; /* WF_EXITED, WF_SIGNALLED, WF_MEMORY_LIMIT, WF_ZYGOTE_LOST */
	int code;                  /* of exit */
	int signal;
	unsigned reserved_0;
	uint64_t reserved[3];
};
#define WF_MAX_DEATHS 16

struct wf_outcome {
	size_t size;
	enum wf_outcome_kind kind;
	union {
		struct wf_bytes returned; /* data is never NULL; not terminated */
		struct {
			int code;
			const char *message; /* of wf_fail(), as the task wrote it; never NULL */
			const void *data;    /* of wf_return(); never NULL; not terminated */
			size_t size;
		} failed;
		struct {
			int code;
		} exited;
		struct {
			int signal;
			bool core;
			bool address_known;
			uint64_t address; /* of the fault */
			int code;         /* si_code, when address_known */
		} signalled;
		struct {
			enum wf_clock clock;
			bool left_stopped; /* WF_TIMEOUT_STOP: `pid` is there for a debugger */
			uint64_t limit_ns; /* what the clock was set to */
			/* What it showed when the task had ended: with kill_grace_ms, that is
			 * later. Of WF_CLOCK_CPU: the exact CPU time; the kernel ends it by ticks,
			 * which differ. */
			uint64_t took_ns;
		} timed_out;
		struct {
			enum wf_killer by;
		} killed;
		struct {
			uint64_t limit; /* bytes; 0: unknown */
		} memory_limit;
		struct {
			int stream; /* 1 or 2 */
			uint64_t limit;
		} output_limit;
		struct {
			struct wf_refusal refusal;
		} violation;
		struct {
			enum wf_phase phase;
			int error; /* errno; 0: see evidence */
		} not_started;
		uint64_t reserved_kind[16]; /* the members of a kind may grow so far */
	};

	/* One sentence on one line: how the library knows. What it quotes is escaped as in
	 * wf_outcome_describe(). Never NULL. */
	const char *evidence;

	uint64_t task_id;
	pid_t pid;            /* 0: it never had a worker */
	int slot;             /* -1: likewise */
	uint64_t task_number; /* of its worker: 1 for the first */
	uint64_t generation;  /* of the image */
	unsigned attempts;    /* times that it was started */
	bool quarantined;     /* it killed every worker it met: see deaths */
	const struct wf_death *deaths;
	size_t n_deaths; /* at most WF_MAX_DEATHS */

	/* nanoseconds of CLOCK_MONOTONIC; 0: that phase was not reached */
	uint64_t queued_ns; /* submitted until handed to a worker */
	uint64_t handed_ns; /* until the worker took it */
	uint64_t run_ns;    /* until it ended: the wall time */

	uint64_t cpu_ns;
	uint64_t peak_rss; /* bytes */
	enum wf_source usage_source;

	struct wf_capture standard_output, standard_error; /* empty unless captured */
	const char *stack;  /* of the worker, when a deadline struck (stack_on_timeout); else "" */
	const char *layers; /* of the sandbox in force: "seccomp, landlock 7, ..."; "none" */
	const struct wf_refusal *refusals; /* that the task survived */
	size_t n_refusals;                 /* at most WF_MAX_REFUSALS */
	uint64_t n_refusals_dropped;       /* beyond them */
	const char
	    *learned; /* options.learn: a policy file that allows what the task did; else "" */
	bool reaped;  /* the worker was reaped and swept when this resolved */
	uint64_t reserved[8];
};

/* "signalled", "timed out", ...: a static string, also for a number that is no kind. Since 0.1. */
const char *wf_outcome_kind_name(enum wf_outcome_kind kind);

/* --- tasks --------------------------------------------------------------------------------- */

enum wf_task_flags {
	/* May be started again if its worker dies, up to options.max_attempts times. */
	WF_TASK_IDEMPOTENT = 1 << 0,
	/* Resolve only when the worker that ran it has been reaped and what it left behind is gone:
	 * for fresh workers, and for tasks that must not overlap with their own leftovers. */
	WF_TASK_WAIT_EXIT = 1 << 1,
};

struct wf_task {
	size_t size;
	const char *function;
	const void *input; /* copied during the call */
	size_t input_size;
	struct wf_buffer *buffer; /* instead of input; consumed on success */
	int priority;             /* WF_PRIORITY_MIN .. WF_PRIORITY_MAX; higher runs first */
	int timeout_ms;           /* from its start; 0: the executor's; WF_FOREVER: none */
	int deadline_ms;          /* from now, in the queue or running; 0, WF_FOREVER: none */
	unsigned flags;           /* enum wf_task_flags */
	const struct wf_context *context; /* NULL: the executor's. Otherwise it replaces it as a
					   * whole: members left zero are not taken from the
					   * executor's. */
	/* WF_IMAGE_COMMAND, instead of a function and its input: ends with NULL. A name without a
	 * slash is looked up in the PATH that the task will have. Extra descriptors of its context
	 * become 3, 4, ... */
	const char *const *argv;
};
#define WF_TASK(...) ((struct wf_task){ .size = sizeof(struct wf_task), __VA_ARGS__ })

/* Where a standard stream of a task comes from or goes to. */
enum wf_stdio_mode {
	WF_STDIO_DEFAULT = 0,    /* stdin: null; stdout and stderr: inherit */
	WF_STDIO_INHERIT = 1,    /* what the host had when the executor was opened */
	WF_STDIO_NULL = 2,       /* /dev/null */
	WF_STDIO_CAPTURE = 3,    /* stdout and stderr: into the outcome, at most `limit` bytes */
	WF_STDIO_DESCRIPTOR = 4, /* `descriptor`, duplicated when the task is submitted */
};

enum wf_on_overflow {
	WF_OVERFLOW_TRUNCATE =
	    0,                /* keep the last `limit` bytes and count the rest; the task runs on */
	WF_OVERFLOW_KILL = 1, /* keep the first `limit` bytes; the outcome is `output limit` */
};

struct wf_stdio {
	enum wf_stdio_mode mode;
	int descriptor;
	size_t limit; /* bytes; 0: 64 KiB */
	enum wf_on_overflow overflow;
	unsigned reserved_0;
	uint64_t reserved[2];
};

struct wf_rlimit {
	int resource;  /* RLIMIT_... of setrlimit(2); only the soft limit is set */
	uint64_t soft; /* UINT64_MAX: as high as the hard limit */
};

/* What a task finds around it. Zero everywhere: what the zygote had. In a reused worker all of it
 * is put back after the task. The rules are those of environ(7), chdir(2), umask(2), setrlimit(2),
 * nice(2) and sched_setaffinity(2). */
struct wf_context {
	size_t size;
	const char *const
	    *environment;       /* NULL-terminated "NAME=value"; added to the worker's own */
	bool clear_environment; /* start from an empty one instead */
	const char *directory;  /* working directory */
	bool set_umask;
	mode_t umask;
	struct wf_stdio standard_input, standard_output, standard_error;
	const int *descriptors; /* extra ones, see wf_call_descriptor(); duplicated at submit */
	size_t n_descriptors;   /* at most WF_MAX_DESCRIPTORS */
	const struct wf_rlimit *rlimits;
	size_t n_rlimits;     /* at most 16 */
	int nice;             /* added to the worker's; a reused worker is recycled afterwards */
	const unsigned *cpus; /* CPU numbers; none: the worker's own affinity */
	size_t n_cpus;        /* at most WF_MAX_CPUS */
};
#define WF_CONTEXT(...) ((struct wf_context){ .size = sizeof(struct wf_context), __VA_ARGS__ })

/* --- options ------------------------------------------------------------------------------- */

enum wf_image_kind {
	WF_IMAGE_MODULE = 0, /* options.module is a shared object that exports `wf_module` */
	WF_IMAGE_SELF = 1,   /* this program, executed again up to wf_init() in <warmfork/task.h> */
	WF_IMAGE_COMMAND =
	    2, /* nothing is preloaded but the sandbox: a task is a program, task.argv */
};

/* What the audit before the first fork looks for. Each finding refuses the image unless waived. */
enum wf_audit {
	WF_AUDIT_THREADS = 1 << 0,     /* threads that the preload left running */
	WF_AUDIT_DESCRIPTORS = 1 << 1, /* descriptors that it left open; waived: workers keep them,
				     * unless a policy closes them (its layer `descriptors`) */
	WF_AUDIT_LOCKS = 1 << 2,       /* file locks held */
	WF_AUDIT_TIMERS = 1 << 3,      /* POSIX timers and interval timers */
	WF_AUDIT_SIGNALS = 1 << 4,     /* handlers, ignored, blocked or pending signals */
	WF_AUDIT_CHILDREN = 1 << 5, /* child processes; waived: they live as long as the zygote */
};

/* Whether the zygote freezes the image: it moves what the preload built into a sealed memfd, from
 * which workers are forked in a time that does not depend on its size (docs/performance.md). */
enum wf_freeze {
	WF_FREEZE_AUTO = 0,   /* if it is large enough to pay, and nothing stands against it; the
			       * facts of the image say which */
	WF_FREEZE_ALWAYS = 1, /* however small; an image that cannot be frozen is refused */
	WF_FREEZE_NEVER = 2,
};

/* On which CPUs workers run, of those that the process that opens the executor may use. */
enum wf_placement {
	WF_PLACE_ANYWHERE = 0, /* the kernel decides */
	WF_PLACE_SPREAD = 1,   /* slot n stays on the n-th CPU, modulo their number: for as many
				* long tasks as there are CPUs */
};

enum wf_queue_full {
	WF_QUEUE_BLOCK = 0, /* wf_submit() waits for room */
	WF_QUEUE_FAIL = 1,  /* wf_submit() returns -EAGAIN */
	WF_QUEUE_WAIT = 2,  /* waits queue_wait_ms, then -ETIMEDOUT */
};

enum wf_on_timeout {
	WF_TIMEOUT_KILL = 0, /* SIGTERM, kill_grace_ms, SIGKILL; the whole tree */
	WF_TIMEOUT_STOP = 1, /* SIGSTOP and leave the worker to a debugger until the pool closes;
			      * the future resolves at once, and another worker takes the slot */
};

enum wf_log_level { WF_LOG_ERROR = 0, WF_LOG_WARNING = 1, WF_LOG_INFO = 2, WF_LOG_DEBUG = 3 };

/* Called from whichever thread does the work, with no lock of the library held. It may not call the
 * library. `line` is borrowed and has no newline. */
typedef void (*wf_log_handler)(void *context, enum wf_log_level level, const char *line);

/* What makes a pool faster, or more patient, and changes no outcome. Most programs leave all of it
 * zero. It stands inside of the options, and not behind a pointer, so that one expression sets it
 * (`.tuning.spin_us = 50`) and none of it can go out of scope; it has room to grow instead of a
 * size. */
struct wf_tuning {
	int hand_ahead; /* tasks that may lie on a reused worker's channel: 0: by their length,
			      * 1: never more than the one that runs, up to WF_MAX_HAND_AHEAD */
	int spin_us;    /* a reused worker, and whoever waits for its result, look for so long
			      * before they sleep, at most WF_MAX_SPIN_US; 0: not at all. Worth it
			      * only with a CPU for each */
	enum wf_placement placement;
	int start_attempts;  /* failed starts of workers in a row before what is queued resolves as
			      * `not started`; 0: 5 */
	int backoff_ms;      /* after the first failed start, doubled with each; 0: 10 */
	int backoff_max_ms;  /* 0: 1,000 */
	int zygote_reply_ms; /* a zygote that is silent for so long is replaced; 0: 10,000 */
	bool touch_ahead;    /* fresh workers: a parked one writes to the pages of a frozen image
			      * that the first tasks have written to, so that its task finds them
			      * copied. Costs their memory in each spare */
	uint64_t
	    recycle_memory; /* bytes of private memory by which a reused worker may grow; 0: any */
	uint64_t reserved[12];
};

struct wf_executor_options {
	size_t size;

	/* the image */
	enum wf_image_kind image;
	const char *module; /* path of the shared object; not for WF_IMAGE_SELF. Made absolute when
			     * opened; no library search. The loaded image does not depend on the
			     * file any more, which may be overwritten; the libraries it links to
			     * do. */
	const char *name;   /* for titles and log lines; default: the file's name */
	const void *preload_argument;
	size_t preload_argument_size; /* at most 32 KiB */
	int preload_timeout_ms;       /* 0: 60,000; WF_FOREVER: none */
	unsigned audit_waive;         /* enum wf_audit, or-ed */
	enum wf_freeze freeze;

	/* the workers */
	int workers; /* slots; 0: one for each CPU this process may use; at most WF_MAX_WORKERS */
	int min_workers;          /* started at once and kept, though idle; default 0: on demand */
	int max_tasks_per_worker; /* 0: reused; 1: a fresh process for each task; N: recycled after
				     N */
	int spares; /* fresh workers forked ahead, one behind each slot; 0: as many as workers;
		     * WF_NO_SPARES: none */
	int idle_timeout_ms; /* an idle worker leaves; 0: 10,000; WF_FOREVER: never */

	/* the queue */
	size_t queue_limit; /* tasks that wait; 0: no limit */
	enum wf_queue_full queue_full;
	int queue_wait_ms;

	/* what a task gets unless it says otherwise */
	const struct wf_context *context; /* a task's own replaces it as a whole: members left zero
					   * there are not taken from here */
	int timeout_ms;                   /* from the start of the task; 0: none */
	int kill_grace_ms; /* between SIGTERM and SIGKILL; 0: 2,000; WF_NO_GRACE: none */
	enum wf_on_timeout on_timeout;
	bool stack_on_timeout; /* have the worker write its call stack into the outcome first */

	/* failure */
	int max_attempts; /* starts of an idempotent task before it is quarantined; 0: 3 */

	/* the host */
	bool caller_driven; /* no thread: the caller polls wf_executor_fd() */
	wf_log_handler log; /* NULL: silent, unless WF_LOG is set in the environment */
	void *log_context;
	const char *helper; /* path of the warmfork-zygote program; default: the environment
			     * variable WARMFORK_HELPER (not in set-uid programs), else the
			     * installed one */

	/* the sandbox */
	const struct wf_policy
	    *policy; /* what workers may do; NULL: whatever the zygote may. Borrowed
					 * during the call */
	bool learn; /* with a policy: refuse nothing, and tell in each outcome which policy the task
		     * needs. Only for programs that are trusted */

	struct wf_tuning tuning; /* how fast, and how patient */
};
#define WF_EXECUTOR_OPTIONS(...)                                                                   \
	((struct wf_executor_options){ .size = sizeof(struct wf_executor_options), __VA_ARGS__ })

#define WF_MAX_WORKERS     4096
#define WF_MAX_HAND_AHEAD  32
#define WF_MAX_DESCRIPTORS 64
#define WF_MAX_CPUS        1024
#define WF_MAX_DEPTH       10
#define WF_MAX_SPIN_US     1000
#define WF_MAX_PAYLOAD     ((size_t)1 << 40)
#define WF_PRIORITY_MIN    (-16)
#define WF_PRIORITY_MAX    15

/* --- more of executors --------------------------------------------------------------------- */

/* The executor that this process shares. Equal options (compared by content) give the same warm
 * pool back, whoever asks; `workers` may differ, which resizes it. Other options replace it: those
 * who still hold the old one can go on using it, and it closes, finishing its work, when the last
 * of them has called wf_executor_free(). The process keeps a reference of its own to the newest, so
 * that it stays warm when all have given theirs back; wf_executor_close() ends it, and the next
 * call opens another. A module file that has changed on disk is reloaded. The caller owns one
 * reference. `*ret_reused` (may be NULL) tells whether the pool existed. Blocks and fails as
 * wf_executor_open(). Since 0.1. */
int wf_executor_shared(const struct wf_executor_options *options, struct wf_executor **ret,
		       bool *ret_reused);

/* Changes the number of slots while tasks run. Growing takes effect with the next task; slots that
 * are taken away finish what they run and take no more. Does not block. Errors: -EINVAL,
 * -ESHUTDOWN, -ECHILD. Since 0.1. */
int wf_executor_resize(struct wf_executor *executor, int workers);

/* Loads the image again, as it is on disk now, in a new zygote beside the old one. A task runs on
 * the newest generation that is ready when it is handed out; the old zygote leaves when its last
 * task has ended. Blocks until the new image is ready; if it is refused, the old one stays. Errors:
 * as wf_executor_open(), -ESHUTDOWN, -EDEADLK, -ECHILD. Since 0.1. */
int wf_executor_reload(struct wf_executor *executor);

/* For caller-driven executors: a descriptor that polls readable (POLLIN) when there is something to
 * do, and the call that does it, waiting at most `timeout_ms` for it. The descriptor stays the
 * library's. wf_executor_dispatch() returns 0, or -EDEADLK from a callback or while another thread
 * dispatches; callbacks run in it. Both return -EINVAL if the executor has its own thread,
 * -ESHUTDOWN when it is closed. The calls that wait (wf_future_wait, wf_wait, wf_map_next,
 * wf_executor_reload, wf_executor_close) do the work themselves meanwhile, and callbacks may run in
 * them. Timeouts make the descriptor readable too. Under a policy that reports, a task waits at
 * each call that is reported until its host has dispatched. Since 0.1. */
int wf_executor_fd(struct wf_executor *executor);
int wf_executor_dispatch(struct wf_executor *executor, int timeout_ms);

/* --- more of futures ----------------------------------------------------------------------- */

/* The outcome, or NULL if there is none yet. Does not block. Since 0.1. */
const struct wf_outcome *wf_future_outcome(struct wf_future *future);

enum wf_future_state {
	WF_PENDING = 1, /* queued, or handed ahead to a worker that has not taken it */
	WF_RUNNING = 2, /* a worker has taken it */
	WF_DONE = 3,
};
/* The state now; 0 for NULL. Since 0.1. */
enum wf_future_state wf_future_state(struct wf_future *future);

/* Sends a signal to the process group of a running task, as kill(2) would; what it does there is
 * its own affair (SIGKILL shows as `signalled`, not as `killed`). Does not block. Errors: -EBUSY
 * (it has not started), -EALREADY (it has ended), -EINVAL, -ECHILD. Since 0.1. */
int wf_future_signal(struct wf_future *future, int signal);

/* One more owner. Returns `future`. Since 0.1. */
struct wf_future *wf_future_ref(struct wf_future *future);

enum wf_wait_for {
	WF_FIRST_COMPLETED = 0,
	WF_FIRST_FAILURE = 1, /* any kind but WF_RETURNED; or all, if none fails */
	WF_ALL_COMPLETED = 2,
};
/* Waits for some of `n` futures, also of several executors; duplicates are fine, NULL is -EINVAL.
 * Returns how many have resolved when it returns (by then the condition holds), or -ETIMEDOUT,
 * -EINVAL, -EDEADLK, -ECHILD. With `n` 0 returns 0 at once. Since 0.1. */
int wf_wait(struct wf_future *const *futures, size_t n, enum wf_wait_for what, int timeout_ms);

/* --- large inputs -------------------------------------------------------------------------- */

/* A large argument without a copy: memory that is handed to the worker as it is. wf_buffer_data()
 * is writable until the buffer is submitted, and holds anything at first: memory of buffers whose
 * task has ended is used again, since fresh pages cost more than to fill them. wf_buffer_free() is
 * for one that was never submitted. Errors: -EINVAL, -E2BIG, -EMFILE, -ENOMEM. Since 0.1. */
int wf_buffer_new(size_t size, struct wf_buffer **ret);
void *wf_buffer_data(struct wf_buffer *buffer);
size_t wf_buffer_size(const struct wf_buffer *buffer);
struct wf_buffer *wf_buffer_free(struct wf_buffer *buffer);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
