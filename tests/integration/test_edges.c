/* SPDX-License-Identifier: MIT
 *
 * Moments in which two things happen at once: a close beside a hand-out, a result beside a
 * deadline, a last handle that is given back in a callback. Each has been wrong once.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/more.h"

#define ROUNDS 15

/* The task was handed to an idle worker, which may or may not have claimed it when the close
 * looks. */
START_TEST(test_close_kill_beside_a_hand_out) {
	for (int i = 0; i < ROUNDS; i++) {
		struct wf_executor *executor = pool_open_regime(_i);
		struct wf_future *future;

		pool_check_works(executor);
		future = pool_call(executor, "hang", "");
		ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_KILL), 0);
		ck_assert_ptr_nonnull(wf_future_outcome(future));
		ck_assert_int_ne(wf_future_outcome(future)->kind, WF_RETURNED);
		wf_future_free(future);
		wf_executor_free(executor);
	}
}
END_TEST

/* What lies unclaimed on a channel has not started. */
START_TEST(test_close_cancel_takes_back_what_was_handed_ahead) {
	struct wf_executor_options options = pool_options(REUSED);
	struct wf_future *running, *ahead;
	struct wf_executor *executor;
	struct cord cord;

	options.workers = 1;
	options.tuning.hand_ahead = 4;
	executor = pool_open(&options);
	cord_open(&cord);
	running = cord_call(&cord, executor, "script", "started; hang");
	cord_expect(&cord, "started");
	ahead = pool_call(executor, "echo", "never");
	ck_assert_int_eq(wf_future_kill(running, WF_NO_GRACE), 0);
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_CANCEL), 0);
	ck_assert(wf_future_outcome(ahead)->kind == WF_CANCELLED ||
		  wf_future_outcome(ahead)->kind == WF_RETURNED);
	expect_killed(wf_future_outcome(running), WF_BY_CALLER);
	wf_future_free(running);
	wf_future_free(ahead);
	cord_close(&cord);
	wf_executor_free(executor);
}
END_TEST

/* Two in a row on one worker: each resolves with the end of the worker that ran it. */
START_TEST(test_tasks_that_wait_for_the_exit_in_a_row) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_future *futures[6];
	struct wf_executor *executor;

	options.workers = 1;
	options.tuning.hand_ahead = 4;
	executor = pool_open(&options);
	pool_check_works(executor);
	for (int i = 0; i < 6; i++)
		futures[i] =
		    pool_submit(executor, &WF_TASK(.function = "echo", .input = "x",
						   .input_size = 1, .flags = WF_TASK_WAIT_EXIT));
	for (int i = 0; i < 6; i++) {
		expect_text(pool_wait(futures[i]), "x");
		ck_assert(wf_future_outcome(futures[i])->reaped);
		wf_future_free(futures[i]);
	}
	pool_close(executor);
}
END_TEST

/* The late task returns while its stack is being written: its successor is not hit. */
START_TEST(test_stack_of_a_late_task_hits_nobody_else) {
	struct wf_executor_options options = pool_options(REUSED);
	struct wf_future *late, *next;
	struct wf_executor *executor;
	struct cord cord;

	options.workers = 1;
	options.stack_on_timeout = true;
	executor = pool_open(&options);
	cord_open(&cord);
	late = cord_submit(&cord, executor,
			   &WF_TASK(.function = "script", .input = "started; wait",
				    .input_size = 13, .timeout_ms = 20));
	cord_expect(&cord, "started");
	next = pool_call(executor, "echo", "innocent");
	expect_timed_out(pool_wait(late), WF_CLOCK_RUN);
	expect_text(pool_wait(next), "innocent");
	wf_future_free(late);
	wf_future_free(next);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

static void give_back(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	struct wf_executor **executor = context;

	(void)future;
	(void)outcome;
	*executor = wf_executor_free(*executor);
}

/* The last handle goes in a callback. */
START_TEST(test_last_handle_given_back_in_a_callback) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future;
	struct watch watch = { 0 };

	pool_check_works(executor);
	pool_watch(executor, &watch);
	future = pool_submit(executor, &WF_TASK(.function = "echo", .input = "x", .input_size = 1));
	ck_assert_int_eq(wf_future_on_done(future, give_back, &executor), 0);
	(void)pool_wait(future);
	wf_future_free(future);
	expect_ended(&watch);
	watch_clear(&watch);
	more_await_threads();
	fixture_reap_adopted();
}
END_TEST

/* One executor is closed, the other works: waiting for futures of both drives neither. */
START_TEST(test_waiting_beside_a_closed_driven_executor) {
	struct wf_executor_options options = pool_options(REUSED);
	struct wf_executor *driven, *threaded;
	struct wf_future *futures[2];

	options.caller_driven = true;
	driven = pool_open(&options);
	threaded = pool_open_regime(REUSED);
	futures[0] = pool_call(driven, "echo", "driven");
	(void)pool_wait(futures[0]);
	ck_assert_int_eq(wf_executor_close(driven, WF_CLOSE_FINISH), 0);
	futures[1] = pool_call(threaded, "echo", "threaded");
	ck_assert_int_eq(wf_wait(futures, 2, WF_ALL_COMPLETED, FIXTURE_CAP_MS), 2);
	wf_future_free(futures[0]);
	wf_future_free(futures[1]);
	wf_executor_free(driven);
	pool_close(threaded);
}
END_TEST

static void *submit_buffers(void *context) {
	struct wf_executor *executor = context;
	int r;

	do {
		struct wf_buffer *buffer;
		struct wf_future *future;

		if (wf_buffer_new(4096, &buffer) < 0)
			return (void *)(uintptr_t) "no buffer";
		r = wf_submit(executor, &WF_TASK(.function = "echo", .buffer = buffer), &future);
		if (r < 0)
			(void)wf_buffer_free(buffer);
		else
			(void)wf_future_free(future);
	} while (r >= 0);
	return r == -ESHUTDOWN ? NULL : (void *)(uintptr_t) "another error";
}

/* A buffer is consumed exactly when the submit succeeds, also while the executor closes. */
START_TEST(test_buffers_submitted_while_it_closes) {
	for (int i = 0; i < 5; i++) {
		struct wf_executor *executor = pool_open_regime(REUSED);
		void *complaint = NULL;
		pthread_t thread;

		ck_assert_int_eq(pthread_create(&thread, NULL, submit_buffers, executor), 0);
		pool_check_works(executor);
		ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_CANCEL), 0);
		ck_assert_int_eq(pthread_join(thread, &complaint), 0);
		ck_assert_msg(!complaint, "%s", (const char *)complaint);
		wf_executor_free(executor);
	}
}
END_TEST

/* A stopped keeper cannot end the pool; it is ended itself, and the rest with it. */
START_TEST(test_close_with_a_stopped_keeper) {
	struct wf_executor_options options = pool_options(REUSED);
	struct wf_executor *executor;
	struct watch watch = { 0 };

	options.tuning.zygote_reply_ms = 1000;
	executor = pool_open(&options);
	pool_check_works(executor);
	pool_watch(executor, &watch);
	ck_assert_int_eq(kill(pool_statistics(executor).keeper_pid, SIGSTOP), 0);
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_KILL), 0);
	wf_executor_free(executor);
	expect_ended(&watch);
	watch_clear(&watch);
	fixture_reap_adopted();
}
END_TEST

/* A stopped zygote cannot sweep when its keeper is killed; the executor sees to it. */
START_TEST(test_keeper_killed_beside_a_stopped_zygote) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_statistics statistics;
	struct watch watch = { 0 };

	pool_check_works(executor);
	pool_watch(executor, &watch);
	statistics = pool_statistics(executor);
	ck_assert_int_eq(kill(statistics.zygote_pid, SIGSTOP), 0);
	ck_assert_int_eq(kill(statistics.keeper_pid, SIGKILL), 0);
	expect_ended(&watch);
	watch_clear(&watch);
	pool_check_works(executor);
	pool_close(executor);
	fixture_reap_adopted();
}
END_TEST

static void *drain(void *end) {
	char bytes[4096];

	while (read(*(int *)end, bytes, sizeof bytes) > 0)
		continue;
	return NULL;
}

/* The reader of stderr has stopped: log lines wait there, but no task waits for the lines. */
START_TEST(test_standard_error_that_takes_nothing) {
	const char byte = 0;
	struct wf_executor *executor;
	struct wf_future *future;
	pthread_t reader;
	int ends[2], old = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	while (write(ends[1], &byte, 1) == 1)
		continue;
	ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
	ck_assert_int_eq(setenv("WF_LOG", "info", 1), 0);
	executor = pool_open_regime(_i); /* which logs that the image is ready */
	future = pool_call(executor, "echo", "past it");
	ck_assert_int_eq(pthread_create(&reader, NULL, drain, &ends[0]), 0);
	expect_text(pool_wait(future), "past it");
	wf_future_free(future);
	pool_close(executor);
	ck_assert_int_eq(dup2(old, STDERR_FILENO), STDERR_FILENO);
	ck_assert_int_eq(close(old), 0);
	ck_assert_int_eq(close(ends[1]), 0);
	ck_assert_int_eq(pthread_join(reader, NULL), 0);
	ck_assert_int_eq(close(ends[0]), 0);
}
END_TEST

static atomic_uint n_complaints;

static void note_complaint(void *context, enum wf_log_level level, const char *line) {
	(void)context;
	if (level <= WF_LOG_WARNING || strstr(line, "said that it leaves") != NULL)
		n_complaints++;
}

/* A worker in which a thread is left says that it leaves, while it is told to leave: no offence. */
START_TEST(test_close_right_after_a_task_that_left_a_thread) {
	struct wf_executor_options options = pool_options(REUSED);

	options.workers = 1;
	options.log = note_complaint;
	for (int i = 0; i < 50; i++) {
		struct wf_executor *executor = pool_open(&options);
		struct wf_future *future = pool_call(executor, "dirty", "thread");

		expect_kind(pool_wait(future), WF_RETURNED);
		wf_future_free(future);
		pool_close(executor);
	}
	ck_assert_uint_eq(n_complaints, 0);
}
END_TEST

int main(void) {
	TCase *story = fixture_case("edges");

	add_for_both(story, test_standard_error_that_takes_nothing);
	add_for_both(story, test_close_kill_beside_a_hand_out);
	tcase_add_test(story, test_close_cancel_takes_back_what_was_handed_ahead);
	add_for_both(story, test_tasks_that_wait_for_the_exit_in_a_row);
	tcase_add_test(story, test_stack_of_a_late_task_hits_nobody_else);
	add_for_both(story, test_last_handle_given_back_in_a_callback);
	tcase_add_test(story, test_waiting_beside_a_closed_driven_executor);
	tcase_add_test(story, test_buffers_submitted_while_it_closes);
	tcase_add_test(story, test_close_with_a_stopped_keeper);
	add_for_both(story, test_keeper_killed_beside_a_stopped_zygote);
	tcase_add_test(story, test_close_right_after_a_task_that_left_a_thread);
	return fixture_run("edges", story);
}
