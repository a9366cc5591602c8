/* SPDX-License-Identifier: MIT
 *
 * The executor: what it is made of, and the pump.
 *
 *   wf_executor
 *       |-- engine       lock, loop, queue of waiting futures, counters: what all parts may know
 *       |-- offload      threads for what may block
 *       |-- keeper       the process that starts zygotes and outlives them
 *       |-- generations  one for each image that is alive, with its zygote and its workers
 *       |-- pool         slots, and which worker is idle, busy, leaving
 *       `-- succession   which generation is the newest, and when another is started
 *
 * Every event ends in executor_pump(). Handlers set facts; the pump looks at the whole and does
 * what can be done: settle, hand out, fork, start, end. So no handler needs to know what else its
 * event makes possible.
 */
#pragma once

#include "executor/engine.h"
#include "executor/future.h"
#include "executor/generation.h"
#include "executor/keeper_link.h"
#include "executor/offload.h"
#include "executor/pool.h"
#include "executor/registry.h"
#include "executor/succession.h"

enum executor_state { EXECUTOR_OPENING, EXECUTOR_OPEN, EXECUTOR_CLOSING, EXECUTOR_CLOSED };

struct wf_executor {
	struct engine engine;
	struct offload offload;
	struct keeper keeper;
	struct generations generations;
	struct pool pool;
	struct succession succession;

	enum executor_state state;
	enum wf_close close_how;
	unsigned handles;
	struct registered registered;

	pthread_cond_t changed; /* state, room in the queue, end of a dispatch */
	unsigned n_sleepers;    /* on `changed` */
	pthread_t thread;
	bool has_thread, thread_detached, thread_done;
	bool dispatching;
	bool rested; /* the thread that dispatches has just waited for nothing, until its check */
	bool unchecked;           /* it sleeps until something happens */
	bool releasing, released; /* the thread and the loop */
	uint64_t next_task, next_batch;
};

static inline struct wf_executor *executor_of(struct engine *engine) {
	return container_of(engine, struct wf_executor, engine);
}

/* False in a process that was forked from the one that opened the executor. */
static inline bool executor_is_ours(const struct wf_executor *executor) {
	return registry_is_this_process(executor->engine.process);
}

static inline void executor_lock(struct wf_executor *executor) {
	engine_lock(&executor->engine);
}
static inline void executor_unlock(struct wf_executor *executor) {
	engine_unlock(&executor->engine);
}

/* Does everything that can be done now. Call it under the lock after anything has changed. */
void executor_pump(struct wf_executor *executor);
/* Under the lock: resolves every future now, because nobody will drive the executor until their
 * workers have ended. Results that have come are received; what runs is killed. */
void executor_resolve_all(struct wf_executor *executor);
/* Under the lock, for threads that wait: if the host has closed our descriptors, ends the executor
 * and returns true. executor_run_due() must then follow, without the lock, because the thread that
 * dispatches may never wake again. */
bool executor_check(struct wf_executor *executor);
/* Under the lock, before a task is admitted: if nothing has been pending for so long that no thread
 * checks any more, this one does, and the one that dispatches begins again. */
void executor_rouse(struct wf_executor *executor);
/* Wakes the threads that wait for a change of the executor itself. */
void executor_announce(struct wf_executor *executor);

/* Takes the lock, waits at most `timeout_ms` for events, handles them, and runs callbacks. */
void executor_step(struct wf_executor *executor, int timeout_ms);

/* Runs the callbacks that are due; called without the lock. */
void executor_run_due(struct wf_executor *executor);
/* Under the lock: takes one future off the list of those with due callbacks; the others are left to
 * the dispatching thread. If it returns true, executor_run_taken() must follow, without the
 * lock. */
bool executor_take_due(struct wf_future *future);
void executor_run_taken(struct wf_future *future);

/* Under the lock: waits until done(context); dispatches meanwhile if the executor is caller-driven.
 * Returns 0, -ETIMEDOUT or -EDEADLK (in a callback). */
int executor_await(struct wf_executor *executor, bool (*done)(struct wf_executor *, const void *),
		   const void *context, nsec_t until);

/* One step by the owner of a caller-driven executor. Returns 0, -EDEADLK or -ESHUTDOWN. */
int executor_dispatch(struct wf_executor *executor, int timeout_ms);

/* Runs the callback at once. */
void executor_call(wf_callback function, struct wf_future *future, void *context);

/* Is this thread inside a callback, or the executor's own? Then it must not wait. */
bool executor_in_callback(void);
