/* SPDX-License-Identifier: MIT
 *
 * The zygote reports the ends of its workers; the keeper reports the end of the zygote and of the
 * workers that it then adopts. We hold a pidfd of each: if a pidfd says that a process has ended
 * and the keeper does not report it, the keeper has to be replaced. Without a keeper the pidfds are
 * all we have.
 */
#include "executor/custody.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "executor/channel.h"
#include "executor/stop.h"
#include "executor/worker.h"

#define ORPHAN_GRACE_MS 500 /* for a zygote without a keeper to end its processes */

/* --- zygotes ------------------------------------------------------------------------------- */

static void on_zygote_end(struct source *source, uint32_t events) {
	struct generation *generation = container_of(source, struct generation, end_source);

	(void)events;
	source_remove(source);
	generation->end_seen = true;
	if (!generation->exited && !generation->orphaned)
		keeper_expect(generation->keeper);
}

static void describe_start(char *text, size_t size, int error, const char *step) {
	if (strcmp(step, "slot") == 0)
		(void)snprintf(text, size,
			       "the zygote could not be started: %d earlier generations still run "
			       "tasks, the most that one executor may have",
			       LIMIT_KEEPER_ZYGOTES);
	else
		(void)snprintf(text, size, "the zygote could not be started: %s: %s%s", step,
			       strerrordesc_np(error),
			       error == EMFILE   ? " (RLIMIT_NOFILE)"
			       : error == ENOENT ? "; is /proc mounted?"
						 : "");
}

static void on_started(struct keeper *keeper, uint64_t number, pid_t pid, int pidfd_take, int error,
		       const char *step) {
	struct generation *generation = generations_find(keeper->generations, number);
	char text[512];

	if (!generation || generation->pidfd >= 0) {
		(void)fd_close(pidfd_take);
		return;
	}
	if (error) {
		describe_start(text, sizeof text, error, step);
		generation_fail(generation, WF_PHASE_LAUNCH, error, "%s", text);
		generation->not_started = true;
		return;
	}
	generation->pid = pid;
	generation->pidfd = pidfd_take >= 0 ? pidfd_take : process_open(pid);
	if (generation->pidfd < 0 || source_add(generation->engine->loop, &generation->end_source,
						generation->pidfd, EPOLLIN, on_zygote_end) < 0) {
		generation_fail(generation, WF_PHASE_LAUNCH, EMFILE,
				"no free descriptor for the zygote (RLIMIT_NOFILE)");
		(void)shutdown(generation->control, SHUT_RDWR); /* it ends; the keeper reports it */
	}
	if (generation->preload_overdue)
		generation_kill(generation);
}

static void on_exited(struct keeper *keeper, uint64_t number, const struct exit_status *status) {
	struct generation *generation = generations_find(keeper->generations, number);

	if (!generation) { /* given up before it ran; the keeper waits for a Keep all the same */
		keeper_keep(keeper, number, NULL, 0);
		return;
	}
	if (generation->exited)
		return;
	generation->exited = true;
	generation->exit = *status;
	if (generation->end_seen)
		keeper_answered(keeper);
}

/* --- workers ------------------------------------------------------------------------------- */

/* Nothing reports this end. A SIGKILL is what the loss of a keeper causes, and says nothing about
 * the task; if the worker ended otherwise and the kernel can still tell how (Linux 6.15), that is
 * what happened. */
static void end_orphan(struct worker *worker) {
	struct exit_status status;
	bool known = evidence_exit(worker->pidfd, &status) && !exit_status_is_kill(&status);

	worker_ended(worker, known ? &status : NULL, true);
}

/* An adopted worker: its pidfd tells first that it has ended, then the keeper how. */
static void on_adopted_end(struct source *source, uint32_t events) {
	struct worker *worker = container_of(source, struct worker, end_source);

	(void)events;
	source_remove(source);
	worker->end_seen = true;
	if (worker->generation->orphaned)
		end_orphan(worker);
	else if (worker->state < WORKER_ENDED)
		keeper_expect(worker->generation->keeper);
}

static bool watch_end(struct worker *worker) {
	return worker->end_source.loop || source_add(worker->engine->loop, &worker->end_source,
						     worker->pidfd, EPOLLIN, on_adopted_end) == 0;
}

static void on_kept(struct keeper *keeper, uint64_t number, const int32_t *pids, size_t n) {
	struct generation *generation = generations_find(keeper->generations, number);
	struct exit_status status;

	if (!generation)
		return;
	for (size_t i = 0; i < n; i++) {
		struct worker *worker = worker_find_process(generation, pids[i]);

		if (worker) /* it may be the init of their pid namespace */
			worker->kept = true;
	}
	workers_foreach (worker, generation) {
		if (worker->state == WORKER_ENDED)
			worker_swept(worker); /* the keeper has swept for the zygote */
		else if (worker->kept)
			(void)watch_end(worker);
		else
			worker_ended(worker, evidence_exit(worker->pidfd, &status) ? &status : NULL,
				     true);
	}
}

static struct worker *find_adopted(struct keeper *keeper, pid_t pid) {
	generations_foreach (generation, keeper->generations) {
		struct worker *worker = worker_find_process(generation, pid);

		if (generation->state == GENERATION_LOST && worker && worker->state < WORKER_ENDED)
			return worker;
	}
	return NULL;
}

static void on_adopted_exited(struct keeper *keeper, pid_t pid, const struct exit_status *status) {
	struct worker *worker = find_adopted(keeper, pid);

	if (!worker)
		return;
	if (worker->end_seen)
		keeper_answered(keeper);
	worker_ended(worker, status, true);
}

static void on_adopted_stopped(struct keeper *keeper, pid_t pid, bool stopped) {
	struct worker *worker = find_adopted(keeper, pid);

	if (worker)
		worker_set_stopped(worker, stopped);
}

/* --- without a keeper ---------------------------------------------------------------------- */

/* Everything below the keeper is dying: its lifeline makes the zygote end what it has started and
 * then itself, and each worker has a lifeline of its own. We make sure of that, and wait for each
 * to end by its pidfd, because a task that may still be running must not be reported as over. */
static void on_orphan_timer(struct timer *timer, nsec_t now) {
	(void)now;
	generation_kill(container_of(timer, struct generation, orphan_timer));
}

static void orphan_worker(struct worker *worker) {
	if (worker->state == WORKER_ASKED || worker->state == WORKER_UNWANTED) {
		(void)worker_step(worker, WORKER_NOT_SPAWNED);
		return;
	}
	if (worker->state == WORKER_ENDED) {
		worker_swept(worker);
		return;
	}
	worker->end_was_expected = true;
	channel_receive(worker);
	stop_kill(worker);
	if (worker->pidfd < 0 || worker->end_seen || !watch_end(worker))
		end_orphan(worker);
}

static void fail_loading(struct generation *generation) {
	const struct keeper *keeper = generation->keeper;
	const char *helper = keeper_helper(&generation->engine->options);

	if (keeper->start_error == EMFILE)
		generation_fail(generation, WF_PHASE_LAUNCH, EMFILE,
				"no free descriptor to start the helper program %s "
				"(RLIMIT_NOFILE)",
				helper);
	else if (keeper->start_error)
		generation_fail(generation, WF_PHASE_LAUNCH, keeper->start_error,
				"the helper program %s cannot be started: %s; set options.helper "
				"or WARMFORK_HELPER",
				helper, strerrordesc_np(keeper->start_error));
	else if (keeper->breach)
		generation_fail(generation, WF_PHASE_LAUNCH, EPROTO,
				"its keeper sent %s, which it must not send: is %s the "
				"warmfork-zygote of this version?",
				keeper->breach, helper);
	else if (!keeper->pid)
		generation_fail(generation, WF_PHASE_LAUNCH, keeper->silent ? ETIMEDOUT : 0,
				"the helper program %s %s before it said that it is ready: is it "
				"the warmfork-zygote of this version? Set options.helper or "
				"WARMFORK_HELPER",
				helper,
				keeper->silent ? "was silent for too long"
					       : "ended or garbled its socket");
	else
		generation_fail(generation, WF_PHASE_LAUNCH, 0,
				"the keeper ended before the image was ready");
}

static void orphan_generation(struct generation *generation) {
	struct engine *engine = generation->engine;

	generation->orphaned = true;
	if (generation->state == GENERATION_LOADING)
		fail_loading(generation);
	workers_foreach (worker, generation)
		orphan_worker(worker);
	if (timer_set(engine->loop, &generation->orphan_timer,
		      clock_after_ms(engine_now(engine), ORPHAN_GRACE_MS), on_orphan_timer) < 0)
		generation_kill(generation);
}

static void on_lost(struct keeper *keeper) {
	generations_foreach (generation, keeper->generations)
		orphan_generation(generation);
}

const struct keeper_events custody_events = {
	.started = on_started,
	.exited = on_exited,
	.kept = on_kept,
	.adopted_exited = on_adopted_exited,
	.adopted_stopped = on_adopted_stopped,
	.lost = on_lost,
};
