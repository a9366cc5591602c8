/* SPDX-License-Identifier: MIT
 *
 * Open, close, reload.
 */
#include "executor/lifetime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/report.h"
#include "executor/custody.h"
#include "executor/launch.h"
#include "executor/one_shot.h"
#include "executor/stop.h"
#include "executor/thread.h"
#include "proto/self.h"

/* --- open ---------------------------------------------------------------------------------- */

/* A closed executor must not hold descriptors, even if there are still handles to it. */
static void release_loop(struct wf_executor *executor) {
	executor_lock(executor);
	keeper_clear(&executor->keeper);
	pool_stop_timers(&executor->pool);
	timer_clear(&executor->succession.launch_timer);
	succession_set_program(&executor->succession, -1);
	engine_stop(&executor->engine);
	executor_unlock(executor);
}

/* A caller-driven executor whose last handle was released in a callback: its workers are ended by
 * the keeper, and nothing waits for them. No future refers to any of them, because a future holds a
 * reference itself. */
static void abandon_workers(struct wf_executor *executor) {
	generations_foreach (generation, &executor->generations) {
		workers_foreach (worker, generation)
			worker_free(worker);
		generation_free(&executor->generations, generation);
	}
}

static void destroy(struct engine *engine) {
	struct wf_executor *executor = executor_of(engine);

	abandon_workers(executor);
	offload_run(&executor->offload);
	payload_keep(false);
	release_loop(executor);
	offload_deinit(&executor->offload);
	pool_deinit(&executor->pool);
	generations_deinit(&executor->generations);
	engine_deinit(engine);
	(void)pthread_cond_destroy(&executor->changed);
	free(executor);
}

/* Connects the parts that need to know each other. */
static int assemble(struct wf_executor *executor, struct options *options) {
	struct engine *engine = &executor->engine;
	int r = offload_init(&executor->offload, engine), r_engine = engine_init(engine, options);

	if (r >= 0)
		r = r_engine;
	engine->destroy = destroy;
	engine->process = registry_process();
	engine->offload = &executor->offload;
	generations_init(&executor->generations);
	keeper_init(&executor->keeper, engine, &custody_events, &executor->generations);
	pool_init(&executor->pool, engine, &executor->generations);
	succession_init(&executor->succession, &executor->generations, &executor->keeper,
			&executor->pool);
	executor->handles = 1;
	executor->registered.descriptor = &executor->keeper.control;
	if (r >= 0)
		r = pool_resize(&executor->pool, (unsigned)engine->options.public.workers);
	return r;
}

static int make(const struct wf_executor_options *given, struct wf_executor **ret) {
	struct wf_executor *executor;
	struct options options;
	int r = options_init(&options, given);

	if (r < 0)
		return r;
	executor = calloc(1, sizeof *executor);
	r = executor ? clock_condition_init(&executor->changed) : -ENOMEM;
	if (r < 0) {
		free(executor);
		options_deinit(&options);
		return report_internal(r, "opening an executor");
	}
	payload_keep(true);
	*ret = executor; /* from here on it can be closed */
	r = assemble(executor, &options);
	return r < 0 ? report_internal(r, "opening an executor") : 0;
}

static void *run(void *context) {
	struct wf_executor *executor = context;
	bool done = false, detached;

	while (!done) {
		executor_step(executor, -1);
		executor_lock(executor);
		done = executor->state == EXECUTOR_CLOSED && list_is_empty(&executor->engine.due);
		executor_unlock(executor);
	}
	executor_lock(executor);
	detached = executor->thread_detached;
	executor->thread_done = true;
	if (detached && !executor->releasing) /* nobody else ends it */
		offload_dismiss(&executor->offload);
	executor_unlock(executor);
	if (detached)
		(void)engine_unref(&executor->engine);
	return NULL;
}

static int start_thread(struct wf_executor *executor) {
	int r;

	if (executor->engine.options.public.caller_driven)
		return 0;
	r = thread_start(&executor->thread, "warmfork", run, executor);
	if (r < 0)
		return report_internal(r, "starting the executor's thread");
	executor->has_thread = true;
	return 0;
}

static int check_process(const struct wf_executor_options *options) {
	if (getauxval(AT_SECURE))
		return report_error(-EPERM, "a set-uid or set-gid program cannot open a pool");
	if (launch_depth() >= WF_MAX_DEPTH)
		return report_error(-ELOOP,
				    "this process runs in %u pools nested in one another, and "
				    "no more are allowed",
				    launch_depth());
	if (options && options->image == WF_IMAGE_SELF && !self_is_ready())
		return report_error(-EINVAL,
				    "WF_IMAGE_SELF needs wf_init() at the top of main(); see "
				    "<warmfork/task.h>");
	return 0;
}

static bool image_settled(struct wf_executor *executor, const void *context) {
	const uint64_t *generation = context;

	return executor->generations.ready >= *generation ||
	       executor->generations.failed >= *generation || executor->state == EXECUTOR_CLOSED;
}

static int image_outcome(const struct wf_executor *executor, uint64_t generation) {
	const struct generations *generations = &executor->generations;

	if (generations->ready >= generation)
		return 0;
	if (executor->state >= EXECUTOR_CLOSING) /* which may be why it failed */
		return report_error(-ESHUTDOWN, "the executor is closed");
	return report_error(generations->failed_code, "%s",
			    generations->failed_text ? generations->failed_text : "no memory");
}

/* Under the lock. */
static int await_image(struct wf_executor *executor, uint64_t generation) {
	int r = executor_await(executor, image_settled, &generation, NSEC_NEVER);

	return r < 0 ? report_internal(r, "waiting for the image")
		     : image_outcome(executor, generation);
}

/* *ret: -1 if the image is of another kind. Returns 0 or a public error, reported. */
static int open_program(const struct wf_executor *executor, bool anew, int *ret) {
	*ret = -1;
	if (executor->engine.options.public.image != WF_IMAGE_SELF)
		return 0;
	*ret = launch_open_program(anew);
	return *ret < 0 ? report_internal(*ret, "opening this program") : 0;
}

static int start_image(struct wf_executor *executor) {
	uint64_t generation;
	int program, r = open_program(executor, false, &program);

	if (r < 0)
		return r;
	executor_lock(executor);
	succession_set_program(&executor->succession, program);
	r = succession_start(&executor->succession);
	generation = executor->generations.last;
	executor_unlock(executor);
	if (r < 0)
		return report_internal(r, "starting keeper and zygote");
	offload_run(&executor->offload); /* the keeper's program */
	r = start_thread(executor);
	if (r < 0)
		return r;
	executor_lock(executor);
	offload_begin(&executor->offload);
	r = await_image(executor, generation);
	if (r >= 0) {
		executor->state = EXECUTOR_OPEN;
		executor->pool.open = true;
		executor_pump(executor);
	}
	executor_unlock(executor);
	return r;
}

int lifetime_open(const struct wf_executor_options *options, struct wf_executor **ret) {
	struct wf_executor *executor = NULL;
	int r = check_process(options);

	if (r < 0)
		return r;
	if (!options)
		return report_error(-EINVAL, "wf_executor_open: options is NULL");
	if (executor_in_callback())
		return report_error(-EDEADLK,
				    "an executor cannot be opened in a callback: it would wait");
	if (registry_begin() < 0)
		return report_internal(-ENOMEM, "opening an executor");
	r = make(options, &executor);
	if (r >= 0) {
		registry_add(&executor->registered);
		r = start_image(executor);
	}
	if (r < 0 && executor) {
		char *why = strdup(report_text());

		(void)lifetime_close(executor, WF_CLOSE_KILL);
		executor->handles = 0;
		(void)engine_unref(&executor->engine);
		r = report_error(r, "%s", why ? why : "");
		free(why);
		return r;
	}
	if (r >= 0)
		*ret = executor;
	return r;
}

/* --- close --------------------------------------------------------------------------------- */

static bool is_closed(struct wf_executor *executor, const void *context) {
	(void)context;
	return executor->state == EXECUTOR_CLOSED;
}

static void begin_close(struct wf_executor *executor, enum wf_close how) {
	if (executor->state == EXECUTOR_CLOSED)
		return;
	if (executor->state != EXECUTOR_CLOSING || how > executor->close_how)
		executor->close_how = how;
	executor->state = EXECUTOR_CLOSING;
	executor->engine.closing = true;
	executor->pool.open = false;
	if (executor->generations.loading && how == WF_CLOSE_KILL)
		generation_kill(executor->generations.loading);
	executor_pump(executor);
	engine_ring(&executor->engine);
	executor_announce(executor);
}

/* Only the first closer releases; the others wait until that is done, because the loop goes with
 * it. For the same reason it waits for those who were submitting when a wreck closed the
 * executor. */
static void release(struct wf_executor *executor) {
	bool join = executor->has_thread && !executor->thread_detached;
	bool abandon = join && executor->engine.wrecked && !executor->thread_done;

	if (abandon) {
		/* The thread may sleep forever on a number that is not a descriptor any more, or
		 * wake in a moment: it keeps its memory, the loop included, and drops it then. */
		(void)engine_ref(&executor->engine);
		(void)pthread_detach(executor->thread);
		executor->thread_detached = true;
		join = false;
	}
	executor->releasing = true;
	executor->has_thread = false;
	engine_ring(&executor->engine);
	while (executor->dispatching || executor->engine.n_tickets > 0)
		(void)engine_wait(&executor->engine, &executor->changed, NSEC_NEVER);
	executor_unlock(executor);
	if (join)
		(void)pthread_join(executor->thread, NULL);
	executor_run_due(executor);
	offload_end(&executor->offload);
	registry_remove(&executor->registered);
	if (!abandon)
		release_loop(executor);
	executor_lock(executor);
	executor->released = true;
	executor_announce(executor);
}

int lifetime_close(struct wf_executor *executor, enum wf_close how) {
	int r;

	if (executor_in_callback())
		return report_error(-EDEADLK,
				    "an executor cannot be closed in a callback: it would wait "
				    "for the callback to end");
	executor_lock(executor);
	begin_close(executor, how);
	if (executor->has_thread || executor->engine.options.public.caller_driven) {
		r = executor_await(executor, is_closed, NULL, NSEC_NEVER);
	} else {
		/* it was never opened, so no other thread drives it */
		r = 0;
		while (executor->state != EXECUTOR_CLOSED && executor->engine.loop) {
			executor_unlock(executor);
			executor_step(executor, -1);
			executor_lock(executor);
		}
	}
	if (r >= 0 && !executor->releasing)
		release(executor);
	while (r >= 0 && !executor->released)
		(void)engine_wait(&executor->engine, &executor->changed, NSEC_NEVER);
	executor_unlock(executor);
	return r < 0 ? report_internal(r, "closing") : 0;
}

/* From a callback, which must not wait. The thread goes on until everything is closed and then
 * drops the last reference. A caller-driven executor has nothing left to drive it, so everything is
 * killed. */
static void release_without_waiting(struct wf_executor *executor) {
	bool driven = executor->engine.options.public.caller_driven, detach;

	executor_lock(executor);
	executor->engine.undriven = driven && executor->close_how != WF_CLOSE_KILL;
	begin_close(executor, driven ? WF_CLOSE_KILL : WF_CLOSE_FINISH);
	/* nothing may drive it any more: the keeper ends everything, and then itself */
	if (driven && executor->keeper.running)
		keeper_quit(&executor->keeper);
	if (driven)
		executor_resolve_all(executor);
	detach = executor->has_thread && !executor->thread_detached;
	executor->thread_detached = executor->thread_detached || detach;
	if (!detach)
		offload_dismiss(&executor->offload);
	executor_unlock(executor);
	if (driven)
		executor_run_due(executor);
	registry_remove(&executor->registered);
	if (detach)
		(void)pthread_detach(executor->thread);
	else
		(void)engine_unref(&executor->engine);
}

/* If nothing is left of its task, the processes of a one-shot pool may end without us. */
static bool ends_at_once(const struct wf_executor *executor) {
	return one_shot_is(&executor->engine.options) && executor->state == EXECUTOR_OPEN &&
	       !executor->engine.wrecked && one_shot_end(&executor->generations);
}

void lifetime_release(struct wf_executor *executor) {
	bool last;

	executor_lock(executor);
	last = --executor->handles == 0;
	executor_unlock(executor);
	if (!last) {
		(void)engine_unref(&executor->engine);
	} else if (executor_in_callback() || ends_at_once(executor)) {
		release_without_waiting(executor);
	} else {
		(void)lifetime_close(executor, WF_CLOSE_FINISH);
		(void)engine_unref(&executor->engine);
	}
}

/* --- reload -------------------------------------------------------------------------------- */

/* Another image may be loading, or the guard of a lost keeper may still be ending what is left. */
static bool may_load(struct wf_executor *executor, const void *context) {
	(void)context;
	return succession_may_start(&executor->succession) || executor->state != EXECUTOR_OPEN;
}

static int start_next(struct wf_executor *executor, int *program) {
	int r = executor_await(executor, may_load, NULL, NSEC_NEVER);

	if (r < 0)
		return report_internal(r, "waiting for the image before");
	if (executor->state != EXECUTOR_OPEN)
		return report_error(-ESHUTDOWN, "the executor is closed");
	succession_set_program(&executor->succession, fd_steal(program));
	r = succession_start(&executor->succession);
	return r < 0 ? report_internal(r, "starting keeper and zygote") : 0;
}

int lifetime_reload(struct wf_executor *executor) {
	/* before the wait: an image that is loading may have read the file before it changed */
	struct file_identity file = options_file_now(&executor->engine.options);
	int program, r;

	if (executor_in_callback())
		return report_error(-EDEADLK,
				    "an executor cannot be reloaded in a callback: it would wait");
	r = open_program(executor, true, &program);
	if (r < 0)
		return r;
	executor_lock(executor);
	r = start_next(executor, &program);
	if (r >= 0)
		r = await_image(executor, executor->generations.last);
	if (r >= 0)
		executor->engine.options.file = file;
	if (!executor->engine.wrecked) /* the host may use its number */
		(void)fd_close(program);
	executor_unlock(executor);
	return r;
}
