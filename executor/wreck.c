/* SPDX-License-Identifier: MIT
 *
 * A thread in epoll_wait(2) does not notice that this or another descriptor was closed, and sleeps
 * forever. So the threads that wait for something check now and then.
 */
#include "executor/wreck.h"

#include <errno.h>
#include <sys/socket.h>

#include "executor/claim.h"
#include "executor/conclude.h"
#include "executor/payload.h"

static const char sentence[] = "this process has closed descriptors of the executor";

static bool keeper_is_intact(const struct keeper *keeper) {
	return source_is_intact(&keeper->source) && source_is_intact(&keeper->death_source) &&
	       source_is_intact(&keeper->guard_source);
}

static bool generation_is_intact(const struct generation *generation) {
	return source_is_intact(&generation->source) && source_is_intact(&generation->end_source) &&
	       source_is_intact(&generation->listener_source);
}

bool wreck_is_seen(const struct engine *engine, const struct keeper *keeper,
		   const struct generations *generations) {
	if (!engine->loop || engine->wrecked)
		return false;
	if (!loop_is_intact(engine->loop) || !source_is_intact(&engine->doorbell_source) ||
	    !keeper_is_intact(keeper))
		return true;
	generations_foreach (generation, generations)
		if (!generation_is_intact(generation))
			return true;
	return false;
}

static void forget_keeper(struct keeper *keeper) {
	if (keeper->running && fd_is_of(keeper->control, &keeper->control_file))
		(void)shutdown(keeper->control, SHUT_RDWR);
	keeper->control = keeper->pidfd = keeper->guard = -1;
	keeper->start = NULL;
	keeper->running = false;
}

static void forget_output(struct wf_future *future) {
	capture_forget(&future->captures[0]);
	capture_forget(&future->captures[1]);
}

static void forget_futures(struct worker *worker) {
	claim_foreach (future, worker)
		forget_output(future);
	if (worker->awaiting_exit)
		forget_output(worker->awaiting_exit);
}

static void forget_workers(struct generation *generation) {
	workers_foreach (worker, generation) {
		forget_futures(worker);
		worker->channel = worker->pidfd = worker->listener_fd = -1;
		worker->end_was_expected = true;
		if (worker->state < WORKER_ENDED)
			worker_ended(worker, NULL, true);
		else
			worker_swept(worker);
	}
}

static void forget_generation(struct generation *generation) {
	generation->control = generation->pidfd = -1;
	generation->init_pidfd = generation->listener_fd = -1;
	capture_forget(&generation->output);
}

/* Nobody will read the rest of what they wrote. */
static void resolve_ending(struct engine *engine) {
	list_take(&engine->read, &engine->ending);
	list_foreach_safe (link, next, &engine->read)
		forget_output(container_of(link, struct wf_future, link));
	conclude_read(engine);
}

void wreck_resolve(struct wf_future *future) {
	conclude_not_started(future, WF_PHASE_HAND_OUT, EBADF, sentence);
	future_end(future);
}

void wreck(struct engine *engine, struct keeper *keeper, struct generations *generations,
	   struct pool *pool) {
	engine_log(engine, LOG_ERROR, "%s, which ends here", sentence);
	engine->wrecked = engine->closing = true;
	pool->open = false;
	if (source_is_intact(&engine->doorbell_source))
		engine_ring(engine); /* the thread ends, instead of sleeping forever */
	loop_abandon(engine->loop);
	engine->doorbell = -1;
	forget_keeper(keeper);
	payload_drop_kept();
	generations_foreach (generation, generations) {
		forget_generation(generation);
		forget_workers(generation);
	}
	pool_settle(pool);
	resolve_ending(engine);
	pool_fail_queue(pool, WF_PHASE_HAND_OUT, EBADF, sentence);
	generations_foreach (generation, generations)
		generation_free(generations, generation);
}
