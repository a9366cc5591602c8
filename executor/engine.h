/* SPDX-License-Identifier: MIT
 *
 * What every mechanism of an executor shares: one lock, one loop, one clock, the log, the futures
 * that wait and those that are due, counters, and scratch memory for messages.
 *
 * This is all that a mechanism may know of its executor. It reports what it has seen by setting
 * facts in a worker or a generation; the pump (executor.h) reads them and decides.
 *
 * The lock guards everything. Whoever holds it may send on any socket (all sends are non-blocking)
 * and arm any timer, so a submitting thread hands its task straight to an idle worker. What
 * arrives is the business of one thread, the one that dispatches: the executor's own, or the
 * caller's. Nothing that may block is done under the lock: see engine_defer().
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

/* Work that may block, for the dispatching thread, without the lock. It frees itself. */
struct deferred {
	struct link link; /* engine::deferred */
	void (*run)(struct deferred *deferred);
};

struct engine {
	_Atomic unsigned references;            /* handles and futures */
	void (*destroy)(struct engine *engine); /* when the last reference is given back */
	uint64_t number;                        /* among those of this process, from 1 */
	uint64_t process; /* the process that opened it: registry_is_this_process() */

	pthread_mutex_t lock;
	nsec_t now; /* of this hold of the lock; 0: nobody has asked yet */
	struct loop *loop;
	int doorbell; /* eventfd: the dispatching thread has something to do */
	struct source doorbell_source;
	struct options options;
	struct log log;
	struct link lines; /* struct log_line: for the handler, once the lock is free */
	unsigned n_lines;
	struct link deferred; /* struct deferred */
	bool awake;           /* the dispatching thread is at work, and will look at those */

	struct queue queue;  /* futures that wait for a worker */
	struct link due;     /* resolved futures whose callbacks have not run */
	size_t n_pending;    /* futures that have not resolved, and tickets */
	size_t n_tickets;    /* submitters between admission and the queue */
	struct link changed; /* workers with news for the pump: worker_changed() */
	bool closing;        /* no attempt is repeated any more */
	bool wrecked;        /* the host has closed our descriptors: wreck.h */

	struct names functions; /* every function name that an image of ours has had */
	struct evidence evidence;
	struct statistics statistics;
	struct arena arena, receive_arena;
	uint8_t *frame, *receive_frame;
};

/* Takes `options` over. 0 or -errno; either way engine_deinit() has to follow. */
int engine_init(struct engine *engine, struct options *options);
/* The loop and the doorbell, before the rest: their sources and timers must be gone. */
void engine_stop(struct engine *engine);
void engine_deinit(struct engine *engine);

struct engine *engine_ref(struct engine *engine);
struct engine *engine_unref(struct engine *engine); /* NULL is fine */

void engine_lock(struct engine *engine);
/* Gives the lock back, then the log lines of this hold to their handler. */
void engine_unlock(struct engine *engine);
/* CLOCK_MONOTONIC, read once for each hold of the lock: everything that one event brings about
 * happens at one moment, and asking the clock costs as much as a small message. */
nsec_t engine_now(struct engine *engine);
/* The lock was free meanwhile, as in a wait on a condition. */
void engine_forget_now(struct engine *engine);

/* Wakes the dispatching thread. */
void engine_ring(struct engine *engine);

/* Is any task out on a worker? */
bool engine_is_busy(const struct engine *engine);

/* Under the lock: `run` is called soon, by the thread that dispatches, without the lock. */
void engine_defer(struct engine *engine, struct deferred *deferred,
		  void (*run)(struct deferred *deferred));
/* Without the lock: runs what was deferred. True: there was something. */
bool engine_run_deferred(struct engine *engine);

#define engine_log(engine, level, ...) log_write(&(engine)->log, (level), __VA_ARGS__)
