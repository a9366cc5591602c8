/* SPDX-License-Identifier: MIT
 *
 * Story: the zygote dies, or the keeper, while the pool is idle, forks, queues and runs.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/pool.h"
#include "tests/support/program.h"

typedef uint64_t nsec;

static uint64_t wanted_starts;

static bool wanted_zygote_serves(const struct wf_statistics *statistics) {
	return statistics->zygote_starts == wanted_starts && statistics->zygote_pid > 0;
}

static bool second_keeper_serves(const struct wf_statistics *statistics) {
	return statistics->keeper_starts == 2 && statistics->zygote_pid > 0;
}

static void end_zygote(struct wf_executor *executor) {
	pool_end_process(pool_statistics(executor).zygote_pid);
}

/* --- the zygote --- */

START_TEST(test_zygote_killed_while_idle) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_statistics statistics;

	pool_check_works(executor);
	end_zygote(executor);
	pool_check_works(executor);
	pool_await(executor, pool_has_second_zygote);
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

	options.tuning.zygote_reply_ms = 1000;
	executor = pool_open(&options);
	ck_assert_int_eq(kill(pool_statistics(executor).zygote_pid, SIGSTOP), 0);
	pool_check_works(executor);
	pool_await(executor, pool_has_second_zygote);
	ck_assert_uint_eq(pool_statistics(executor).keeper_starts, 1);
	pool_close(executor);
}
END_TEST

/* --- a zygote or keeper that is stopped --- */

static struct wf_executor *open_patient(int regime) {
	struct wf_executor_options options = pool_options(regime);

	options.max_attempts = 2;
	options.tuning.zygote_reply_ms = 60000;
	return pool_open(&options);
}

/* The executor kills a worker that has closed its channel and lives on when the grace between these
 * two is over. One that closes it now is killed after the grace of all that closed it before. */
static void await_grace_of_earlier_ends(struct cord *deserter, pid_t pid) {
	static struct watch watch;

	watch_add(&watch, pid);
	cord_release(deserter);
	expect_ended(&watch);
	watch_clear(&watch);
}

static const char deserts[] = "deaf; started; wait; close_channel; hang";

/* A worker whose end is reported late has done nothing wrong. */
static void check_late_report(int regime, const char *script, unsigned flags,
			      struct wf_future **ret_future, struct wf_executor **ret_executor) {
	struct wf_task task = WF_TASK(.function = "script", .input = script,
				      .input_size = strlen(script), .flags = flags);
	struct wf_executor *executor = open_patient(regime);
	const pid_t zygote = pool_statistics(executor).zygote_pid;
	static struct cord cord, deserter;
	static struct watch watch;
	struct wf_future *deserted;
	pid_t pid;

	cord_open(&cord);
	cord_open(&deserter);
	*ret_future = cord_submit(&cord, executor, &task);
	watch_add(&watch, cord_expect_pid(&cord, "started"));
	deserted = cord_call(&deserter, executor, "script", deserts);
	pid = cord_expect_pid(&deserter, "started");
	pool_stop_process(zygote);
	cord_release(&cord);
	cord_release(&cord); /* for a second attempt */
	expect_ended(&watch);
	await_grace_of_earlier_ends(&deserter, pid);
	ck_assert_ptr_null(wf_future_outcome(*ret_future));
	ck_assert_int_eq(kill(zygote, SIGCONT), 0);
	expect_killed(pool_wait(deserted), WF_BY_PROTOCOL);
	(void)pool_wait(*ret_future);
	watch_clear(&watch);
	wf_future_free(deserted);
	cord_close(&deserter);
	cord_close(&cord);
	*ret_executor = executor;
}

static void finish_late_report(struct wf_future *future, struct wf_executor *executor) {
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
}

START_TEST(test_exit_reported_late_is_an_exit) {
	struct wf_executor *executor;
	struct wf_future *future;

	check_late_report(_i, "started; wait; exit 3", 0, &future, &executor);
	expect_exited(pool_wait(future), 3);
	finish_late_report(future, executor);
}
END_TEST

START_TEST(test_crash_reported_late_is_a_crash) {
	struct wf_executor *executor;
	struct wf_future *future;

	check_late_report(_i, "started; wait; crash 11", 0, &future, &executor);
	expect_signalled(pool_wait(future), SIGSEGV);
	finish_late_report(future, executor);
}
END_TEST

START_TEST(test_exit_reported_late_is_tried_again) {
	struct wf_executor *executor;
	struct wf_future *future;

	check_late_report(_i, "started; wait; exit 3", WF_TASK_IDEMPOTENT, &future, &executor);
	expect_exited(pool_wait(future), 3);
	ck_assert_uint_eq(pool_wait(future)->attempts, 2);
	ck_assert_int_eq(pool_wait(future)->quarantined, true);
	finish_late_report(future, executor);
}
END_TEST

/* Nothing has been asked of the zygote since its workers were idle: the end of one is all that it
 * owes. */
static const char *const silent_ends[] = { "started; wait; exit 3", "started; wait; crash 9" };

START_TEST(test_end_of_a_reused_worker_is_missed) {
	struct wf_executor_options options = pool_options(REUSED);
	struct wf_future *future;
	struct wf_executor *executor;
	struct cord cord;

	options.workers = 1;
	options.tuning.zygote_reply_ms = 1000;
	executor = pool_open(&options);
	pool_check_works(executor);
	pool_stop_process(pool_statistics(executor).zygote_pid);
	cord_open(&cord);
	future = cord_call(&cord, executor, "script", silent_ends[_i]);
	cord_expect(&cord, "started");
	cord_release(&cord);
	(void)pool_wait(future);
	cord_close(&cord);
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* A close does not wait for a worker that no task needs any more. */
START_TEST(test_close_beside_a_zygote_that_owes_a_worker) {
	struct wf_executor_options options = pool_options(FRESH);
	struct wf_executor *executor;
	struct wf_future *future;

	options.workers = 1;
	options.spares = WF_NO_SPARES;
	options.tuning.zygote_reply_ms = 10 * FIXTURE_CAP_MS;
	executor = pool_open(&options);
	pool_stop_process(pool_statistics(executor).zygote_pid);
	future = pool_call(executor, "echo", "unwanted");
	ck_assert_int_eq(wf_future_cancel(future), 0);
	wf_future_free(future);
	ck_assert_int_eq(wf_executor_close(executor, _i ? WF_CLOSE_CANCEL : WF_CLOSE_FINISH), 0);
	wf_executor_free(executor);
}
END_TEST

/* A task hangs, its zygote is dead or stopped, and the keeper, which would tell, is stopped. */
static const int without_zygote[] = { SIGKILL, SIGSTOP };

static struct wf_future *hang_alone(struct wf_executor *executor, struct watch *watch,
				    const struct wf_task *task, int signal) {
	struct wf_future *future;
	struct cord cord;
	struct wf_task with_cord = *task;

	cord_open(&cord);
	future = cord_submit(&cord, executor, &with_cord);
	cord_expect(&cord, "started");
	pool_watch(executor, watch);
	pool_stop_process(pool_statistics(executor).keeper_pid);
	ck_assert_int_eq(kill(pool_statistics(executor).zygote_pid, signal), 0);
	cord_close(&cord);
	return future;
}

static struct wf_executor *open_impatient(void) {
	struct wf_executor_options options = pool_options(REUSED);

	options.workers = 1;
	options.kill_grace_ms = 50;
	options.tuning.zygote_reply_ms = 1000;
	return pool_open(&options);
}

START_TEST(test_timeout_strikes_beside_a_stopped_keeper) {
	const struct wf_task task = WF_TASK(.function = "script", .input = "started; hang",
					    .input_size = 13, .timeout_ms = 300);
	struct wf_executor *executor = open_impatient();
	static struct watch watch;
	struct wf_future *future = hang_alone(executor, &watch, &task, without_zygote[_i]);

	expect_timed_out(pool_wait(future), WF_CLOCK_RUN);
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
	expect_ended(&watch);
	watch_clear(&watch);
	fixture_reap_adopted();
}
END_TEST

START_TEST(test_close_beside_a_stopped_keeper) {
	const struct wf_task task =
	    WF_TASK(.function = "script", .input = "deaf; started; hang", .input_size = 19);
	struct wf_executor *executor = open_impatient();
	static struct watch watch;
	struct wf_future *future = hang_alone(executor, &watch, &task, without_zygote[_i]);

	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_KILL), 0);
	expect_killed(wf_future_outcome(future), WF_BY_CLOSE);
	expect_ended(&watch);
	watch_clear(&watch);
	wf_future_free(future);
	wf_executor_free(executor);
	fixture_reap_adopted();
}
END_TEST

/* --- a zygote that ends --- */

static nsec now(void) {
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (nsec)time.tv_sec * 1000000000 + (nsec)time.tv_nsec;
}

#define PACE_MS 400

/* Each serves, and none does anything: they are started ever more slowly. How long it takes is
 * bounded from below alone. */
START_TEST(test_zygote_that_always_dies_is_started_slowly) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_executor *executor;
	nsec first;

	options.tuning.backoff_ms = PACE_MS;
	options.tuning.backoff_max_ms = 60000;
	executor = pool_open(&options);
	first = now();
	for (wanted_starts = 1; wanted_starts < 3; wanted_starts++) {
		pool_await(executor, wanted_zygote_serves);
		end_zygote(executor);
	}
	pool_await(executor, wanted_zygote_serves);
	ck_assert_uint_ge(now() - first, (nsec)(PACE_MS + 2 * PACE_MS) * 1000000);
	pool_check_works(executor); /* with the next */
	pool_close(executor);
}
END_TEST

/* Ends the stream that a zygote reads: it takes its executor for gone, and ends. False: this
 * machine does not let us. */
static bool end_stream_of(pid_t zygote) {
	int pidfd = (int)syscall(SYS_pidfd_open, zygote, 0);
	int control = (int)syscall(SYS_pidfd_getfd, pidfd, 3, 0);

	close(pidfd);
	if (control < 0)
		return false;
	ck_assert_int_eq(shutdown(control, SHUT_RD), 0);
	close(control);
	return true;
}

START_TEST(test_zygote_that_ends_itself_explains_its_workers) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future;
	struct cord cord;

	cord_open(&cord);
	future = cord_call(&cord, executor, "script", "started; hang");
	cord_expect(&cord, "started");
	if (end_stream_of(pool_statistics(executor).zygote_pid)) {
		expect_kind(pool_wait(future), WF_ZYGOTE_LOST);
		ck_assert_ptr_nonnull(strstr(pool_wait(future)->evidence, "its zygote ended"));
		pool_check_works(executor);
	} else {
		program_skipped("a zygote that ends itself", "pidfd_getfd(2) is not permitted");
	}
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_KILL), 0);
	wf_executor_free(executor);
	wf_future_free(future);
	cord_close(&cord);
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
	static struct cord cords[N_ENDS];
	struct wf_future *futures[N_ENDS], *queued[4];
	static struct watch daemon;
	struct wf_executor *executor;

	executor = pool_open_workers(_i, N_ENDS);
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
	pool_await(executor, pool_has_second_zygote);
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
	pool_await(executor, pool_has_second_zygote);
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
	pool_end_process(pool_statistics(executor).keeper_pid);
	expect_ended(&pool);
	pool_check_works(executor);
	pool_await(executor, second_keeper_serves);
	watch_clear(&pool);
	pool_close(executor);
	fixture_reap_adopted(); /* the fixture is a subreaper, so the orphans are ours */
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
	pool_end_process(pool_statistics(executor).keeper_pid);
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
	add_for_both(story, test_exit_reported_late_is_an_exit);
	add_for_both(story, test_crash_reported_late_is_a_crash);
	add_for_both(story, test_exit_reported_late_is_tried_again);
	tcase_add_loop_test(story, test_close_beside_a_zygote_that_owes_a_worker, 0, 2);
	tcase_add_loop_test(story, test_end_of_a_reused_worker_is_missed, 0, 2);
	tcase_add_loop_test(story, test_timeout_strikes_beside_a_stopped_keeper, 0, 2);
	tcase_add_loop_test(story, test_close_beside_a_stopped_keeper, 0, 2);
	add_for_both(story, test_zygote_that_always_dies_is_started_slowly);
	add_for_both(story, test_zygote_that_ends_itself_explains_its_workers);
	add_for_both(story, test_zygote_killed_while_forking);
	add_for_both(story, test_running_tasks_outlive_the_zygote);
	add_for_both(story, test_orphaned_task_can_be_killed);
	add_for_both(story, test_keeper_killed_while_idle);
	add_for_both(story, test_keeper_killed_while_tasks_run);
	return fixture_run("zygote", story);
}
