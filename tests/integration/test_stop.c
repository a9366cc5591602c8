/* SPDX-License-Identifier: MIT
 *
 * Story: tasks that stop, hang, run late, or are not wanted any more.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/pool.h"

/* Far beyond what any wait here allows: a test that passes did not wait for it. */
#define LONG_GRACE_MS (4 * FIXTURE_CAP_MS)

static bool one_is_stopped(const struct wf_statistics *statistics) {
	return statistics->stopped == 1;
}

static bool none_is_stopped(const struct wf_statistics *statistics) {
	return statistics->stopped == 0;
}

static bool one_is_handed(const struct wf_statistics *statistics) {
	return statistics->handed == 1;
}

/* --- stopped --- */

START_TEST(test_stopped_task_is_still_running_and_dies_at_once) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future;
	struct cord cord;

	cord_open(&cord);
	future = cord_call(&cord, executor, "stop", "");
	cord_expect(&cord, "stop");
	pool_await(executor, one_is_stopped);
	ck_assert_uint_eq(pool_statistics(executor).running, 1);
	expect_running(future);
	pool_check_works(executor);
	ck_assert_int_eq(wf_future_kill(future, LONG_GRACE_MS), 0);
	expect_killed(pool_wait(future), WF_BY_CALLER);
	pool_await(executor, none_is_stopped);
	pool_check_works(executor);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_stopped_task_can_go_on) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future;
	struct cord cord;
	pid_t pid;

	cord_open(&cord);
	future = cord_call(&cord, executor, "script", "started; stop");
	pid = cord_expect_pid(&cord, "started");
	pool_await(executor, one_is_stopped);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	expect_text(pool_wait(future), "continued");
	pool_await(executor, none_is_stopped);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_stopped_task_runs_out_of_time) {
	const struct wf_task task = WF_TASK(.function = "stop", .timeout_ms = 200);
	struct wf_executor_options options = pool_options(_i);
	struct wf_executor *executor;
	struct wf_future *future;

	options.kill_grace_ms = LONG_GRACE_MS;
	executor = pool_open(&options);
	future = pool_submit(executor, &task);
	expect_timed_out(pool_wait(future), WF_CLOCK_RUN);
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* --- killed --- */

static void check_kill(int regime, const char *script, int standard_ms, int grace_ms) {
	struct wf_executor_options options = pool_options(regime);
	struct wf_future *future;
	struct cord cord;

	options.kill_grace_ms = standard_ms;
	struct wf_executor *executor = pool_open(&options);
	cord_open(&cord);
	future = cord_call(&cord, executor, "script", script);
	cord_expect(&cord, "started");
	ck_assert_int_eq(wf_future_cancel(future), -EBUSY);
	ck_assert_int_eq(wf_future_kill(future, grace_ms), 0);
	expect_killed(pool_wait(future), WF_BY_CALLER);
	ck_assert_int_eq(wf_future_kill(future, grace_ms), -EALREADY);
	ck_assert_int_eq(wf_future_cancel(future), -EALREADY);
	pool_check_works(executor);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}

START_TEST(test_kill_is_polite_first) {
	check_kill(_i, "started; hang", WF_NO_GRACE, LONG_GRACE_MS);
}
END_TEST

START_TEST(test_deaf_task_is_killed_after_the_grace) {
	check_kill(_i, "deaf; started; hang", LONG_GRACE_MS, 20);
	check_kill(_i, "deaf; started; hang", 20, WF_DEFAULT_GRACE);
}
END_TEST

START_TEST(test_deaf_task_is_killed_without_grace) {
	check_kill(_i, "deaf; started; hang", LONG_GRACE_MS, WF_NO_GRACE);
	check_kill(_i, "deaf; started; hang", LONG_GRACE_MS, 0);
	check_kill(_i, "deaf; started; hang", WF_NO_GRACE, WF_DEFAULT_GRACE);
}
END_TEST

START_TEST(test_kill_takes_the_tree) {
	struct wf_executor *executor = pool_open_regime(_i);
	static struct watch watch;
	struct wf_future *future;
	struct cord cord;

	cord_open(&cord);
	future = cord_call(&cord, executor, "script", "daemon; background; started; hang");
	watch_add(&watch, cord_expect_pid(&cord, "daemon"));
	watch_add(&watch, cord_expect_pid(&cord, "background"));
	cord_expect(&cord, "started");
	ck_assert_uint_eq(watch_alive(&watch), 2);
	ck_assert_int_eq(wf_future_kill(future, WF_NO_GRACE), 0);
	expect_killed(pool_wait(future), WF_BY_CALLER);
	expect_ended(&watch);
	watch_clear(&watch);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* --- late --- */

/* The members and the sentence say what the limit was, and what it took. */
static void expect_limit(const struct wf_outcome *outcome, unsigned ms) {
	char line[512], limit[64];

	ck_assert_uint_eq(outcome->timed_out.limit_ns, ms * 1000000ull);
	wf_outcome_describe(outcome, line, sizeof line);
	snprintf(limit, sizeof limit, ": the limit was %u ms, and it took ", ms);
	ck_assert_msg(strstr(line, limit), "%s", line);
}

START_TEST(test_run_clock_ends_a_task) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_task task = WF_TASK(.function = "hang", .timeout_ms = 50);
	struct wf_future *future = pool_submit(executor, &task);

	expect_timed_out(pool_wait(future), WF_CLOCK_RUN);
	ck_assert_int_eq(wf_future_outcome(future)->timed_out.left_stopped, false);
	expect_limit(wf_future_outcome(future), 50);
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_run_clock_of_the_executor_can_be_waived) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_future *late, *patient;
	struct wf_executor *executor;
	struct wf_task task = WF_TASK(.function = "script", .input = "started; wait; echo done",
				      .input_size = 24, .timeout_ms = WF_FOREVER);
	struct cord cord;

	options.timeout_ms = 50;
	executor = pool_open(&options);
	cord_open(&cord);
	patient = cord_submit(&cord, executor, &task);
	cord_expect(&cord, "started");
	late = pool_call(executor, "hang", "");
	expect_timed_out(pool_wait(late), WF_CLOCK_RUN);
	cord_release(&cord);
	expect_text(pool_wait(patient), "done");
	wf_future_free(late);
	wf_future_free(patient);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_deadline_ends_a_running_task) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_task task = WF_TASK(.function = "script", .input = "started; hang",
				      .input_size = 13, .deadline_ms = 1000);
	struct wf_future *future;
	struct cord cord;

	pool_check_works(executor);
	cord_open(&cord);
	future = cord_submit(&cord, executor, &task);
	cord_expect(&cord, "started");
	expect_timed_out(pool_wait(future), WF_CLOCK_DEADLINE);
	expect_limit(wf_future_outcome(future), 1000);
	pool_check_works(executor);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_deadline_ends_a_queued_task) {
	const struct wf_task task = WF_TASK(.function = "pid", .deadline_ms = 50);
	struct wf_future *running, *queued;
	struct wf_executor *executor;
	struct cord cord;

	executor = pool_open_workers(_i, 1);
	cord_open(&cord);
	running = cord_call(&cord, executor, "script", "started; wait; echo done");
	cord_expect(&cord, "started");
	queued = pool_submit(executor, &task);
	expect_timed_out(pool_wait(queued), WF_CLOCK_QUEUE);
	expect_limit(wf_future_outcome(queued), 50);
	ck_assert_int_eq(wf_future_outcome(queued)->pid, 0);
	ck_assert_uint_eq(wf_future_outcome(queued)->attempts, 0);
	cord_release(&cord);
	expect_text(pool_wait(running), "done");
	wf_future_free(queued);
	wf_future_free(running);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_late_task_can_be_left_stopped) {
	struct wf_executor_options options = pool_options(_i);
	const struct wf_task task = WF_TASK(.function = "hang", .timeout_ms = 50);
	const struct wf_outcome *outcome;
	static struct watch watch;
	struct wf_executor *executor;
	struct wf_future *future;

	options.on_timeout = WF_TIMEOUT_STOP;
	executor = pool_open(&options);
	future = pool_submit(executor, &task);
	outcome = pool_wait(future);
	expect_timed_out(outcome, WF_CLOCK_RUN);
	ck_assert_int_eq(outcome->timed_out.left_stopped, true);
	ck_assert_int_eq(process_is_alive(outcome->pid), true);
	watch_add(&watch, outcome->pid);
	pool_check_works(executor);
	pool_close(executor);
	ck_assert_uint_eq(watch_alive(&watch), 0);
	watch_clear(&watch);
	wf_future_free(future);
}
END_TEST

START_TEST(test_late_task_shows_its_stack) {
	struct wf_executor_options options = pool_options(_i);
	const struct wf_outcome *outcome;
	struct wf_executor *executor;
	struct wf_future *future;

	options.timeout_ms = 50;
	options.stack_on_timeout = true;
	executor = pool_open(&options);
	future = pool_call(executor, "hang", "");
	outcome = pool_wait(future);
	expect_timed_out(outcome, WF_CLOCK_RUN);
	ck_assert_str_ne(outcome->stack, "");
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* --- cancelled --- */

START_TEST(test_queued_task_is_cancelled_at_once) {
	struct wf_future *running, *queued;
	struct wf_executor *executor;
	struct cord cord;

	executor = pool_open_workers(_i, 1);
	cord_open(&cord);
	running = cord_call(&cord, executor, "script", "started; wait; echo done");
	cord_expect(&cord, "started");
	queued = pool_call(executor, "echo", "never");
	ck_assert_int_eq((int)wf_future_state(queued), (int)WF_PENDING);
	ck_assert_int_eq(wf_future_cancel(queued), 0);
	ck_assert_ptr_nonnull(wf_future_outcome(queued));
	expect_kind(wf_future_outcome(queued), WF_CANCELLED);
	ck_assert_int_eq(wf_future_outcome(queued)->pid, 0);
	ck_assert_int_eq(wf_future_cancel(queued), -EALREADY);
	cord_release(&cord);
	expect_text(pool_wait(running), "done");
	wf_future_free(queued);
	wf_future_free(running);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_task_handed_ahead_is_cancelled_without_touching_its_worker) {
	struct wf_executor_options options = pool_options(REUSED);
	struct wf_future *running, *ahead[4];
	struct wf_executor *executor;
	struct cord cord;
	pid_t pid;

	options.workers = 1;
	options.tuning.hand_ahead = 8;
	executor = pool_open(&options);
	cord_open(&cord);
	running = cord_call(&cord, executor, "script", "started; wait; pid");
	pid = cord_expect_pid(&cord, "started");
	for (size_t i = 0; i < 4; i++)
		ahead[i] = pool_call(executor, "number", "");
	pool_await(executor, one_is_handed); /* and the others are queued */
	ck_assert_int_eq(wf_future_cancel(ahead[0]), 0);
	expect_kind(wf_future_outcome(ahead[0]), WF_CANCELLED);
	cord_release(&cord);
	expect_kind(pool_wait(running), WF_RETURNED);
	expect_text(pool_wait(ahead[1]), "2");
	expect_text(pool_wait(ahead[2]), "3");
	expect_text(pool_wait(ahead[3]), "4");
	ck_assert_int_eq(wf_future_outcome(ahead[3])->pid, pid);
	ck_assert_int_eq(pool_ask_pid(executor), pid);
	ck_assert_uint_eq(pool_statistics(executor).forks, 1);
	for (size_t i = 0; i < 4; i++)
		wf_future_free(ahead[i]);
	wf_future_free(running);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* --- two executors of one host --- */

/* How the first of them is stuck. */
enum stuck { ALL_BUSY, WORKERS_STOPPED, ZYGOTE_STOPPED, KEEPER_STOPPED, ALL_STOPPED, N_STUCK };

struct half {
	struct wf_executor *executor;
	struct cord cords[2];
	struct wf_future *running[2], *queued;
	pid_t workers[2];
};

/* All workers have a task that waits, and one more task is queued. */
static void half_open(struct half *half, int regime) {
	struct wf_executor_options options = pool_options(regime);

	options.tuning.hand_ahead = 1;
	options.tuning.zygote_reply_ms = 10 * FIXTURE_CAP_MS;
	half->executor = pool_open(&options);
	for (size_t i = 0; i < 2; i++) {
		cord_open(&half->cords[i]);
		half->running[i] = cord_call(&half->cords[i], half->executor, "script",
					     "started; wait; echo done");
		half->workers[i] = cord_expect_pid(&half->cords[i], "started");
	}
	half->queued = pool_call(half->executor, "echo", "queued");
}

static void half_finish(struct half *half) {
	for (size_t i = 0; i < 2; i++)
		cord_release(&half->cords[i]);
	for (size_t i = 0; i < 2; i++) {
		expect_text(pool_wait(half->running[i]), "done");
		wf_future_free(half->running[i]);
		cord_close(&half->cords[i]);
	}
	expect_text(pool_wait(half->queued), "queued");
	wf_future_free(half->queued);
}

/* Stops what `how` names of it, and fills in whom to resume. Returns how many. */
static size_t half_stop(const struct half *half, int how, pid_t stopped[4]) {
	const struct wf_statistics statistics = pool_statistics(half->executor);
	size_t n = 0;

	if (how == WORKERS_STOPPED || how == ALL_STOPPED) {
		stopped[n++] = half->workers[0];
		stopped[n++] = half->workers[1];
	}
	if (how == ZYGOTE_STOPPED || how == ALL_STOPPED)
		stopped[n++] = statistics.zygote_pid;
	if (how == KEEPER_STOPPED || how == ALL_STOPPED)
		stopped[n++] = statistics.keeper_pid;
	for (size_t i = 0; i < n; i++)
		pool_stop_process(stopped[i]);
	return n;
}

/* Its workers end in every way, its image is loaded anew, and it closes. */
static void expect_unharmed(struct half *half) {
	struct wf_future *crashed, *killed;
	struct cord cord;

	half_finish(half);
	crashed = pool_call(half->executor, "script", "crash 11");
	expect_signalled(pool_wait(crashed), SIGSEGV);
	cord_open(&cord);
	killed = cord_call(&cord, half->executor, "script", "deaf; started; hang");
	cord_expect(&cord, "started");
	ck_assert_int_eq(wf_future_kill(killed, WF_NO_GRACE), 0);
	expect_killed(pool_wait(killed), WF_BY_CALLER);
	ck_assert_int_eq(wf_executor_reload(half->executor), 0);
	pool_check_works(half->executor);
	wf_future_free(crashed);
	wf_future_free(killed);
	cord_close(&cord);
	pool_close(half->executor);
}

START_TEST(test_executor_beside_one_that_is_stuck_is_unharmed) {
	static struct half stuck, other;
	pid_t stopped[4];
	size_t n;

	half_open(&other, _i / N_STUCK);
	half_open(&stuck, _i / N_STUCK);
	n = half_stop(&stuck, _i % N_STUCK, stopped);
	expect_unharmed(&other);
	for (size_t i = 0; i < 2; i++)
		expect_running(stuck.running[i]);
	ck_assert_int_eq((int)wf_future_state(stuck.queued), (int)WF_PENDING);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(kill(stopped[i], SIGCONT), 0);
	half_finish(&stuck);
	pool_close(stuck.executor);
}
END_TEST

int main(void) {
	TCase *story = fixture_case("stop");

	add_for_both(story, test_stopped_task_is_still_running_and_dies_at_once);
	add_for_both(story, test_stopped_task_can_go_on);
	add_for_both(story, test_stopped_task_runs_out_of_time);
	add_for_both(story, test_kill_is_polite_first);
	add_for_both(story, test_deaf_task_is_killed_after_the_grace);
	add_for_both(story, test_deaf_task_is_killed_without_grace);
	add_for_both(story, test_kill_takes_the_tree);
	add_for_both(story, test_run_clock_ends_a_task);
	add_for_both(story, test_run_clock_of_the_executor_can_be_waived);
	add_for_both(story, test_deadline_ends_a_running_task);
	add_for_both(story, test_deadline_ends_a_queued_task);
	add_for_both(story, test_late_task_can_be_left_stopped);
	add_for_both(story, test_late_task_shows_its_stack);
	add_for_both(story, test_queued_task_is_cancelled_at_once);
	tcase_add_test(story, test_task_handed_ahead_is_cancelled_without_touching_its_worker);
	tcase_add_loop_test(story, test_executor_beside_one_that_is_stuck_is_unharmed, 0,
			    2 * N_STUCK);
	return fixture_run("stop", story);
}
