/* SPDX-License-Identifier: MIT
 *
 * Story: a worker is stopped, hangs or dies after its fork and before it is ready.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/pool.h"

#define PATIENCE_MS 2000

/* A pool whose workers do that (toy_starts.c), and which gives up a start after so many attempts;
 * `path` counts the workers. */
static struct wf_executor *open_pool_that(int regime, const char *what, int attempts,
					  const char **ret_path) {
	struct wf_executor_options options = pool_options(regime);
	static char path[300], argument[400];

	(void)snprintf(path, sizeof path, "%s/count", fixture_scratch());
	(void)snprintf(argument, sizeof argument, "%s %s", what, path);
	options.module = getenv("TOY_STARTS");
	options.preload_argument = argument;
	options.preload_argument_size = strlen(argument);
	options.preload_timeout_ms = PATIENCE_MS;
	options.workers = 1;
	options.spares = WF_NO_SPARES;
	options.kill_grace_ms = 50;
	options.tuning.backoff_ms = 1;
	options.tuning.start_attempts = attempts;
	*ret_path = path;
	return pool_open(&options);
}

/* The first start fails, and the task gets another worker. */
static const char *const once[] = { "stop first", "hang first", "crash first" };

START_TEST(test_start_that_fails_once) {
	for (int regime = FRESH; regime <= REUSED; regime++) {
		const char *path;
		struct wf_executor *executor = open_pool_that(regime, once[_i], 2, &path);

		pool_check_works(executor);
		pool_check_works(executor);
		ck_assert_uint_ge(pool_statistics(executor).forks, 2);
		pool_close(executor);
		ck_assert_int_eq(remove(path), 0);
	}
}
END_TEST

/* Every start fails: the outcome of the task says so, and the pool can be closed. */
static const char *const always[] = { "stop all", "hang all", "crash all" };

START_TEST(test_start_that_always_fails) {
	for (int regime = FRESH; regime <= REUSED; regime++) {
		const char *path;
		struct wf_executor *executor = open_pool_that(regime, always[_i], 2, &path);
		struct wf_future *future = pool_call(executor, "echo", "never");
		const struct wf_outcome *outcome = pool_wait(future);

		expect_kind(outcome, WF_NOT_STARTED);
		ck_assert_int_eq((int)outcome->not_started.phase, (int)WF_PHASE_INITIALIZE);
		wf_future_free(future);
		pool_close(executor);
		ck_assert_int_eq(remove(path), 0);
	}
}
END_TEST

/* Nobody waits for it but close: the pool must not have given up before the task is cancelled. */
START_TEST(test_close_beside_a_start_that_hangs) {
	static const enum wf_close hows[] = { WF_CLOSE_FINISH, WF_CLOSE_CANCEL, WF_CLOSE_KILL };

	for (size_t i = 0; i < sizeof hows / sizeof hows[0]; i++) {
		const char *path;
		struct wf_executor *executor = open_pool_that(REUSED, always[_i], 1000, &path);
		struct wf_future *future = pool_call(executor, "echo", "cancelled");

		ck_assert_int_eq(wf_future_cancel(future), 0);
		ck_assert_int_eq(wf_executor_close(executor, hows[i]), 0);
		wf_future_free(future);
		wf_executor_free(executor);
		(void)remove(path);
	}
}
END_TEST

int main(void) {
	TCase *story = fixture_case("starts");

	tcase_add_loop_test(story, test_start_that_fails_once, 0, 3);
	tcase_add_loop_test(story, test_start_that_always_fails, 0, 3);
	tcase_add_loop_test(story, test_close_beside_a_start_that_hangs, 0, 3);
	return fixture_run("starts", story);
}
