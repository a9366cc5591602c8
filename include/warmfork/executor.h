/* SPDX-License-Identifier: MIT
 *
 * warmfork/executor.h: for programs that submit work.
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
 * Ten calls are enough for most programs; they come first. Outcomes, tasks, options and the less
 * common calls follow. <warmfork/map.h> runs one function over many inputs, <warmfork/inspect.h>
 * has statistics and facts, <warmfork/policy.h> restricts what workers may do, and
 * <warmfork/task.h> is for the code that runs in them.
 *
 * Errors: functions that return int return 0 or a positive count on success, and a negative errno
 * from the list below on failure; wf_last_error() returns a sentence that explains it. The failure
 * of a task is never such an error: it is an outcome.
 *
 *     -EINVAL     a NULL, an unknown enum value, a negative or absurd count, a contradiction
 *     -ENOENT     the image has no function of that name; wf_policy_load(): no such file
 *     -EACCES     wf_policy_load(): the file may not be read
 *     -ENOEXEC    the image cannot be used: its file is missing or not a shared object, its preload
 *                 failed, crashed or hung, or the audit found something that no worker may inherit;
 *                 the sentence names it
 *     -ESHUTDOWN  the executor is closed
 *     -EAGAIN     the queue is full (WF_QUEUE_FAIL), or no image is ready now
 *     -ETIMEDOUT  the time given to this call has run out
 *     -EBUSY      wf_future_cancel(): the task has started; wf_future_signal(),
 *                 wf_future_process(): it has not
 *     -EALREADY   a call about a task that runs or waits: the task has ended
 *     -ENODATA    wf_map_next(): there are no more results
 *     -EDEADLK    this call would wait for something that only the calling thread can do
 *     -E2BIG      larger than a documented maximum
 *     -EMFILE     the process (RLIMIT_NOFILE) or the system has no free descriptors
 *     -ENOMEM     out of memory
 *     -ELOOP      pools nested deeper than WF_MAX_DEPTH
 *     -EPERM      the program is set-uid or set-gid
 *     -ECHILD     the executor belongs to another process: this one is a fork of its owner
 *     -EIO        what has no other number here: the helper program or the pool could not be
 *                 started, a policy file could not be read, RLIMIT_FSIZE does not allow a memory
 *                 file of the size that is needed; the sentence names the step and the errno or
 *                 the limit
 *
 * Threads: every function may be called from any thread unless it says otherwise. None is
 * async-signal-safe. After a fork of the host without exec, every call in the child returns -ECHILD
 * (or NULL, or nothing) and touches nothing, because the locks and sockets are the parent's.
 *
 * The library installs no signal handler, waits for no child but its own, and changes no process
 * attribute. It starts one thread per executor, or none (options.caller_driven); and, while there
 * is such work, others for what may block on somebody else, such as a file system: as many as keep
 * it from waiting, up to 64 and those that are stuck.
 *
 * Ownership follows the same rules in every call. What you pass in is borrowed until the call
 * returns, and copied if it is needed for longer (descriptors are duplicated). There are two
 * exceptions, which say so: the buffer of a task is consumed, and the inputs of a wf_map() are
 * borrowed until wf_map_free(). What a call returns through `ret` is yours; release it with the
 * ..._free() of its type. A pointer to const that a call returns is borrowed from the object you
 * passed.
 *
 * Structs whose first member is `size_t size` grow at their end. Set `size` (the WF_... macros do);
 * zero is the default of every other member. Your program may have been compiled with an older or a
 * newer header than the library's. Members that your header lacks take their defaults; members that
 * the library does not know must be zero, or the call returns -EINVAL. When the library fills in a
 * struct, it writes no more than `size` bytes, and zero to members that it does not know. Structs
 * that belong to the library and are only read (struct wf_outcome, wf_worker_info, wf_preload_info)
 * have the `size` that the library knows: a member that lies beyond it is not there. Structs that
 * are embedded in others, or that live in arrays, have `reserved` members instead, which must be
 * zero. Three structs are complete and will never change: struct wf_bytes, struct wf_function_entry
 * and struct wf_rlimit.
 *
 * The headers need C11 or newer. In C++ (20) the option macros need a named variable, because you
 * cannot take their address in place.
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

/* Timeouts are in milliseconds of CLOCK_MONOTONIC; 0 polls. Each special setting has a negative
 * value of its own, so that one used in the wrong place is refused with -EINVAL. */
#define WF_FOREVER       (-1) /* a timeout: wait without limit */
#define WF_NO_GRACE      (-2) /* kill_grace_ms, wf_future_kill(): SIGKILL at once */
#define WF_NO_SPARES     (-3) /* options.spares: none */
#define WF_DEFAULT_GRACE (-4) /* wf_future_kill(): options.kill_grace_ms */

/* --- the ten calls ------------------------------------------------------------------------- */

/* Opens an executor: starts the keeper and the zygote, and waits until the image is preloaded,
 * audited and frozen. On success `*ret` is yours; release it with wf_executor_free(). Blocks until
 * the image is ready or refused (options.preload_timeout_ms). It does not wait for workers: an
 * initializer that fails shows up in outcomes. Errors: -EINVAL, -ENOEXEC, -ENOMEM, -EMFILE, -ELOOP,
 * -EPERM, -EDEADLK (in a callback), -EIO (also if RLIMIT_FSIZE is below 32 MiB). Since 0.1. */
int wf_executor_open(const struct wf_executor_options *options, struct wf_executor **ret);

/* Submits a task. Everything it points to is copied, except `task->buffer`, which is consumed on
 * success. On success `*ret` is yours; release it with wf_future_free(). Pass NULL for `ret` if you
 * do not need the future. Does not block unless the queue is bounded (options.queue_full); in a
 * callback it fails with -EDEADLK instead of blocking. Errors: -EINVAL, -ENOENT, -E2BIG,
 * -ESHUTDOWN, -EAGAIN, -ETIMEDOUT, -EDEADLK, -EMFILE, -ENOMEM, -ECHILD, -EIO (an input that is too
 * large for a message goes into a memory file, and RLIMIT_FSIZE of this process is below its
 * size). Since 0.1. */
int wf_submit(struct wf_executor *executor, const struct wf_task *task, struct wf_future **ret);

/* Waits until the future has resolved and returns its outcome, which is borrowed from the future
 * and does not change. Returns NULL after `timeout_ms`; also for a NULL future, for an invalid
 * `timeout_ms`, and in a callback for a future that has not resolved: wf_last_error() tells these
 * apart. With WF_FOREVER, outside callbacks, it never returns NULL for a future of this process.
 * Since 0.1. */
const struct wf_outcome *wf_future_wait(struct wf_future *future, int timeout_ms);

/* Writes one human-readable line ("signalled: SIGSEGV at 0x0, core dumped (pid 4711, slot 2,
 * attempt 1)") into `text`, truncated to `size` bytes and always NUL-terminated. Like snprintf(3),
 * it returns the length of the whole line. The result is a single line whatever the task wrote:
 * newlines and other control characters, characters that are invisible or change the direction of
 * the text (Unicode category Cf), and bytes that are not UTF-8 are escaped, so that no task can
 * forge a line of a log. Does not block. Since 0.1. */
size_t wf_outcome_describe(const struct wf_outcome *outcome, char *text, size_t size);

/* Cancels a task that has not started, without touching any worker. The future resolves as
 * WF_CANCELLED before the call returns. Does not block. Errors: -EBUSY (it is running: see
 * wf_future_kill()), -EALREADY, -EINVAL, -ECHILD. Since 0.1. */
int wf_future_cancel(struct wf_future *future);

/* Ends a task. A task that has not started is cancelled. One that is running gets SIGTERM, and
 * after `grace_ms` (WF_DEFAULT_GRACE: options.kill_grace_ms) its whole process tree gets SIGKILL;
 * if it is stopped, or `grace_ms` is WF_NO_GRACE or 0, it gets SIGKILL at once. The call only
 * starts this and does not block; the future resolves as WF_KILLED when the worker is reaped,
 * unless a result arrives first. Errors: -EALREADY, -EINVAL (any other negative `grace_ms`: with
 * WF_FOREVER the task might never end; use wf_future_signal() to send SIGTERM alone), -ECHILD.
 * Since 0.1. */
int wf_future_kill(struct wf_future *future, int grace_ms);

/* Calls `function` once, when the future has resolved: in the executor's thread (for a
 * caller-driven executor, in wf_executor_dispatch()), or in the thread that cancels the task, or
 * before this call returns if it has already resolved. If the process has closed descriptors of the
 * library, it may be any thread that waits for a task of the executor or submits one. Callbacks of
 * one future run in the order in which they were added, with no lock held. A callback may submit,
 * cancel, kill and add callbacks; it may not wait (-EDEADLK). `context` is passed through
 * untouched. The callback borrows the future, which stays alive until the callback has run. Errors:
 * -EINVAL, -ENOMEM, -ECHILD. Since 0.1. */
typedef void (*wf_callback)(struct wf_future *future, const struct wf_outcome *outcome,
			    void *context);
int wf_future_on_done(struct wf_future *future, wf_callback function, void *context);

/* Releases the future; its task still runs. Ignores NULL. Returns NULL. Since 0.1. */
struct wf_future *wf_future_free(struct wf_future *future);

enum wf_close {
	WF_CLOSE_FINISH = 0, /* queued tasks still run */
	WF_CLOSE_CANCEL = 1, /* queued tasks are cancelled; running ones may finish */
	WF_CLOSE_KILL = 2,   /* queued tasks are cancelled, running ones are killed without grace */
};

/* Stops accepting tasks, ends the pool and waits until all of its processes are gone. When it
 * returns, every future has resolved. A second call is harmless, and with a harsher `how` it
 * hastens the first. Errors: -EINVAL, -EDEADLK (from a callback that runs while dispatching),
 * -ECHILD. Since 0.1. */
int wf_executor_close(struct wf_executor *executor, enum wf_close how);

/* Releases the executor. If it has not been closed, this closes it with WF_CLOSE_FINISH and waits
 * for all submitted tasks to run, so that cleaning up loses no work; call wf_executor_close() first
 * to end it sooner. A shared executor (wf_executor_shared()) is closed when its last holder
 * releases it. From a callback it closes without waiting; a caller-driven executor, which nobody
 * could drive after that, is ended instead: what waits is cancelled, and what runs is killed
 * (WF_BY_CLOSE). Futures stay valid, and a wait for one of them drives it on. Ignores NULL.
 * Returns NULL. Since 0.1. */
struct wf_executor *wf_executor_free(struct wf_executor *executor);

/* --- one call instead ---------------------------------------------------------------------- */

/* wf_submit() and wf_future_wait() in one: runs a task and waits for it to end. On success `*ret`
 * is yours; release it with wf_outcome_free(). Blocks until the task has resolved; task->timeout_ms
 * can limit that. Errors: as wf_submit(); -EDEADLK in a callback. Since 0.1. */
int wf_run(struct wf_executor *executor, const struct wf_task *task, const struct wf_outcome **ret);

/* Releases an outcome that wf_run() returned, and only that: other outcomes belong to their
 * futures. Ignores NULL. Returns NULL. Since 0.1. */
const struct wf_outcome *wf_outcome_free(const struct wf_outcome *outcome);

/* --- what went wrong ----------------------------------------------------------------------- */

/* Explains the last call that failed in this thread: what went wrong, where, and the remedy. The
 * text has several lines if it quotes what a preload wrote. Never NULL; valid until this thread's
 * next call into the library. Since 0.1. */
const char *wf_last_error(void);

/* Returns the version, such as "0.1.0", as a static string. Since 0.1. */
const char *wf_version(void);

/* --- outcomes ------------------------------------------------------------------------------ */

/* Bytes that something else owns. */
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
	WF_CANCELLED = 6,    /* the task never started */
	WF_KILLED = 7,       /* the library ended it: see killed.by */
	WF_MEMORY_LIMIT = 8, /* the kernel ended it for lack of memory, and there is evidence */
	WF_OUTPUT_LIMIT = 9, /* it wrote more than its limit (WF_OVERFLOW_KILL) */
	WF_VIOLATION = 10,   /* the sandbox policy ended it */
	/* Its worker ended without a result, and there was nothing left to tell how. */
	WF_ZYGOTE_LOST = 11,
	WF_NOT_STARTED = 12, /* it could not be given a worker: see phase and error */
};

enum wf_clock {
	WF_CLOCK_RUN = 1,      /* wf_task.timeout_ms or limits.wall, from the start */
	WF_CLOCK_DEADLINE = 2, /* wf_task.deadline_ms, from submit; it was running */
	WF_CLOCK_QUEUE = 3,    /* wf_task.deadline_ms, from submit; it had not started */
	WF_CLOCK_CPU = 4,      /* limits.cpu of the policy */
};

enum wf_killer {
	WF_BY_CALLER = 1, /* wf_future_kill() */
	WF_BY_CLOSE = 2,  /* wf_executor_close(WF_CLOSE_KILL), or see wf_executor_free() */
	/* its worker's channel was closed, flooded, garbled or left unanswered */
	WF_BY_PROTOCOL = 3,
};

enum wf_phase {
	WF_PHASE_LAUNCH = 1,     /* starting the keeper or the zygote */
	WF_PHASE_PRELOAD = 2,    /* loading the image */
	WF_PHASE_FORK = 3,       /* forking the worker */
	WF_PHASE_INITIALIZE = 4, /* the image's initialize hook */
	WF_PHASE_HAND_OUT = 5,   /* handing out the task; its workers died before they took it */
	WF_PHASE_CONTEXT = 6,    /* setting up the task's directory, streams, limits */
	WF_PHASE_SANDBOX = 7,    /* entering the sandbox */
	WF_PHASE_EXEC = 8,       /* executing the program of a command */
};

/* A call that the policy did not allow. Strings are never NULL. */
struct wf_refusal {
	const char *call; /* "openat" */
	/* decoded, as far as they could be read: "AT_FDCWD, \"in/a\", O_RDONLY" */
	const char *arguments;
	const char *path;  /* the path that the call named, absolute; "" if none */
	const char *allow; /* the policy line that would allow the call; "" if none would */
	/* The errno of the refusal; 0: the task was ended instead. A call that is refused because
	 * of its path may fail with another: ENOENT if the path is not in the view, EROFS if it is
	 * read-only there. */
	int error;
	unsigned count; /* how often the task tried this call */
	uint64_t reserved[4];
};
#define WF_MAX_REFUSALS 64

enum wf_source {
	WF_SOURCE_NONE = 0,
	WF_SOURCE_WORKER = 1, /* the worker's own getrusage(2), over the task */
	WF_SOURCE_KERNEL = 2, /* the rusage of the reaped process, over its life */
};

struct wf_capture {
	const char *data; /* NUL-terminated after `size` bytes; never NULL */
	size_t size;
	uint64_t dropped; /* bytes beyond the limit */
	bool incomplete;  /* its pipe could not be read to the end in time, or not at all */
	uint64_t reserved[1];
};

/* A start that did not end in a result. These decide whether a task is quarantined. */
struct wf_death {
	pid_t pid;
	int slot;
	enum wf_outcome_kind kind; /* WF_EXITED, WF_SIGNALLED, WF_MEMORY_LIMIT, WF_ZYGOTE_LOST */
	int code;                  /* the exit status */
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
			const char *message; /* from wf_fail(), as the task wrote it; never NULL */
			const void *data;    /* from wf_return(); never NULL; not terminated */
			size_t size;
		} failed;
		struct {
			int code;
		} exited;
		struct {
			int signal;
			bool core;
			bool address_known;
			uint64_t address; /* the faulting address */
			int code;         /* si_code, when address_known */
		} signalled;
		struct {
			enum wf_clock clock;
			bool left_stopped; /* WF_TIMEOUT_STOP: `pid` is left for a debugger */
			uint64_t limit_ns; /* what the clock was set to */
			/* The clock's reading when the task had ended, which is later if
			 * kill_grace_ms applied. For WF_CLOCK_CPU it is the exact CPU time, which
			 * differs from the ticks by which the kernel enforces the limit. */
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
		uint64_t reserved_kind[16]; /* room for the members of each kind to grow */
	};

	/* How the library knows, in one sentence on one line. Quoted text is escaped as in
	 * wf_outcome_describe(). Never NULL. */
	const char *evidence;

	uint64_t task_id;
	pid_t pid;            /* 0: it never had a worker */
	int slot;             /* -1: it never had a worker */
	uint64_t task_number; /* its position among its worker's tasks, from 1 */
	uint64_t generation;  /* of the image */
	unsigned attempts;    /* how often it was started */
	bool quarantined;     /* it killed every worker that ran it: see deaths */
	const struct wf_death *deaths;
	size_t n_deaths; /* at most WF_MAX_DEATHS */

	/* in nanoseconds of CLOCK_MONOTONIC; 0: that phase was not reached */
	uint64_t queued_ns; /* from submit until it was handed to a worker */
	uint64_t handed_ns; /* from then until the worker took it */
	uint64_t run_ns;    /* from then until it ended: the wall time */

	uint64_t cpu_ns;
	uint64_t peak_rss; /* bytes */
	enum wf_source usage_source;

	struct wf_capture standard_output, standard_error; /* empty unless captured */
	const char *stack;  /* of the worker when a deadline expired (stack_on_timeout); else "" */
	const char *layers; /* the sandbox layers in force: "seccomp, landlock 7, ..."; "none" */
	const struct wf_refusal *refusals; /* those that the task survived */
	size_t n_refusals;                 /* at most WF_MAX_REFUSALS */
	uint64_t n_refusals_dropped;       /* refusals beyond those */
	const char *learned; /* with options.learn: a policy file for what the task did; else "" */
	bool reaped;         /* the worker had been reaped and swept when this resolved */
	uint64_t reserved[8];
};

/* Returns the name of a kind: "signalled", "timed out", ... The string is static, also for a number
 * that is not a kind. Since 0.1. */
const char *wf_outcome_kind_name(enum wf_outcome_kind kind);

/* --- tasks --------------------------------------------------------------------------------- */

enum wf_task_flags {
	/* The task may be started again if its worker dies, up to options.max_attempts times. */
	WF_TASK_IDEMPOTENT = 1 << 0,
	/* Resolve only when the worker that ran the task has been reaped and everything it left
	 * behind is gone. For fresh workers, and for tasks that must not overlap with their own
	 * leftovers. */
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
	unsigned flags;           /* enum wf_task_flags, or-ed */
	/* NULL: the executor's. A context of the task's own replaces the executor's as a whole:
	 * members left zero are not taken from there. */
	const struct wf_context *context;
	/* The program of a WF_IMAGE_COMMAND, instead of a function and its input; ends with NULL. A
	 * name without a slash is looked up in the task's PATH. The extra descriptors of the
	 * context become 3, 4, ... */
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
	/* Keep the last `limit` bytes and count the rest; the task runs on. */
	WF_OVERFLOW_TRUNCATE = 0,
	/* Keep the first `limit` bytes; the outcome is `output limit`. */
	WF_OVERFLOW_KILL = 1,
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
	uint64_t soft; /* UINT64_MAX: the hard limit */
};

/* What a task runs with. Zero everywhere gives it what the zygote had. In a reused worker all of it
 * is restored after the task. The rules are those of environ(7), chdir(2), umask(2),
 * setrlimit(2), nice(2) and sched_setaffinity(2). */
struct wf_context {
	size_t size;
	/* NULL-terminated array of "NAME=value"; added to the worker's own */
	const char *const *environment;
	bool clear_environment; /* start from an empty environment instead */
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
	/* Only the sandbox is preloaded: each task runs a program, task.argv. */
	WF_IMAGE_COMMAND = 2,
};

/* What the audit before the first fork looks for. Any finding that is not waived refuses the
 * image. */
enum wf_audit {
	WF_AUDIT_THREADS = 1 << 0, /* threads that the preload left running */
	/* Descriptors that the preload left open. If waived, workers keep them, unless a policy
	 * closes them (its layer `descriptors`). */
	WF_AUDIT_DESCRIPTORS = 1 << 1,
	WF_AUDIT_LOCKS = 1 << 2,    /* file locks held */
	WF_AUDIT_TIMERS = 1 << 3,   /* POSIX timers and interval timers */
	WF_AUDIT_SIGNALS = 1 << 4,  /* handlers, and signals ignored, blocked or pending */
	WF_AUDIT_CHILDREN = 1 << 5, /* child processes; waived: they live as long as the zygote */
};

/* Whether the zygote freezes the image, that is, moves what the preload built into a sealed memfd.
 * The time to fork a worker then no longer depends on the size of the image
 * (docs/performance.md). */
enum wf_freeze {
	/* If the image is large enough to pay, and nothing prevents it; the facts of the image say
	 * which. */
	WF_FREEZE_AUTO = 0,
	WF_FREEZE_ALWAYS = 1, /* whatever its size; an image that cannot be frozen is refused */
	WF_FREEZE_NEVER = 2,
};

/* Which CPUs workers run on, among those available to the process that opens the executor. */
enum wf_placement {
	WF_PLACE_ANYWHERE = 0, /* the kernel decides */
	/* Slot n stays on the n-th CPU, modulo their number. For as many long tasks as there are
	 * CPUs. */
	WF_PLACE_SPREAD = 1,
};

enum wf_queue_full {
	WF_QUEUE_BLOCK = 0, /* wf_submit() waits for room */
	WF_QUEUE_FAIL = 1,  /* wf_submit() returns -EAGAIN */
	WF_QUEUE_WAIT = 2,  /* waits queue_wait_ms, then -ETIMEDOUT */
};

enum wf_on_timeout {
	WF_TIMEOUT_KILL = 0, /* SIGTERM, kill_grace_ms, SIGKILL; the whole tree */
	/* SIGSTOP, and leave the worker to a debugger until the pool closes. The future resolves at
	 * once, and another worker takes the slot. */
	WF_TIMEOUT_STOP = 1,
};

enum wf_log_level { WF_LOG_ERROR = 0, WF_LOG_WARNING = 1, WF_LOG_INFO = 2, WF_LOG_DEBUG = 3 };

/* Called from whichever thread has something to log, with no lock of the library held. It must not
 * call the library. `line` is borrowed and has no newline. */
typedef void (*wf_log_handler)(void *context, enum wf_log_level level, const char *line);

/* Settings that make a pool faster or more patient and do not change any outcome. Most programs
 * leave all of them zero. The struct is embedded in the options, rather than pointed to, so that
 * one expression sets it (`.tuning.spin_us = 50`) and nothing can go out of scope; it has room to
 * grow instead of a size. */
struct wf_tuning {
	/* How many tasks may lie on a reused worker's channel. 0: depends on how long tasks take;
	 * 1: never more than the running one; up to WF_MAX_HAND_AHEAD. */
	int hand_ahead;
	/* How long a reused worker, and a thread that waits for its result, spin before they sleep;
	 * at most WF_MAX_SPIN_US. 0: not at all. Pays off only with a CPU for each. */
	int spin_us;
	enum wf_placement placement;
	/* How many worker starts may fail in a row before the queued tasks resolve as `not
	 * started`; 0: 5. */
	int start_attempts;
	int backoff_ms;      /* after the first failed start, doubled with each; 0: 10 */
	int backoff_max_ms;  /* 0: 1,000 */
	int zygote_reply_ms; /* a zygote that is silent for this long is replaced; 0: 10,000 */
	/* For fresh workers: a parked worker writes to the pages of a frozen image that the first
	 * tasks wrote to, so that its task finds them already copied. Costs that memory in each
	 * spare. */
	bool touch_ahead;
	/* How many bytes of private memory a reused worker may gain before it is recycled; 0: any
	 * number. */
	uint64_t recycle_memory;
	uint64_t reserved[12];
};

struct wf_executor_options {
	size_t size;

	/* the image */
	enum wf_image_kind image;
	/* Path of the shared object; not for WF_IMAGE_SELF. Made absolute at open; no library path
	 * is searched. Once loaded, the image no longer depends on the file, which may be
	 * overwritten; it does depend on the libraries that it links to. */
	const char *module;
	const char *name; /* for titles and log lines; default: the name of the file */
	const void *preload_argument;
	size_t preload_argument_size; /* at most 32 KiB */
	int preload_timeout_ms;       /* 0: 60,000; WF_FOREVER: none */
	unsigned audit_waive;         /* enum wf_audit, or-ed */
	enum wf_freeze freeze;

	/* the workers */
	int workers; /* slots; 0: one for each CPU this process may use; at most WF_MAX_WORKERS */
	int min_workers; /* started at once and kept even if idle; default 0: on demand */
	/* 0: reused; 1: a fresh process for each task; N: recycled after N tasks. Choose 1 for
	 * tasks that do not trust each other, because tasks of a reused worker share a process.
	 * A hostile one can leave code there that changes what later ones do. It can also have
	 * the one task that was handed out directly behind it resolve as if it had been started
	 * and had failed, for instance as `killed` by WF_BY_PROTOCOL. And a task that was sent
	 * to such a worker together with others, and not as the first of them, may have been
	 * started twice, even without WF_TASK_IDEMPOTENT. */
	int max_tasks_per_worker;
	/* How many fresh workers are forked ahead, one behind each slot; 0: as many as workers;
	 * WF_NO_SPARES: none. */
	int spares;
	int idle_timeout_ms; /* an idle worker leaves after this; 0: 10,000; WF_FOREVER: never */

	/* the queue */
	size_t queue_limit; /* how many tasks may wait; 0: no limit */
	enum wf_queue_full queue_full;
	int queue_wait_ms;

	/* the defaults for tasks */
	/* A task's own context replaces this one as a whole: members left zero there are not taken
	 * from here. */
	const struct wf_context *context;
	int timeout_ms;    /* from the start of the task; 0: none */
	int kill_grace_ms; /* between SIGTERM and SIGKILL; 0: 2,000; WF_NO_GRACE: none */
	enum wf_on_timeout on_timeout;
	bool stack_on_timeout; /* have the worker first write its call stack into the outcome */

	/* failures */
	int max_attempts; /* starts of an idempotent task before it is quarantined; 0: 3 */

	/* the host */
	bool caller_driven; /* no thread: you poll wf_executor_fd() */
	wf_log_handler log; /* NULL: silent, unless WF_LOG is set in the environment */
	void *log_context;
	/* Path of the warmfork-zygote program. Default: the environment variable WARMFORK_HELPER
	 * (not in set-uid programs), else the installed one. */
	const char *helper;

	/* the sandbox */
	/* What workers may do; NULL: whatever the zygote may. Borrowed during the call. */
	const struct wf_policy *policy;
	/* With a policy: refuse nothing, and report in each outcome which policy the task needs.
	 * Only for programs you trust. */
	bool learn;

	struct wf_tuning tuning; /* speed and patience */
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

/* Returns the executor that this process shares. Callers with equal options (compared by content)
 * get the same warm pool; `workers` may differ, which resizes it. Other options replace it: holders
 * of the old executor can go on using it, and it closes, finishing its work, when the last of them
 * has called wf_executor_free(). The process keeps a reference of its own to the newest, so that it
 * stays warm when all callers have released theirs; wf_executor_close() ends it, and the next call
 * opens another. A module file that has changed on disk is reloaded. You own one reference.
 * `*ret_reused` (`ret_reused` may be NULL) tells whether the pool already existed. Blocks and fails
 * like wf_executor_open(); in a callback it returns a pool that exists, and fails with -EDEADLK if
 * it would have to open or reload one, or to wait for a thread that does. Since 0.1. */
int wf_executor_shared(const struct wf_executor_options *options, struct wf_executor **ret,
		       bool *ret_reused);

/* Changes the number of slots while tasks run. New slots are used from the next task on; slots that
 * are removed finish their running tasks and take no more. Does not block. Errors: -EINVAL,
 * -ESHUTDOWN, -ENOMEM, -ECHILD. Since 0.1. */
int wf_executor_resize(struct wf_executor *executor, int workers);

/* Loads the image again, as it is on disk now, in a new zygote beside the old one. A task runs on
 * the newest generation that is ready when it is handed out; the old zygote leaves when its last
 * task has ended. Blocks until the new image is ready; if it is refused, the old one stays. Errors:
 * as wf_executor_open(), -ESHUTDOWN, -EDEADLK, -ECHILD. Since 0.1. */
int wf_executor_reload(struct wf_executor *executor);

/* For caller-driven executors: wf_executor_fd() returns a descriptor that polls readable (POLLIN)
 * when there is something to do, including a timeout; it stays the library's.
 * wf_executor_dispatch() does the work, waiting at most `timeout_ms` for it, and runs callbacks. It
 * returns 0, or -EDEADLK from a callback or while another thread dispatches. Both return -EINVAL if
 * the executor has its own thread, and -ESHUTDOWN when it is closed. The calls that wait
 * (wf_future_wait, wf_wait, wf_map_next, wf_executor_reload, wf_executor_close) do the work
 * themselves meanwhile, and may run callbacks. Under a policy that reports, a task waits at each
 * reported call until its host has dispatched. Since 0.1. */
int wf_executor_fd(struct wf_executor *executor);
int wf_executor_dispatch(struct wf_executor *executor, int timeout_ms);

/* --- more of futures ----------------------------------------------------------------------- */

/* Returns the outcome, or NULL if there is none yet. Does not block. Since 0.1. */
const struct wf_outcome *wf_future_outcome(struct wf_future *future);

enum wf_future_state {
	WF_PENDING = 1, /* queued, or handed ahead to a worker that has not taken it */
	WF_RUNNING = 2, /* a worker has taken it; or it has ended, and its output is still read */
	WF_DONE = 3,
};
/* Returns the current state; 0 for NULL. Since 0.1. */
enum wf_future_state wf_future_state(struct wf_future *future);

/* Sends a signal to the process group of a running task, as kill(2) would. What follows is up to
 * the task (SIGKILL shows as `signalled`, not as `killed`). Does not block. Errors: -EBUSY (it has
 * not started), -EALREADY (it has ended), -EINVAL, -ECHILD. Since 0.1. */
int wf_future_signal(struct wf_future *future, int signal);

/* Adds an owner and returns `future`; each owner calls wf_future_free(). Since 0.1. */
struct wf_future *wf_future_ref(struct wf_future *future);

enum wf_wait_for {
	WF_FIRST_COMPLETED = 0,
	WF_FIRST_FAILURE = 1, /* any kind but WF_RETURNED; or all, if none fails */
	WF_ALL_COMPLETED = 2,
};
/* Waits for some of `n` futures, which may belong to different executors; duplicates are fine, NULL
 * is -EINVAL. Returns how many have resolved when it returns (by then the condition holds), or
 * -ETIMEDOUT, -EINVAL, -EDEADLK, -ENOMEM, -ECHILD. Returns 0 at once if `n` is 0. Since 0.1. */
int wf_wait(struct wf_future *const *futures, size_t n, enum wf_wait_for what, int timeout_ms);

/* --- large inputs -------------------------------------------------------------------------- */

/* A large input without a copy: memory that is handed to the worker as it is. wf_buffer_data() is
 * writable until the buffer is submitted. Its initial content is undefined: memory of buffers whose
 * task has ended is used again, because fresh pages cost more than filling them does. Use
 * wf_buffer_free() for a buffer that was never submitted. Errors: -EINVAL, -E2BIG, -EMFILE,
 * -ENOMEM, -EIO (RLIMIT_FSIZE of this process is below `size`). Since 0.1. */
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
