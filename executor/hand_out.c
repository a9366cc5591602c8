/* SPDX-License-Identifier: MIT
 *
 * An idle worker is preferred, the most recently busy one first: its caches are warm, and the
 * others can time out. When all are busy, short tasks are handed ahead to the worker with the least
 * on its channel, half of the depth at a time, so that tasks share frames. When a worker runs dry,
 * half of what the fullest one has not begun is taken back for it.
 */
#include "executor/hand_out.h"

#include <errno.h>

#include "base/error.h"
#include "base/uninitialized.h"
#include "executor/account.h"
#include "executor/channel.h"
#include "executor/claim.h"
#include "executor/conclude.h"
#include "executor/deadline.h"
#include "executor/stop.h"
#include "proto/wire.h"

#define DEPTH_LEARN     16                 /* results before the usual length is known */
#define DEPTH_TARGET_NS ((uint64_t)200000) /* of work on a channel */
#define AHEAD_TRIES     4                  /* of each list, so that many workers cost no more */
#define STARVED_MS      5
#define STARVED_MOST_MS 640
#define STARVED_TRIES   8 /* while no running task could free what is missing */

unsigned hand_out_depth(const struct wf_executor_options *options, uint64_t n_runs,
			uint64_t mean_run_ns) {
	uint64_t depth;

	if (options->max_tasks_per_worker == 1)
		return 1;
	if (options->tuning.hand_ahead)
		return (unsigned)options->tuning.hand_ahead;
	if (n_runs < DEPTH_LEARN)
		return 1;
	depth = 1 + DEPTH_TARGET_NS / (mean_run_ns + 1000);
	return depth > LIMIT_HAND_AHEAD ? LIMIT_HAND_AHEAD : (unsigned)depth;
}

/* --- who ----------------------------------------------------------------------------------- */

static struct worker *pick_idle(const struct pool *pool) {
	return list_is_empty(&pool->idle)
		   ? NULL
		   : container_of(pool->idle.previous, struct worker, idle_link);
}

/* Those that cannot be chosen yet go to the end; their next result brings another chance. */
static struct worker *pick_from(struct list_node *workers) {
	for (int i = 0; i < AHEAD_TRIES && !list_is_empty(workers); i++) {
		struct worker *worker = list_first(workers, struct worker, ahead_link);

		if (claim_may_follow(worker))
			return worker;
		list_remove(&worker->ahead_link);
		list_append(workers, &worker->ahead_link);
	}
	return NULL;
}

static struct worker *pick_ahead(struct pool *pool, unsigned depth) {
	/* beyond half of the depth a frame is not worth it */
	for (unsigned owed = 0; owed <= depth / 2; owed++) {
		struct worker *worker = pick_from(&pool->ahead[owed]);

		if (worker)
			return worker;
	}
	return NULL;
}

static struct worker *pick_fullest(const struct pool *pool) {
	for (unsigned load = LIMIT_HAND_AHEAD; load > 1; load--)
		if (!list_is_empty(&pool->loads[load]))
			return list_first(&pool->loads[load], struct worker, load_link);
	return NULL;
}

/* Called when a worker is idle and nothing is queued. */
static bool steal(struct pool *pool) {
	struct worker *fullest = pick_fullest(pool);

	return fullest && claim_take_back(fullest, fullest->load / 2) > 0;
}

/* Workers that have done the only task of their life linger for a moment, but now tasks wait for
 * their slots. */
static void hurry_leaving(struct pool *pool) {
	while (!list_is_empty(&pool->lingering)) {
		struct worker *worker = list_first(&pool->lingering, struct worker, lingering_link);

		list_remove(&worker->lingering_link);
		stop_hurry(worker);
	}
}

/* --- what ---------------------------------------------------------------------------------- */

static struct wf_future *queue_front(const struct pool *pool) {
	struct list_node *link = queue_peek(&pool->engine->queue);

	return link ? container_of(link, struct wf_future, link) : NULL;
}

static bool may_join(const struct wf_future *future, const struct generation *generation) {
	/* a task that came back is sent alone: see claim_had_started() */
	return channel_may_share(future) && future->returns == 0 &&
	       generation_function(generation, future->function) >= 0;
}

/* Takes tasks off the queue, in its order: one, or up to `n` that may share a frame. With
 * `chunked`, only those of the first one's chunk (wf_map()). */
static unsigned collect(struct pool *pool, const struct generation *generation, unsigned n,
			bool chunked, struct wf_future **ret) {
	struct wf_future *future = queue_front(pool);
	unsigned count = 0;
	uint64_t batch;
	size_t size;

	must(future); /* the caller has checked that there is one */
	batch = future->batch;
	size = channel_size_of(future);
	if (n > LIMIT_TASKS_PER_FRAME)
		n = LIMIT_TASKS_PER_FRAME;
	if (!may_join(future, generation) || (chunked && !batch))
		n = 1;
	do {
		future_unqueue(future);
		ret[count++] = future;
		future = queue_front(pool);
		if (!future || !may_join(future, generation) || (chunked && future->batch != batch))
			break;
		size += channel_size_of(future);
	} while (count < n && size <= WIRE_BODY);
	return count;
}

static void put_back(struct wf_future *const *futures, unsigned n) {
	while (n-- > 0)
		future_requeue(futures[n]);
}

static void refuse(struct wf_future *future, int error, const char *text) {
	conclude_not_started(future, WF_PHASE_HAND_OUT, error, text);
	future_end(future);
}

/* --- shortages ----------------------------------------------------------------------------- */

static void on_starved_timer(struct timer *timer, nsec_t now) {
	(void)now;
	container_of(timer, struct pool, starved_timer)->starved = false;
}

/* Running tasks will free the missing resources; if there are none, idle workers can, and else the
 * host may. No event tells when, so we try again at growing intervals. Returns false after enough
 * tries. */
static bool wait_for_resources(struct pool *pool) {
	struct engine *engine = pool->engine;

	if (!engine_is_busy(engine) && !pool_give_one_up(pool) && ++pool->in_vain > STARVED_TRIES)
		return false;
	pool->starved_ms = pool->starved_ms ? pool->starved_ms * 2 : STARVED_MS;
	if (pool->starved_ms > STARVED_MOST_MS)
		pool->starved_ms = STARVED_MOST_MS;
	pool->starved =
	    timer_set(engine->loop, &pool->starved_timer,
		      clock_after_ms(engine_now(engine), pool->starved_ms), on_starved_timer) == 0;
	return pool->starved;
}

static void resources_found(struct pool *pool) {
	pool->starved_ms = 0;
	pool->in_vain = 0;
}

/* --- giving -------------------------------------------------------------------------------- */

static void note_handed(struct pool *pool, struct wf_future *const *futures, unsigned n) {
	for (unsigned i = 0; i < n; i++)
		deadline_watch(futures[i]);
	resources_found(pool);
	pool_settle(pool);
}

/* Returns false if nothing more can be handed out now. */
static bool give(struct pool *pool, struct worker *worker, struct wf_future *const *futures,
		 unsigned n) {
	bool idle = claim_outstanding(worker) == 0;
	int r;

	if (generation_function(worker->generation, futures[0]->function) < 0) {
		refuse(futures[0], ENOENT,
		       "the image was reloaded, and no longer has a function of this name");
		return true;
	}
	if (idle)
		account_memory(worker);
	r = channel_hand_out(worker, futures, n);
	if (r == CHANNEL_SENT) {
		note_handed(pool, futures, n);
		return true;
	}
	put_back(futures, n);
	if (r < 0) {
		future_unqueue(futures[0]);
		refuse(futures[0], -r,
		       r == -EMSGSIZE ? "its context does not fit in a message; make its "
					"environment, paths or lists shorter"
				      : "its message could not be sent");
	} else if (r == CHANNEL_SHORT && !wait_for_resources(pool)) {
		future_unqueue(futures[0]);
		resources_found(pool);
		refuse(futures[0], EMFILE,
		       "this process has no descriptors or buffers left for it (RLIMIT_NOFILE), "
		       "and no task runs that could give some back");
	}
	pool_settle(pool); /* a worker that takes no more tasks is no longer idle */
	return !pool->starved;
}

void hand_out(struct pool *pool) {
	struct engine *engine = pool->engine;
	unsigned depth = hand_out_depth(&engine->options.public, engine->statistics.n_runs,
					engine->statistics.mean_run);
	bool more = !pool->starved;

	if (engine->queue.size == 0 && !pool_is_fresh(pool) && pool->n_idle && !steal(pool))
		return;
	while (more && engine->queue.size) {
		struct wf_future *futures[LIMIT_TASKS_PER_FRAME] uninitialized;
		struct worker *worker = pick_idle(pool);
		bool chunked = worker != NULL;
		unsigned n = 1;

		if (worker && depth > 1)
			n = claim_room(worker, LIMIT_HAND_AHEAD);
		if (!worker && depth > 1) {
			worker = pick_ahead(pool, depth);
			n = worker ? claim_room(worker, depth) : 0;
		}
		if (!worker) {
			hurry_leaving(pool);
			return;
		}
		n = collect(pool, worker->generation, n, chunked, futures);
		more = give(pool, worker, futures, n);
	}
}
