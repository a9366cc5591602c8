/* SPDX-License-Identifier: MIT
 *
 * Futures, those who sleep on them, and those who are called back.
 *
 * Sleepers use a futex of their own, so that a resolution wakes exactly those whom it concerns:
 * with one condition variable for all, 64 waiting threads would wake 64 times for each result.
 */
#include "executor/future.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "executor/executor.h"
#include "executor/learn.h"
#include "executor/outcome.h"

int future_new(struct wf_executor *executor, struct wf_future **ret) {
	/* not calloc(3): in the C library of our floor it goes past the thread's cache */
	struct wf_future *future = malloc(sizeof(*future));

	if (!future)
		return -ENOMEM;
	memset(future, 0, sizeof(*future));
	future->references = 2;
	future->executor = executor_ref(executor);
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

struct wf_future *future_unref(struct wf_future *future) {
	if (!future || atomic_fetch_sub(&future->references, 1) != 1)
		return NULL;
	while (future->callbacks) {
		struct future_callback *callback = future->callbacks;

		future->callbacks = callback->next;
		free(callback);
	}
	payload_deinit(&future->payload, false);
	(void)task_context_free(future->context);
	capture_reset(&future->captures[0]);
	capture_reset(&future->captures[1]);
	outcome_memory_clear(&future->memory);
	refusals_clear(&future->refusals);
	(void)wf_policy_free(future->learned);
	(void)executor_unref(future->executor);
	free(future);
	return NULL;
}

/* --- sleepers ----------------------------------------------------------------------------------
 */

void waiter_init(struct waiter *waiter, int32_t wanted) {
	*waiter = (struct waiter){ .doorbell = -1 };
	atomic_store(&waiter->wanted, wanted);
}

static void waiter_fire(struct waiter *waiter) {
	int doorbell = waiter->doorbell;

	/* The waiter may be gone as soon as `fired` is set: it is on its owner's stack. A futex
	 * wake-up on a stale address is harmless (futex(2): wake-ups may be spurious). */
	atomic_store(&waiter->fired, 1);
	(void)syscall(SYS_futex, &waiter->fired, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
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

	while (!atomic_load(&waiter->fired)) {
		if (until != NSEC_NEVER && clock_now() >= until)
			return false;
		(void)syscall(SYS_futex, &waiter->fired, FUTEX_WAIT_BITSET_PRIVATE, 0,
			      until == NSEC_NEVER ? NULL : &at, NULL, FUTEX_BITSET_MATCH_ANY);
	}
	return true;
}

static void wake_waiters(struct wf_future *future) {
	list_foreach_safe (link, next, &future->waiters) {
		struct waiter *waiter = container_of(link, struct waiter_stake, link)->waiter;
		bool failure = waiter->first_failure && future->outcome.kind != WF_RETURNED;

		list_remove(link);
		if (atomic_fetch_sub(&waiter->wanted, 1) == 1 || failure)
			waiter_fire(waiter);
	}
}

/* --- resolution --------------------------------------------------------------------------------
 */

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

static void fill_worker(struct wf_future *future) {
	struct wf_outcome *outcome = &future->outcome;
	struct worker *worker = future->worker;
	uint32_t stack_size;

	if (!worker)
		return;
	outcome->pid = worker->pid;
	outcome->slot = (int)worker->slot_number;
	if (!outcome->task_number)
		outcome->task_number = worker->tasks_done + 1;
	outcome->generation = worker->zygote->generation;
	stack_size = atomic_load(&worker->cell->stack_size);
	if (future->verdict == VERDICT_TIMED_OUT && stack_size &&
	    stack_size <= sizeof(worker->cell->stack)) {
		future->memory.stack = strndup(worker->cell->stack, stack_size);
		if (future->memory.stack)
			outcome->stack = future->memory.stack;
	}
}

static void fill_sandbox(struct wf_future *future) {
	struct wf_outcome *outcome = &future->outcome;
	const struct worker *worker = future->worker;

	outcome->refusals = future->refusals.list;
	outcome->n_refusals = future->refusals.n;
	outcome->n_refusals_dropped = future->refusals.n_dropped;
	if (!worker || !worker->zygote->layers)
		return;
	future->memory.layers = strdup(worker->zygote->layers);
	if (future->memory.layers)
		outcome->layers = future->memory.layers;
	if (!future->executor->options.public.learn)
		return;
	future->memory.learned = learn_text(future);
	if (future->memory.learned)
		outcome->learned = future->memory.learned;
}

static void fill_captures(struct wf_future *future) {
	for (int i = 0; i < 2; i++) {
		capture_drain(&future->captures[i]);
		capture_close(&future->captures[i]);
	}
	future->outcome.standard_output = capture_result(&future->captures[0]);
	future->outcome.standard_error = capture_result(&future->captures[1]);
}

void future_resolve(struct wf_future *future) {
	struct wf_executor *executor = future->executor;
	struct wf_outcome *outcome = &future->outcome;
	nsec_t now = executor_now(executor);

	must(future->state != FUTURE_RESOLVED);
	must(outcome->kind != 0);
	outcome->task_id = future->id;
	outcome->attempts = future->attempts;
	outcome->deaths = future->memory.deaths;
	outcome->n_deaths = future->memory.n_deaths;
	fill_times(future, now);
	fill_captures(future);
	fill_worker(future);
	fill_sandbox(future);
	timer_clear(&future->timer);
	payload_deinit(&future->payload,
		       outcome->kind == WF_RETURNED || outcome->kind == WF_FAILED);
	future->worker = NULL;
	future->state = FUTURE_RESOLVED;
	executor->n_pending--;
	statistics_outcome(&executor->statistics, outcome, between(future->ended, now));
	wake_waiters(future);
	list_append(&executor->due, &future->link);
}

bool future_has_started(const struct wf_future *future) {
	uint64_t word;

	if (future->state != FUTURE_HANDED || !future->worker)
		return false;
	word = atomic_load(&cell_claim(future->worker->cell, future->sequence)->word);
	/* anything but QUEUED: a worker that scribbles on its cell must not hide that it runs */
	return word != claim_word(future->sequence, CLAIM_QUEUED) || future->result_here;
}

void future_run_callbacks(struct wf_future *future) {
	struct wf_executor *executor = future->executor;

	for (;;) {
		struct future_callback *callback;

		executor_lock(executor);
		callback = future->callbacks;
		if (callback) {
			future->callbacks = callback->next;
			if (!future->callbacks)
				future->callbacks_end = &future->callbacks;
		} else {
			future->called_back = true;
		}
		executor_unlock(executor);
		if (!callback)
			break;
		callback->function(future, &future->outcome, callback->context);
		free(callback);
	}
	(void)future_unref(future);
}
