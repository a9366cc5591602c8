/* SPDX-License-Identifier: MIT
 *
 * pool_settle() turns facts into decisions. It looks at each worker that has changed, does what its
 * state calls for, and may be called any number of times for the same worker.
 */
#include "executor/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/channel.h"
#include "executor/claim.h"
#include "executor/conclude.h"
#include "executor/link.h"
#include "executor/listener.h"
#include "executor/postmortem.h"
#include "executor/stop.h"

#define DRAIN_MS    5    /* until memory for what a worker has sent is looked for again */
#define NO_GRACE_MS 1000 /* for a worker that leaves by itself if the options have no grace */

void pool_init(struct pool *pool, struct engine *engine, struct generations *generations) {
	const struct wf_executor_options *options = &engine->options.public;

	*pool = (struct pool){ .engine = engine, .generations = generations, .parking = true };
	list_init(&pool->idle);
	list_init(&pool->leaving);
	list_init(&pool->lingering);
	list_init(&pool->stopped);
	for (unsigned i = 0; i <= LIMIT_HAND_AHEAD; i++) {
		list_init(&pool->loads[i]);
		list_init(&pool->ahead[i]);
	}
	backoff_init(&pool->start, options->tuning.backoff_ms, options->tuning.backoff_max_ms,
		     (unsigned)options->tuning.start_attempts);
}

void pool_stop_timers(struct pool *pool) {
	timer_clear(&pool->idle_timer);
	timer_clear(&pool->leaving_timer);
	timer_clear(&pool->refill_timer);
	timer_clear(&pool->starved_timer);
	timer_clear(&pool->start_timer);
}

void pool_deinit(struct pool *pool) {
	for (unsigned i = 0; i < pool->n_slots; i++)
		free(pool->slots[i]);
	free(pool->slots);
}

/* --- the census ---------------------------------------------------------------------------- */

/* Is it waiting for a task, or about to? */
static bool is_parked(const struct worker *worker) {
	if (!worker || worker->stopped || worker->broken || worker->eof ||
	    worker->stop != STOP_NONE)
		return false;
	return worker->state == WORKER_ASKED || worker->state == WORKER_STARTED ||
	       (worker->state == WORKER_READY && claim_outstanding(worker) == 0);
}

static bool is_staying(const struct worker *worker) {
	return worker->state <= WORKER_READY && worker->state != WORKER_UNWANTED;
}

static void count_slot(const struct slot *slot, struct census *ret) {
	const struct worker *current = slot->current;
	unsigned tasks;

	*ret = (struct census){ .current = current != NULL };
	if (!current)
		return;
	tasks = claim_count(current);
	ret->staying = is_staying(current);
	ret->able = current->state == WORKER_READY && !current->stopped;
	ret->parked = (unsigned)is_parked(current) + (unsigned)is_parked(slot->next);
	ret->behind = is_parked(slot->next) && tasks > 0;
	ret->ahead = tasks > 1 ? tasks - 1 : 0;
}

static enum place place_of(const struct pool *pool, const struct slot *slot) {
	const struct worker *current = slot->current;

	if (slot->number >= pool->n_workers)
		return PLACE_NONE;
	if (!current)
		return PLACE_EMPTY;
	if (!pool_is_fresh(pool) || slot->next || current->generation != pool->generations->newest)
		return PLACE_NONE;
	return is_parked(current) ? PLACE_BEHIND_PARKED : PLACE_BEHIND_BUSY;
}

static void move_place(struct pool *pool, struct slot *slot, enum place place) {
	uint64_t bit = (uint64_t)1 << slot->number % 64;

	if (slot->place != PLACE_NONE)
		pool->places[slot->place][slot->number / 64] &= ~bit;
	if (place != PLACE_NONE)
		pool->places[place][slot->number / 64] |= bit;
	slot->place = place;
}

static void add_census(struct census *sum, const struct census *old, const struct census *now) {
	sum->current += now->current - old->current;
	sum->staying += now->staying - old->staying;
	sum->able += now->able - old->able;
	sum->parked += now->parked - old->parked;
	sum->behind += now->behind - old->behind;
	sum->ahead += now->ahead - old->ahead;
}

static void recount(struct pool *pool, struct slot *slot) {
	struct census now;

	count_slot(slot, &now);
	add_census(&pool->census, &slot->counted, &now);
	slot->counted = now;
	move_place(pool, slot, place_of(pool, slot));
}

static void recount_all(struct pool *pool) {
	for (unsigned i = 0; i < pool->n_slots; i++)
		recount(pool, pool->slots[i]);
}

/* --- slots --------------------------------------------------------------------------------- */

static int grow(struct pool *pool, unsigned n) {
	struct slot **slots = reallocarray(pool->slots, n, sizeof(struct slot *));

	if (!slots)
		return error_origin(-ENOMEM);
	pool->slots = slots;
	while (pool->n_slots < n) {
		struct slot *slot = calloc(1, sizeof *slot);

		if (!slot)
			return error_origin(-ENOMEM);
		slot->number = pool->n_slots;
		slot->place = PLACE_NONE;
		slots[pool->n_slots++] = slot;
	}
	return 0;
}

int pool_resize(struct pool *pool, unsigned n) {
	int r = n > pool->n_slots ? grow(pool, n) : 0;

	if (r < 0)
		return error_trace(r);
	pool->n_workers = n;
	for (unsigned i = n; i < pool->n_slots; i++) {
		if (pool->slots[i]->current)
			stop_dismiss(pool->slots[i]->current);
		if (pool->slots[i]->next)
			stop_dismiss(pool->slots[i]->next);
	}
	recount_all(pool);
	return 0;
}

void pool_seat(struct pool *pool, struct slot *slot, struct worker *worker) {
	worker->slot = slot;
	if (slot->current)
		slot->next = worker;
	else
		slot->current = worker;
	recount(pool, slot);
}

static void leave_lists(struct pool *pool, struct worker *worker) {
	if (list_node_is_linked(&worker->idle_link))
		pool->n_idle--;
	list_remove(&worker->idle_link);
	list_remove(&worker->load_link);
	list_remove(&worker->ahead_link);
}

/* The next worker takes over the slot. */
static void give_up_slot(struct pool *pool, struct worker *worker) {
	struct slot *slot = worker->slot;

	leave_lists(pool, worker);
	list_remove(&worker->leaving_link);
	list_remove(&worker->lingering_link);
	list_remove(&worker->stopped_link);
	worker->slot = NULL;
	if (!slot)
		return;
	if (slot->next == worker) {
		slot->next = NULL;
	} else if (slot->current == worker) {
		slot->current = slot->next;
		slot->next = NULL;
		if (slot->current)
			worker_changed(slot->current);
	}
	recount(pool, slot);
}

/* --- idle ---------------------------------------------------------------------------------- */

static void arm_idle_timer(struct pool *pool);

/* Once, until a task brings them back: then all of them go. */
static void dismiss_spares(struct pool *pool) {
	if (!pool->parking)
		return;
	pool->parking = false;
	for (unsigned i = 0; i < pool->n_slots; i++)
		if (pool->slots[i]->next)
			stop_dismiss(pool->slots[i]->next);
}

static void on_idle_timer(struct timer *timer, nsec_t now) {
	struct pool *pool = container_of(timer, struct pool, idle_timer);
	const struct wf_executor_options *options = &pool->engine->options.public;
	unsigned left = pool->census.staying, minimum = (unsigned)options->min_workers;

	list_foreach_safe (link, next, &pool->idle) {
		struct worker *worker = container_of(link, struct worker, idle_link);

		if (left <= minimum ||
		    clock_after_ms(worker->idle_since, options->idle_timeout_ms) > now)
			break;
		left--;
		pool->engine->statistics.idle_timeouts++;
		leave_lists(pool, worker);
		stop_dismiss(worker);
		dismiss_spares(pool);
	}
	if (left > minimum)
		arm_idle_timer(pool);
}

static void arm_idle_timer(struct pool *pool) {
	const struct wf_executor_options *options = &pool->engine->options.public;
	const struct worker *oldest;

	if (options->idle_timeout_ms == WF_FOREVER || pool->idle_timer.loop ||
	    list_is_empty(&pool->idle))
		return;
	/* no worker would be told to leave */
	if ((unsigned)options->min_workers >= pool->n_workers)
		return;
	oldest = list_first(&pool->idle, struct worker, idle_link);
	(void)timer_set(pool->engine->loop, &pool->idle_timer,
			clock_after_ms(oldest->idle_since, options->idle_timeout_ms),
			on_idle_timer);
}

static void make_idle(struct pool *pool, struct worker *worker) {
	list_remove(&worker->load_link);
	list_remove(&worker->ahead_link);
	if (list_node_is_linked(&worker->idle_link))
		return;
	worker->idle_since = engine_now(pool->engine);
	list_append(&pool->idle, &worker->idle_link);
	pool->n_idle++;
	arm_idle_timer(pool);
}

/* The lists that hand_out.c chooses from, so that it need not look at every busy worker. */
static void make_busy(struct pool *pool, struct worker *worker) {
	leave_lists(pool, worker);
	worker->load = claim_count(worker);
	list_append(&pool->loads[worker->load], &worker->load_link);
	if (worker->generation == pool->generations->newest &&
	    claim_room(worker, LIMIT_HAND_AHEAD) > 0)
		list_append(&pool->ahead[claim_outstanding(worker)], &worker->ahead_link);
}

/* --- leaving ------------------------------------------------------------------------------- */

static nsec_t leaving_until(const struct pool *pool, const struct worker *worker) {
	int grace_ms = pool->engine->options.public.kill_grace_ms;

	return clock_after_ms(worker->leaving_since,
			      grace_ms == WF_NO_GRACE ? NO_GRACE_MS : grace_ms);
}

static void on_leaving_timer(struct timer *timer, nsec_t now);

static void arm_leaving_timer(struct pool *pool) {
	const struct worker *oldest;

	if (pool->leaving_timer.loop || list_is_empty(&pool->leaving))
		return;
	oldest = list_first(&pool->leaving, struct worker, leaving_link);
	(void)timer_set(pool->engine->loop, &pool->leaving_timer, leaving_until(pool, oldest),
			on_leaving_timer);
}

static void on_leaving_timer(struct timer *timer, nsec_t now) {
	struct pool *pool = container_of(timer, struct pool, leaving_timer);

	list_foreach_safe (link, next, &pool->leaving) {
		struct worker *worker = container_of(link, struct worker, leaving_link);

		if (leaving_until(pool, worker) > now)
			break;
		list_remove(link);
		stop_kill(worker);
	}
	arm_leaving_timer(pool);
}

static void settle_leaving(struct pool *pool, struct worker *worker) {
	leave_lists(pool, worker);
	if (worker->stopped)
		stop_kill(worker); /* it would never read that it is to leave */
	if (worker->leaving_since)
		return;
	worker->leaving_since = engine_now(pool->engine);
	list_append(&pool->leaving, &worker->leaving_link);
	if (!worker->hurried)
		list_append(&pool->lingering, &worker->lingering_link);
	arm_leaving_timer(pool);
}

/* --- failed starts ------------------------------------------------------------------------- */

static void on_start_timer(struct timer *timer, nsec_t now) {
	(void)timer;
	(void)now; /* the pump follows every dispatch */
}

void pool_fail_queue(struct pool *pool, enum wf_phase phase, int error, const char *text) {
	struct list_node *link;

	while ((link = queue_peek(&pool->engine->queue)) != NULL) {
		struct wf_future *future = container_of(link, struct wf_future, link);

		future_unqueue(future);
		conclude_not_started(future, phase, error, text);
		future_end(future);
	}
}

void pool_start_failed(struct pool *pool, enum wf_phase phase, int error, const char *text) {
	struct engine *engine = pool->engine;
	bool spent = backoff_failed(&pool->start, engine_now(engine));

	(void)timer_set(engine->loop, &pool->start_timer, pool->start.not_before, on_start_timer);
	engine_log(engine, LOG_WARNING,
		   "a worker could not start (%u in a row, again in %d ms): %s",
		   pool->start.failures ? pool->start.failures : pool->start.budget,
		   pool->start.delay_ms, text);
	if (spent && pool->census.able == 0)
		pool_fail_queue(pool, phase, error, text);
}

static void describe_end(char *text, size_t size, const struct worker *worker) {
	const struct exit_status *status = &worker->status;

	if (!worker->status_known)
		(void)snprintf(text, size, "its worker ended before it was ready");
	else if (status->exited)
		(void)snprintf(text, size, "its worker exited with code %d before it was ready",
			       status->code);
	else
		(void)snprintf(text, size, "its worker was ended by SIG%s before it was ready",
			       sigabbrev_np(status->signal));
}

static void judge_start(struct pool *pool, struct worker *worker, bool was_busy) {
	char text[128];

	if (worker->end_was_expected)
		return;
	if (worker->ended_early) {
		describe_end(text, sizeof text, worker);
		pool_start_failed(pool, WF_PHASE_INITIALIZE, 0, text);
	} else if (!was_busy && worker->tasks_done == 0) {
		pool_start_failed(pool, WF_PHASE_HAND_OUT, 0,
				  "its workers end before they are given a task");
	}
}

/* --- settling ------------------------------------------------------------------------------ */

/* Is it still wanted in its place? */
static bool is_wanted(const struct pool *pool, const struct worker *worker) {
	return worker->generation == pool->generations->newest && worker->slot &&
	       worker->slot->number < pool->n_workers;
}

static bool has_grown(const struct worker *worker) {
	uint64_t most = worker->engine->options.public.tuning.recycle_memory;

	return most && worker->tasks_done && worker->memory_growth > most;
}

static bool has_done_all(const struct worker *worker) {
	int limit = worker->engine->options.public.max_tasks_per_worker;

	return limit && worker->tasks_done >= (uint64_t)limit;
}

/* It has done its last task, and ends by itself. */
static void let_leave(struct pool *pool, struct worker *worker) {
	(void)worker_step(worker, WORKER_DISMISSED);
	if (pool->engine->queue.size > 0)
		stop_hurry(worker);
}

static void settle_ready(struct pool *pool, struct worker *worker) {
	bool idle = claim_outstanding(worker) == 0;

	if (worker->tasks_done > worker->tasks_settled)
		backoff_worked(&pool->start);
	if (worker->tasks_done > worker->tasks_settled && has_grown(worker)) {
		pool->engine->statistics.recycled++;
		stop_dismiss(worker);
	} else if (worker->awaiting_exit) {
		stop_dismiss(worker);
	} else if (has_done_all(worker) && idle) {
		let_leave(pool, worker);
	} else if (idle && !is_wanted(pool, worker)) {
		stop_dismiss(worker);
	} else if (!idle) {
		make_busy(pool, worker);
	} else if (worker->slot->current == worker && worker_takes_tasks(worker)) {
		make_idle(pool, worker);
	} else {
		leave_lists(pool, worker);
	}
	worker->tasks_settled = worker->tasks_done;
}

static void on_drain_timer(struct timer *timer, nsec_t now) {
	(void)now;
	worker_changed(container_of(timer, struct worker, timer));
}

/* What it sent before it ended counts, unless it cannot be trusted. That holds for a worker we
 * killed too: it may have done other tasks before the one that was to be ended. Returns false if
 * that must wait for memory. */
static bool drain(struct worker *worker) {
	struct engine *engine = worker->engine;

	return channel_drain(worker) ||
	       timer_set(engine->loop, &worker->timer, clock_after_ms(engine_now(engine), DRAIN_MS),
			 on_drain_timer) < 0;
}

static void settle_end(struct pool *pool, struct worker *worker) {
	bool was_busy;

	if (!worker->settled_end) {
		if (!drain(worker))
			return;
		worker->settled_end = true;
		timer_clear(&worker->timer);
		was_busy = postmortem(worker);
		give_up_slot(pool, worker);
		source_remove(&worker->end_source);
		worker_close_channel(worker);
		worker->pidfd = fd_close(worker->pidfd);
		judge_start(pool, worker, was_busy);
	}
	if (worker->swept) {
		postmortem_swept(worker);
		(void)worker_step(worker, WORKER_SWEPT);
	}
}

/* A stopped worker would sit on its tasks: other workers can have those that it has not begun. */
static void settle_stopped(struct pool *pool, struct worker *worker) {
	list_remove(&worker->stopped_link);
	if (!worker->stopped)
		return;
	(void)claim_take_back(worker, UINT32_MAX);
	if (worker->stop == STOP_TERM)
		stop_kill(worker);
	if (worker->stop != STOP_KILL && worker->slot && worker->slot->current == worker &&
	    !claim_has_tasks(worker) && is_staying(worker))
		list_append(&pool->stopped, &worker->stopped_link);
}

static void settle_fault(struct pool *pool, struct worker *worker) {
	if (!worker->fault.phase || worker->fault_told)
		return;
	worker->fault_told = true;
	pool_start_failed(pool, worker->fault.phase, worker->fault.error,
			  worker->fault.text ? worker->fault.text : "no memory");
}

/* The worker's word, so it counts only where it can be true. */
static bool is_executing(const struct worker *worker) {
	return worker->engine->options.public.image == WF_IMAGE_COMMAND &&
	       claim_has_tasks(worker) && atomic_load(&worker->cell->executing);
}

/* Handles the facts that its state does not reflect. */
static void settle_facts(struct pool *pool, struct worker *worker) {
	struct wf_future *head = claim_head(worker);

	if (worker->listener_fd >= 0 && !worker->listener_source.loop &&
	    listener_start_worker(worker) < 0)
		engine_log(worker->engine, LOG_WARNING,
			   "worker %d: its refusals cannot be listened to", (int)worker->pid);
	if (head && head->overflow && !claim_is_over(head)) {
		(void)future_judge_output(head, false);
		stop_worker(worker, 0);
	}
	/* a worker that has become a program closes the channel, as it should */
	if (worker->eof && !worker->silence_seen && !is_executing(worker)) {
		worker->silence_seen = true;
		stop_unless_ended(worker);
	}
	settle_stopped(pool, worker);
}

static void settle_started(struct worker *worker) {
	if (worker->fault.phase && worker->stop == STOP_NONE) {
		stop_dismiss(worker); /* we cannot hear anything from it */
	} else if (!worker->start_watched) {
		worker->start_watched = true;
		stop_unless_ready(worker);
	}
}

static void settle_state(struct pool *pool, struct worker *worker) {
	switch (worker->state) {
	case WORKER_ASKED:
	case WORKER_UNWANTED:
		return;
	case WORKER_STARTED:
		settle_started(worker);
		return;
	case WORKER_READY:
		settle_ready(pool, worker);
		return;
	case WORKER_RETIRING:
		leave_lists(pool, worker);
		if (!claim_has_tasks(worker))
			(void)worker_step(worker, WORKER_EMPTIED);
		return;
	case WORKER_LEAVING:
		settle_leaving(pool, worker);
		return;
	case WORKER_DETAINED:
		give_up_slot(pool, worker);
		return;
	case WORKER_ENDED:
		settle_end(pool, worker);
		return;
	case WORKER_GONE:
		give_up_slot(pool, worker);
		worker_free(worker);
		return;
	}
}

/* Settles every worker that has changed; doing so for one may change another. */
void pool_settle(struct pool *pool) {
	struct list_node *changed = &pool->engine->changed;

	while (!list_is_empty(changed)) {
		struct worker *worker = list_first(changed, struct worker, changed_link);
		struct slot *slot = worker->slot;

		list_remove(&worker->changed_link);
		settle_fault(pool, worker);
		if (worker->state < WORKER_ENDED)
			settle_facts(pool, worker);
		link_watch(worker);
		settle_state(pool, worker);
		if (slot)
			recount(pool, slot);
	}
}

/* --- many at once -------------------------------------------------------------------------- */

void pool_dismiss_idle(struct pool *pool) {
	for (unsigned i = 0; i < pool->n_slots; i++) {
		struct slot *slot = pool->slots[i];

		if (slot->next)
			stop_dismiss(slot->next);
		if (slot->current && !claim_has_tasks(slot->current))
			stop_dismiss(slot->current);
	}
}

bool pool_give_one_up(struct pool *pool) {
	struct worker *worker = NULL;

	for (unsigned i = 0; i < pool->n_slots && !worker; i++)
		if (is_parked(pool->slots[i]->next))
			worker = pool->slots[i]->next;
	if (!worker && pool->n_idle > 1)
		worker = list_first(&pool->idle, struct worker, idle_link);
	if (worker)
		stop_dismiss(worker);
	return worker != NULL;
}

void pool_dismiss_generation(struct pool *pool, struct generation *generation) {
	workers_foreach (worker, generation) {
		if (!claim_has_tasks(worker))
			stop_dismiss(worker);
		else
			(void)claim_take_back(worker, UINT32_MAX);
		worker_changed(worker); /* it may be given no more tasks */
	}
	/* which slots are open to workers of another generation has changed */
	recount_all(pool);
}

void pool_end_stopped(struct pool *pool) {
	while (pool->engine->queue.size > 0 && !list_is_empty(&pool->stopped)) {
		struct worker *worker = list_first(&pool->stopped, struct worker, stopped_link);

		list_remove(&worker->stopped_link);
		/* a hook of the image may stop every worker this way: it counts as a failed
		 * start */
		if (worker->state == WORKER_STARTED)
			worker_blame(worker, WF_PHASE_INITIALIZE, 0,
				     "its worker was stopped by a signal before it was ready");
		stop_kill(worker);
	}
}
