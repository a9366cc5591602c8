/* SPDX-License-Identifier: MIT
 *
 * Story: a task abuses the channel of its worker; that costs it the worker, and nobody else
 * anything.
 */
#include "tests/support/pool.h"

/* Another task runs beside the abuser and must not notice. */
static void check_abuse(int regime, const char *script) {
	struct wf_executor *executor = pool_open_regime(regime);
	struct wf_future *innocent, *abuser;
	struct cord cord;

	cord_open(&cord);
	innocent = cord_call(&cord, executor, "script", "started; wait; echo innocent");
	cord_expect(&cord, "started");
	abuser = pool_call(executor, "script", script);
	expect_killed(pool_wait(abuser), WF_BY_PROTOCOL);
	pool_check_works(executor);
	cord_release(&cord);
	expect_text(pool_wait(innocent), "innocent");
	wf_future_free(abuser);
	wf_future_free(innocent);
	cord_close(&cord);
	pool_close(executor);
}

START_TEST(test_task_closes_its_channel_and_returns) {
	check_abuse(_i, "close_channel");
}
END_TEST

START_TEST(test_task_closes_its_channel_and_hangs) {
	check_abuse(_i, "deaf; close_channel; hang");
}
END_TEST

START_TEST(test_task_floods_its_channel_with_garbage) {
	check_abuse(_i, "flood_channel garbage; hang");
}
END_TEST

START_TEST(test_task_floods_its_channel_with_nothing) {
	check_abuse(_i, "flood_channel empty; hang");
}
END_TEST

START_TEST(test_tasks_after_the_abuser_run_elsewhere) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_future *abuser, *next[4];
	struct wf_executor *executor;

	options.workers = 1;
	options.tuning.hand_ahead = 4;
	executor = pool_open(&options);
	abuser = pool_call(executor, "script", "close_channel; hang");
	for (size_t i = 0; i < 4; i++)
		next[i] = pool_call(executor, "echo", "next");
	expect_killed(pool_wait(abuser), WF_BY_PROTOCOL);
	for (size_t i = 0; i < 4; i++) {
		expect_text(pool_wait(next[i]), "next");
		ck_assert_int_ne(wf_future_outcome(next[i])->pid, wf_future_outcome(abuser)->pid);
		wf_future_free(next[i]);
	}
	wf_future_free(abuser);
	pool_close(executor);
}
END_TEST

int main(void) {
	TCase *story = fixture_case("channel");

	add_for_both(story, test_task_closes_its_channel_and_returns);
	add_for_both(story, test_task_closes_its_channel_and_hangs);
	add_for_both(story, test_task_floods_its_channel_with_garbage);
	add_for_both(story, test_task_floods_its_channel_with_nothing);
	add_for_both(story, test_tasks_after_the_abuser_run_elsewhere);
	return fixture_run("channel", story);
}
