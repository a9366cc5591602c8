/* SPDX-License-Identifier: MIT
 *
 * A waiter has a stake in each future that it waits for, and counts down. Waiting for a
 * caller-driven executor means dispatching.
 */
#include "executor/wait.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/report.h"
#include "executor/known.h"
#include "executor/lifetime.h"

bool wait_is_resolved(struct wf_future *future) {
	bool resolved;

	engine_lock(future->engine);
	resolved = future->state == FUTURE_RESOLVED;
	engine_unlock(future->engine);
	return resolved;
}

static bool is_resolved(struct wf_executor *executor, const void *context) {
	const struct wf_future *future = context;

	(void)executor;
	return future->state == FUTURE_RESOLVED;
}

static bool has_fired(struct wf_executor *executor, const void *context) {
	const struct waiter *waiter = context;

	(void)executor;
	return atomic_load(&waiter->fired);
}

/* A sleeper checks now and then whether it sleeps in vain: executor_check(). */
#define CHECK_MS 1000

static nsec_t next_check(void) {
	return clock_in_ms(CHECK_MS);
}

static nsec_t earlier(nsec_t a, nsec_t b) {
	return a < b ? a : b;
}

static void check(struct wf_executor *executor) {
	bool ended;

	executor_lock(executor);
	ended = executor_check(executor);
	executor_unlock(executor);
	if (ended)
		executor_run_due(executor);
}

static int sleep_threaded(struct wf_future *future, nsec_t until) {
	struct wf_executor *executor = executor_of(future->engine);
	struct waiter waiter;
	struct waiter_stake stake = { .waiter = &waiter };
	bool fired;

	if (executor_in_callback())
		return -EDEADLK;
	waiter_init(&waiter, 1);
	list_append(&future->waiters, &stake.link);
	executor_unlock(executor);
	waiter_spin(&waiter, executor->engine.options.public.tuning.spin_us);
	while (!(fired = waiter_sleep(&waiter, earlier(until, next_check()))) &&
	       clock_now() < until)
		check(executor);
	executor_lock(executor);
	list_remove(&stake.link);
	return fired || future->state == FUTURE_RESOLVED ? 0 : -ETIMEDOUT;
}

int wait_for_one(struct wf_future *future, int timeout_ms) {
	struct wf_executor *executor = executor_of(future->engine);
	nsec_t until = clock_in_ms(timeout_ms);
	int r = 0;

	executor_lock(executor);
	if (future->state != FUTURE_RESOLVED) {
		if (executor->engine.options.public.caller_driven)
			r = executor_await(executor, is_resolved, future, until);
		else
			r = sleep_threaded(future, until);
	}
	executor_unlock(executor);
	return r;
}

/* --- several ------------------------------------------------------------------------------- */

struct crowd {
	struct wf_future *const *futures;
	size_t n;
	struct waiter waiter;
	struct waiter_stake *stakes;
	struct wf_executor *driven; /* the executor that this thread must drive */
	size_t n_resolved;
	bool failed;
};

static int check_futures(struct wf_future *const *futures, size_t n,
			 struct wf_executor **ret_driven) {
	for (size_t i = 0; i < n; i++) {
		struct wf_executor *executor = futures[i] ? executor_of(futures[i]->engine) : NULL;

		if (!executor)
			return report_error(-EINVAL, "wf_wait: futures[%zu] is NULL", i);
		if (!executor_is_ours(executor))
			return report_error(-ECHILD,
					    "wf_wait: the executor belongs to another process");
		if (!executor->engine.options.public.caller_driven)
			continue;
		if (*ret_driven && *ret_driven != executor)
			return report_error(-EINVAL,
					    "wf_wait: the futures belong to two caller-driven "
					    "executors; wait for each executor separately");
		*ret_driven = executor;
	}
	return 0;
}

/* Takes a stake in each unresolved future, and counts the resolved ones. */
static void join(struct crowd *crowd) {
	for (size_t i = 0; i < crowd->n; i++) {
		struct wf_future *future = crowd->futures[i];

		crowd->stakes[i].waiter = &crowd->waiter;
		engine_lock(future->engine);
		if (future->state != FUTURE_RESOLVED) {
			list_append(&future->waiters, &crowd->stakes[i].link);
		} else {
			crowd->n_resolved++;
			crowd->failed = crowd->failed || future->outcome.kind != WF_RETURNED;
			if (atomic_fetch_sub(&crowd->waiter.wanted, 1) == 1 ||
			    (crowd->failed && crowd->waiter.first_failure))
				atomic_store(&crowd->waiter.fired, 1);
		}
		engine_unlock(future->engine);
	}
}

static void leave(struct crowd *crowd) {
	crowd->n_resolved = 0;
	for (size_t i = 0; i < crowd->n; i++) {
		struct wf_future *future = crowd->futures[i];

		engine_lock(future->engine);
		list_remove(&crowd->stakes[i].link);
		crowd->n_resolved += future->state == FUTURE_RESOLVED;
		engine_unlock(future->engine);
	}
}

static int sleep_in(struct crowd *crowd, nsec_t until) {
	int r;

	if (atomic_load(&crowd->waiter.fired))
		return 0;
	if (executor_in_callback())
		return -EDEADLK;
	if (crowd->driven) {
		executor_lock(crowd->driven);
		r = executor_await(crowd->driven, has_fired, &crowd->waiter, until);
		executor_unlock(crowd->driven);
		if (r != -ESHUTDOWN)
			return r;
	}
	while (!waiter_sleep(&crowd->waiter, earlier(until, next_check())) && clock_now() < until)
		for (size_t i = 0; i < crowd->n; i++)
			if (i == 0 || crowd->futures[i]->engine != crowd->futures[i - 1]->engine)
				check(executor_of(crowd->futures[i]->engine));
	return atomic_load(&crowd->waiter.fired) ? 0 : -ETIMEDOUT;
}

/* A duplicate: the executor may be closed while we wait, and its number used again. */
static int doorbell_of(struct wf_executor *executor) {
	int fd = -1;

	if (!executor)
		return -1;
	executor_lock(executor);
	if (executor->engine.doorbell >= 0)
		fd = fd_duplicate(executor->engine.doorbell);
	executor_unlock(executor);
	return fd;
}

/* The host may have closed this one too, and be using its number. */
static void release_doorbell(struct wf_executor *executor, int fd) {
	bool wrecked;

	if (!executor)
		return;
	executor_lock(executor);
	wrecked = executor->engine.wrecked;
	executor_unlock(executor);
	if (!wrecked)
		(void)fd_close(fd);
}

static int32_t count_wanted(size_t n, enum wf_wait_for what) {
	return what == WF_FIRST_COMPLETED ? 1 : (int32_t)n;
}

int wf_wait(struct wf_future *const *futures, size_t n, enum wf_wait_for what, int timeout_ms) {
	struct crowd crowd = { .futures = futures, .n = n };
	nsec_t until = clock_in_ms(timeout_ms);
	int r;

	if ((n && !futures) || n > INT32_MAX || what > WF_ALL_COMPLETED)
		return report_error(-EINVAL,
				    "wf_wait: futures is NULL, n is out of range, or what is "
				    "not in enum wf_wait_for");
	r = known_timeout("wf_wait: timeout_ms", timeout_ms);
	r = r < 0 ? r : check_futures(futures, n, &crowd.driven);
	if (r < 0 || n == 0)
		return r;
	crowd.stakes = calloc(n, sizeof crowd.stakes[0]);
	if (!crowd.stakes)
		return report_internal(-ENOMEM, "waiting");
	waiter_init(&crowd.waiter, count_wanted(n, what));
	crowd.waiter.first_failure = what == WF_FIRST_FAILURE;
	crowd.waiter.doorbell = doorbell_of(crowd.driven);
	join(&crowd);
	r = sleep_in(&crowd, until);
	leave(&crowd);
	release_doorbell(crowd.driven, crowd.waiter.doorbell);
	free(crowd.stakes);
	if (r == -EDEADLK)
		return report_error(r,
				    "a callback must not wait for futures that have not resolved");
	if (r == -ETIMEDOUT && !atomic_load(&crowd.waiter.fired))
		return report_error(r, "%zu of %zu futures have resolved after %d ms",
				    crowd.n_resolved, n, timeout_ms);
	return r < 0 && r != -ETIMEDOUT ? report_internal(r, "waiting") : (int)crowd.n_resolved;
}
