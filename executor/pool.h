/* SPDX-License-Identifier: MIT
 *
 * The workers of an executor and their slots: which are idle, which are leaving, which may go.
 *
 * A slot is a number that no two running tasks share. It has one current worker. With a fresh
 * process for each task it may also have a next one: forked ahead, initialized and parked, so that
 * a task waits for no fork. It takes over only when the current one has ended, because a process
 * that has sent its result may still hold the port or the device that its slot number stands for.
 *
 * Nothing here is counted by looking at all workers: each slot remembers what it adds to the
 * census, and is counted again when one of its workers has changed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"
#include "executor/backoff.h"
#include "executor/engine.h"
#include "executor/generation.h"
#include "executor/worker.h"

/* Where another worker may go: first to empty slots, then behind busy workers, then behind parked
 * ones. */
enum place { PLACE_EMPTY, PLACE_BEHIND_BUSY, PLACE_BEHIND_PARKED, PLACE_NONE };
#define PLACES PLACE_NONE

/* What a slot adds to the census, each 0 or a small number. */
struct census {
	unsigned current; /* slots that have a worker */
	unsigned staying; /* of these, slots whose worker has not been told to leave */
	unsigned able;    /* of these, slots whose worker may still take queued tasks */
	unsigned parked;  /* workers that wait for a task, or are about to */
	unsigned behind;  /* of these, those behind a worker that runs a task: they need its slot */
	unsigned ahead;   /* tasks behind another one on a channel */
};

struct slot {
	unsigned number;
	struct worker *current; /* runs or waits for a task */
	struct worker *next;    /* fresh workers: parked until `current` has ended */
	struct census counted;  /* what it contributed to the census */
	enum place place;       /* the set it is in; PLACE_NONE */
};

struct pool {
	struct engine *engine;
	struct generations *generations;
	struct slot **slots;
	unsigned n_slots;   /* allocated */
	unsigned n_workers; /* wanted: slots [0, n_workers) take tasks */
	bool open;          /* the executor takes tasks, so workers are kept ready for them */
	struct census census;
	uint64_t places[PLACES][WF_MAX_WORKERS / 64]; /* a bit for each slot */

	struct list_node idle, leaving; /* oldest first */
	struct list_node lingering;     /* of the leaving, those that have not been hurried */
	struct list_node stopped;       /* without a task, by a signal: pool_end_stopped() */
	/* ready workers by the number of tasks on their channel: what can be taken back */
	struct list_node loads[LIMIT_HAND_AHEAD + 1];
	/* of these, those that may be given more, by the number of answers that they owe */
	struct list_node ahead[LIMIT_HAND_AHEAD + 1];
	unsigned n_idle;
	struct timer idle_timer, leaving_timer;

	bool parking;    /* spares are kept: off after an idle timeout, until the next task */
	bool refill_due; /* spares that nothing waits for may be forked now: plan.h */
	struct timer refill_timer;
	bool starved;   /* no descriptor for a task: nothing is handed out until the timer fires */
	int starved_ms; /* the wait, which grows with each failure */
	unsigned in_vain; /* how often it has waited */
	struct timer starved_timer;

	struct backoff start; /* of worker starts */
	struct timer start_timer;
	uint64_t last_worker; /* the last number assigned */
};

void pool_init(struct pool *pool, struct engine *engine, struct generations *generations);
/* Its timers must be off and its workers freed. */
void pool_deinit(struct pool *pool);
void pool_stop_timers(struct pool *pool);

/* Makes [0, n) the slots that take tasks; workers in other slots finish what they run. Returns 0 or
 * -ENOMEM. */
int pool_resize(struct pool *pool, unsigned n);

static inline bool pool_is_fresh(const struct pool *pool) {
	return pool->engine->options.public.max_tasks_per_worker == 1;
}

/* Acts on everything that has happened to workers; frees those that are gone. */
void pool_settle(struct pool *pool);

/* Puts a new worker into a slot that is in one of the sets. */
void pool_seat(struct pool *pool, struct slot *slot, struct worker *worker);

/* A start has failed: backs off, and after too many in a row resolves the queued tasks. */
void pool_start_failed(struct pool *pool, enum wf_phase phase, int error, const char *text);
/* Resolves all queued tasks as not started. */
void pool_fail_queue(struct pool *pool, enum wf_phase phase, int error, const char *text);

/* Dismisses all workers that have nothing to do, including spares. */
void pool_dismiss_idle(struct pool *pool);
/* Makes a worker that only waits for a task leave, because a task needs its descriptors: a spare if
 * there is one, but not the last worker that could take a task. Returns false if there is none. */
bool pool_give_one_up(struct pool *pool);
/* For a generation that is no longer the newest: idle workers leave, and tasks that the others have
 * not begun go back to the queue. */
void pool_dismiss_generation(struct pool *pool, struct generation *generation);
/* Ends workers that are stopped and idle while tasks wait for their slots. */
void pool_end_stopped(struct pool *pool);
