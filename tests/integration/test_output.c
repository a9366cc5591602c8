/* SPDX-License-Identifier: MIT
 *
 * Story: where the standard streams of a task come from and go to.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "tests/support/pool.h"
#include "tests/support/toy.h"

static struct wf_context capture(size_t limit, enum wf_on_overflow overflow) {
	return WF_CONTEXT(.standard_output = { .mode = WF_STDIO_CAPTURE,
					       .limit = limit,
					       .overflow = overflow },
			  .standard_error = {
			      .mode = WF_STDIO_CAPTURE, .limit = limit, .overflow = overflow });
}

static void expect_captured(const struct wf_capture *stream, const char *text) {
	ck_assert_str_eq(stream->data, text);
	ck_assert_uint_eq(stream->size, strlen(text));
	ck_assert_uint_eq(stream->dropped, 0);
}

/* Letters `from` .. `from + size` of what "spam" writes. */
static void expect_letters(const struct wf_capture *stream, size_t from, size_t size) {
	ck_assert_uint_eq(stream->size, size);
	for (size_t i = 0; i < size; i++)
		ck_assert_int_eq(stream->data[i], toy_letter(from + i));
	ck_assert_int_eq(stream->data[size], '\0');
}

START_TEST(test_capture_keeps_the_streams_apart) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context context = capture(0, WF_OVERFLOW_TRUNCATE);
	struct wf_future *future =
	    pool_call_in(executor, "script", "out hello; err oops; echo x", &context);
	const struct wf_outcome *outcome = pool_wait(future);

	expect_text(outcome, "x");
	expect_captured(&outcome->standard_output, "hello");
	expect_captured(&outcome->standard_error, "oops");
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_capture_has_what_stdio_buffered_once) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context context = capture(0, WF_OVERFLOW_TRUNCATE);

	for (int round = 0; round < 3; round++) {
		struct wf_future *future =
		    pool_call_in(executor, "script", "print buffered; echo x", &context);

		expect_text(pool_wait(future), "x");
		expect_captured(&wf_future_outcome(future)->standard_output, "buffered");
		wf_future_free(future);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_capture_is_empty_unless_asked_for) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context captured = capture(0, WF_OVERFLOW_TRUNCATE);
	const struct wf_context null = WF_CONTEXT(.standard_output = { .mode = WF_STDIO_NULL });
	struct wf_future *first = pool_call_in(executor, "script", "out first; echo x", &captured);
	struct wf_future *second;

	expect_captured(&pool_wait(first)->standard_output, "first");
	second = pool_call_in(executor, "script", "out second; echo y", &null);
	expect_text(pool_wait(second), "y");
	expect_captured(&wf_future_outcome(second)->standard_output, "");
	expect_captured(&wf_future_outcome(first)->standard_output, "first");
	wf_future_free(first);
	wf_future_free(second);
	pool_close(executor);
}
END_TEST

START_TEST(test_truncated_output_keeps_its_end) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context context = capture(1000, WF_OVERFLOW_TRUNCATE);
	struct wf_future *future =
	    pool_call_in(executor, "script", "spam 1 300000; spam 2 1000", &context);
	const struct wf_outcome *outcome = pool_wait(future);

	expect_text(outcome, "spammed");
	expect_letters(&outcome->standard_output, 299000, 1000);
	ck_assert_uint_eq(outcome->standard_output.dropped, 299000);
	expect_letters(&outcome->standard_error, 0, 1000);
	ck_assert_uint_eq(outcome->standard_error.dropped, 0);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_output_limit_ends_the_task) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context context = capture(1000, WF_OVERFLOW_KILL);
	struct wf_future *future =
	    pool_call_in(executor, "script", "spam 2 10000000; hang", &context);
	const struct wf_outcome *outcome = pool_wait(future);

	expect_kind(outcome, WF_OUTPUT_LIMIT);
	ck_assert_int_eq(outcome->output_limit.stream, 2);
	ck_assert_uint_eq(outcome->output_limit.limit, 1000);
	expect_letters(&outcome->standard_error, 0, 1000);
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* It writes little and ends at once: what it wrote is read after its result has come. */
START_TEST(test_output_limit_counts_to_the_end) {
	static const char script[] = "spam 1 2000";
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context context = capture(1000, WF_OVERFLOW_KILL);

	for (int round = 0; round < 20; round++) {
		struct wf_future *future = pool_submit(
		    executor,
		    &WF_TASK(.function = "script", .input = script, .input_size = sizeof script - 1,
			     .context = &context, .flags = round % 2 ? WF_TASK_WAIT_EXIT : 0));

		expect_kind(pool_wait(future), WF_OUTPUT_LIMIT);
		expect_letters(&wf_future_outcome(future)->standard_output, 0, 1000);
		wf_future_free(future);
	}
	pool_close(executor);
}
END_TEST

/* Nobody can read or close such a pipe. The child ends with its task, and then it is read. */
START_TEST(test_pipe_that_is_held_keeps_nobody) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future;
	struct cord cord;

	cord_open(&cord);
	cord.context.standard_output.mode = WF_STDIO_CAPTURE;
	future = cord_call(&cord, executor, "script", "out before; lock_pipe; hang");
	(void)cord_expect_pid(&cord, "lock_pipe");
	pool_check_works(executor);
	ck_assert_int_eq(wf_future_kill(future, WF_NO_GRACE), 0);
	expect_kind(pool_wait(future), WF_KILLED);
	expect_captured(&wf_future_outcome(future)->standard_output, "before");
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* It was to be killed, and returned in time: what it wrote is too much all the same. */
START_TEST(test_output_limit_counts_in_the_grace_of_a_kill) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future;
	struct cord cord;

	cord_open(&cord);
	cord.context.standard_output = (struct wf_stdio){ .mode = WF_STDIO_CAPTURE,
							  .limit = 1000,
							  .overflow = WF_OVERFLOW_KILL };
	future = cord_call(&cord, executor, "script", "deaf; started; wait; spam 1 2000");
	(void)cord_expect(&cord, "started");
	ck_assert_int_eq(wf_future_kill(future, FIXTURE_CAP_MS), 0);
	cord_release(&cord);
	expect_kind(pool_wait(future), WF_OUTPUT_LIMIT);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* Neighbours finish many tasks while others hold their pipes again and again. */
START_TEST(test_pipes_that_are_held_again_and_again_keep_nobody) {
	struct wf_executor *executor = pool_open_workers(_i, 4);
	const struct wf_context context = capture(0, WF_OVERFLOW_TRUNCATE);
	struct wf_future *holders[3];

	for (int i = 0; i < 3; i++)
		holders[i] = pool_call_in(executor, "script", "pulse_pipe 60", &context);
	for (int i = 0; i < 20; i++) {
		struct wf_future *future =
		    pool_call_in(executor, "script", "out brief; echo x", &context);

		expect_text(pool_wait(future), "x");
		expect_captured(&wf_future_outcome(future)->standard_output, "brief");
		wf_future_free(future);
	}
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(wf_future_state(holders[i]), WF_RUNNING);
	for (int i = 0; i < 3; i++) {
		expect_text(pool_wait(holders[i]), "pulsed");
		ck_assert_uint_eq(wf_future_outcome(holders[i])->standard_output.size, 60);
		wf_future_free(holders[i]);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_pipe_that_is_held_at_once_keeps_nobody) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context context = capture(0, WF_OVERFLOW_TRUNCATE);

	for (int round = 0; round < 10; round++) {
		struct wf_task task =
		    WF_TASK(.function = "script", .input = "fill_and_lock", .input_size = 13,
			    .context = &context, .timeout_ms = 50);
		struct wf_future *future = pool_submit(executor, &task);

		expect_kind(pool_wait(future), WF_TIMED_OUT);
		ck_assert_uint_eq(wf_future_outcome(future)->standard_output.size, TOY_FILLS);
		wf_future_free(future);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_pipe_that_is_held_at_the_end_keeps_nobody) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context context = capture(0, WF_OVERFLOW_TRUNCATE);

	for (int round = 0; round < 5; round++) {
		struct wf_future *future =
		    pool_call_in(executor, "script", "out before; lock_pipe", &context);

		pool_check_works(executor);
		expect_text(pool_wait(future), "locked");
		expect_captured(&wf_future_outcome(future)->standard_output, "before");
		wf_future_free(future);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_grandchild_with_the_pipes_delays_nothing) {
	struct wf_executor *executor = pool_open_regime(_i);
	static struct watch watch;
	struct wf_future *future;
	struct cord cord;

	cord_open(&cord);
	cord.context.standard_output.mode = WF_STDIO_CAPTURE;
	cord.context.standard_error.mode = WF_STDIO_CAPTURE;
	future = cord_call(&cord, executor, "script", "out before; hold_pipes; echo resolved");
	watch_add(&watch, cord_expect_pid(&cord, "hold_pipes"));
	expect_text(pool_wait(future), "resolved");
	expect_captured(&wf_future_outcome(future)->standard_output, "before");
	pool_check_works(executor);
	expect_ended(&watch);
	watch_clear(&watch);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* --- descriptors --- */

static void expect_read(int fd, const char *text) {
	char buffer[256];
	size_t used = 0;

	while (used < strlen(text)) {
		struct pollfd event = { .fd = fd, .events = POLLIN };
		ssize_t n;

		ck_assert_int_eq(poll(&event, 1, FIXTURE_CAP_MS), 1);
		n = read(fd, buffer + used, sizeof buffer - 1 - used);
		ck_assert_int_gt(n, 0);
		used += (size_t)n;
	}
	buffer[used] = '\0';
	ck_assert_str_eq(buffer, text);
}

START_TEST(test_stdin_from_a_descriptor) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context context =
	    WF_CONTEXT(.standard_input = {
			   .mode = WF_STDIO_DESCRIPTOR,
			   .descriptor = fixture_pipe_with("from a pipe"),
		       });
	struct wf_future *future = pool_call_in(executor, "script", "cat", &context);

	close(context.standard_input.descriptor);
	expect_text(pool_wait(future), "from a pipe");
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_stdin_is_empty_by_default) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context null = WF_CONTEXT(.standard_input = { .mode = WF_STDIO_NULL });
	struct wf_future *future = pool_call_in(executor, "script", "cat", &null);
	struct wf_future *by_default = pool_call_in(executor, "script", "cat", NULL);

	expect_text(pool_wait(future), "");
	expect_text(pool_wait(by_default), "");
	wf_future_free(future);
	wf_future_free(by_default);
	pool_close(executor);
}
END_TEST

START_TEST(test_output_to_a_descriptor) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	future = pool_call_in(
	    executor, "script", "out one; err two; echo x",
	    &WF_CONTEXT(.standard_output = { .mode = WF_STDIO_DESCRIPTOR, .descriptor = ends[1] },
			.standard_error = { .mode = WF_STDIO_DESCRIPTOR, .descriptor = ends[1] }));
	close(ends[1]);
	expect_read(ends[0], "onetwo");
	expect_text(pool_wait(future), "x");
	ck_assert_uint_eq(wf_future_outcome(future)->standard_output.size, 0);
	close(ends[0]);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_output_inherits_what_the_host_had_at_open) {
	struct wf_executor *executor;
	struct wf_future *future;
	int ends[2], saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
	executor = pool_open_regime(_i);
	ck_assert_int_eq(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
	close(saved);
	close(ends[1]);
	future = pool_call_in(executor, "script", "out inherited", NULL);
	expect_read(ends[0], "inherited");
	expect_kind(pool_wait(future), WF_RETURNED);
	close(ends[0]);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_bad_descriptor_is_refused_at_submit) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context context =
	    WF_CONTEXT(.standard_input = { .mode = WF_STDIO_DESCRIPTOR, .descriptor = -1 });
	const struct wf_task task = WF_TASK(.function = "cat", .context = &context);
	struct wf_future *future = NULL;

	ck_assert_int_eq(wf_submit(executor, &task, &future), -EINVAL);
	ck_assert_ptr_null(future);
	pool_close(executor);
}
END_TEST

int main(void) {
	TCase *story = fixture_case("output");

	add_for_both(story, test_capture_keeps_the_streams_apart);
	add_for_both(story, test_capture_has_what_stdio_buffered_once);
	add_for_both(story, test_capture_is_empty_unless_asked_for);
	add_for_both(story, test_truncated_output_keeps_its_end);
	add_for_both(story, test_output_limit_ends_the_task);
	add_for_both(story, test_output_limit_counts_to_the_end);
	add_for_both(story, test_output_limit_counts_in_the_grace_of_a_kill);
	add_for_both(story, test_pipes_that_are_held_again_and_again_keep_nobody);
	add_for_both(story, test_pipe_that_is_held_keeps_nobody);
	add_for_both(story, test_pipe_that_is_held_at_once_keeps_nobody);
	add_for_both(story, test_pipe_that_is_held_at_the_end_keeps_nobody);
	add_for_both(story, test_grandchild_with_the_pipes_delays_nothing);
	add_for_both(story, test_stdin_from_a_descriptor);
	add_for_both(story, test_stdin_is_empty_by_default);
	add_for_both(story, test_output_to_a_descriptor);
	add_for_both(story, test_output_inherits_what_the_host_had_at_open);
	add_for_both(story, test_bad_descriptor_is_refused_at_submit);
	return fixture_run("output", story);
}
