/* SPDX-License-Identifier: MIT
 *
 * The executor's own structures, seen by the files of this folder.
 *
 * One lock guards everything. Whoever holds it may send on any socket (all sends are non-blocking)
 * and arm any timer, so a submitting thread hands its task straight to an idle worker; only what
 * arrives is the business of one thread, the one that dispatches (the executor's own, or the
 * caller's).
 *
 *   wf_executor ---- queue of futures that wait
 *       |-- slots[] ---- current worker, and a spare that is parked for when it leaves
 *       |-- zygotes ---- one per generation that is still alive, each with its workers
 *       `-- keeper
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <warmfork/executor.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "executor/evidence.h"
#include "executor/future.h"
#include "executor/listener.h"
#include "executor/options.h"
#include "executor/queue.h"
#include "executor/statistics.h"
#include "proto/arena.h"
#include "proto/cell.h"
#include "proto/limits.h"
#include "proto/message.h"

enum executor_state { EXECUTOR_OPENING, EXECUTOR_OPEN, EXECUTOR_CLOSING, EXECUTOR_CLOSED };

/* --- a worker, as seen from here ------------------------------------------------------------- */

enum worker_state {
	WORKER_ASKED,   /* Spawn was sent */
	WORKER_STARTED, /* Spawned has come; its initializer runs */
	WORKER_READY,   /* takes tasks */
	WORKER_LEAVING, /* takes no more; ends when it has done what it has, or has been told to */
	WORKER_ENDED,   /* its exit has been reported; Swept is outstanding */
};

enum stop_stage { STOP_NONE, STOP_STACK, STOP_TERM, STOP_KILL };

struct worker {
	struct wf_executor *executor;
	struct zygote *zygote;
	struct slot *slot; /* NULL: it has given its slot away */
	struct link zygote_link;
	struct link idle_link;    /* wf_executor::idle, oldest first */
	struct link leaving_link; /* wf_executor::leaving, oldest first */
	enum worker_state state;
	uint64_t id;
	pid_t pid;
	int pidfd;
	int channel;
	struct source source;
	unsigned cell_index;
	struct cell *cell;
	unsigned slot_number;

	/* tasks on its channel: sequence numbers first_sequence .. next_sequence - 1 */
	struct wf_future *assigned[CELL_CLAIMS]; /* NULL: taken back, Result SKIPPED will come */
	uint64_t first_sequence, next_sequence;
	uint64_t tasks_done;

	bool blocked;  /* its channel was full: EPOLLOUT is awaited */
	bool stopped;  /* by a signal */
	bool asked;    /* to leave: its end is no surprise */
	bool hastened; /* its stream has been ended: it need not wait for that any more */
	bool detained; /* left stopped for a debugger until the executor closes */
	bool broken;   /* nothing can be sent to it */
	bool eof;      /* of its channel: nothing comes from it */
	bool unswept;  /* it ended, and Swept has not come */
	enum stop_stage stop;
	struct timer stop_timer;
	nsec_t idle_since, leaving_since;
	struct wf_future *awaiting_exit; /* WF_TASK_WAIT_EXIT: its outcome is filled; a reference */
	struct listener listener;
};

struct slot {
	unsigned number;
	struct worker *current; /* runs or waits for a task */
	struct worker *next;    /* fresh workers: parked until `current` has ended */
};

/* --- a zygote, as seen from here ------------------------------------------------------------- */

enum zygote_state {
	ZYGOTE_LOADING,  /* StartZygote, Hello and Load were sent */
	ZYGOTE_READY,    /* ImageReady has come */
	ZYGOTE_DRAINING, /* replaced; its workers finish what they run */
	ZYGOTE_LOST,     /* ended while it had workers, which the keeper has adopted */
};

struct zygote {
	struct wf_executor *executor;
	struct link link; /* wf_executor::zygotes */
	enum zygote_state state;
	uint64_t generation;
	pid_t pid;
	int pidfd;
	int control;
	struct source source;
	struct link workers;
	size_t n_workers;
	unsigned n_asked;   /* workers in WORKER_ASKED */
	struct cell *cells; /* LIMIT_WORKERS pages */
	uint64_t cells_used[LIMIT_WORKERS / 64];
	unsigned cell_hint;

	const char **functions; /* interned */
	size_t n_functions;
	bool has_initializer;
	uint64_t preload_ns, anonymous_bytes, file_bytes;
	unsigned mappings, descriptors, threads;
	char *audit;
	struct zygote_freeze {
		bool frozen;
		char *note;
		uint64_t bytes, took_ns, unfrozen_bytes;
		unsigned mappings, holes;
		uint64_t fork_unfrozen_ns, fork_ns;
		uint64_t heap_bytes, stack_bytes, page_table_bytes;
		uint64_t freezes, dirtied;
	} freeze;

	char *layers; /* of the sandbox in force; NULL: no policy */
	pid_t init;   /* of its pid namespace; 0: none */
	int init_pidfd;
	char *memory_group,
	    *pids_group;     /* directories of control groups, one for each cell; "": none */
	uint64_t *oom_kills; /* of each cell's group, when last looked at */
	struct listener listener;

	struct capture output; /* of the preload */
	struct timer preload_timer;
	struct timer ping_timer;
	bool heard; /* anything since the last ping */
	bool pinged;
	bool blocked; /* its control socket was full */
	bool preload_overdue;
	bool image_ready; /* ImageReady has come */
	char *fail_text;  /* from ImageFailed, Refused, or the keeper */
	int fail_error;
	enum wf_phase fail_phase;
};

/* --- the keeper, as seen from here ----------------------------------------------------------- */

struct keeper {
	pid_t pid;
	int pidfd;
	int guard; /* a pidfd of its parent */
	int control;
	struct source source;       /* the control socket */
	struct source death_source; /* the pidfd, once KeeperReady has brought it */
	bool running;
	bool quitting;
	unsigned n_expected; /* answers: ZygoteStarted, Kept, its own end */
	struct timer reply_timer;
};

/* --- failed starts --------------------------------------------------------------------------- */

struct backoff {
	unsigned failures; /* windows in a row in which a start failed */
	bool spent;        /* the budget: only work brings another try */
	int delay_ms;
	nsec_t not_before;
	struct timer timer;
	enum wf_phase phase; /* of the last failure */
	int error;
	char *text;
};

struct wf_executor {
	_Atomic unsigned references; /* handles and futures */
	unsigned handles;
	uint64_t number; /* among those of this process, from 1 */
	bool shared;
	uint64_t process; /* see lifetime_same_process() */
	struct link registry_link;

	pthread_mutex_t lock;
	nsec_t now; /* of this hold of the lock, once somebody has asked; see executor_now() */
	pthread_cond_t changed; /* state, room in the queue, end of a dispatch */
	unsigned n_sleepers;    /* on `changed` */
	pthread_t thread;
	bool has_thread, thread_detached;
	bool dispatching;
	struct loop *loop;
	int doorbell; /* eventfd: the dispatching thread has something to do */
	struct source doorbell_source;

	enum executor_state state;
	enum wf_close close_how;
	bool ending;              /* Quit was sent */
	bool releasing, released; /* the thread and the loop */
	struct options options;
	struct log log;
	struct link lines; /* struct log_line: for the handler, once the lock is free */
	unsigned n_lines;

	struct queue queue;
	struct link due;  /* resolved futures whose callbacks have not run */
	size_t n_pending; /* futures that have not resolved, and tickets */
	size_t n_tickets; /* submitters between admission and the queue */
	uint64_t next_task, next_batch, next_worker, next_generation, next_request;

	struct slot *slots;
	unsigned n_slots;   /* allocated */
	unsigned n_workers; /* wanted: slots [0, n_workers) take tasks */
	struct link idle, leaving;
	struct timer idle_timer, leaving_timer;
	struct timer refill_timer; /* armed while spares are missing that nobody waits for */
	bool refill_due;
	struct timer retry_timer; /* armed while somebody waits for descriptors or buffers */
	bool starved;             /* no descriptor for a task: nothing is handed out until then */
	bool parking; /* spares are kept: off after an idle timeout, until the next task */
	unsigned n_idle, n_starting; /* workers */
	nsec_t mean_run;             /* exponentially weighted, for handing ahead */
	uint64_t n_mean;

	struct keeper keeper;
	struct link zygotes;
	struct zygote *newest;      /* READY, takes new workers; NULL: none now */
	struct zygote *loading;     /* NULL: none now */
	uint64_t ready_generation;  /* the last that was ready, though it may be lost by now */
	uint64_t failed_generation; /* the last that could not be loaded */
	int failed_code;            /* a public error */
	char *failed_text;
	struct backoff start;  /* of workers */
	struct backoff launch; /* of keeper and zygotes */

	char **functions; /* every name that an image of ours has had */
	size_t n_functions;

	struct evidence evidence;
	struct statistics statistics;

	/* scratch for messages; under the lock */
	struct arena arena, receive_arena;
	uint8_t *frame, *receive_frame;
};

/* --- executor.c ------------------------------------------------------------------------------- */

void executor_lock(struct wf_executor *executor);
void executor_unlock(struct wf_executor *executor);
/* CLOCK_MONOTONIC, read once for each hold of the lock: everything that one event brings about happens at one
 * moment, and asking the clock costs as much as a small message. */
nsec_t executor_now(struct wf_executor *executor);
/* A log handler: keeps the line until the lock is given back. */
void executor_keep_line(void *context, enum log_level level, const char *text);
struct wf_executor *executor_ref(struct wf_executor *executor);
struct wf_executor *executor_unref(struct wf_executor *executor);

/* Hands out what can be handed out, starts what must be started, ends what must end. Call it under
 * the lock after anything has changed. */
void executor_pump(struct wf_executor *executor);

/* Under the lock: makes the dispatching thread run executor_pump() and the due callbacks. */
void executor_ring(struct wf_executor *executor);

/* Takes the lock, waits at most timeout_ms for events, handles them, runs callbacks. */
int executor_step(struct wf_executor *executor, int timeout_ms);

/* Runs the callbacks that are due; called without the lock. */
void executor_run_due(struct wf_executor *executor);

/* Under the lock: waits until done(context), helping to dispatch if the caller drives. 0,
 * -ETIMEDOUT, -EDEADLK (in a callback). */
int executor_await(struct wf_executor *executor, bool (*done)(struct wf_executor *, const void *),
		   const void *context, nsec_t until);

/* What a caller-driven executor's owner does: one step. 0, -EDEADLK, -ESHUTDOWN, -errno. */
int executor_dispatch(struct wf_executor *executor, int timeout_ms);

/* Calls back, here and now. */
void executor_call(wf_callback function, struct wf_future *future, void *context);

/* Is this thread inside a callback, or the executor's own? Then it must not wait. */
bool executor_in_callback(void);

#define executor_log(executor, level, ...) log_write(&(executor)->log, (level), __VA_ARGS__)
