/* SPDX-License-Identifier: MIT
 *
 * What every mechanism of an executor shares: one lock, one loop, one clock, the log, the waiting
 * futures and those that are due, counters, and scratch memory for messages.
 *
 * This is all that a mechanism may know about its executor. It reports what it has seen by setting
 * facts in a worker or a generation; the pump (executor.h) reads them and decides.
 *
 * The lock guards everything. The thread that holds it may send on any socket (all sends are
 * non-blocking) and arm any timer, so a submitting thread hands its task straight to an idle
 * worker. Only one thread receives, the one that dispatches: the executor's own, or the caller's.
 * Nothing that may block is done under the lock, nor by that thread: offload.h.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "executor/evidence.h"
#include "executor/names.h"
#include "executor/options.h"
#include "executor/queue.h"
#include "executor/statistics.h"
#include "proto/arena.h"

#define ENGINE_WAKES 8

struct offload;

struct engine {
	_Atomic unsigned references;            /* handles and futures */
	void (*destroy)(struct engine *engine); /* called when the last reference is released */
	uint64_t number;                        /* its number in this process, from 1 */
	uint64_t process; /* the process that opened it: registry_is_this_process() */

	pthread_mutex_t lock;
	nsec_t now; /* while the lock is held; 0: not read yet */
	struct loop *loop;
	int doorbell; /* eventfd: the dispatching thread has something to do */
	struct source doorbell_source;
	struct options options;
	struct log log;
	struct log standard_error; /* where lines go without a handler */
	struct list_node lines;    /* struct log_line: for the handler once the lock is free */
	unsigned n_lines;
	_Atomic uint32_t *wakes[ENGINE_WAKES]; /* futexes: engine_wake() */
	unsigned n_wakes;
	struct offload *offload; /* for what may block */

	struct queue queue;       /* futures waiting for a worker */
	struct list_node ending;  /* futures whose output has still to be read */
	struct list_node read;    /* those whose output has been read: they can resolve */
	struct list_node due;     /* resolved futures whose callbacks have not run */
	size_t n_pending;         /* unresolved futures, and tickets */
	size_t n_tickets;         /* submitters between admission and the queue */
	struct list_node changed; /* workers with news for the pump: worker_changed() */
	bool closing;             /* no attempt is repeated from now on */
	bool undriven;            /* it was freed in a callback of the caller who drove it */
	bool wrecked;             /* the host has closed our descriptors: wreck.h */

	struct names functions; /* the name of every function of any of our images */
	struct evidence evidence;
	struct statistics statistics;
	struct arena arena, receive_arena;
	uint8_t *frame, *receive_frame;
};

/* Takes over `options`. Returns 0 or -errno; either way engine_deinit() must follow. */
int engine_init(struct engine *engine, struct options *options);
/* Ends the loop and the doorbell, which go first. Their sources and timers must be gone. */
void engine_stop(struct engine *engine);
void engine_deinit(struct engine *engine);

struct engine *engine_ref(struct engine *engine);
struct engine *engine_unref(struct engine *engine); /* NULL is fine */

void engine_lock(struct engine *engine);
/* Releases the lock, then wakes the threads that engine_wake() was called for, and passes the log
 * lines written under the lock to their handler. */
void engine_unlock(struct engine *engine);
/* Under the lock: wakes all that sleep on a futex, once the lock is free. A thread that was woken
 * earlier would only wait for the lock. The futex may be gone by then. */
void engine_wake(struct engine *engine, _Atomic uint32_t *futex);
/* Waits for the condition as clock_condition_wait() does, and wakes those of engine_wake() first,
 * since this too makes the lock free. */
int engine_wait(struct engine *engine, pthread_cond_t *condition, nsec_t until);
/* CLOCK_MONOTONIC, read once each time the lock is taken: everything that one event causes happens
 * at one moment, and reading the clock costs as much as a small message. */
nsec_t engine_now(struct engine *engine);

/* Without the lock: may our descriptors have been closed by the host, and their numbers be its? */
bool engine_is_wrecked(struct engine *engine);
/* Without the lock: drops a reference to the context of a task. */
struct task_context *engine_release_context(struct engine *engine, struct task_context *context);

/* Wakes the dispatching thread. */
void engine_ring(struct engine *engine);

/* Does any worker have a task? */
bool engine_is_busy(const struct engine *engine);

#define engine_log(engine, level, ...) log_write(&(engine)->log, (level), __VA_ARGS__)
