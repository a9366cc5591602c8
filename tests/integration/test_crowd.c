/* SPDX-License-Identifier: MIT
 *
 * Story: workers die in numbers, idle or busy, by accident or by poison, or cannot start; every
 * future resolves once, and those who had no part in it get their results.
 */
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/pool.h"

static bool one_is_idle(const struct wf_statistics *statistics) {
	return statistics->idle >= 1;
}

static bool one_died_idle(const struct wf_statistics *statistics) {
	return statistics->worker_deaths_idle >= 1;
}

/* --- an idle worker --- */

START_TEST(test_idle_worker_is_replaced) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_executor *executor;
	static struct watch workers;

	options.workers = 1;
	options.spares = 1;
	options.min_workers = 1;
	executor = pool_open(&options);
	pool_await(executor, one_is_idle);
	pool_watch_workers(executor, &workers);
	ck_assert_uint_ge(workers.n, 1);
	watch_kill(&workers);
	pool_await(executor, one_died_idle);
	pool_check_works(executor);
	expect_ended(&workers);
	watch_clear(&workers);
	pool_close(executor);
}
END_TEST

/* --- a thousand tasks, and every worker killed again and again --- */

#define N_TASKS      1000
#define N_MASSACRES  8
#define TASKS_APART  100
#define ATTEMPTS_MAX WF_MAX_DEATHS

static struct {
	struct wf_future *futures[N_TASKS];
	atomic_int calls[N_TASKS];
	sem_t resolved;
} crowd;

static void count_call(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	(void)future;
	(void)outcome;
	atomic_fetch_add((atomic_int *)context, 1);
	sem_post(&crowd.resolved);
}

static void crowd_submit(struct wf_executor *executor) {
	ck_assert_int_eq(sem_init(&crowd.resolved, 0, 0), 0);
	for (int i = 0; i < N_TASKS; i++) {
		char input[64];
		struct wf_task task =
		    WF_TASK(.function = "script", .input = input, .flags = WF_TASK_IDEMPOTENT);

		task.input_size =
		    (size_t)snprintf(input, sizeof input, "burn 300; echo task %d", i);
		atomic_init(&crowd.calls[i], 0);
		crowd.futures[i] = pool_submit(executor, &task);
		ck_assert_int_eq(wf_future_on_done(crowd.futures[i], count_call, &crowd.calls[i]),
				 0);
	}
}

static void await_resolved(int n) {
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += FIXTURE_CAP_MS / 1000;
	for (int i = 0; i < n; i++)
		ck_assert_msg(sem_timedwait(&crowd.resolved, &end) == 0,
			      "only %d of %d more futures resolved", i, n);
}

/* Returns how many there were. */
static size_t kill_every_worker(struct wf_executor *executor) {
	static struct watch workers;
	size_t n;

	pool_watch_workers(executor, &workers);
	watch_kill(&workers);
	n = workers.n;
	watch_clear(&workers);
	return n;
}

static void crowd_check(void) {
	for (int i = 0; i < N_TASKS; i++) {
		char text[32];

		snprintf(text, sizeof text, "task %d", i);
		expect_text(pool_wait(crowd.futures[i]), text);
		ck_assert_int_eq(atomic_load(&crowd.calls[i]), 1);
		wf_future_free(crowd.futures[i]);
	}
	sem_destroy(&crowd.resolved);
}

START_TEST(test_massacres_cost_no_result) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_executor *executor;
	size_t killed = 0;

	options.workers = 4;
	options.tuning.hand_ahead = 0;
	options.max_attempts = ATTEMPTS_MAX;
	options.tuning.start_attempts = 100;
	options.tuning.backoff_ms = 1;
	executor = pool_open(&options);
	crowd_submit(executor);
	for (int i = 0; i < N_MASSACRES; i++) {
		await_resolved(TASKS_APART);
		killed += kill_every_worker(executor);
	}
	ck_assert_uint_ge(killed, 1);
	await_resolved(N_TASKS - N_MASSACRES * TASKS_APART);
	crowd_check();
	ck_assert_uint_eq(pool_statistics(executor).resolved, N_TASKS);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

START_TEST(test_crashes_among_the_innocent) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *innocent[20], *crashing[20];

	for (size_t i = 0; i < 20; i++) {
		crashing[i] = pool_call(executor, "crash", i % 2 == 0 ? "11" : "9");
		innocent[i] = pool_call(executor, "echo", "innocent");
	}
	for (size_t i = 0; i < 20; i++) {
		expect_text(pool_wait(innocent[i]), "innocent");
		expect_signalled(pool_wait(crashing[i]), i % 2 == 0 ? SIGSEGV : SIGKILL);
		wf_future_free(innocent[i]);
		wf_future_free(crashing[i]);
	}
	pool_close(executor);
}
END_TEST

/* --- poison --- */

START_TEST(test_poison_is_quarantined_with_the_evidence) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_task poison = WF_TASK(.function = "crash", .input = "11", .input_size = 2,
					.flags = WF_TASK_IDEMPOTENT);
	const struct wf_outcome *outcome;
	struct wf_executor *executor;
	struct wf_future *future;

	options.max_attempts = 4;
	executor = pool_open(&options);
	future = pool_submit(executor, &poison);
	outcome = pool_wait(future);
	expect_signalled(outcome, SIGSEGV);
	ck_assert_int_eq(outcome->quarantined, true);
	ck_assert_uint_eq(outcome->attempts, 4);
	ck_assert_uint_eq(outcome->n_deaths, 4);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq((int)outcome->deaths[i].kind, (int)WF_SIGNALLED);
		ck_assert_int_eq(outcome->deaths[i].signal, SIGSEGV);
		ck_assert_int_gt(outcome->deaths[i].pid, 0);
		if (i > 0)
			ck_assert_int_ne(outcome->deaths[i].pid, outcome->deaths[i - 1].pid);
	}
	ck_assert_uint_eq(pool_statistics(executor).quarantined, 1);
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_single_shot_is_not_started_again) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future = pool_call(executor, "crash", "11");
	const struct wf_outcome *outcome = pool_wait(future);

	expect_signalled(outcome, SIGSEGV);
	ck_assert_uint_eq(outcome->attempts, 1);
	ck_assert_int_eq(outcome->quarantined, false);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* --- an initializer that fails --- */

static struct wf_executor *open_with_initializer(int regime, const char *argument) {
	struct wf_executor_options options = pool_options(regime);

	options.workers = 1;
	options.spares = WF_NO_SPARES;
	options.tuning.start_attempts = 3;
	options.tuning.backoff_ms = 1;
	options.preload_argument = argument;
	options.preload_argument_size = strlen(argument);
	return pool_open(&options);
}

static void check_initializer_fails(int regime, int times) {
	char argument[512];
	struct wf_executor *executor;

	snprintf(argument, sizeof argument, "count %s/runs; initialize_fail %d", fixture_scratch(),
		 times);
	executor = open_with_initializer(regime, argument);
	pool_check_works(executor);
	pool_check_works(executor);
	pool_close(executor);
}

START_TEST(test_initializer_that_fails_once) {
	check_initializer_fails(_i, 1);
}
END_TEST

START_TEST(test_initializer_that_fails_twice) {
	check_initializer_fails(_i, 2);
}
END_TEST

static void check_initializer_recovers(int regime, const char *how) {
	char path[300], argument[512];
	struct wf_executor *executor;
	struct wf_future *futures[3];

	snprintf(path, sizeof path, "%s/broken", fixture_scratch());
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	snprintf(argument, sizeof argument, "%s %s", how, path);
	executor = open_with_initializer(regime, argument);
	for (size_t i = 0; i < 3; i++)
		futures[i] = pool_call(executor, "echo", "x");
	for (size_t i = 0; i < 3; i++) {
		expect_kind(pool_wait(futures[i]), WF_NOT_STARTED);
		ck_assert_int_eq((int)wf_future_outcome(futures[i])->not_started.phase,
				 (int)WF_PHASE_INITIALIZE);
		wf_future_free(futures[i]);
	}
	ck_assert_int_eq(unlink(path), 0);
	pool_check_works(executor);
	pool_close(executor);
}

START_TEST(test_initializer_that_fails_until_it_is_repaired) {
	check_initializer_recovers(_i, "initialize_fail_while");
}
END_TEST

START_TEST(test_initializer_that_crashes_until_it_is_repaired) {
	check_initializer_recovers(_i, "initialize_crash_while");
}
END_TEST

int main(void) {
	TCase *story = fixture_case("crowd");

	add_for_both(story, test_idle_worker_is_replaced);
	add_for_both(story, test_massacres_cost_no_result);
	add_for_both(story, test_crashes_among_the_innocent);
	add_for_both(story, test_poison_is_quarantined_with_the_evidence);
	add_for_both(story, test_single_shot_is_not_started_again);
	add_for_both(story, test_initializer_that_fails_once);
	add_for_both(story, test_initializer_that_fails_twice);
	add_for_both(story, test_initializer_that_fails_until_it_is_repaired);
	add_for_both(story, test_initializer_that_crashes_until_it_is_repaired);
	return fixture_run("crowd", story);
}
