/* SPDX-License-Identifier: MIT
 *
 * Story: arguments and results of every size arrive whole.
 */
#include <errno.h>
#include <stdlib.h>

#include "tests/support/more.h"

#define HUGE_SIZE ((size_t)256 << 20)

/* Around the largest inline payload, a frame, and some pages. */
static const size_t sizes[] = { 0,      1,     7,     4095,  4096,  32760,
				32767,  32768, 32769, 65535, 65536, (size_t)1 << 20,
				1048577 };

static void expect_digest(const struct wf_outcome *outcome, const void *data, size_t size) {
	struct toy_digest digest;

	expect_kind(outcome, WF_RETURNED);
	ck_assert_uint_eq(outcome->returned.size, sizeof digest);
	memcpy(&digest, outcome->returned.data, sizeof digest);
	ck_assert_uint_eq(digest.size, size);
	ck_assert_uint_eq(digest.hash, toy_hash(data, size));
}

static void *pattern(size_t size, uint64_t seed) {
	void *data = malloc(size + 1);

	ck_assert_ptr_nonnull(data);
	toy_pattern(data, size, seed);
	return data;
}

START_TEST(test_copied_arguments_of_all_sizes) {
	struct wf_executor *executor = more_open(_i);

	for (size_t i = 0; i < N_OF(sizes); i++) {
		void *data = pattern(sizes[i], i);
		struct wf_future *future = more_call(executor, "digest", data, sizes[i]);

		expect_digest(pool_wait(future), data, sizes[i]);
		wf_future_free(future);
		free(data);
	}
	pool_close(executor);
}
END_TEST

/* All queued at once: small and large ones share a channel and its frames. */
START_TEST(test_arguments_of_all_sizes_handed_ahead) {
	struct wf_executor_options options = more_options(_i);
	struct wf_future *futures[3 * N_OF(sizes)];
	void *data = pattern((size_t)2 << 20, 1);

	options.tuning.hand_ahead = 16;
	struct wf_executor *executor = pool_open(&options);
	for (size_t i = 0; i < N_OF(futures); i++)
		futures[i] = more_call(executor, "digest", data, sizes[i % N_OF(sizes)]);
	for (size_t i = 0; i < N_OF(futures); i++) {
		expect_digest(pool_wait(futures[i]), data, sizes[i % N_OF(sizes)]);
		wf_future_free(futures[i]);
	}
	free(data);
	pool_close(executor);
}
END_TEST

START_TEST(test_echo_of_all_sizes) {
	struct wf_executor *executor = more_open(_i);

	for (size_t i = 0; i < N_OF(sizes); i++) {
		void *data = pattern(sizes[i], 100 + i);
		struct wf_future *future = more_call(executor, "echo", data, sizes[i]);
		const struct wf_outcome *outcome = pool_wait(future);

		expect_kind(outcome, WF_RETURNED);
		ck_assert_uint_eq(outcome->returned.size, sizes[i]);
		ck_assert_ptr_nonnull(outcome->returned.data);
		ck_assert_int_eq(memcmp(outcome->returned.data, data, sizes[i]), 0);
		wf_future_free(future);
		free(data);
	}
	pool_close(executor);
}
END_TEST

static void expect_filled(struct wf_executor *executor, size_t size, uint64_t seed) {
	const struct toy_fill wish = { .size = size, .seed = seed };
	struct wf_future *future = more_call(executor, "fill", &wish, sizeof wish);
	const struct wf_outcome *outcome = pool_wait(future);
	void *data = pattern(size, seed);

	expect_kind(outcome, WF_RETURNED);
	ck_assert_uint_eq(outcome->returned.size, size);
	ck_assert_int_eq(memcmp(outcome->returned.data, data, size), 0);
	wf_future_free(future);
	free(data);
}

START_TEST(test_result_buffers_of_all_sizes) {
	struct wf_executor *executor = more_open(_i);

	for (size_t i = 0; i < N_OF(sizes); i++)
		expect_filled(executor, sizes[i], i);
	pool_close(executor);
}
END_TEST

static struct wf_buffer *filled_buffer(size_t size, uint64_t seed) {
	struct wf_buffer *buffer = NULL;

	ck_assert_int_eq(wf_buffer_new(size, &buffer), 0);
	ck_assert_uint_eq(wf_buffer_size(buffer), size);
	toy_pattern(wf_buffer_data(buffer), size, seed);
	return buffer;
}

START_TEST(test_buffers_of_all_sizes) {
	struct wf_executor *executor = more_open(_i);

	for (size_t i = 0; i < N_OF(sizes); i++) {
		void *data = pattern(sizes[i], i);
		struct wf_future *future = pool_submit(
		    executor, &WF_TASK(.function = "digest", .buffer = filled_buffer(sizes[i], i)));

		expect_digest(pool_wait(future), data, sizes[i]);
		wf_future_free(future);
		free(data);
	}
	ck_assert_ptr_null(wf_buffer_free(filled_buffer(12345, 1)));
	ck_assert_ptr_null(wf_buffer_free(NULL));
	pool_close(executor);
}
END_TEST

/* A buffer stays the caller's when the submit fails, and goes with a task that is cancelled. */
START_TEST(test_buffer_of_refused_and_cancelled_task) {
	struct wf_buffer *buffer = filled_buffer(100000, 1);
	struct wf_future *refused = NULL;
	struct cord cord;

	struct wf_executor *executor = more_open_workers(_i, 1);
	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "nosuch", .buffer = buffer), &refused),
	    -ENOENT);
	ck_assert_ptr_null(refused);
	ck_assert_uint_eq(wf_buffer_size(buffer), 100000);

	struct wf_future *gate = more_gate(&cord, executor);
	more_gate_started(&cord);
	struct wf_future *queued =
	    pool_submit(executor, &WF_TASK(.function = "digest", .buffer = buffer));
	ck_assert_int_eq(wf_future_cancel(queued), 0);
	wf_future_free(queued);
	cord_release(&cord);
	more_finish(gate);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* The descriptors return to their count when the pool has closed: the fixture looks. While it is
 * open the count is steady only with reused workers, whose channels stay. */
START_TEST(test_huge_argument_copied) {
	struct wf_executor *executor = more_open_workers(_i, 1);
	void *data = pattern(HUGE_SIZE, 42);

	pool_check_works(executor);
	struct wf_future *future = more_call(executor, "digest", data, HUGE_SIZE);
	expect_digest(pool_wait(future), data, HUGE_SIZE);
	wf_future_free(future);
	free(data);
	pool_close(executor);
}
END_TEST

START_TEST(test_huge_argument_in_a_buffer) {
	struct wf_executor *executor = more_open_workers(REUSED, 1);
	pool_check_works(executor);
	const int before = fixture_count_descriptors();
	void *data = pattern(HUGE_SIZE, 43);

	for (int i = 0; i < 3; i++) {
		struct wf_buffer *buffer = filled_buffer(HUGE_SIZE, 43);
		struct wf_future *future =
		    pool_submit(executor, &WF_TASK(.function = "digest", .buffer = buffer));

		expect_digest(pool_wait(future), data, HUGE_SIZE);
		wf_future_free(future);
		/* at most one memfd is kept for the next task */
		ck_assert_int_le(fixture_count_descriptors(), before + 1);
	}
	free(data);
	pool_close(executor);
}
END_TEST

/* The memory of the first is used for the second, which is shorter, and in the end for another
 * executor's. */
START_TEST(test_what_an_input_leaves_is_not_seen) {
	struct wf_executor *one = more_open(REUSED), *other = more_open(REUSED);
	char text[70000];
	uint64_t n;

	memset(text, 's', sizeof text);
	more_ask(one, "count_behind", text, sizeof text, &n, sizeof n);
	ck_assert_uint_eq(n, 0);
	more_ask(one, "count_behind", text, sizeof text - 100, &n, sizeof n);
	ck_assert_uint_eq(n, 0);
	more_ask(other, "count_behind", text, sizeof text - 200, &n, sizeof n);
	ck_assert_uint_eq(n, 0);
	pool_close(other);
	pool_close(one);
}
END_TEST

START_TEST(test_huge_result) {
	struct wf_executor *executor = more_open_workers(REUSED, 1);
	pool_check_works(executor);
	const int before = fixture_count_descriptors();

	expect_filled(executor, HUGE_SIZE, 44);
	/* fewer, if something that opening needed has been closed since */
	ck_assert_int_le(fixture_count_descriptors(), before);
	pool_close(executor);
}
END_TEST

/* A result that was seen stays when the executor has gone. */
START_TEST(test_large_result_outlives_the_executor) {
	const struct toy_fill wish = { .size = 1 << 20, .seed = 5 };
	struct wf_executor *executor = more_open(_i);
	struct wf_future *future = more_call(executor, "fill", &wish, sizeof wish);
	void *data = pattern(wish.size, wish.seed);

	pool_wait(future);
	pool_close(executor);
	ck_assert_uint_eq(pool_wait(future)->returned.size, wish.size);
	ck_assert_int_eq(memcmp(pool_wait(future)->returned.data, data, wish.size), 0);
	wf_future_free(future);
	free(data);
}
END_TEST

START_TEST(test_too_large_is_refused) {
	struct wf_executor *executor = more_open(_i);
	struct wf_buffer *buffer = NULL;
	struct wf_future *future = NULL;

	ck_assert_int_eq(wf_submit(executor,
				   &WF_TASK(.function = "digest", .input = "x",
					    .input_size = WF_MAX_PAYLOAD + 1),
				   &future),
			 -E2BIG);
	ck_assert_ptr_null(future);
	ck_assert_int_eq(wf_buffer_new(WF_MAX_PAYLOAD + 1, &buffer), -E2BIG);
	ck_assert_ptr_null(buffer);
	ck_assert_int_eq(wf_buffer_new(SIZE_MAX, &buffer), -E2BIG);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

static struct rlimit limit_files(rlim_t size) {
	struct rlimit old, low;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = (struct rlimit){ size, old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
	return old;
}

#define expect_file_limit(r)                                                                       \
	do {                                                                                       \
		ck_assert_int_eq(r, -EIO);                                                         \
		ck_assert_ptr_nonnull(strstr(wf_last_error(), "RLIMIT_FSIZE"));                    \
	} while (0)

/* Memory files count as files there: a sentence says so, and no SIGXFSZ ends the host. */
START_TEST(test_limit_of_files_limits_large_inputs) {
	const size_t most = 100000;
	struct wf_executor *executor = more_open(_i);
	void *data = pattern(most + 1, 1);
	struct wf_buffer *buffer = NULL;
	struct wf_future *future = NULL;
	struct rlimit old = limit_files(most);

	expect_file_limit(wf_submit(
	    executor, &WF_TASK(.function = "digest", .input = data, .input_size = most + 1),
	    &future));
	ck_assert_ptr_null(future);
	expect_file_limit(wf_buffer_new(most + 1, &buffer));
	ck_assert_ptr_null(buffer);
	pool_check_works(executor);
	future = more_call(executor, "digest", data, most);
	expect_digest(pool_wait(future), data, most);
	wf_future_free(future);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	free(data);
	pool_close(executor);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("payload");

	add_for_both(test_case, test_copied_arguments_of_all_sizes);
	add_for_both(test_case, test_arguments_of_all_sizes_handed_ahead);
	add_for_both(test_case, test_echo_of_all_sizes);
	add_for_both(test_case, test_result_buffers_of_all_sizes);
	add_for_both(test_case, test_buffers_of_all_sizes);
	add_for_both(test_case, test_buffer_of_refused_and_cancelled_task);
	add_for_both(test_case, test_huge_argument_copied);
	tcase_add_test(test_case, test_huge_argument_in_a_buffer);
	tcase_add_test(test_case, test_what_an_input_leaves_is_not_seen);
	tcase_add_test(test_case, test_huge_result);
	add_for_both(test_case, test_large_result_outlives_the_executor);
	add_for_both(test_case, test_too_large_is_refused);
	add_for_both(test_case, test_limit_of_files_limits_large_inputs);
	return fixture_run("payload", test_case);
}
