/* SPDX-License-Identifier: MIT
 *
 * Story: one function over many inputs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/more.h"

#define N 60

/* Inputs "0", "1", ... for echo. */
struct inputs {
	char texts[N][8];
	struct wf_bytes bytes[N];
};

static void inputs_fill(struct inputs *inputs) {
	for (int i = 0; i < N; i++) {
		int n = snprintf(inputs->texts[i], sizeof inputs->texts[i], "%d", i);

		inputs->bytes[i] = (struct wf_bytes){ .data = inputs->texts[i], .size = (size_t)n };
	}
}

static struct wf_map *map_echo(struct wf_executor *executor, const struct inputs *inputs, size_t n,
			       const struct wf_map_options *options) {
	const struct wf_task task = WF_TASK(.function = "echo");
	struct wf_map *map = NULL;
	int r = wf_map(executor, &task, inputs->bytes, n, options, &map);

	ck_assert_msg(r == 0, "wf_map: %d: %s", r, wf_last_error());
	ck_assert_ptr_nonnull(map);
	return map;
}

/* Fetches one, which must be right for its index. */
static size_t fetch(struct wf_map *map, const struct inputs *inputs) {
	const struct wf_outcome *outcome = NULL;
	size_t index = SIZE_MAX;

	ck_assert_int_eq(wf_map_next(map, FIXTURE_CAP_MS, &index, &outcome), 0);
	ck_assert_uint_lt(index, N);
	expect_text(outcome, inputs->texts[index]);
	return index;
}

static void expect_end(struct wf_map *map) {
	const struct wf_outcome *outcome = NULL;

	ck_assert_int_eq(wf_map_next(map, 0, NULL, &outcome), -ENODATA);
	ck_assert_int_eq(wf_map_next(map, WF_FOREVER, NULL, &outcome), -ENODATA);
	ck_assert_ptr_null(wf_map_free(map));
}

static void fetch_all_in_order(struct wf_map *map, const struct inputs *inputs, size_t n) {
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(fetch(map, inputs), i);
	expect_end(map);
}

static void fetch_all_in_any_order(struct wf_map *map, const struct inputs *inputs, size_t n) {
	bool seen[N] = { false };

	for (size_t i = 0; i < n; i++) {
		size_t index = fetch(map, inputs);

		ck_assert_int_eq(seen[index], false);
		seen[index] = true;
	}
	expect_end(map);
}

/* Chunks and windows of many sizes, in both orders; 0 is the default. */
START_TEST(test_map_gives_each_result_once) {
	static const struct wf_map_options variants[] = {
		{ .size = sizeof(struct wf_map_options) },
		{ .size = sizeof(struct wf_map_options), .as_completed = true },
		{ .size = sizeof(struct wf_map_options), .chunk = 7 },
		{ .size = sizeof(struct wf_map_options), .chunk = 1, .as_completed = true },
		{ .size = sizeof(struct wf_map_options), .chunk = 100, .as_completed = true },
		{ .size = sizeof(struct wf_map_options), .window = 1 },
		{ .size = sizeof(struct wf_map_options), .window = 4, .as_completed = true },
		{ .size = sizeof(struct wf_map_options), .window = 10, .chunk = 3 },
		{ .size = sizeof(struct wf_map_options), .window = 1000, .chunk = 4 },
	};
	struct wf_executor *executor = more_open(_i);
	struct inputs inputs;

	inputs_fill(&inputs);
	for (size_t i = 0; i < N_OF(variants); i++) {
		struct wf_map *map = map_echo(executor, &inputs, N, &variants[i]);

		if (variants[i].as_completed)
			fetch_all_in_any_order(map, &inputs, N);
		else
			fetch_all_in_order(map, &inputs, N);
	}
	fetch_all_in_order(map_echo(executor, &inputs, 1, NULL), &inputs, 1);
	pool_close(executor);
}
END_TEST

START_TEST(test_map_of_nothing_ends_at_once) {
	static const struct wf_map_options window = { .size = sizeof(struct wf_map_options),
						      .window = 3 };
	struct wf_executor *executor = more_open(_i);
	struct inputs inputs;

	expect_end(map_echo(executor, &inputs, 0, NULL));
	expect_end(map_echo(executor, &inputs, 0, &window));
	pool_close(executor);
}
END_TEST

/* Element 5 fails with its number; `_i` counts through regimes and both orders. */
START_TEST(test_map_element_fails_alone) {
	const struct wf_map_options options =
	    WF_MAP_OPTIONS(.as_completed = _i / 2 > 0, .chunk = 4);
	const struct wf_task task = WF_TASK(.function = "fail");
	struct wf_executor *executor = more_open(_i % 2);
	int codes[12] = { 0 };
	struct wf_bytes inputs[12];
	struct wf_map *map = NULL;

	for (size_t i = 0; i < N_OF(codes); i++) {
		codes[i] = i == 5 ? 55 : 0;
		inputs[i] = (struct wf_bytes){ .data = &codes[i], .size = sizeof codes[i] };
	}
	ck_assert_int_eq(wf_map(executor, &task, inputs, N_OF(inputs), &options, &map), 0);
	for (size_t i = 0; i < N_OF(codes); i++) {
		const struct wf_outcome *outcome = NULL;
		size_t index;

		ck_assert_int_eq(wf_map_next(map, FIXTURE_CAP_MS, &index, &outcome), 0);
		expect_kind(outcome, index == 5 ? WF_FAILED : WF_RETURNED);
		if (index == 5) {
			ck_assert_int_eq(outcome->failed.code, 55);
			ck_assert_str_eq(outcome->failed.message, "failed with 55");
		}
	}
	expect_end(map);
	pool_close(executor);
}
END_TEST

/* One element kills its worker in the middle of a chunk: its neighbours still return. */
START_TEST(test_map_element_crashes_alone) {
	const struct wf_map_options options = WF_MAP_OPTIONS(.chunk = 8);
	const struct wf_task task = WF_TASK(.function = "maybe_die");
	struct wf_executor *executor = more_open(_i);
	int signals[16] = { 0 };
	struct wf_bytes inputs[16];
	struct wf_map *map = NULL;

	for (size_t i = 0; i < N_OF(signals); i++) {
		signals[i] = i == 3 ? 9 : 0;
		inputs[i] = (struct wf_bytes){ .data = &signals[i], .size = sizeof signals[i] };
	}
	ck_assert_int_eq(wf_map(executor, &task, inputs, N_OF(inputs), &options, &map), 0);
	for (size_t i = 0; i < N_OF(signals); i++) {
		const struct wf_outcome *outcome = NULL;
		size_t index;

		ck_assert_int_eq(wf_map_next(map, FIXTURE_CAP_MS, &index, &outcome), 0);
		ck_assert_uint_eq(index, i);
		if (index == 3)
			expect_signalled(outcome, 9);
		else
			expect_kind(outcome, WF_RETURNED);
	}
	expect_end(map);
	pool_close(executor);
}
END_TEST

/* A map that waits for its first element, in a pool of one worker that is busy. */
struct blocked {
	struct wf_executor *executor;
	struct cord cord;
	struct wf_future *gate;
	struct inputs inputs;
};

static void blocked_open(struct blocked *blocked, int regime) {
	struct wf_executor_options options = more_options(regime);

	options.workers = 1;
	blocked->executor = pool_open(&options);
	blocked->gate = more_gate(&blocked->cord, blocked->executor);
	more_gate_started(&blocked->cord);
	inputs_fill(&blocked->inputs);
}

static void blocked_close(struct blocked *blocked) {
	cord_release(&blocked->cord);
	more_finish(blocked->gate);
	cord_close(&blocked->cord);
	pool_close(blocked->executor);
}

START_TEST(test_map_freed_early_cancels_the_rest) {
	struct blocked blocked;

	blocked_open(&blocked, _i);
	struct wf_map *map = map_echo(blocked.executor, &blocked.inputs, N, NULL);
	ck_assert_uint_eq(pool_statistics(blocked.executor).queued, N);
	ck_assert_ptr_null(wf_map_free(map));
	ck_assert_uint_eq(pool_statistics(blocked.executor).queued, 0);
	ck_assert_uint_eq(pool_statistics(blocked.executor).outcomes[WF_CANCELLED], N);
	blocked_close(&blocked);
}
END_TEST

START_TEST(test_map_window_bounds_what_is_submitted) {
	const struct wf_map_options options = WF_MAP_OPTIONS(.window = 5);
	struct blocked blocked;

	blocked_open(&blocked, _i);
	struct wf_map *map = map_echo(blocked.executor, &blocked.inputs, N, &options);
	ck_assert_uint_eq(pool_statistics(blocked.executor).queued, 5);
	ck_assert_uint_eq(pool_statistics(blocked.executor).submitted, 1 + 5);
	wf_map_free(map);
	blocked_close(&blocked);
}
END_TEST

START_TEST(test_map_next_gives_up_in_time) {
	struct blocked blocked;
	const struct wf_outcome *outcome = NULL;

	blocked_open(&blocked, _i);
	struct wf_map *map = map_echo(blocked.executor, &blocked.inputs, 3, NULL);
	ck_assert_int_eq(wf_map_next(map, 0, NULL, &outcome), -ETIMEDOUT);
	ck_assert_int_eq(wf_map_next(map, 1, NULL, &outcome), -ETIMEDOUT);
	cord_release(&blocked.cord);
	fetch_all_in_order(map, &blocked.inputs, 3);
	more_finish(blocked.gate);
	cord_close(&blocked.cord);
	pool_close(blocked.executor);
}
END_TEST

struct forbidden {
	struct wf_map *map;
	sem_t event;
	int r;
};

static void next_in_callback(struct wf_future *future, const struct wf_outcome *outcome,
			     void *context) {
	struct forbidden *forbidden = context;
	const struct wf_outcome *next = NULL;

	(void)future;
	(void)outcome;
	forbidden->r = wf_map_next(forbidden->map, WF_FOREVER, NULL, &next);
	sem_post(&forbidden->event);
}

START_TEST(test_map_next_in_callback_is_refused) {
	struct blocked blocked;
	struct forbidden forbidden = { .r = 0 };

	blocked_open(&blocked, _i);
	ck_assert_int_eq(sem_init(&forbidden.event, 0, 0), 0);
	forbidden.map = map_echo(blocked.executor, &blocked.inputs, 3, NULL);
	ck_assert_int_eq(wf_future_on_done(blocked.gate, next_in_callback, &forbidden), 0);
	ck_assert_int_eq(wf_future_kill(blocked.gate, WF_NO_GRACE), 0);
	more_await(&forbidden.event);
	ck_assert_int_eq(forbidden.r, -EDEADLK);
	fetch_all_in_order(forbidden.map, &blocked.inputs, 3);
	wf_future_free(blocked.gate);
	cord_close(&blocked.cord);
	pool_close(blocked.executor);
}
END_TEST

/* Everything resolves, also through a queue that has less room than the map has elements. */
START_TEST(test_map_through_a_short_queue) {
	struct wf_executor_options options = more_options(_i);
	struct inputs inputs;

	options.queue_limit = 3;
	struct wf_executor *executor = pool_open(&options);
	inputs_fill(&inputs);
	fetch_all_in_order(map_echo(executor, &inputs, N, NULL), &inputs, N);
	pool_close(executor);
}
END_TEST

START_TEST(test_map_of_a_closed_executor) {
	const struct wf_task task = WF_TASK(.function = "echo");
	struct wf_executor *executor = more_open(_i);
	struct inputs inputs;
	struct wf_map *map = NULL;

	inputs_fill(&inputs);
	struct wf_map *finished = map_echo(executor, &inputs, N, NULL);
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_FINISH), 0);
	ck_assert_int_eq(wf_map(executor, &task, inputs.bytes, N, NULL, &map), -ESHUTDOWN);
	ck_assert_ptr_null(map);
	wf_executor_free(executor);
	fetch_all_in_order(finished, &inputs, N);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("map");

	add_for_both(test_case, test_map_gives_each_result_once);
	add_for_both(test_case, test_map_of_nothing_ends_at_once);
	tcase_add_loop_test(test_case, test_map_element_fails_alone, 0, 4);
	add_for_both(test_case, test_map_element_crashes_alone);
	add_for_both(test_case, test_map_freed_early_cancels_the_rest);
	add_for_both(test_case, test_map_window_bounds_what_is_submitted);
	add_for_both(test_case, test_map_next_gives_up_in_time);
	add_for_both(test_case, test_map_next_in_callback_is_refused);
	add_for_both(test_case, test_map_through_a_short_queue);
	add_for_both(test_case, test_map_of_a_closed_executor);
	return fixture_run("map", test_case);
}
