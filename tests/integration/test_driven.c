/* SPDX-License-Identifier: MIT
 *
 * Story: the caller drives the executor from a poll loop of its own; the library has no thread.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "tests/support/more.h"

static struct wf_executor_options driven_options(int regime) {
	struct wf_executor_options options = more_options(regime);

	options.caller_driven = true;
	return options;
}

static struct wf_executor *open_driven(int regime) {
	const struct wf_executor_options options = driven_options(regime);

	return pool_open(&options);
}

/* The caller's loop: one round of it. Also polls `other`, as a program that has its own events. */
static bool poll_once(struct wf_executor *executor, int other) {
	struct pollfd events[] = { { .fd = wf_executor_fd(executor), .events = POLLIN },
				   { .fd = other, .events = POLLIN } };

	ck_assert_int_ge(events[0].fd, 0);
	ck_assert_int_gt(poll(events, 2, FIXTURE_CAP_MS), 0);
	if (events[0].revents)
		ck_assert_int_eq(wf_executor_dispatch(executor, 0), 0);
	return events[1].revents != 0;
}

static void drive_until_heard(struct wf_executor *executor, const struct cord *cord) {
	while (!poll_once(executor, cord->report))
		;
}

static void drive_until_done(struct wf_executor *executor, struct wf_future *const *futures,
			     size_t n) {
	for (size_t i = 0; i < n; i++) {
		while (wf_future_state(futures[i]) != WF_DONE)
			poll_once(executor, -1);
	}
}

/* --- the loop --- */

START_TEST(test_driven_in_a_poll_loop) {
	struct wf_executor *executor = open_driven(_i);
	struct wf_future *futures[40];

	for (size_t i = 0; i < N_OF(futures); i++)
		futures[i] = pool_call(executor, "echo", "x");
	drive_until_done(executor, futures, N_OF(futures));
	more_await_threads();
	for (size_t i = 0; i < N_OF(futures); i++) {
		expect_text(wf_future_outcome(futures[i]), "x");
		wf_future_free(futures[i]);
	}
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_FINISH), 0);
	ck_assert_int_eq(more_count_threads(), 0);
	wf_executor_free(executor);
}
END_TEST

/* A task speaks on a descriptor that the same loop polls: it starts although nobody waits. */
START_TEST(test_driven_beside_other_descriptors) {
	struct wf_executor *executor = open_driven(_i);
	struct cord cord;

	struct wf_future *gate = more_gate(&cord, executor);
	drive_until_heard(executor, &cord);
	ck_assert_int_gt(more_gate_started(&cord).pid, 0);
	ck_assert_ptr_null(wf_future_outcome(gate));
	cord_release(&cord);
	drive_until_done(executor, &gate, 1);
	more_finish(gate);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_driven_dispatch_waits_itself) {
	struct wf_executor *executor = open_driven(_i);
	struct wf_future *future = pool_call(executor, "echo", "x");

	while (wf_future_state(future) != WF_DONE)
		ck_assert_int_eq(wf_executor_dispatch(executor, FIXTURE_CAP_MS), 0);
	ck_assert_int_eq(wf_executor_dispatch(executor, 0), 0);
	ck_assert_int_eq(wf_executor_dispatch(executor, 1), 0);
	ck_assert_int_eq(wf_executor_dispatch(executor, WF_NO_GRACE), -EINVAL);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* --- what goes wrong in tasks --- */

START_TEST(test_driven_crash_and_timeouts) {
	static const int killing = SIGKILL;
	struct wf_executor *executor = open_driven(_i);
	struct cord cords[3];
	struct wf_future *futures[4];
	const struct {
		int timeout_ms, deadline_ms;
	} clocks[] = { { 20, 0 }, { 0, 100 }, { 0, 100 } };

	futures[3] = more_call(executor, "die", &killing, sizeof killing);
	drive_until_done(executor, &futures[3], 1);
	for (size_t i = 0; i < N_OF(cords); i++) {
		struct wf_task task =
		    WF_TASK(.function = "gate", .timeout_ms = clocks[i].timeout_ms,
			    .deadline_ms = clocks[i].deadline_ms);

		cord_open(&cords[i]);
		futures[i] = cord_submit(&cords[i], executor, &task);
	}
	drive_until_done(executor, futures, N_OF(futures));
	expect_timed_out(wf_future_outcome(futures[0]), WF_CLOCK_RUN);
	for (size_t i = 1; i < 3; i++) {
		expect_kind(wf_future_outcome(futures[i]), WF_TIMED_OUT);
		ck_assert_int_ne(wf_future_outcome(futures[i])->timed_out.clock, WF_CLOCK_RUN);
	}
	expect_signalled(wf_future_outcome(futures[3]), SIGKILL);
	for (size_t i = 0; i < N_OF(futures); i++)
		wf_future_free(futures[i]);
	for (size_t i = 0; i < N_OF(cords); i++)
		cord_close(&cords[i]);
	pool_close(executor);
}
END_TEST

/* The first of two tasks on a channel has ended, the second has begun, and we have not looked: a
 * kill that is meant for the first must not hit the second. */
START_TEST(test_driven_kill_of_an_ended_task_spares_the_next) {
	struct wf_executor_options options = driven_options(REUSED);
	struct wf_future *futures[2];
	struct cord cords[2];

	options.workers = 1;
	options.tuning.hand_ahead = 2;
	struct wf_executor *executor = pool_open(&options);
	for (size_t i = 0; i < 2; i++)
		futures[i] = more_gate(&cords[i], executor);
	drive_until_heard(executor, &cords[0]);
	more_gate_started(&cords[0]);
	/* now the next can be sent after it */
	ck_assert_int_ge(wf_executor_dispatch(executor, 0), 0);
	cord_release(&cords[0]);
	more_gate_started(&cords[1]);
	const int r = wf_future_kill(futures[0], WF_NO_GRACE);
	ck_assert_msg(r == 0 || r == -EALREADY, "kill: %d: %s", r, wf_last_error());
	cord_release(&cords[1]);
	drive_until_done(executor, futures, 2);
	for (size_t i = 0; i < 2; i++) {
		more_finish(futures[i]);
		cord_close(&cords[i]);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_driven_run_dispatches) {
	struct wf_executor *executor = open_driven(_i);
	const struct wf_outcome *outcome;

	ck_assert_int_eq(wf_run(executor, &WF_TASK(.function = "where"), &outcome), 0);
	expect_kind(outcome, WF_RETURNED);
	wf_outcome_free(outcome);
	pool_close(executor);
}
END_TEST

/* --- callbacks --- */

struct listener {
	struct wf_executor *executor;
	struct wf_future *next;
	int n, dispatch, close, submit, run;
	pthread_t thread;
};

static void listen_once(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	struct listener *listener = context;

	(void)future;
	listener->n++;
	listener->thread = pthread_self();
	listener->dispatch = wf_executor_dispatch(listener->executor, 0);
	listener->close = wf_executor_close(listener->executor, WF_CLOSE_KILL);
	listener->run = wf_run(listener->executor, &WF_TASK(.function = "where"), &outcome);
	listener->submit =
	    wf_submit(listener->executor, &WF_TASK(.function = "where"), &listener->next);
}

START_TEST(test_driven_callbacks_run_in_dispatch) {
	struct wf_executor *executor = open_driven(_i);
	struct listener listener = { .executor = executor };
	struct wf_future *future = pool_call(executor, "echo", "x");

	ck_assert_int_eq(wf_future_on_done(future, listen_once, &listener), 0);
	ck_assert_int_eq(listener.n, 0);
	while (!listener.n)
		poll_once(executor, -1);
	ck_assert_int_ne(pthread_equal(listener.thread, pthread_self()), 0);
	ck_assert_int_eq(listener.dispatch, -EDEADLK);
	ck_assert_int_eq(listener.close, -EDEADLK);
	ck_assert_int_eq(listener.run, -EDEADLK);
	ck_assert_int_eq(listener.submit, 0);
	drive_until_done(executor, &listener.next, 1);
	more_finish(listener.next);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

static void free_in_callback(struct wf_future *future, const struct wf_outcome *outcome,
			     void *context) {
	struct listener *listener = context;

	(void)future;
	(void)outcome;
	listener->n++;
	listener->executor = wf_executor_free(listener->executor);
}

/* The last handle is given back in a callback, and nobody is left to drive. */
START_TEST(test_driven_executor_freed_in_a_callback) {
	struct wf_executor *executor = open_driven(_i);
	struct listener listener = { .executor = executor };
	static struct watch processes;

	struct wf_future *future = pool_call(executor, "echo", "x");
	pool_watch(executor, &processes);
	ck_assert_int_eq(wf_future_on_done(future, free_in_callback, &listener), 0);
	ck_assert_ptr_nonnull(wf_future_wait(future, FIXTURE_CAP_MS));
	ck_assert_int_eq(listener.n, 1);
	expect_ended(&processes);
	watch_clear(&processes);
	wf_future_free(future);
	more_await_threads();
}
END_TEST

/* What runs meanwhile is told what became of it. */
START_TEST(test_driven_executor_freed_beside_a_task_that_runs) {
	struct wf_executor *executor = open_driven(_i);
	struct listener listener = { .executor = executor };
	struct wf_future *running, *future;
	static struct watch processes;
	struct cord cord;

	running = more_gate(&cord, executor);
	drive_until_heard(executor, &cord);
	future = pool_call(executor, "echo", "x");
	pool_watch(executor, &processes);
	ck_assert_int_eq(wf_future_on_done(future, free_in_callback, &listener), 0);
	ck_assert_ptr_nonnull(wf_future_wait(future, FIXTURE_CAP_MS));
	ck_assert_int_eq(listener.n, 1);
	expect_killed(pool_wait(running), WF_BY_CLOSE);
	ck_assert_ptr_nonnull(
	    strstr(wf_future_outcome(running)->evidence, "was freed in a callback"));
	expect_ended(&processes);
	watch_clear(&processes);
	wf_future_free(running);
	wf_future_free(future);
	cord_close(&cord);
	more_await_threads();
}
END_TEST

static void count_killed(struct wf_future *future, const struct wf_outcome *outcome,
			 void *context) {
	(void)future;
	expect_killed(outcome, WF_BY_CLOSE);
	(*(int *)context)++;
}

/* Nobody can wait for it any more, but it has a callback. */
START_TEST(test_driven_executor_freed_beside_a_task_without_a_handle) {
	struct wf_executor *executor = open_driven(_i);
	struct listener listener = { .executor = executor };
	struct wf_future *running, *future;
	static struct watch processes;
	struct cord cord;
	int n = 0;

	running = more_gate(&cord, executor);
	drive_until_heard(executor, &cord);
	ck_assert_int_eq(wf_future_on_done(running, count_killed, &n), 0);
	wf_future_free(running);
	future = pool_call(executor, "echo", "x");
	pool_watch(executor, &processes);
	ck_assert_int_eq(wf_future_on_done(future, free_in_callback, &listener), 0);
	ck_assert_ptr_nonnull(wf_future_wait(future, FIXTURE_CAP_MS));
	ck_assert_int_eq(n, 1);
	expect_ended(&processes);
	watch_clear(&processes);
	wf_future_free(future);
	cord_close(&cord);
	more_await_threads();
}
END_TEST

/* Nobody has driven since it returned: its result lies in the socket, and the task behind it on the
 * same worker has started. */
START_TEST(test_driven_executor_freed_before_a_result_was_received) {
	struct wf_executor_options options = driven_options(REUSED);
	struct wf_executor *executor;
	struct listener listener = { .n = 0 };
	struct wf_future *returned, *running, *cancelled;
	static struct watch processes;
	struct cord first, second;

	options.workers = options.min_workers = 1;
	options.tuning.hand_ahead = 2;
	executor = listener.executor = pool_open(&options);
	returned = more_gate(&first, executor);
	drive_until_heard(executor, &first);
	running = more_gate(&second, executor);
	cord_release(&first);
	ck_assert_int_gt(more_gate_started(&second).pid, 0);
	cancelled = pool_call(executor, "echo", "x");
	pool_watch(executor, &processes);
	ck_assert_int_eq(wf_future_on_done(cancelled, free_in_callback, &listener), 0);
	ck_assert_int_eq(wf_future_cancel(cancelled), 0);
	ck_assert_ptr_nonnull(wf_future_wait(cancelled, FIXTURE_CAP_MS));
	ck_assert_int_eq(listener.n, 1);
	expect_kind(wf_future_outcome(returned), WF_RETURNED);
	ck_assert_uint_eq(wf_future_outcome(returned)->n_deaths, 0);
	expect_killed(wf_future_outcome(running), WF_BY_CLOSE);
	expect_ended(&processes);
	watch_clear(&processes);
	wf_future_free(returned);
	wf_future_free(running);
	wf_future_free(cancelled);
	cord_close(&first);
	cord_close(&second);
	more_await_threads();
}
END_TEST

/* --- calls that block drive it themselves --- */

START_TEST(test_driven_waits_drive) {
	struct wf_executor *executor = open_driven(_i);
	struct wf_future *futures[10];
	const struct wf_bytes inputs[] = { { "a", 1 }, { "b", 1 }, { "c", 1 } };
	const struct wf_outcome *outcome = NULL;
	struct wf_map *map = NULL;

	pool_check_works(executor);
	for (size_t i = 0; i < N_OF(futures); i++)
		futures[i] = pool_call(executor, "where", "");
	ck_assert_int_gt(wf_wait(futures, N_OF(futures), WF_FIRST_COMPLETED, WF_FOREVER), 0);
	ck_assert_int_eq(wf_wait(futures, N_OF(futures), WF_ALL_COMPLETED, WF_FOREVER),
			 (int)N_OF(futures));
	ck_assert_int_eq(wf_map(executor, &WF_TASK(.function = "echo"), inputs, 3, NULL, &map), 0);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(wf_map_next(map, WF_FOREVER, NULL, &outcome), 0);
		expect_kind(outcome, WF_RETURNED);
	}
	ck_assert_int_eq(wf_map_next(map, WF_FOREVER, NULL, &outcome), -ENODATA);
	wf_map_free(map);
	for (size_t i = 0; i < N_OF(futures); i++)
		wf_future_free(futures[i]);
	ck_assert_int_eq(wf_executor_reload(executor), 0);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

START_TEST(test_driven_wait_gives_up_in_time) {
	struct wf_executor *executor = open_driven(_i);
	struct cord cord;

	struct wf_future *gate = more_gate(&cord, executor);
	ck_assert_ptr_null(wf_future_wait(gate, 0));
	ck_assert_ptr_null(wf_future_wait(gate, 1));
	ck_assert_int_eq(wf_wait(&gate, 1, WF_ALL_COMPLETED, 1), -ETIMEDOUT);
	cord_release(&cord);
	more_finish(gate);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* A full queue makes room only if the call that waits for it drives. */
START_TEST(test_driven_submit_into_a_full_queue) {
	struct wf_executor_options options = driven_options(_i);
	struct wf_future *futures[20];

	options.queue_limit = 2;
	struct wf_executor *executor = pool_open(&options);
	for (size_t i = 0; i < N_OF(futures); i++)
		futures[i] = pool_call(executor, "echo", "x");
	for (size_t i = 0; i < N_OF(futures); i++)
		more_finish(futures[i]);
	pool_close(executor);
}
END_TEST

/* `_i` counts through the regimes and the ways to close, with a task that runs and some queued. */
START_TEST(test_driven_close) {
	const enum wf_close how = (enum wf_close)(_i / 2);
	struct wf_executor *executor = open_driven(_i % 2);
	struct wf_future *queued[5];
	struct cord cord;

	struct wf_future *gate = more_gate(&cord, executor);
	drive_until_heard(executor, &cord);
	for (size_t i = 0; i < N_OF(queued); i++)
		queued[i] = pool_call(executor, "echo", "x");
	cord_release(&cord);
	ck_assert_int_eq(wf_executor_close(executor, how), 0);
	ck_assert_int_eq(wf_future_state(gate), WF_DONE);
	if (how != WF_CLOSE_KILL)
		expect_kind(wf_future_outcome(gate), WF_RETURNED);
	for (size_t i = 0; i < N_OF(queued); i++) {
		ck_assert_int_eq(wf_future_state(queued[i]), WF_DONE);
		if (how == WF_CLOSE_FINISH)
			expect_text(wf_future_outcome(queued[i]), "x");
		wf_future_free(queued[i]);
	}
	wf_future_free(gate);
	cord_close(&cord);
	wf_executor_free(executor);
}
END_TEST

/* --- not driven --- */

START_TEST(test_own_thread_is_not_to_be_driven) {
	struct wf_executor *executor = more_open(_i);

	ck_assert_int_eq(wf_executor_fd(executor), -EINVAL);
	ck_assert_int_eq(wf_executor_dispatch(executor, 0), -EINVAL);
	ck_assert_int_eq(wf_executor_fd(NULL), -EINVAL);
	ck_assert_int_eq(wf_executor_dispatch(NULL, 0), -EINVAL);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("driven");

	add_for_both(test_case, test_driven_in_a_poll_loop);
	add_for_both(test_case, test_driven_beside_other_descriptors);
	add_for_both(test_case, test_driven_dispatch_waits_itself);
	add_for_both(test_case, test_driven_run_dispatches);
	add_for_both(test_case, test_driven_crash_and_timeouts);
	tcase_add_test(test_case, test_driven_kill_of_an_ended_task_spares_the_next);
	add_for_both(test_case, test_driven_callbacks_run_in_dispatch);
	add_for_both(test_case, test_driven_executor_freed_in_a_callback);
	tcase_add_test(test_case, test_driven_executor_freed_before_a_result_was_received);
	add_for_both(test_case, test_driven_executor_freed_beside_a_task_that_runs);
	add_for_both(test_case, test_driven_executor_freed_beside_a_task_without_a_handle);
	add_for_both(test_case, test_driven_waits_drive);
	add_for_both(test_case, test_driven_wait_gives_up_in_time);
	add_for_both(test_case, test_driven_submit_into_a_full_queue);
	tcase_add_loop_test(test_case, test_driven_close, 0, 6);
	add_for_both(test_case, test_own_thread_is_not_to_be_driven);
	return fixture_run("driven", test_case);
}
