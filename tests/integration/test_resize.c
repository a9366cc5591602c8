/* SPDX-License-Identifier: MIT
 *
 * Story: how many workers there are, how long they live, and which slots they have.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/more.h"

#define MOST 12

/* A file whose bytes are locked by "alone", one for each slot. */
static int slots_file(void) {
	char path[512];

	snprintf(path, sizeof path, "%s/slots", fixture_scratch());
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static struct wf_future *submit_alone(struct wf_executor *executor, const int *slots) {
	const struct wf_context context = WF_CONTEXT(.descriptors = slots, .n_descriptors = 1);

	return pool_submit(executor, &WF_TASK(.function = "alone", .context = &context));
}

/* `n` tasks that run all at once. */
struct crowd {
	int n;
	struct cord cords[MOST];
	struct wf_future *gates[MOST];
	struct toy_where places[MOST];
};

static void crowd_gather(struct crowd *crowd, struct wf_executor *executor, int n) {
	crowd->n = n;
	for (int i = 0; i < n; i++)
		crowd->gates[i] = more_gate(&crowd->cords[i], executor);
	for (int i = 0; i < n; i++)
		crowd->places[i] = more_gate_started(&crowd->cords[i]);
}

static void crowd_dismiss(struct crowd *crowd) {
	for (int i = 0; i < crowd->n; i++) {
		cord_release(&crowd->cords[i]);
		more_finish(crowd->gates[i]);
		cord_close(&crowd->cords[i]);
	}
}

/* All slots below n are taken, once each. */
static void expect_slots(const struct crowd *crowd) {
	bool taken[MOST] = { false };

	for (int i = 0; i < crowd->n; i++) {
		int slot = crowd->places[i].slot;

		ck_assert_int_ge(slot, 0);
		ck_assert_int_lt(slot, crowd->n);
		ck_assert_int_eq(taken[slot], false);
		taken[slot] = true;
	}
}

static void expect_crowd_of(struct wf_executor *executor, int n) {
	struct crowd crowd;

	crowd_gather(&crowd, executor, n);
	expect_slots(&crowd);
	ck_assert_uint_eq(pool_statistics(executor).running, (unsigned)n);
	ck_assert_uint_eq(pool_statistics(executor).workers, (unsigned)n);
	crowd_dismiss(&crowd);
}

/* --- resize --- */

START_TEST(test_resize_under_load_keeps_slots_apart) {
	static const int sizes[] = { 12, 2, 1, 12, 6, 1, 8, 5 };
	struct wf_executor *executor = more_open(_i);
	struct wf_future *futures[N_OF(sizes) * 15];
	int slots = slots_file();
	size_t n = 0;

	for (size_t i = 0; i < N_OF(sizes); i++) {
		ck_assert_int_eq(wf_executor_resize(executor, sizes[i]), 0);
		for (int k = 0; k < 15; k++)
			futures[n++] = submit_alone(executor, &slots);
		pool_wait(futures[n - 14]);
	}
	for (size_t i = 0; i < n; i++) {
		const struct toy_where place = more_place(pool_wait(futures[i]));

		ck_assert_int_ge(place.slot, 0);
		ck_assert_int_lt(place.slot, MOST);
		wf_future_free(futures[i]);
	}
	expect_crowd_of(executor, 5);
	close(slots);
	pool_close(executor);
}
END_TEST

START_TEST(test_growing_takes_effect_at_once) {
	struct cord cords[4];
	struct wf_future *gates[4];

	struct wf_executor *executor = more_open_workers(_i, 1);
	for (size_t i = 0; i < 4; i++)
		gates[i] = more_gate(&cords[i], executor);
	more_gate_started(&cords[0]);
	ck_assert_uint_eq(pool_statistics(executor).running, 1);
	ck_assert_int_eq(wf_executor_resize(executor, 4), 0);
	for (size_t i = 1; i < 4; i++)
		more_gate_started(&cords[i]);
	ck_assert_uint_eq(pool_statistics(executor).running, 4);
	for (size_t i = 0; i < 4; i++) {
		cord_release(&cords[i]);
		more_finish(gates[i]);
		cord_close(&cords[i]);
	}
	pool_close(executor);
}
END_TEST

/* Four run, two slots are taken away: those that run there finish and take no more. */
START_TEST(test_shrinking_lets_running_tasks_finish) {
	struct crowd crowd;
	struct wf_future *queued[8];

	struct wf_executor *executor = more_open_workers(_i, 4);
	crowd_gather(&crowd, executor, 4);
	expect_slots(&crowd);
	ck_assert_int_eq(wf_executor_resize(executor, 2), 0);
	for (size_t i = 0; i < N_OF(queued); i++)
		queued[i] = pool_call(executor, "where", "");
	crowd_dismiss(&crowd);
	for (size_t i = 0; i < N_OF(queued); i++) {
		ck_assert_int_lt(more_place(pool_wait(queued[i])).slot, 2);
		wf_future_free(queued[i]);
	}
	expect_crowd_of(executor, 2);
	pool_close(executor);
}
END_TEST

/* The worker that stays is the one that was there. */
START_TEST(test_resize_to_the_same_size_changes_nothing) {
	struct wf_executor *executor = more_open(REUSED);
	const uint64_t worker_id = more_where(executor).worker_id;

	ck_assert_int_eq(wf_executor_resize(executor, 2), 0);
	ck_assert_uint_eq(more_where(executor).worker_id, worker_id);
	ck_assert_int_eq(wf_executor_resize(executor, 5), 0);
	ck_assert_uint_eq(more_where(executor).worker_id, worker_id);
	ck_assert_uint_eq(pool_statistics(executor).zygote_starts, 1);
	pool_close(executor);
}
END_TEST

START_TEST(test_resize_refuses_nonsense) {
	struct wf_executor *executor = more_open(_i);

	ck_assert_int_eq(wf_executor_resize(executor, -1), -EINVAL);
	ck_assert_int_eq(wf_executor_resize(executor, WF_MAX_WORKERS + 1), -EINVAL);
	ck_assert_int_eq(wf_executor_resize(NULL, 1), -EINVAL);
	ck_assert_uint_eq(pool_statistics(executor).workers, 2);
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_FINISH), 0);
	ck_assert_int_eq(wf_executor_resize(executor, 3), -ESHUTDOWN);
	wf_executor_free(executor);
}
END_TEST

/* --- idle --- */

/* Waits until all but one of the processes have ended; returns the one that lives. */
static int await_last(const int *pidfds, int n) {
	int last = -1, ended;

	do {
		struct pollfd events[MOST];

		ended = 0;
		for (int i = 0; i < n; i++)
			events[i] = (struct pollfd){ .fd = pidfds[i], .events = POLLIN };
		ck_assert_int_gt(poll(events, (nfds_t)n, FIXTURE_CAP_MS), 0);
		for (int i = 0; i < n; i++) {
			ended += events[i].revents != 0;
			last = events[i].revents ? last : i;
		}
	} while (ended < n - 1);
	return last;
}

static bool two_left(const struct wf_statistics *statistics) {
	return statistics->worker_idle_timeouts == 2;
}

START_TEST(test_idle_workers_leave_all_but_the_minimum) {
	struct wf_executor_options options = more_options(REUSED);
	struct crowd crowd;
	int pidfds[3];

	options.workers = 3;
	options.min_workers = 1;
	options.idle_timeout_ms = 1;
	struct wf_executor *executor = pool_open(&options);
	crowd_gather(&crowd, executor, 3);
	for (int i = 0; i < 3; i++) {
		pidfds[i] = (int)syscall(SYS_pidfd_open, crowd.places[i].pid, 0);
		ck_assert_int_ge(pidfds[i], 0);
	}
	crowd_dismiss(&crowd);
	const int last = await_last(pidfds, 3);
	pool_await(executor, two_left);
	ck_assert_int_ge(last, 0);
	ck_assert_uint_eq(more_where(executor).worker_id, crowd.places[last].worker_id);
	expect_crowd_of(executor, 3);
	for (int i = 0; i < 3; i++)
		close(pidfds[i]);
	pool_close(executor);
}
END_TEST

static bool one_idle(const struct wf_statistics *statistics) {
	return statistics->idle == 1;
}

static bool none_idle(const struct wf_statistics *statistics) {
	return statistics->idle == 0;
}

START_TEST(test_idle_timeout_without_minimum_leaves_none) {
	struct wf_executor_options options = more_options(REUSED);

	options.idle_timeout_ms = 1;
	struct wf_executor *executor = pool_open(&options);
	for (int i = 0; i < 3; i++) {
		more_where(executor);
		pool_await(executor, none_idle);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_minimum_is_started_at_once) {
	struct wf_executor_options options = more_options(REUSED);

	options.min_workers = 1;
	struct wf_executor *executor = pool_open(&options);
	pool_await(executor, one_idle);
	ck_assert_uint_eq(more_where(executor).task_number, 1);
	ck_assert_uint_eq(pool_statistics(executor).forks, 1);
	pool_close(executor);
}
END_TEST

/* --- recycling --- */

/* The loop index is the number of tasks of each worker. */
START_TEST(test_worker_is_recycled_after_exactly_n_tasks) {
	struct wf_executor_options options = more_options(REUSED);
	uint64_t worker_id = 0;

	options.workers = 1;
	options.max_tasks_per_worker = _i;
	options.tuning.hand_ahead = 0;
	struct wf_executor *executor = pool_open(&options);
	for (int i = 0; i < 3 * _i; i++) {
		const struct toy_where place = more_where(executor);

		ck_assert_uint_eq(place.task_number, (uint64_t)(i % _i + 1));
		if (i % _i)
			ck_assert_uint_eq(place.worker_id, worker_id);
		else
			ck_assert_uint_ne(place.worker_id, worker_id);
		worker_id = place.worker_id;
	}
	pool_close(executor);
}
END_TEST

/* The same when they are all queued at once, and may be handed ahead. */
START_TEST(test_recycling_keeps_count_of_what_is_handed_ahead) {
	struct wf_executor_options options = more_options(REUSED);
	struct wf_future *futures[40];

	options.workers = 2;
	options.max_tasks_per_worker = 3;
	options.tuning.hand_ahead = 8;
	struct wf_executor *executor = pool_open(&options);
	for (size_t i = 0; i < N_OF(futures); i++)
		futures[i] = pool_call(executor, "where", "");
	for (size_t i = 0; i < N_OF(futures); i++) {
		ck_assert_uint_le(more_place(pool_wait(futures[i])).task_number, 3);
		wf_future_free(futures[i]);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_worker_that_grew_is_recycled) {
	struct wf_executor_options options = more_options(REUSED);
	const size_t bytes = (size_t)64 << 20;
	struct toy_where grown;

	options.workers = 1;
	options.tuning.recycle_memory = (uint64_t)32 << 20;
	struct wf_executor *executor = pool_open(&options);
	const uint64_t worker_id = more_where(executor).worker_id;
	ck_assert_uint_eq(more_where(executor).worker_id, worker_id);
	more_ask(executor, "grow", &bytes, sizeof bytes, &grown, sizeof grown);
	ck_assert_uint_eq(grown.worker_id, worker_id);
	ck_assert_uint_ne(more_where(executor).worker_id, worker_id);
	ck_assert_uint_eq(pool_statistics(executor).worker_recycled, 1);
	pool_close(executor);
}
END_TEST

/* --- spares --- */

static bool two_spares(const struct wf_statistics *statistics) {
	return statistics->spares == 2 && statistics->idle == 2;
}

START_TEST(test_spares_are_forked_ahead_and_replaced) {
	struct wf_executor_options options = more_options(FRESH);

	options.workers = 3;
	options.spares = 2;
	struct wf_executor *executor = pool_open(&options);
	for (int i = 0; i < 4; i++) {
		more_where(executor);
		pool_await(executor, two_spares);
	}
	ck_assert_uint_eq(pool_statistics(executor).forks, 4 + 2);
	pool_close(executor);
}
END_TEST

START_TEST(test_no_spares_when_none_are_wanted) {
	struct wf_executor_options options = more_options(FRESH);

	options.spares = WF_NO_SPARES;
	struct wf_executor *executor = pool_open(&options);
	for (int i = 0; i < 4; i++)
		more_where(executor);
	ck_assert_uint_eq(pool_statistics(executor).forks, 4);
	ck_assert_uint_eq(pool_statistics(executor).spares, 0);
	pool_close(executor);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("resize");

	add_for_both(test_case, test_resize_under_load_keeps_slots_apart);
	add_for_both(test_case, test_growing_takes_effect_at_once);
	add_for_both(test_case, test_shrinking_lets_running_tasks_finish);
	tcase_add_test(test_case, test_resize_to_the_same_size_changes_nothing);
	add_for_both(test_case, test_resize_refuses_nonsense);
	tcase_add_test(test_case, test_idle_workers_leave_all_but_the_minimum);
	tcase_add_test(test_case, test_idle_timeout_without_minimum_leaves_none);
	tcase_add_test(test_case, test_minimum_is_started_at_once);
	tcase_add_loop_test(test_case, test_worker_is_recycled_after_exactly_n_tasks, 1, 5);
	tcase_add_test(test_case, test_recycling_keeps_count_of_what_is_handed_ahead);
	tcase_add_test(test_case, test_worker_that_grew_is_recycled);
	tcase_add_test(test_case, test_spares_are_forked_ahead_and_replaced);
	tcase_add_test(test_case, test_no_spares_when_none_are_wanted);
	return fixture_run("resize", test_case);
}
