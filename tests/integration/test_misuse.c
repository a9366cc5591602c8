/* SPDX-License-Identifier: MIT
 *
 * Story: wrong uses are documented error codes with a sentence, never a crash.
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>

#include "tests/support/more.h"
#include "tests/support/refused.h"

static int open_with(const struct wf_executor_options *options) {
	struct wf_executor *executor = NULL;
	int r = wf_executor_open(options, &executor);

	if (r < 0)
		ck_assert_ptr_null(executor);
	wf_executor_free(executor);
	return r;
}

/* --- nothing at all --- */

START_TEST(test_last_error_and_version_are_never_null) {
	ck_assert_ptr_nonnull(wf_last_error());
	ck_assert_ptr_nonnull(wf_version());
	ck_assert_int_gt((int)strlen(wf_version()), 4);
	ck_assert_ptr_nonnull(wf_outcome_kind_name(WF_RETURNED));
	ck_assert_ptr_nonnull(wf_outcome_kind_name((enum wf_outcome_kind)0));
	ck_assert_ptr_nonnull(wf_outcome_kind_name((enum wf_outcome_kind)4711));
	ck_assert_ptr_nonnull(wf_outcome_kind_name((enum wf_outcome_kind) - 1));
}
END_TEST

static void nobody_listens(struct wf_future *future, const struct wf_outcome *outcome,
			   void *context) {
	(void)future;
	(void)outcome;
	(void)context;
}

START_TEST(test_null_executor_and_future) {
	struct wf_statistics statistics = { .size = sizeof statistics };
	struct wf_image_facts facts = { .size = sizeof facts };
	const struct wf_task task = WF_TASK(.function = "where");
	const struct wf_bytes input = { "x", 1 };
	const struct wf_executor_options options = more_options(_i);
	const struct wf_outcome *outcome;
	struct wf_future *future = NULL;
	struct wf_map *map = NULL;

	expect_refused(wf_executor_open(NULL, NULL), -EINVAL);
	expect_refused(wf_executor_open(&options, NULL), -EINVAL);
	expect_refused(wf_executor_shared(NULL, NULL, NULL), -EINVAL);
	expect_refused(wf_executor_shared(&options, NULL, NULL), -EINVAL);
	expect_refused(wf_executor_close(NULL, WF_CLOSE_FINISH), -EINVAL);
	expect_refused(wf_executor_reload(NULL), -EINVAL);
	expect_refused(wf_executor_resize(NULL, 1), -EINVAL);
	expect_refused(wf_submit(NULL, &task, &future), -EINVAL);
	expect_refused(wf_run(NULL, &task, &outcome), -EINVAL);
	expect_refused(wf_map(NULL, &task, &input, 1, NULL, &map), -EINVAL);
	expect_refused(wf_map_next(NULL, 0, NULL, NULL), -EINVAL);
	expect_refused(wf_executor_statistics(NULL, &statistics), -EINVAL);
	expect_refused(wf_executor_image(NULL, &facts), -EINVAL);
	expect_refused(wf_future_cancel(NULL), -EINVAL);
	expect_refused(wf_future_kill(NULL, 0), -EINVAL);
	expect_refused(wf_future_on_done(NULL, nobody_listens, NULL), -EINVAL);
	expect_refused(wf_buffer_new(1, NULL), -EINVAL);
	ck_assert_ptr_null(wf_executor_free(NULL));
	ck_assert_ptr_null(wf_future_free(NULL));
	ck_assert_ptr_null(wf_map_free(NULL));
	ck_assert_ptr_null(wf_buffer_free(NULL));
	ck_assert_ptr_null(wf_future_ref(NULL));
	ck_assert_ptr_null(wf_future_wait(NULL, 0));
	ck_assert_ptr_null(wf_future_outcome(NULL));
	ck_assert_int_eq(wf_future_state(NULL), 0);
	ck_assert_ptr_null(wf_buffer_data(NULL));
	ck_assert_uint_eq(wf_buffer_size(NULL), 0);
	wf_image_facts_clear(NULL);
}
END_TEST

START_TEST(test_null_arguments) {
	struct wf_executor *executor = more_open(_i);
	const struct wf_task task = WF_TASK(.function = "where");
	struct wf_future *future = pool_call(executor, "where", "");
	const struct wf_outcome *outcome;
	struct wf_map *map = NULL;

	expect_refused(wf_submit(executor, NULL, NULL), -EINVAL);
	expect_refused(submit_as(executor, &WF_TASK(.function = NULL)), -EINVAL);
	expect_refused(submit_as(executor, &WF_TASK(.function = "where", .input_size = 1)),
		       -EINVAL);
	expect_refused(wf_map(executor, NULL, NULL, 0, NULL, &map), -EINVAL);
	expect_refused(wf_map(executor, &task, NULL, 1, NULL, &map), -EINVAL);
	expect_refused(wf_map(executor, &task, NULL, 0, NULL, NULL), -EINVAL);
	expect_refused(wf_run(executor, &task, NULL), -EINVAL);
	expect_refused(wf_run(executor, NULL, &outcome), -EINVAL);
	expect_refused(wf_future_on_done(future, NULL, NULL), -EINVAL);
	expect_refused(wf_executor_statistics(executor, NULL), -EINVAL);
	expect_refused(wf_executor_image(executor, NULL), -EINVAL);
	pool_wait(future);
	wf_future_free(future);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

/* --- options --- */

START_TEST(test_absurd_options) {
	struct wf_executor_options bad[25];
	size_t n = 0;

	for (size_t i = 0; i < N_OF(bad); i++)
		bad[i] = more_options(REUSED);
	bad[n++].image = (enum wf_image_kind)7;
	bad[n++].workers = -1;
	bad[n++].workers = WF_MAX_WORKERS + 1;
	bad[n++].min_workers = -1;
	bad[n++].max_tasks_per_worker = -1;
	bad[n++].spares = WF_FOREVER;
	bad[n++].idle_timeout_ms = WF_NO_GRACE;
	bad[n++].tuning.hand_ahead = -1;
	bad[n++].tuning.hand_ahead = WF_MAX_HAND_AHEAD + 1;
	bad[n++].queue_full = (enum wf_queue_full)3;
	bad[n++].queue_wait_ms = -5;
	bad[n++].on_timeout = (enum wf_on_timeout)2;
	bad[n++].audit_waive = 1U << 20;
	bad[n++].timeout_ms = INT_MIN;
	bad[n++].kill_grace_ms = WF_FOREVER;
	bad[n++].max_attempts = -1;
	bad[n++].preload_argument_size = 3;
	bad[n++].module = NULL;
	bad[n++].freeze = (enum wf_freeze)3;
	bad[n++].freeze = (enum wf_freeze) - 1;
	bad[n++].tuning.spin_us = -1;
	bad[n++].tuning.spin_us = WF_MAX_SPIN_US + 1;
	bad[n++].tuning.spin_us = INT_MAX;
	bad[n++].tuning.placement = (enum wf_placement)2;
	bad[n++].tuning.placement = (enum wf_placement) - 1;
	ck_assert_uint_eq(n, N_OF(bad));
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(open_with(&bad[i]) == -EINVAL, "options %zu are not refused", i);
}
END_TEST

/* Both ends of a range are allowed values. */
START_TEST(test_options_at_their_ends) {
	struct wf_executor_options options = more_options(_i);

	options.freeze = WF_FREEZE_NEVER;
	options.tuning.spin_us = WF_MAX_SPIN_US;
	options.tuning.placement = WF_PLACE_SPREAD;
	options.tuning.touch_ahead = true;
	struct wf_executor *executor = pool_open(&options);
	pool_check_works(executor);
	pool_close(executor);
	options.freeze = WF_FREEZE_AUTO;
	options.tuning.spin_us = 1;
	executor = pool_open(&options);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

START_TEST(test_options_of_an_older_and_a_newer_header) {
	union {
		struct wf_executor_options known;
		unsigned char bytes[sizeof(struct wf_executor_options) + 64];
	} options = { .bytes = { 0 } };

	options.known = more_options(REUSED);
	options.known.size = sizeof options.bytes;
	ck_assert_int_eq(open_with(&options.known), 0);
	options.bytes[sizeof options.bytes - 1] = 1;
	expect_refused(open_with(&options.known), -EINVAL);
	options.bytes[sizeof options.bytes - 1] = 0;
	options.bytes[sizeof(struct wf_executor_options)] = 1;
	expect_refused(open_with(&options.known), -EINVAL);
	options.bytes[sizeof(struct wf_executor_options)] = 0;
	options.known.size = 0;
	expect_refused(open_with(&options.known), -EINVAL);
	options.known.size = 8;
	expect_refused(open_with(&options.known), -EINVAL);
	options.known.size = SIZE_MAX;
	expect_refused(open_with(&options.known), -EINVAL);
}
END_TEST

START_TEST(test_missing_helper) {
	struct wf_executor_options options = more_options(REUSED);

	options.helper = "/nonexistent/warmfork-zygote";
	expect_refused(open_with(&options), -EIO);
	ck_assert_ptr_nonnull(strstr(wf_last_error(), "/nonexistent/warmfork-zygote"));
}
END_TEST

/* --- tasks --- */

START_TEST(test_unknown_function_is_named) {
	struct wf_executor *executor = more_open(_i);
	char name[400];

	expect_refused(submit_as(executor, &WF_TASK(.function = "nosuch")), -ENOENT);
	ck_assert_ptr_nonnull(strstr(wf_last_error(), "nosuch"));
	expect_refused(submit_as(executor, &WF_TASK(.function = "")), -ENOENT);
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	expect_refused(submit_as(executor, &WF_TASK(.function = name)), -ENOENT);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

START_TEST(test_absurd_tasks) {
	struct wf_executor *executor = more_open(_i);
	struct wf_buffer *buffer = NULL;

	ck_assert_int_eq(wf_buffer_new(1, &buffer), 0);
	const struct wf_task bad[] = {
		WF_TASK(.function = "where", .priority = WF_PRIORITY_MAX + 1),
		WF_TASK(.function = "where", .priority = WF_PRIORITY_MIN - 1),
		WF_TASK(.function = "where", .timeout_ms = -2),
		WF_TASK(.function = "where", .deadline_ms = -2),
		WF_TASK(.function = "where", .flags = 1U << 30),
		WF_TASK(.function = "where", .input = "x", .input_size = 1, .buffer = buffer),
		{ .function = "where" },
		{ .size = 8, .function = "where" },
	};
	for (size_t i = 0; i < N_OF(bad); i++)
		ck_assert_msg(submit_as(executor, &bad[i]) == -EINVAL, "task %zu is not refused",
			      i);
	wf_buffer_free(buffer);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

START_TEST(test_task_of_a_newer_header) {
	struct wf_executor *executor = more_open(_i);
	union {
		struct wf_task known;
		unsigned char bytes[sizeof(struct wf_task) + 64];
	} task = { .bytes = { 0 } };

	task.known = WF_TASK(.function = "where");
	task.known.size = sizeof task.bytes;
	ck_assert_int_eq(submit_as(executor, &task.known), 0);
	task.bytes[sizeof task.bytes - 1] = 1;
	expect_refused(submit_as(executor, &task.known), -EINVAL);
	pool_close(executor);
}
END_TEST

START_TEST(test_absurd_waits_and_maps) {
	struct wf_executor *executor = more_open(_i);
	struct wf_future *future = pool_call(executor, "where", "");
	const struct wf_task task = WF_TASK(.function = "where");
	const struct wf_bytes input = { "x", 1 };
	struct wf_map_options options = WF_MAP_OPTIONS(.chunk = -1);
	struct wf_map *map = NULL;

	pool_wait(future);
	expect_refused(wf_wait(&future, 1, (enum wf_wait_for)9, 0), -EINVAL);
	expect_refused(wf_map(executor, &task, &input, 1, &options, &map), -EINVAL);
	options = (struct wf_map_options){ .size = 0 };
	expect_refused(wf_map(executor, &task, &input, 1, &options, &map), -EINVAL);
	expect_refused(wf_map(executor, &WF_TASK(.function = "nosuch"), &input, 1, NULL, &map),
		       -ENOENT);
	ck_assert_ptr_null(map);
	expect_refused(wf_executor_close(executor, (enum wf_close)9), -EINVAL);
	wf_future_free(future);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

/* Named values, and numbers below zero: where one has no meaning, it is refused with a sentence. */
static const int sentinels[] = { WF_FOREVER,       WF_NO_GRACE, WF_NO_SPARES,
				 WF_DEFAULT_GRACE, -5,          INT_MIN };

static bool is_grace(int sentinel) {
	return sentinel == WF_NO_GRACE || sentinel == WF_DEFAULT_GRACE;
}

START_TEST(test_sentinels_in_the_wrong_place) {
	struct wf_executor *executor = more_open(_i);
	struct wf_future *future = pool_call(executor, "where", "");
	const struct wf_bytes input = { "", 0 };
	const struct wf_task task = WF_TASK(.function = "where");
	const struct wf_outcome *outcome;
	struct wf_map *map;

	pool_wait(future);
	ck_assert_int_eq(wf_map(executor, &task, &input, 1, NULL, &map), 0);
	for (size_t i = 0; i < N_OF(sentinels); i++) {
		const int value = sentinels[i];
		struct wf_task wrong = task;

		if (is_grace(value)) {
			ck_assert_int_eq(wf_future_kill(future, value), -EALREADY);
		} else {
			expect_refused(wf_future_kill(future, value), -EINVAL);
			ck_assert_ptr_nonnull(strstr(wf_last_error(), "grace_ms"));
		}
		if (value == WF_FOREVER)
			continue;
		ck_assert_ptr_null(wf_future_wait(future, value));
		ck_assert_ptr_nonnull(strstr(wf_last_error(), "timeout_ms"));
		expect_refused(wf_wait(&future, 1, WF_ALL_COMPLETED, value), -EINVAL);
		expect_refused(wf_wait(NULL, 0, WF_ALL_COMPLETED, value), -EINVAL);
		expect_refused(wf_map_next(map, value, NULL, &outcome), -EINVAL);
		wrong.timeout_ms = value;
		expect_refused(wf_submit(executor, &wrong, NULL), -EINVAL);
		wrong.timeout_ms = 0;
		wrong.deadline_ms = value;
		expect_refused(wf_submit(executor, &wrong, NULL), -EINVAL);
	}
	ck_assert_int_eq(wf_map_next(map, WF_FOREVER, NULL, &outcome), 0);
	wf_map_free(map);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* --- outcomes and statistics --- */

START_TEST(test_description_is_cut_and_terminated) {
	static const int code = 7;
	struct wf_executor *executor = more_open(_i);
	struct wf_future *future = more_call(executor, "fail", &code, sizeof code);
	const struct wf_outcome *outcome = pool_wait(future);
	char whole[4096], part[8] = "#######";
	const size_t length = wf_outcome_describe(outcome, whole, sizeof whole);

	ck_assert_uint_eq(length, strlen(whole));
	ck_assert_uint_eq(wf_outcome_describe(outcome, part, sizeof part), length);
	ck_assert_uint_eq(strlen(part), sizeof part - 1);
	ck_assert_int_eq(strncmp(whole, part, sizeof part - 1), 0);
	ck_assert_uint_eq(wf_outcome_describe(outcome, NULL, 0), length);
	ck_assert_uint_eq(wf_outcome_describe(NULL, part, sizeof part), 0);
	ck_assert_str_eq(part, "");
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_statistics_and_facts_of_other_headers) {
	struct wf_executor *executor = more_open(_i);
	union {
		struct wf_statistics known;
		unsigned char bytes[sizeof(struct wf_statistics) + 64];
	} statistics;
	struct wf_image_facts facts = { 0 };

	memset(&statistics, 0xaa, sizeof statistics);
	statistics.known.size = offsetof(struct wf_statistics, queued);
	ck_assert_int_eq(wf_executor_statistics(executor, &statistics.known), 0);
	ck_assert_uint_eq(statistics.known.workers, 2);
	ck_assert_uint_eq(statistics.known.queued, 0xaaaaaaaa);
	memset(&statistics, 0xaa, sizeof statistics);
	statistics.known.size = sizeof statistics;
	ck_assert_int_eq(wf_executor_statistics(executor, &statistics.known), 0);
	ck_assert_uint_eq(statistics.known.workers, 2);
	statistics.known.size = 0;
	expect_refused(wf_executor_statistics(executor, &statistics.known), -EINVAL);
	expect_refused(wf_executor_image(executor, &facts), -EINVAL);
	pool_close(executor);
}
END_TEST

/* Facts own their strings, and a second call frees those of the first: a leak checker sees it. */
START_TEST(test_facts_are_asked_for_again) {
	struct wf_executor *executor = more_open(_i);
	struct wf_image_facts facts = WF_IMAGE_FACTS();

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(wf_executor_image(executor, &facts), 0);
	ck_assert_ptr_nonnull(facts.functions);
	pool_close(executor);
	ck_assert_ptr_nonnull(facts.audit);
	wf_image_facts_clear(&facts);
	ck_assert_ptr_null(facts.functions);
	wf_image_facts_clear(&facts);
}
END_TEST

START_TEST(test_reserved_members_are_zero) {
	struct wf_executor *executor = more_open(_i);
	struct wf_context context[] = { WF_CONTEXT(.nice = 0), WF_CONTEXT(.nice = 0),
					WF_CONTEXT(.nice = 0) };

	context[0].standard_input.reserved[0] = 1;
	context[1].standard_output.reserved[1] = 1;
	context[2].standard_error.reserved_0 = 1;
	for (size_t i = 0; i < N_OF(context); i++) {
		const struct wf_task task = WF_TASK(.function = "where", .context = &context[i]);

		expect_refused(submit_as(executor, &task), -EINVAL);
		ck_assert_ptr_nonnull(strstr(wf_last_error(), "does not know"));
	}
	pool_close(executor);
}
END_TEST

/* --- closed --- */

START_TEST(test_closed_executor) {
	struct wf_executor *executor = more_open(_i);
	const struct wf_task task = WF_TASK(.function = "where");
	const struct wf_bytes input = { "x", 1 };
	struct wf_map *map = NULL;

	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_FINISH), 0);
	for (enum wf_close how = WF_CLOSE_FINISH; how <= WF_CLOSE_KILL; how++)
		ck_assert_int_eq(wf_executor_close(executor, how), 0);
	expect_refused(submit_as(executor, &task), -ESHUTDOWN);
	expect_refused(wf_map(executor, &task, &input, 1, NULL, &map), -ESHUTDOWN);
	expect_refused(wf_executor_resize(executor, 1), -ESHUTDOWN);
	expect_refused(wf_executor_reload(executor), -ESHUTDOWN);
	ck_assert_uint_eq(pool_statistics(executor).running, 0);
	ck_assert_int_eq(pool_statistics(executor).keeper_pid, 0);
	wf_executor_free(executor);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("misuse");

	tcase_add_test(test_case, test_last_error_and_version_are_never_null);
	add_for_both(test_case, test_null_executor_and_future);
	add_for_both(test_case, test_null_arguments);
	tcase_add_test(test_case, test_absurd_options);
	add_for_both(test_case, test_options_at_their_ends);
	tcase_add_test(test_case, test_options_of_an_older_and_a_newer_header);
	tcase_add_test(test_case, test_missing_helper);
	add_for_both(test_case, test_unknown_function_is_named);
	add_for_both(test_case, test_absurd_tasks);
	add_for_both(test_case, test_task_of_a_newer_header);
	add_for_both(test_case, test_absurd_waits_and_maps);
	add_for_both(test_case, test_sentinels_in_the_wrong_place);
	add_for_both(test_case, test_description_is_cut_and_terminated);
	add_for_both(test_case, test_statistics_and_facts_of_other_headers);
	add_for_both(test_case, test_facts_are_asked_for_again);
	add_for_both(test_case, test_reserved_members_are_zero);
	add_for_both(test_case, test_closed_executor);
	return fixture_run("misuse", test_case);
}
