/* SPDX-License-Identifier: MIT
 *
 * Futures, the threads that sleep on them, and their callbacks.
 *
 * Each sleeper uses a futex of its own, so that a resolution wakes only the threads it concerns:
 * with one condition variable for all, 64 waiting threads would wake 64 times for each result.
 */
#include "executor/future.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "executor/outcome.h"

/* A task that holds its pipe by chance lets go of it at its end; a hostile one keeps only itself
 * waiting. */
#define OUTPUT_MS  5000
#define HURRIED_MS 200

int future_new(struct engine *engine, struct wf_future **ret) {
	/* not calloc(3), which bypasses the thread cache in the oldest C library we support */
	struct wf_future *future = malloc(sizeof *future);

	if (!future)
		return -ENOMEM;
	memset(future, 0, sizeof *future);
	future->references = 2;
	future->engine = engine_ref(engine);
	future->payload.memfd = -1;
	future->deadline = NSEC_NEVER;
	capture_init(&future->captures[0], 1);
	capture_init(&future->captures[1], 2);
	list_init(&future->waiters);
	future->callbacks_end = &future->callbacks;
	outcome_init(&future->outcome);
	*ret = future;
	return 0;
}

static void destroy(struct wf_future *future) {
	while (future->callbacks) {
		struct future_callback *callback = future->callbacks;

		future->callbacks = callback->next;
		free(callback);
	}
	payload_deinit(&future->payload, false);
	(void)engine_release_context(future->engine, future->context);
	capture_reset(&future->captures[0]);
	capture_reset(&future->captures[1]);
	outcome_memory_clear(&future->memory);
	refusals_clear(&future->refusals);
	(void)wf_policy_free(future->learned);
	(void)engine_unref(future->engine);
	free(future);
}

static void run_close(struct job *job) {
	struct wf_future *future = container_of(job, struct wf_future, job);

	future->context = engine_release_context(future->engine, future->context);
}

static void done_destroy(struct job *job) {
	destroy(container_of(job, struct wf_future, job));
}

/* Closing the user's descriptors may block, on a file system of theirs, and this may be the thread
 * that dispatches. Returns false if no thread of ours takes such work any more. */
static bool offload_destroy(struct wf_future *future) {
	struct engine *engine = future->engine;
	bool on;

	engine_lock(engine);
	on = offload_is_on(engine->offload);
	future->job.kind = JOB_CLOSE;
	future->job.run = run_close;
	future->job.done = done_destroy;
	if (on)
		offload_add(engine->offload, &future->job);
	engine_unlock(engine);
	return on;
}

struct wf_future *future_unref(struct wf_future *future) {
	if (!future || atomic_fetch_sub(&future->references, 1) != 1)
		return NULL;
	if (!future->context || !task_context_has_descriptors(future->context) ||
	    !offload_destroy(future))
		destroy(future);
	return NULL;
}

/* --- sleepers ------------------------------------------------------------------------------ */

void waiter_init(struct waiter *waiter, int32_t wanted) {
	*waiter = (struct waiter){ .doorbell = -1 };
	atomic_store(&waiter->wanted, wanted);
}

static void waiter_fire(struct waiter *waiter, struct engine *engine) {
	/* After a wreck the number may be the host's, and who drives us checks without being rung. */
	int doorbell = engine->wrecked ? -1 : waiter->doorbell;

	/* The waiter may be gone as soon as `fired` is set, because it is on its owner's stack. */
	engine_wake(engine, &waiter->fired);
	atomic_store(&waiter->fired, 1);
	if (doorbell >= 0)
		(void)eventfd_write(doorbell, 1);
}

void waiter_spin(const struct waiter *waiter, int spin_us) {
	nsec_t until;

	if (spin_us <= 0)
		return;
	until = clock_now() + (nsec_t)spin_us * 1000;
	while (!atomic_load_explicit(&waiter->fired, memory_order_acquire) && clock_now() < until)
		__builtin_ia32_pause();
}

bool waiter_sleep(struct waiter *waiter, nsec_t until) {
	struct timespec at = { .tv_sec = (time_t)(until / NSEC_PER_SEC),
			       .tv_nsec = (long)(until % NSEC_PER_SEC) };

	while (!atomic_load(&waiter->fired))
		if (syscall(SYS_futex, &waiter->fired, FUTEX_WAIT_BITSET_PRIVATE, 0,
			    until == NSEC_NEVER ? NULL : &at, NULL, FUTEX_BITSET_MATCH_ANY) < 0 &&
		    errno == ETIMEDOUT)
			return atomic_load(&waiter->fired);
	return true;
}

static void wake_waiters(struct wf_future *future) {
	list_foreach_safe (link, next, &future->waiters) {
		struct waiter *waiter = container_of(link, struct waiter_stake, link)->waiter;
		bool failure = waiter->first_failure && future->outcome.kind != WF_RETURNED;

		list_remove(link);
		if (atomic_fetch_sub(&waiter->wanted, 1) == 1 || failure)
			waiter_fire(waiter, future->engine);
	}
}

/* --- the queue ----------------------------------------------------------------------------- */

void future_queue(struct wf_future *future) {
	future->state = FUTURE_QUEUED;
	queue_push(&future->engine->queue, &future->link, future->priority);
}

/* Its timer stays armed: when it fires, it checks the state of the future at that time. */
void future_requeue(struct wf_future *future) {
	capture_reset(&future->captures[0]);
	capture_reset(&future->captures[1]);
	future->state = FUTURE_QUEUED;
	future->worker = NULL;
	future->handed = future->started = future->ended = 0;
	future->result_here = false;
	future->overflow = 0;
	queue_push_front(&future->engine->queue, &future->link, future->priority);
}

void future_unqueue(struct wf_future *future) {
	queue_remove(&future->engine->queue, &future->link, future->priority);
}

/* --- resolution ---------------------------------------------------------------------------- */

static uint64_t between(nsec_t from, nsec_t to) {
	return from && to > from ? to - from : 0;
}

static void fill_times(struct wf_future *future, nsec_t now) {
	struct wf_outcome *outcome = &future->outcome;

	outcome->queued_ns = between(future->submitted, future->handed ? future->handed : now);
	outcome->handed_ns = between(future->handed, future->started);
	if (!outcome->run_ns && future->started)
		outcome->run_ns = between(future->started, future->ended ? future->ended : now);
}

static void fill_captures(struct wf_future *future) {
	for (int i = 0; i < 2; i++)
		capture_close(&future->captures[i]);
	future->outcome.standard_output = capture_result(&future->captures[0]);
	future->outcome.standard_error = capture_result(&future->captures[1]);
}

static bool is_over_limit(const struct capture *capture) {
	return capture->overflowed && capture->overflow == WF_OVERFLOW_KILL;
}

bool future_judge_output(struct wf_future *future, bool has_result) {
	bool outweighed = has_result && future->verdict == VERDICT_KILLED &&
			  future->verdict_killer != WF_BY_PROTOCOL;

	for (int i = 0; i < 2; i++) {
		if (!is_over_limit(&future->captures[i]))
			continue;
		if (!future->overflow)
			future->overflow = i + 1;
		if (future->verdict == VERDICT_NONE || outweighed) {
			future->verdict = VERDICT_OUTPUT_LIMIT;
			future->verdict_stream = i + 1;
			return true;
		}
	}
	return false;
}

static void stop_ending(struct wf_future *future) {
	list_remove(&future->link);
	list_append(&future->engine->read, &future->link);
}

static void on_output_late(struct timer *timer, nsec_t now) {
	(void)now;
	stop_ending(container_of(timer, struct wf_future, timer));
}

void future_was_read(struct wf_future *future) {
	if (future->state != FUTURE_ENDING || !capture_is_read(&future->captures[0]) ||
	    !capture_is_read(&future->captures[1]))
		return;
	timer_clear(&future->timer);
	stop_ending(future);
	engine_ring(future->engine);
}

void future_hurry_ending(struct engine *engine) {
	nsec_t soon = clock_after_ms(engine_now(engine), HURRIED_MS);

	list_foreach_safe (link, next, &engine->ending) {
		struct wf_future *future = container_of(link, struct wf_future, link);

		if (future->timer.at > soon)
			(void)timer_set(engine->loop, &future->timer, soon, on_output_late);
	}
}

void future_end(struct wf_future *future) {
	struct engine *engine = future->engine;
	bool read = capture_finish(&future->captures[0]);

	read = capture_finish(&future->captures[1]) && read;
	if (read && !is_over_limit(&future->captures[0]) && !is_over_limit(&future->captures[1])) {
		future_resolve(future);
		return;
	}
	future->state = FUTURE_ENDING;
	future->result_here = true;
	future->worker = NULL;
	timer_clear(&future->timer);
	list_append(read ? &engine->read : &engine->ending, &future->link);
	if (read)
		return;
	(void)timer_set(engine->loop, &future->timer, clock_after_ms(engine_now(engine), OUTPUT_MS),
			on_output_late);
}

void future_resolve(struct wf_future *future) {
	struct engine *engine = future->engine;
	struct wf_outcome *outcome = &future->outcome;
	nsec_t now = engine_now(engine);

	must(future->state != FUTURE_RESOLVED);
	must(outcome->kind != 0);
	outcome->task_id = future->id;
	outcome->attempts = future->attempts;
	outcome->deaths = future->memory.deaths;
	outcome->n_deaths = future->memory.n_deaths;
	outcome->refusals = future->refusals.list;
	outcome->n_refusals = future->refusals.n;
	outcome->n_refusals_dropped = future->refusals.n_dropped;
	fill_times(future, now);
	fill_captures(future);
	timer_clear(&future->timer);
	payload_deinit(&future->payload,
		       outcome->kind == WF_RETURNED || outcome->kind == WF_FAILED);
	future->worker = NULL;
	future->state = FUTURE_RESOLVED;
	engine->n_pending--;
	loop_release(engine->loop, 1);
	statistics_outcome(&engine->statistics, outcome, between(future->ended, now));
	wake_waiters(future);
	future->is_due = true;
	list_append(&engine->due, &future->link);
}

void future_run_callbacks(struct wf_future *future) {
	struct engine *engine = future->engine;

	for (;;) {
		struct future_callback *callback;

		engine_lock(engine);
		callback = future->callbacks;
		if (callback) {
			future->callbacks = callback->next;
			if (!future->callbacks)
				future->callbacks_end = &future->callbacks;
		} else {
			future->called_back = true;
		}
		engine_unlock(engine);
		if (!callback)
			break;
		callback->function(future, &future->outcome, callback->context);
		free(callback);
	}
	(void)future_unref(future);
}
