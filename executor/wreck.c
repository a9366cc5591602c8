/* SPDX-License-Identifier: MIT
 *
 * A thread in epoll_wait(2) does not notice that the descriptor was closed, and sleeps forever. So
 * the threads that wait for something check now and then.
 */
#include "executor/wreck.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "executor/claim.h"

bool wreck_is_seen(const struct engine *engine) {
	return engine->loop && !engine->wrecked && !loop_is_intact(engine->loop);
}

static void forget_keeper(struct keeper *keeper) {
	struct stat status;

	if (keeper->running && fstat(keeper->control, &status) == 0 &&
	    status.st_ino == keeper->control_inode)
		(void)shutdown(keeper->control, SHUT_RDWR);
	keeper->control = keeper->pidfd = keeper->guard = -1;
	keeper->running = false;
}

static void forget_captures(struct worker *worker) {
	claim_foreach (future, worker)
		future->captures[0].fd = future->captures[1].fd = -1;
}

static void forget_workers(struct generation *generation) {
	workers_foreach (worker, generation) {
		forget_captures(worker);
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
	generation->output.fd = -1;
}

void wreck(struct engine *engine, struct keeper *keeper, struct generations *generations,
	   struct pool *pool) {
	engine_log(engine, LOG_ERROR,
		   "this process has closed descriptors of the executor, which ends here");
	engine->wrecked = engine->closing = true;
	pool->open = false;
	loop_abandon(engine->loop);
	engine->doorbell = -1;
	forget_keeper(keeper);
	generations_foreach (generation, generations) {
		forget_generation(generation);
		forget_workers(generation);
	}
	pool_settle(pool);
	pool_fail_queue(pool, WF_PHASE_HAND_OUT, EBADF,
			"this process has closed descriptors of the executor");
	generations_foreach (generation, generations)
		generation_free(generations, generation);
}
