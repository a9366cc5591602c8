/* SPDX-License-Identifier: MIT
 *
 * Story: tasks leave processes behind, and each worker's tree ends with its task and with no other.
 */
#include <signal.h>

#include "tests/support/pool.h"

/* Everything that a task leaves is gone when a future that waits for the exit resolves. */
static void check_gone_when_resolved(int regime, const char *step) {
	struct wf_executor *executor = pool_open_regime(regime);
	struct wf_task task = WF_TASK(.function = "script", .input = step,
				      .input_size = strlen(step), .flags = WF_TASK_WAIT_EXIT);
	static struct watch watch;
	struct wf_future *future;
	struct cord cord;

	cord_open(&cord);
	future = cord_submit(&cord, executor, &task);
	watch_add(&watch, cord_expect_pid(&cord, step));
	expect_kind(pool_wait(future), WF_RETURNED);
	ck_assert_msg(watch_alive(&watch) == 0, "lives on: %s", watch_describe(&watch));
	if (regime == FRESH)
		ck_assert_int_eq(wf_future_outcome(future)->reaped, true);
	pool_check_works(executor);
	watch_clear(&watch);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}

static void check_gone_soon(int regime, const char *step) {
	struct wf_executor_options options = pool_options(regime);
	static struct watch watch;
	struct wf_executor *executor;
	struct wf_future *future;
	struct cord cord;

	/* neither a ping nor the end of an idle worker makes the zygote look */
	options.tuning.zygote_reply_ms = 10 * FIXTURE_CAP_MS;
	options.idle_timeout_ms = WF_FOREVER;
	executor = pool_open(&options);
	cord_open(&cord);
	future = cord_call(&cord, executor, "script", step);
	watch_add(&watch, cord_expect_pid(&cord, step));
	expect_kind(pool_wait(future), WF_RETURNED);
	expect_ended(&watch);
	pool_check_works(executor);
	watch_clear(&watch);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}

START_TEST(test_background_process_is_gone_when_asked_to_wait) {
	check_gone_when_resolved(_i, "background");
}
END_TEST

START_TEST(test_daemon_is_gone_when_asked_to_wait) {
	check_gone_when_resolved(_i, "daemon");
}
END_TEST

START_TEST(test_background_process_is_gone_soon) {
	check_gone_soon(_i, "background");
}
END_TEST

START_TEST(test_daemon_is_gone_soon) {
	check_gone_soon(_i, "daemon");
}
END_TEST

START_TEST(test_daemon_of_the_zygote_is_gone_soon) {
	check_gone_soon(_i, "stray");
}
END_TEST

/* --- one worker dies, its neighbour has a daemon of its own --- */

struct neighbour {
	struct cord cord;
	struct wf_future *future;
	struct watch daemon;
	pid_t pid;
};

static void neighbour_start(struct neighbour *neighbour, struct wf_executor *executor,
			    const char *script) {
	neighbour->daemon.n = 0;
	cord_open(&neighbour->cord);
	neighbour->future = cord_call(&neighbour->cord, executor, "script", script);
	watch_add(&neighbour->daemon, cord_expect_pid(&neighbour->cord, "daemon"));
	neighbour->pid = cord_expect_pid(&neighbour->cord, "started");
	ck_assert_uint_eq(watch_alive(&neighbour->daemon), 1);
}

static void neighbour_end(struct neighbour *neighbour) {
	watch_clear(&neighbour->daemon);
	wf_future_free(neighbour->future);
	cord_close(&neighbour->cord);
}

static struct neighbour dying, living;

/* X is gone, with its daemon; Y and its daemon live until Y has ended. */
static void check_living(struct wf_executor *executor) {
	expect_ended(&dying.daemon);
	ck_assert_uint_eq(watch_alive(&living.daemon), 1);
	expect_running(living.future);
	cord_release(&living.cord);
	expect_text(pool_wait(living.future), "lived");
	expect_ended(&living.daemon);
	neighbour_end(&dying);
	neighbour_end(&living);
	pool_close(executor);
}

START_TEST(test_crash_takes_its_own_tree_only) {
	struct wf_executor *executor = pool_open_regime(_i);

	neighbour_start(&living, executor, "daemon; started; wait; echo lived");
	neighbour_start(&dying, executor, "daemon; started; wait; crash 11");
	cord_release(&dying.cord);
	expect_signalled(pool_wait(dying.future), SIGSEGV);
	check_living(executor);
}
END_TEST

START_TEST(test_sigkill_takes_its_own_tree_only) {
	struct wf_executor *executor = pool_open_regime(_i);

	neighbour_start(&living, executor, "daemon; started; wait; echo lived");
	neighbour_start(&dying, executor, "daemon; started; hang");
	ck_assert_int_eq(kill(dying.pid, SIGKILL), 0);
	expect_signalled(pool_wait(dying.future), SIGKILL);
	check_living(executor);
}
END_TEST

START_TEST(test_kill_takes_its_own_tree_only) {
	struct wf_executor *executor = pool_open_regime(_i);

	neighbour_start(&living, executor, "daemon; started; wait; echo lived");
	neighbour_start(&dying, executor, "daemon; started; hang");
	ck_assert_int_eq(wf_future_kill(dying.future, WF_NO_GRACE), 0);
	expect_killed(pool_wait(dying.future), WF_BY_CALLER);
	check_living(executor);
}
END_TEST

START_TEST(test_many_daemons_are_swept) {
	struct wf_executor *executor = pool_open_regime(_i);
	static struct watch watch;
	struct wf_future *future;
	struct cord cord;

	cord_open(&cord);
	future =
	    cord_call(&cord, executor, "script",
		      "daemon; daemon; daemon; background; background; daemon; hold_pipes; exit 3");
	for (int i = 0; i < 3; i++)
		watch_add(&watch, cord_expect_pid(&cord, "daemon"));
	for (int i = 0; i < 2; i++)
		watch_add(&watch, cord_expect_pid(&cord, "background"));
	watch_add(&watch, cord_expect_pid(&cord, "daemon"));
	watch_add(&watch, cord_expect_pid(&cord, "hold_pipes"));
	expect_exited(pool_wait(future), 3);
	expect_ended(&watch);
	watch_clear(&watch);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_close_leaves_nothing) {
	struct wf_executor *executor = pool_open_regime(_i);
	static struct watch watch;

	neighbour_start(&living, executor, "daemon; started; hang");
	pool_watch(executor, &watch);
	ck_assert_uint_ge(watch.n, 4);
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_KILL), 0);
	ck_assert_msg(watch_alive(&watch) == 0, "lives on: %s", watch_describe(&watch));
	ck_assert_uint_eq(watch_alive(&living.daemon), 0);
	expect_killed(wf_future_outcome(living.future), WF_BY_CLOSE);
	wf_executor_free(executor);
	watch_clear(&watch);
	neighbour_end(&living);
}
END_TEST

int main(void) {
	TCase *story = fixture_case("trees");

	add_for_both(story, test_background_process_is_gone_when_asked_to_wait);
	add_for_both(story, test_daemon_is_gone_when_asked_to_wait);
	add_for_both(story, test_background_process_is_gone_soon);
	add_for_both(story, test_daemon_is_gone_soon);
	add_for_both(story, test_daemon_of_the_zygote_is_gone_soon);
	add_for_both(story, test_crash_takes_its_own_tree_only);
	add_for_both(story, test_sigkill_takes_its_own_tree_only);
	add_for_both(story, test_kill_takes_its_own_tree_only);
	add_for_both(story, test_many_daemons_are_swept);
	add_for_both(story, test_close_leaves_nothing);
	return fixture_run("trees", story);
}
