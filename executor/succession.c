/* SPDX-License-Identifier: MIT
 *
 * A zygote that dies while it serves is started again, at a pace that slows down like that of other
 * failing starts. The budget is restored once a task has ended in one of its workers: a pool whose
 * zygotes are killed from outside makes progress, one whose zygotes end by themselves does not.
 */
#include "executor/succession.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/uninitialized.h"
#include "executor/launch.h"
#include "executor/link.h"
#include "executor/listener.h"

void succession_init(struct succession *succession, struct generations *generations,
		     struct keeper *keeper, struct pool *pool) {
	const struct wf_executor_options *options = &keeper->engine->options.public;

	*succession = (struct succession){
		.engine = keeper->engine, .generations = generations, .keeper = keeper, .pool = pool
	};
	succession->program = -1;
	backoff_init(&succession->launch, options->tuning.backoff_ms,
		     options->tuning.backoff_max_ms, (unsigned)options->tuning.start_attempts);
}

void succession_set_program(struct succession *succession, int program) {
	(void)fd_close(succession->program);
	succession->program = program;
}

/* --- failed starts ------------------------------------------------------------------------- */

static void on_launch_timer(struct timer *timer, nsec_t now) {
	(void)timer;
	(void)now; /* the pump follows every dispatch */
}

static void launch_failed(struct succession *succession, enum wf_phase phase, int error,
			  const char *text) {
	struct engine *engine = succession->engine;
	struct backoff *launch = &succession->launch;
	bool spent = backoff_failed(launch, engine_now(engine));

	(void)timer_set(engine->loop, &succession->launch_timer, launch->not_before,
			on_launch_timer);
	if (spent && !succession->generations->newest && succession->pool->census.able == 0)
		pool_fail_queue(succession->pool, phase, error, text);
}

/* --- one generation after another ---------------------------------------------------------- */

static void become_newest(struct succession *succession, struct generation *generation) {
	struct generations *generations = succession->generations;
	struct generation *old = generations->newest;
	struct engine *engine = succession->engine;

	generation->state = GENERATION_READY;
	generation->ready_at = engine_now(engine);
	timer_clear(&generation->preload_timer);
	capture_resume(&generation->output); /* of processes that the preload has started */
	generations->loading = NULL;
	generations->newest = generation;
	generations->ready = generation->number;
	if (generation->listener_fd >= 0 && listener_start_generation(generation) < 0)
		engine_log(engine, LOG_WARNING, "refusals cannot be listened to");
	engine_log(engine, LOG_INFO, "image %llu of %s is ready (zygote %d, %u functions)",
		   (unsigned long long)generation->number, engine->options.name,
		   (int)generation->pid, (unsigned)generation->image.n_functions);
	if (old) {
		old->state = GENERATION_DRAINING;
		link_drain(old);
		pool_dismiss_generation(succession->pool, old);
	}
}

static void load_failed(struct succession *succession, struct generation *generation) {
	struct generations *generations = succession->generations;

	if (generation->exited)
		link_finish(generation, succession->keeper); /* ImageFailed may be waiting */
	generation_kill(generation); /* it may not have noticed that its keeper is gone */
	generations->loading = NULL;
	generation_report_failure(generations, generation);
	launch_failed(succession, generation->failure.phase, generation->failure.error,
		      generations->failed_text);
	generation_free(generations, generation);
}

static void note_loss(struct succession *succession, const struct generation *generation) {
	const struct exit_status *exit = &generation->exit;
	nsec_t lived = engine_now(succession->engine) - generation->ready_at;
	char text[128];

	succession->engine->statistics.zygote_losses++;
	if (generation->orphaned)
		(void)snprintf(text, sizeof text, "the keeper has ended");
	else
		(void)snprintf(text, sizeof text, "its zygote ended while it served (%s %d)",
			       exit->exited ? "exit code" : "signal",
			       exit->exited ? exit->code : exit->signal);
	engine_log(succession->engine, LOG_WARNING, "zygote %d is lost: %s", (int)generation->pid,
		   text);
	if (backoff_outlived(&succession->launch, lived))
		backoff_worked(&succession->launch);
	else if (generation->productive)
		backoff_renew(&succession->launch);
	launch_failed(succession, WF_PHASE_LAUNCH, 0, text);
}

static void lose(struct succession *succession, struct generation *generation) {
	bool was_serving = generation->state == GENERATION_READY;

	if (succession->generations->newest == generation)
		succession->generations->newest = NULL;
	if (!generation->orphaned)
		link_finish(generation, succession->keeper);
	generation_close(generation);
	generation->state = GENERATION_LOST;
	pool_dismiss_generation(succession->pool, generation);
	if (was_serving && !succession->keeper->quitting) /* otherwise we have asked for it */
		note_loss(succession, generation);
}

/* Is nothing of it left running? */
static bool is_gone(const struct generation *generation) {
	return generation->n_workers == 0 &&
	       (!generation->orphaned || generation->end_seen || generation->pidfd < 0);
}

static bool settle_loading(struct succession *succession, struct generation *generation,
			   bool failed) {
	/* both are needed: ImageReady, and the pidfd, without which it could not be ended */
	bool ready = generation->image_ready && generation->pidfd >= 0;

	if ((!failed && !ready) || !generation_output_is_read(generation))
		return false;
	if (failed)
		load_failed(succession, generation);
	else
		become_newest(succession, generation);
	return true;
}

/* Returns true if something has changed. */
static bool settle(struct succession *succession, struct generation *generation) {
	bool ended = generation->exited || generation->orphaned;

	switch (generation->state) {
	case GENERATION_LOADING:
		return settle_loading(succession, generation, ended || generation->not_started);
	case GENERATION_READY:
	case GENERATION_DRAINING:
		if (ended)
			lose(succession, generation);
		return ended;
	case GENERATION_LOST:
		if (!is_gone(generation))
			return false;
		generation_free(succession->generations, generation);
		return true;
	}
	return false;
}

bool succession_settle(struct succession *succession) {
	bool changed = false;

	generations_foreach (generation, succession->generations)
		changed = settle(succession, generation) || changed;
	return changed;
}

/* --- again --------------------------------------------------------------------------------- */

bool succession_may_start(const struct succession *succession) {
	const struct keeper *keeper = succession->keeper;

	return !succession->generations->loading && !keeper->quitting &&
	       (keeper->running || keeper_is_gone(keeper));
}

int succession_start(struct succession *succession) {
	int r = 0;

	if (!succession->keeper->running)
		r = keeper_start(succession->keeper);
	return r < 0 ? error_trace(r)
		     : launch_zygote(succession->generations, succession->keeper,
				     succession->program);
}

static bool is_wanted(const struct succession *succession) {
	return !succession->generations->newest && succession_may_start(succession) &&
	       (succession->pool->open || succession->engine->queue.size > 0);
}

void succession_plan(struct succession *succession) {
	struct engine *engine = succession->engine;
	char text[512] uninitialized;
	int r;

	if (!is_wanted(succession) ||
	    !backoff_allows(&succession->launch, engine_now(engine), engine->queue.size > 0))
		return;
	r = succession_start(succession);
	if (r >= 0)
		return;
	(void)snprintf(text, sizeof text, "starting the pool with %s: %s",
		       keeper_helper(&engine->options), strerrordesc_np(-r));
	launch_failed(succession, WF_PHASE_LAUNCH, -r, text);
}
