/* SPDX-License-Identifier: MIT
 *
 * Story: what a task finds around it, for one task or for all of an executor.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/more.h"

/* A question to a task, its context, and what it should say. `own` is the task's context; without
 * it, it has the executor's. */
static struct wf_future *ask_in(struct wf_executor *executor, const char *function,
				const void *input, size_t size, const struct wf_context *own) {
	return pool_submit(executor, &WF_TASK(.function = function, .input = input,
					      .input_size = size, .context = own));
}

static void expect_answer(struct wf_executor *executor, const char *function, const char *input,
			  const struct wf_context *own, const char *answer) {
	struct wf_future *future = ask_in(executor, function, input, strlen(input), own);

	expect_text(pool_wait(future), answer);
	wf_future_free(future);
}

static void expect_failure(struct wf_executor *executor, const char *function, const char *input,
			   const struct wf_context *own, int code) {
	struct wf_future *future = ask_in(executor, function, input, strlen(input), own);

	expect_kind(pool_wait(future), WF_FAILED);
	ck_assert_int_eq(pool_wait(future)->failed.code, code);
	wf_future_free(future);
}

static int number_in(struct wf_executor *executor, const char *function,
		     const struct wf_context *own) {
	struct wf_future *future = ask_in(executor, function, NULL, 0, own);
	const struct wf_outcome *outcome = pool_wait(future);
	int number;

	expect_kind(outcome, WF_RETURNED);
	ck_assert_uint_eq(outcome->returned.size, sizeof number);
	memcpy(&number, outcome->returned.data, sizeof number);
	wf_future_free(future);
	return number;
}

static struct wf_executor *open_one_worker(int regime, const struct wf_context *context) {
	struct wf_executor_options options = more_options(regime);

	options.workers = 1;
	options.context = context;
	return pool_open(&options);
}

/* --- environment --- */

static const char *const one[] = { "WF_TEST_ONE=1", "WF_TEST_EMPTY=", NULL };
static const char *const two[] = { "WF_TEST_TWO=two = 2", NULL };

START_TEST(test_environment_of_a_task) {
	const struct wf_context added = WF_CONTEXT(.environment = one);
	struct wf_executor *executor = open_one_worker(_i, NULL);

	ck_assert_int_eq(setenv("WF_TEST_LATE", "set after the pool was opened", 1), 0);
	expect_answer(executor, "environment", "WF_TEST_ONE", &added, "1");
	expect_answer(executor, "environment", "WF_TEST_EMPTY", &added, "");
	expect_answer(executor, "environment", "TOY_MORE", &added, getenv("TOY_MORE"));
	expect_failure(executor, "environment", "WF_TEST_ONE", NULL, ENOENT);
	expect_failure(executor, "environment", "WF_TEST_LATE", NULL, ENOENT);
	pool_close(executor);
}
END_TEST

START_TEST(test_environment_cleared) {
	const struct wf_context cleared = WF_CONTEXT(.clear_environment = true);
	const struct wf_context replaced =
	    WF_CONTEXT(.clear_environment = true, .environment = two);
	struct wf_executor *executor = open_one_worker(_i, NULL);
	const int before = number_in(executor, "count_environment", NULL);

	ck_assert_int_gt(before, 1);
	ck_assert_int_eq(number_in(executor, "count_environment", &cleared), 0);
	ck_assert_int_eq(number_in(executor, "count_environment", &replaced), 1);
	expect_answer(executor, "environment", "WF_TEST_TWO", &replaced, "two = 2");
	ck_assert_int_eq(number_in(executor, "count_environment", NULL), before);
	pool_close(executor);
}
END_TEST

/* A value that the worker has is replaced, and put back. */
START_TEST(test_environment_replaces_and_is_put_back) {
	static const char *const other[] = { "WF_TEST_HOME=task", NULL };
	const struct wf_context context = WF_CONTEXT(.environment = other);

	ck_assert_int_eq(setenv("WF_TEST_HOME", "host", 1), 0);
	struct wf_executor *executor = open_one_worker(_i, NULL);
	for (int i = 0; i < 3; i++) {
		expect_answer(executor, "environment", "WF_TEST_HOME", &context, "task");
		expect_answer(executor, "environment", "WF_TEST_HOME", NULL, "host");
	}
	pool_close(executor);
}
END_TEST

/* A task's own context replaces the executor's as a whole. */
START_TEST(test_context_of_the_executor) {
	const char *const scratch = fixture_scratch();
	const struct wf_context common =
	    WF_CONTEXT(.environment = one, .directory = scratch, .set_umask = true, .umask = 0037);
	const struct wf_context own = WF_CONTEXT(.environment = two);
	struct wf_executor *executor = open_one_worker(_i, &common);

	for (int i = 0; i < 2; i++) {
		expect_answer(executor, "environment", "WF_TEST_ONE", NULL, "1");
		expect_answer(executor, "directory", "", NULL, scratch);
		ck_assert_int_eq(number_in(executor, "umask", NULL), 0037);
		expect_answer(executor, "environment", "WF_TEST_TWO", &own, "two = 2");
		expect_failure(executor, "environment", "WF_TEST_ONE", &own, ENOENT);
		ck_assert_int_ne(number_in(executor, "umask", &own), 0037);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_malformed_environment_is_refused) {
	static const char *const bad[] = { "NOEQUALS", NULL }, *const unnamed[] = { "=x", NULL };
	const struct wf_context first = WF_CONTEXT(.environment = bad);
	const struct wf_context second = WF_CONTEXT(.environment = unnamed);
	struct wf_executor *executor = open_one_worker(_i, NULL);

	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "where", .context = &first), NULL), -EINVAL);
	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "where", .context = &second), NULL), -EINVAL);
	pool_close(executor);
}
END_TEST

/* --- directory and umask --- */

START_TEST(test_directory_of_a_task) {
	const char *const scratch = fixture_scratch();
	const struct wf_context context = WF_CONTEXT(.directory = scratch);
	char here[4096];
	struct wf_executor *executor = open_one_worker(_i, NULL);

	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	for (int i = 0; i < 2; i++) {
		expect_answer(executor, "directory", "", &context, scratch);
		expect_answer(executor, "directory", "", NULL, here);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_missing_directory_does_not_start) {
	const struct wf_context context = WF_CONTEXT(.directory = "/nonexistent/warmfork");
	struct wf_executor *executor = open_one_worker(_i, NULL);

	struct wf_future *future = ask_in(executor, "where", NULL, 0, &context);
	const struct wf_outcome *outcome = pool_wait(future);
	expect_kind(outcome, WF_NOT_STARTED);
	ck_assert_int_eq(outcome->not_started.phase, WF_PHASE_CONTEXT);
	ck_assert_int_eq(outcome->not_started.error, ENOENT);
	wf_future_free(future);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

START_TEST(test_umask_of_a_task) {
	const mode_t mine = umask(0);
	const struct wf_context zero_mask = WF_CONTEXT(.set_umask = true, .umask = 0);
	const struct wf_context strict = WF_CONTEXT(.set_umask = true, .umask = 0777);

	umask(mine);
	struct wf_executor *executor = open_one_worker(_i, NULL);
	ck_assert_int_eq(number_in(executor, "umask", &zero_mask), 0);
	ck_assert_int_eq(number_in(executor, "umask", NULL), (int)mine);
	ck_assert_int_eq(number_in(executor, "umask", &strict), 0777);
	ck_assert_int_eq(number_in(executor, "umask", NULL), (int)mine);
	pool_close(executor);
}
END_TEST

/* --- descriptors --- */

START_TEST(test_descriptors_arrive_in_order) {
	const int descriptors[] = { fixture_pipe_with("first,"), fixture_pipe_with("second,"),
				    fixture_pipe_with("third") };
	const struct wf_context context =
	    WF_CONTEXT(.descriptors = descriptors, .n_descriptors = N_OF(descriptors));
	struct wf_executor *executor = open_one_worker(_i, NULL);
	const int before = number_in(executor, "count_descriptors", NULL);

	/* duplicated at submit: ours may go */
	struct wf_future *future = ask_in(executor, "read_descriptors", NULL, 0, &context);
	for (size_t i = 0; i < N_OF(descriptors); i++)
		close(descriptors[i]);
	expect_text(pool_wait(future), "first,second,third");
	wf_future_free(future);
	ck_assert_int_eq(number_in(executor, "count_descriptors", NULL), before);
	pool_close(executor);
}
END_TEST

START_TEST(test_as_many_descriptors_as_allowed) {
	int descriptors[WF_MAX_DESCRIPTORS + 1];
	struct wf_context context =
	    WF_CONTEXT(.descriptors = descriptors, .n_descriptors = WF_MAX_DESCRIPTORS);
	struct wf_executor *executor = open_one_worker(_i, NULL);
	const int before = number_in(executor, "count_descriptors", NULL);
	char text[WF_MAX_DESCRIPTORS + 1] = "";

	for (int i = 0; i <= WF_MAX_DESCRIPTORS; i++) {
		const char letter[2] = { (char)('0' + i), '\0' };

		descriptors[i] = fixture_pipe_with(letter);
		if (i < WF_MAX_DESCRIPTORS)
			text[i] = letter[0];
	}
	expect_answer(executor, "read_descriptors", "", &context, text);
	ck_assert_int_eq(number_in(executor, "count_descriptors", NULL), before);
	ck_assert_int_eq(number_in(executor, "count_descriptors", &context),
			 before + WF_MAX_DESCRIPTORS);
	context.n_descriptors++;
	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "where", .context = &context), NULL), -E2BIG);
	for (int i = 0; i <= WF_MAX_DESCRIPTORS; i++)
		close(descriptors[i]);
	pool_close(executor);
}
END_TEST

START_TEST(test_bad_descriptor_is_refused) {
	const int closed = fixture_pipe_with("");
	const int negative[] = { -1 }, unused[] = { closed };
	const struct wf_context first = WF_CONTEXT(.descriptors = negative, .n_descriptors = 1);
	const struct wf_context second = WF_CONTEXT(.descriptors = unused, .n_descriptors = 1);
	const struct wf_context third = WF_CONTEXT(.descriptors = NULL, .n_descriptors = 1);
	struct wf_executor *executor = open_one_worker(_i, NULL);

	close(closed);
	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "where", .context = &first), NULL), -EINVAL);
	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "where", .context = &third), NULL), -EINVAL);
	/* a number that the pool does not use for itself */
	if (fcntl(closed, F_GETFD) < 0)
		ck_assert_int_eq(
		    wf_submit(executor, &WF_TASK(.function = "where", .context = &second), NULL),
		    -EINVAL);
	pool_close(executor);
}
END_TEST

START_TEST(test_standard_input) {
	struct wf_context context =
	    WF_CONTEXT(.standard_input = { .mode = WF_STDIO_DESCRIPTOR,
					   .descriptor = fixture_pipe_with("to be read") });
	struct wf_executor *executor = open_one_worker(_i, NULL);

	struct wf_future *future = ask_in(executor, "copy_input", NULL, 0, &context);
	close(context.standard_input.descriptor);
	expect_text(pool_wait(future), "to be read");
	wf_future_free(future);
	expect_answer(executor, "copy_input", "", NULL, "");
	context.standard_input = (struct wf_stdio){ .mode = WF_STDIO_NULL };
	expect_answer(executor, "copy_input", "", &context, "");
	context.standard_input = (struct wf_stdio){ .mode = WF_STDIO_CAPTURE };
	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "where", .context = &context), NULL), -EINVAL);
	pool_close(executor);
}
END_TEST

/* --- limits, priority, affinity --- */

static struct rlimit limit_in(struct wf_executor *executor, int resource,
			      const struct wf_context *own) {
	struct wf_future *future = ask_in(executor, "rlimit", &resource, sizeof resource, own);
	const struct wf_outcome *outcome = pool_wait(future);
	struct rlimit limit;

	expect_kind(outcome, WF_RETURNED);
	ck_assert_uint_eq(outcome->returned.size, sizeof limit);
	memcpy(&limit, outcome->returned.data, sizeof limit);
	wf_future_free(future);
	return limit;
}

START_TEST(test_soft_limits_of_a_task) {
	static const struct wf_rlimit limits[] = { { RLIMIT_CORE, 0 },
						   { RLIMIT_NOFILE, 99 },
						   { RLIMIT_FSIZE, UINT64_MAX } };
	const struct wf_context context = WF_CONTEXT(.rlimits = limits, .n_rlimits = N_OF(limits));
	struct wf_executor *executor = open_one_worker(_i, NULL);
	const struct rlimit before = limit_in(executor, RLIMIT_NOFILE, NULL);

	for (int i = 0; i < 2; i++) {
		const struct rlimit files = limit_in(executor, RLIMIT_NOFILE, &context);
		const struct rlimit size = limit_in(executor, RLIMIT_FSIZE, &context);
		const struct rlimit after = limit_in(executor, RLIMIT_NOFILE, NULL);

		ck_assert_uint_eq(files.rlim_cur, 99);
		ck_assert_uint_eq(files.rlim_max, before.rlim_max);
		ck_assert_uint_eq(size.rlim_cur, size.rlim_max);
		ck_assert_uint_eq(after.rlim_cur, before.rlim_cur);
	}
	ck_assert_uint_eq(limit_in(executor, RLIMIT_CORE, &context).rlim_cur, 0);
	pool_close(executor);
}
END_TEST

START_TEST(test_nonsense_limits_are_refused) {
	struct wf_rlimit limits[17] = { { .resource = -1 } };
	struct wf_context context = WF_CONTEXT(.rlimits = limits, .n_rlimits = 1);
	struct wf_executor *executor = open_one_worker(_i, NULL);

	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "where", .context = &context), NULL), -EINVAL);
	limits[0].resource = 1000;
	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "where", .context = &context), NULL), -EINVAL);
	limits[0].resource = RLIMIT_CORE;
	context.n_rlimits = N_OF(limits);
	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "where", .context = &context), NULL), -E2BIG);
	pool_close(executor);
}
END_TEST

/* Without privilege, niceness cannot be lowered again, so a reused worker leaves. */
START_TEST(test_nice_of_a_task) {
	const struct wf_context context = WF_CONTEXT(.nice = 3);
	struct wf_executor *executor = open_one_worker(_i, NULL);
	const int before = number_in(executor, "nice", NULL);
	const uint64_t worker_id = more_where(executor).worker_id;

	ck_assert_int_eq(number_in(executor, "nice", &context), before + 3);
	ck_assert_int_eq(number_in(executor, "nice", NULL), before);
	ck_assert_uint_ne(more_where(executor).worker_id, worker_id);
	pool_close(executor);
}
END_TEST

/* The CPUs that a task with this context may use. */
static cpu_set_t cpus_in(struct wf_executor *executor, const struct wf_context *own) {
	struct wf_future *future = ask_in(executor, "cpus", NULL, 0, own);
	const struct wf_outcome *outcome = pool_wait(future);
	cpu_set_t set;

	expect_kind(outcome, WF_RETURNED);
	ck_assert_uint_eq(outcome->returned.size, sizeof set);
	memcpy(&set, outcome->returned.data, sizeof set);
	wf_future_free(future);
	return set;
}

START_TEST(test_cpus_of_a_task) {
	cpu_set_t mine;
	unsigned last = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof mine, &mine), 0);
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		last = CPU_ISSET(i, &mine) ? i : last;
	const struct wf_context context = WF_CONTEXT(.cpus = &last, .n_cpus = 1);
	struct wf_executor *executor = open_one_worker(_i, NULL);
	for (int i = 0; i < 2; i++) {
		const cpu_set_t pinned = cpus_in(executor, &context);
		const cpu_set_t free_again = cpus_in(executor, NULL);

		ck_assert_int_eq(CPU_COUNT(&pinned), 1);
		ck_assert_int_ne(CPU_ISSET(last, &pinned), 0);
		ck_assert_int_ne(CPU_EQUAL(&free_again, &mine), 0);
	}
	pool_close(executor);
}
END_TEST

/* --- the struct itself --- */

START_TEST(test_context_struct_of_a_wrong_size) {
	struct wf_context context = { 0 };
	struct wf_executor *executor = open_one_worker(_i, NULL);

	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "where", .context = &context), NULL), -EINVAL);
	context.size = 4;
	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "where", .context = &context), NULL), -EINVAL);
	context = WF_CONTEXT(.standard_output = { .mode = (enum wf_stdio_mode)99 });
	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.function = "where", .context = &context), NULL), -EINVAL);
	pool_close(executor);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("context");

	add_for_both(test_case, test_environment_of_a_task);
	add_for_both(test_case, test_environment_cleared);
	add_for_both(test_case, test_environment_replaces_and_is_put_back);
	add_for_both(test_case, test_context_of_the_executor);
	add_for_both(test_case, test_malformed_environment_is_refused);
	add_for_both(test_case, test_directory_of_a_task);
	add_for_both(test_case, test_missing_directory_does_not_start);
	add_for_both(test_case, test_umask_of_a_task);
	add_for_both(test_case, test_descriptors_arrive_in_order);
	add_for_both(test_case, test_as_many_descriptors_as_allowed);
	add_for_both(test_case, test_bad_descriptor_is_refused);
	add_for_both(test_case, test_standard_input);
	add_for_both(test_case, test_soft_limits_of_a_task);
	add_for_both(test_case, test_nonsense_limits_are_refused);
	add_for_both(test_case, test_nice_of_a_task);
	add_for_both(test_case, test_cpus_of_a_task);
	add_for_both(test_case, test_context_struct_of_a_wrong_size);
	return fixture_run("context", test_case);
}
