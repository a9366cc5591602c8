/* SPDX-License-Identifier: MIT
 *
 * A worker that is parked behind a busy one is of no use to a waiting task, because its slot is
 * taken. So the tasks that have no free slot's worker to go to are counted separately.
 *
 * Forking spares alongside the task that has just been handed out would take its CPU. While nothing
 * waits for them, they come a moment later, and several at a time.
 */
#include "executor/plan.h"

#include <errno.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/channel.h"
#include "executor/link.h"

#define REFILL_NS ((nsec_t)2000000)

static unsigned missing(unsigned wanted, unsigned there) {
	return wanted > there ? wanted - there : 0;
}

static struct wanted wanted_fresh(const struct census *census, const struct demand *demand,
				  unsigned tasks) {
	unsigned minimum = 0, empty = missing(demand->slots, census->current);
	unsigned stranded = missing(tasks, census->parked - census->behind);

	if (demand->open)
		minimum = demand->parking && demand->spares > demand->minimum ? demand->spares
									      : demand->minimum;
	return (struct wanted){
		.all = missing(tasks + minimum, census->parked),
		.urgent = stranded < empty ? stranded : empty,
	};
}

struct wanted plan_wanted(const struct census *census, const struct demand *demand) {
	unsigned tasks = demand->queued + census->ahead, all;

	if (demand->fresh)
		return wanted_fresh(census, demand, tasks);
	all = missing(tasks, census->parked);
	if (demand->open && missing(demand->minimum, census->current) > all)
		all = missing(demand->minimum, census->current);
	return (struct wanted){ .all = all, .urgent = all };
}

static void on_refill(struct timer *timer, nsec_t now) {
	(void)now;
	container_of(timer, struct pool, refill_timer)->refill_due = true;
}

/* Spares that nothing waits for can come later. */
static bool may_wait(struct pool *pool, unsigned tasks) {
	struct engine *engine = pool->engine;

	if (pool->census.current == 0 || tasks > pool->census.parked || pool->refill_due)
		return false;
	if (!pool->refill_timer.loop)
		(void)timer_set(engine->loop, &pool->refill_timer, engine_now(engine) + REFILL_NS,
				on_refill);
	return pool->refill_timer.loop != NULL;
}

static unsigned count_wanted(struct pool *pool) {
	const struct wf_executor_options *options = &pool->engine->options.public;
	size_t queued = pool->engine->queue.size;
	struct demand demand = {
		.fresh = pool_is_fresh(pool),
		.open = pool->open,
		.parking = pool->parking,
		.queued = queued > WF_MAX_WORKERS ? WF_MAX_WORKERS : (unsigned)queued,
		.slots = pool->n_workers,
		.minimum = (unsigned)options->min_workers,
		.spares = (unsigned)options->spares,
	};
	struct wanted wanted = plan_wanted(&pool->census, &demand);

	if (!demand.fresh)
		return wanted.all;
	if (wanted.all == 0)
		pool->refill_due = false;
	else if (may_wait(pool, demand.queued + pool->census.ahead))
		wanted.all = 0;
	return wanted.all > wanted.urgent ? wanted.all : wanted.urgent;
}

/* --- asking -------------------------------------------------------------------------------- */

struct batch {
	struct message_spawn_worker workers[LIMIT_SPAWN_BATCH];
	int peers[LIMIT_SPAWN_BATCH];
	size_t n;
};

/* The first slot of the best set; NULL: every slot has all the workers it may have. */
static struct slot *find_place(const struct pool *pool) {
	for (enum place place = PLACE_EMPTY; place < PLACES; place++)
		for (size_t i = 0; i < WF_MAX_WORKERS / 64; i++)
			if (pool->places[place][i])
				return pool->slots[i * 64 + (unsigned)__builtin_ctzll(
								pool->places[place][i])];
	return NULL;
}

static int batch_add(struct batch *batch, struct pool *pool, struct slot *slot) {
	const struct options *options = &pool->engine->options;
	struct worker *worker;
	int r = worker_new(pool->generations->newest, ++pool->last_worker, slot->number, &worker);

	if (r < 0)
		return error_trace(r);
	r = channel_open(worker, &batch->peers[batch->n]);
	if (r < 0) {
		worker_free(worker);
		return error_trace(r);
	}
	pool_seat(pool, slot, worker);
	batch->workers[batch->n++] = (struct message_spawn_worker){
		.worker_id = worker->id,
		.slot = slot->number,
		.cell = worker->cell_index,
		.max_tasks = (uint32_t)options->public.max_tasks_per_worker,
		.cpu = options_cpu(options, slot->number),
	};
	return 0;
}

static int batch_fill(struct batch *batch, struct pool *pool, unsigned wanted) {
	struct slot *slot;
	int r = 0;

	while (r >= 0 && batch->n < wanted && batch->n < LIMIT_SPAWN_BATCH &&
	       (slot = find_place(pool)) != NULL)
		r = batch_add(batch, pool, slot);
	return r;
}

static bool may_ask(const struct pool *pool) {
	const struct generation *newest = pool->generations->newest;

	return newest && !newest->blocked && !newest->exited;
}

void plan(struct pool *pool) {
	struct engine *engine = pool->engine;
	unsigned wanted;

	pool_end_stopped(pool);
	if (pool->starved && pool->census.able > 0)
		return; /* the remaining resources are needed for tasks, not for more workers */
	while (may_ask(pool) &&
	       backoff_allows(&pool->start, engine_now(engine), engine->queue.size > 0) &&
	       (wanted = count_wanted(pool)) > 0) {
		struct batch batch = { .n = 0 };
		int r = batch_fill(&batch, pool, wanted);

		if (batch.n)
			link_spawn(pool->generations->newest, batch.workers, batch.peers, batch.n);
		fd_close_all(batch.peers, batch.n);
		if (r < 0)
			pool_start_failed(pool, WF_PHASE_FORK, -r,
					  r == -EMFILE
					      ? "no free descriptor for a worker's channel "
						"(RLIMIT_NOFILE)"
					      : "no room for another worker");
		pool_settle(pool);
		if (r < 0 || batch.n < LIMIT_SPAWN_BATCH)
			return;
	}
}
