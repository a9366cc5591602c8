/* SPDX-License-Identifier: MIT
 *
 * Story: the zygote dies, or the keeper, while the pool is idle, forks, queues and runs.
 */
#include <signal.h>

#include "tests/support/pool.h"

static uint64_t wanted_starts;

static bool wanted_zygote_serves(const struct wf_statistics *statistics) {
	return statistics->zygote_starts == wanted_starts && statistics->zygote_pid > 0;
}

static bool second_zygote_serves(const struct wf_statistics *statistics) {
	return statistics->zygote_starts == 2 && statistics->zygote_pid > 0;
}

static bool second_keeper_serves(const struct wf_statistics *statistics) {
	return statistics->keeper_starts == 2 && statistics->zygote_pid > 0;
}

/* SIGKILL, and the wait until it is gone. */
static void end_process(pid_t pid) {
	static struct watch watch;

	ck_assert_int_gt(pid, 0);
	watch_add(&watch, pid);
	ck_assert_uint_eq(watch_alive(&watch), 1);
	watch_kill(&watch);
	expect_ended(&watch);
	watch_clear(&watch);
}

static void end_zygote(struct wf_executor *executor) {
	end_process(pool_statistics(executor).zygote_pid);
}

/* --- the zygote --- */

START_TEST(test_zygote_killed_while_idle) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_statistics statistics;

	pool_check_works(executor);
	end_zygote(executor);
	pool_check_works(executor);
	pool_await(executor, second_zygote_serves);
	statistics = pool_statistics(executor);
	ck_assert_uint_eq(statistics.zygote_losses, 1);
	ck_assert_uint_eq(statistics.keeper_starts, 1);
	pool_close(executor);
}
END_TEST

START_TEST(test_zygote_killed_before_the_first_task) {
	struct wf_executor *executor = pool_open_regime(_i);

	end_zygote(executor);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

START_TEST(test_zygote_killed_again_and_again) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_executor *executor;

	options.tuning.backoff_ms = 1;
	executor = pool_open(&options);
	for (wanted_starts = 1; wanted_starts <= 3; wanted_starts++) {
		pool_await(executor, wanted_zygote_serves);
		end_zygote(executor);
		pool_check_works(executor);
	}
	pool_await(executor, wanted_zygote_serves);
	ck_assert_uint_eq(pool_statistics(executor).zygote_losses, 3);
	pool_close(executor);
}
END_TEST

START_TEST(test_silent_zygote_is_replaced) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_executor *executor;

	options.tuning.zygote_reply_ms = 200;
	executor = pool_open(&options);
	ck_assert_int_eq(kill(pool_statistics(executor).zygote_pid, SIGSTOP), 0);
	pool_check_works(executor);
	pool_await(executor, second_zygote_serves);
	ck_assert_uint_eq(pool_statistics(executor).keeper_starts, 1);
	pool_close(executor);
}
END_TEST

#define N_FORKS 120

START_TEST(test_zygote_killed_while_forking) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_task task = WF_TASK(.function = "echo", .input = "forked", .input_size = 6,
				      .flags = WF_TASK_IDEMPOTENT);
	struct wf_future *futures[N_FORKS];
	struct wf_executor *executor;

	options.workers = 16;
	options.tuning.backoff_ms = 1;
	executor = pool_open(&options);
	for (size_t i = 0; i < N_FORKS; i++)
		futures[i] = pool_submit(executor, &task);
	end_zygote(executor);
	for (size_t i = 0; i < N_FORKS; i++) {
		expect_text(pool_wait(futures[i]), "forked");
		wf_future_free(futures[i]);
	}
	pool_close(executor);
}
END_TEST

/* --- the zygote, with tasks running and queued --- */

#define N_ENDS 5

static const char *const ends[N_ENDS] = {
	"daemon; started; wait; echo late",   "started; wait; exit 42", "started; wait; crash 11",
	"started; wait; fail 7 late as well", "started; wait; crash 9",
};

static void expect_ends(struct wf_future *const futures[N_ENDS]) {
	const struct wf_outcome *failed, *crashed;

	expect_text(pool_wait(futures[0]), "late");
	expect_exited(pool_wait(futures[1]), 42);
	crashed = pool_wait(futures[2]);
	expect_signalled(crashed, SIGSEGV);
	ck_assert_int_eq(crashed->signalled.address_known, true);
	ck_assert_uint_eq(crashed->signalled.address, 0);
	failed = pool_wait(futures[3]);
	expect_kind(failed, WF_FAILED);
	ck_assert_str_eq(failed->failed.message, "late as well");
	expect_signalled(pool_wait(futures[4]), SIGKILL);
}

START_TEST(test_running_tasks_outlive_the_zygote) {
	struct wf_executor_options options = pool_options(_i);
	static struct cord cords[N_ENDS];
	struct wf_future *futures[N_ENDS], *queued[4];
	static struct watch daemon;
	struct wf_executor *executor;

	options.workers = N_ENDS;
	executor = pool_open(&options);
	for (size_t i = 0; i < N_ENDS; i++) {
		cord_open(&cords[i]);
		futures[i] = cord_call(&cords[i], executor, "script", ends[i]);
	}
	watch_add(&daemon, cord_expect_pid(&cords[0], "daemon"));
	for (size_t i = 0; i < N_ENDS; i++)
		cord_expect(&cords[i], "started");
	for (size_t i = 0; i < 4; i++)
		queued[i] = pool_call(executor, "echo", "queued");
	end_zygote(executor);
	pool_await(executor, second_zygote_serves);
	for (size_t i = 0; i < N_ENDS; i++)
		expect_running(futures[i]);
	ck_assert_uint_eq(watch_alive(&daemon), 1);
	for (size_t i = 0; i < N_ENDS; i++)
		cord_release(&cords[i]);
	expect_ends(futures);
	expect_ended(&daemon);
	watch_clear(&daemon);
	for (size_t i = 0; i < 4; i++) {
		expect_text(pool_wait(queued[i]), "queued");
		wf_future_free(queued[i]);
	}
	for (size_t i = 0; i < N_ENDS; i++) {
		wf_future_free(futures[i]);
		cord_close(&cords[i]);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_orphaned_task_can_be_killed) {
	struct wf_executor *executor = pool_open_regime(_i);
	static struct watch daemon;
	struct wf_future *future;
	struct cord cord;

	cord_open(&cord);
	future = cord_call(&cord, executor, "script", "deaf; daemon; started; hang");
	watch_add(&daemon, cord_expect_pid(&cord, "daemon"));
	cord_expect(&cord, "started");
	end_zygote(executor);
	pool_await(executor, second_zygote_serves);
	expect_running(future);
	ck_assert_int_eq(wf_future_kill(future, 20), 0);
	expect_killed(pool_wait(future), WF_BY_CALLER);
	expect_ended(&daemon);
	watch_clear(&daemon);
	pool_check_works(executor);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* --- the keeper --- */

START_TEST(test_keeper_killed_while_idle) {
	struct wf_executor *executor = pool_open_regime(_i);
	static struct watch pool;

	pool_check_works(executor);
	pool_watch(executor, &pool);
	end_process(pool_statistics(executor).keeper_pid);
	expect_ended(&pool);
	pool_check_works(executor);
	pool_await(executor, second_keeper_serves);
	watch_clear(&pool);
	pool_close(executor);
	fixture_reap_adopted(); /* which the fixture made ours */
}
END_TEST

START_TEST(test_keeper_killed_while_tasks_run) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *running[2], *queued;
	static struct cord cords[2];
	static struct watch pool;

	for (size_t i = 0; i < 2; i++) {
		cord_open(&cords[i]);
		running[i] = cord_call(&cords[i], executor, "script", "daemon; started; hang");
		cord_expect(&cords[i], "daemon");
		cord_expect(&cords[i], "started");
	}
	queued = pool_call(executor, "echo", "queued");
	pool_watch(executor, &pool);
	ck_assert_uint_ge(pool.n, 6); /* keeper, zygote, two workers, two daemons */
	end_process(pool_statistics(executor).keeper_pid);
	expect_ended(&pool);
	for (size_t i = 0; i < 2; i++) {
		expect_kind(pool_wait(running[i]), WF_ZYGOTE_LOST);
		wf_future_free(running[i]);
		cord_close(&cords[i]);
	}
	expect_text(pool_wait(queued), "queued");
	ck_assert_uint_eq(pool_statistics(executor).keeper_starts, 2);
	watch_clear(&pool);
	wf_future_free(queued);
	pool_close(executor);
	fixture_reap_adopted();
}
END_TEST

int main(void) {
	TCase *story = fixture_case("zygote");

	add_for_both(story, test_zygote_killed_while_idle);
	add_for_both(story, test_zygote_killed_before_the_first_task);
	add_for_both(story, test_zygote_killed_again_and_again);
	add_for_both(story, test_silent_zygote_is_replaced);
	add_for_both(story, test_zygote_killed_while_forking);
	add_for_both(story, test_running_tasks_outlive_the_zygote);
	add_for_both(story, test_orphaned_task_can_be_killed);
	add_for_both(story, test_keeper_killed_while_idle);
	add_for_both(story, test_keeper_killed_while_tasks_run);
	return fixture_run("zygote", story);
}
