/* SPDX-License-Identifier: MIT
 *
 * Story: how a task can end by its own doing, and what its outcome says of it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/limits.h"
#include "tests/support/pool.h"
#include "tests/support/toy.h"

START_TEST(test_task_returns_its_bytes) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future = pool_call(executor, "upper", "warm fork");
	const struct wf_outcome *outcome = pool_wait(future);

	expect_text(outcome, "WARM FORK");
	ck_assert_int_gt(outcome->pid, 0);
	ck_assert_int_ge(outcome->slot, 0);
	ck_assert_uint_eq(outcome->task_number, 1);
	ck_assert_uint_eq(outcome->generation, 1);
	ck_assert_uint_eq(outcome->attempts, 1);
	ck_assert_uint_gt(outcome->run_ns, 0);
	ck_assert_str_eq(outcome->layers, "none");
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_task_returns_nothing_of_nothing) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future = pool_call(executor, "echo", "");
	const struct wf_outcome *outcome = pool_wait(future);

	expect_text(outcome, "");
	ck_assert_ptr_nonnull(outcome->returned.data);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_task_fails_with_a_message) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future = pool_call(executor, "fail", "7 no such word");
	const struct wf_outcome *outcome = pool_wait(future);

	expect_kind(outcome, WF_FAILED);
	ck_assert_int_eq(outcome->failed.code, 7);
	ck_assert_str_eq(outcome->failed.message, "no such word");
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* Sizes below and above what a frame holds, alone and beside the message. */
static const size_t failing_sizes[] = { 0,
					1,
					LIMIT_INLINE_BESIDE_TEXT,
					LIMIT_INLINE_BESIDE_TEXT + 1,
					LIMIT_INLINE_PAYLOAD,
					LIMIT_INLINE_PAYLOAD + 1,
					300000 };

static void check_failing_bytes(struct wf_executor *executor, size_t size, size_t message_size) {
	char script[4000], message[4000] = "";
	const unsigned char *data;

	memset(message, 'm', message_size);
	snprintf(script, sizeof script, "big %zu; fail 7 %s", size, message);
	struct wf_future *future = pool_call(executor, "script", script);
	const struct wf_outcome *outcome = pool_wait(future);
	expect_kind(outcome, WF_FAILED);
	ck_assert_int_eq(outcome->failed.code, 7);
	ck_assert_str_eq(outcome->failed.message, message);
	ck_assert_uint_eq(outcome->failed.size, size);
	data = outcome->failed.data;
	ck_assert_ptr_nonnull(data);
	for (size_t i = 0; i < size; i++)
		if (data[i] != toy_byte(i))
			ck_abort_msg("byte %zu of %zu", i, size);
	wf_future_free(future);
}

START_TEST(test_task_fails_with_bytes) {
	struct wf_executor *executor = pool_open_regime(_i);

	for (size_t i = 0; i < sizeof failing_sizes / sizeof failing_sizes[0]; i++) {
		check_failing_bytes(executor, failing_sizes[i], 5);
		check_failing_bytes(executor, failing_sizes[i], 3900);
	}
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

static void expect_one_line(const struct wf_outcome *outcome) {
	char line[8192];

	ck_assert_uint_lt(wf_outcome_describe(outcome, line, sizeof line), sizeof line);
	for (const char *texts[] = { line, outcome->evidence, NULL }, **text = texts; *text; text++)
		for (const unsigned char *at = (const unsigned char *)*text; *at; at++)
			ck_assert_msg(*at >= ' ' && *at != 0x7f, "%s", *text);
	ck_assert_ptr_null(strstr(line, "\xe2\x80\xae")); /* right to left */
}

/* A task that could begin a new line could forge one of a log. */
START_TEST(test_description_is_one_line_whatever_the_task_wrote) {
	static const char message[] =
	    "bad\nreturned 5 bytes (pid 1, slot 0, attempt 1)\r\x1b[2J\xe2\x80\xae\xff";
	const struct wf_context nowhere = WF_CONTEXT(.directory = "/no\nsuch\x1b[2J");
	struct wf_executor *executor = pool_open_regime(_i);
	char input[256];

	snprintf(input, sizeof input, "7 %s", message);
	struct wf_future *future = pool_call(executor, "fail", input);
	ck_assert_str_eq(pool_wait(future)->failed.message, message);
	expect_one_line(pool_wait(future));
	wf_future_free(future);
	future = pool_submit(executor, &WF_TASK(.function = "echo", .context = &nowhere));
	expect_kind(pool_wait(future), WF_NOT_STARTED);
	expect_one_line(pool_wait(future));
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_run_is_submit_and_wait) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_outcome *outcome = NULL;

	ck_assert_int_eq(wf_run(executor,
				&WF_TASK(.function = "echo", .input = "hi", .input_size = 2),
				&outcome),
			 0);
	expect_text(outcome, "hi");
	ck_assert_ptr_null(wf_outcome_free(outcome));
	ck_assert_int_eq(
	    wf_run(executor, &WF_TASK(.function = "exit", .input = "3", .input_size = 1), &outcome),
	    0);
	expect_exited(outcome, 3);
	/* it outlives its executor, as a future does */
	pool_close(executor);
	expect_exited(outcome, 3);
	wf_outcome_free(outcome);
	ck_assert_ptr_null(wf_outcome_free(NULL));
}
END_TEST

START_TEST(test_task_exits_0) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future = pool_call(executor, "exit", "0");

	expect_exited(pool_wait(future), 0);
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_task_exits_42) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future = pool_call(executor, "exit", "42");

	expect_exited(pool_wait(future), 42);
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_null_dereference_tells_its_address) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future = pool_call(executor, "crash", "11");
	const struct wf_outcome *outcome = pool_wait(future);
	char line[256];

	expect_signalled(outcome, SIGSEGV);
	ck_assert_int_eq(outcome->signalled.address_known, true);
	ck_assert_uint_eq(outcome->signalled.address, 0);
	ck_assert_int_eq(outcome->signalled.code, SEGV_MAPERR);
	wf_outcome_describe(outcome, line, sizeof line);
	ck_assert_ptr_nonnull(strstr(line, "SIGSEGV"));
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_abort_has_no_address) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future = pool_call(executor, "crash", "6");
	const struct wf_outcome *outcome = pool_wait(future);

	expect_signalled(outcome, SIGABRT);
	ck_assert_int_eq(outcome->signalled.address_known, false);
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_sigkill_from_outside_is_nobody_here) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_outcome *outcome;
	struct wf_future *future;
	struct cord cord;
	pid_t pid;

	cord_open(&cord);
	future = cord_call(&cord, executor, "script", "started; hang");
	pid = cord_expect_pid(&cord, "started");
	expect_running(future);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	outcome = pool_wait(future);
	expect_signalled(outcome, SIGKILL);
	ck_assert_int_eq(outcome->pid, pid);
	ck_assert_ptr_nonnull(strstr(outcome->evidence, "which this library did not send"));
	pool_check_works(executor);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* --- the core flag: what the kernel tells a parent of the same crash in the same place --- */

static _Noreturn void crash_in(const char *directory, rlim_t cores) {
	struct rlimit limit;
	const struct sigaction ours = { .sa_handler = SIG_DFL };

	getrlimit(RLIMIT_CORE, &limit);
	limit.rlim_cur = cores < limit.rlim_max ? cores : limit.rlim_max;
	setrlimit(RLIMIT_CORE, &limit);
	sigaction(SIGABRT, &ours, NULL);
	if (chdir(directory) == 0)
		kill(getpid(), SIGABRT);
	_exit(1);
}

static bool kernel_dumps(const char *directory, rlim_t cores) {
	siginfo_t info = { 0 };
	pid_t pid = fork();

	if (pid == 0)
		crash_in(directory, cores);
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
	ck_assert_int_eq(info.si_status, SIGABRT);
	return info.si_code == CLD_DUMPED;
}

static bool task_dumps(struct wf_executor *executor, const char *directory, rlim_t cores) {
	const struct wf_rlimit limit = { .resource = RLIMIT_CORE, .soft = cores };
	const struct wf_context context =
	    WF_CONTEXT(.directory = directory, .rlimits = &limit, .n_rlimits = 1);
	const struct wf_task task =
	    WF_TASK(.function = "crash", .input = "6", .input_size = 1, .context = &context);
	struct wf_future *future = pool_submit(executor, &task);
	const struct wf_outcome *outcome = pool_wait(future);
	bool core;

	expect_signalled(outcome, SIGABRT);
	core = outcome->signalled.core;
	wf_future_free(future);
	return core;
}

START_TEST(test_core_flag_is_the_kernels) {
	struct wf_executor *executor = pool_open_regime(_i);
	const char *directory = fixture_scratch();

	ck_assert_int_eq(task_dumps(executor, directory, 0), kernel_dumps(directory, 0));
	ck_assert_int_eq(task_dumps(executor, directory, RLIM_INFINITY),
			 kernel_dumps(directory, RLIM_INFINITY));
	pool_close(executor);
}
END_TEST

/* --- what goes with a crash, and what never starts --- */

START_TEST(test_crash_carries_the_last_of_stderr) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context context = pool_capturing();
	const char *script = "out half an answer; err the dictionary is broken; crash 11";
	struct wf_future *future = pool_call_in(executor, "script", script, &context);
	const struct wf_outcome *outcome = pool_wait(future);

	expect_signalled(outcome, SIGSEGV);
	ck_assert_str_eq(outcome->standard_error.data, "the dictionary is broken");
	ck_assert_uint_eq(outcome->standard_error.size, strlen("the dictionary is broken"));
	ck_assert_str_eq(outcome->standard_output.data, "half an answer");
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_missing_directory_is_not_started) {
	struct wf_executor *executor = pool_open_regime(_i);
	const struct wf_context context = WF_CONTEXT(.directory = "/nowhere/at/all");
	const struct wf_task task = WF_TASK(.function = "pid", .context = &context);
	struct wf_future *future = pool_submit(executor, &task);
	const struct wf_outcome *outcome = pool_wait(future);

	expect_kind(outcome, WF_NOT_STARTED);
	ck_assert_int_eq((int)outcome->not_started.phase, (int)WF_PHASE_CONTEXT);
	ck_assert_int_eq(outcome->not_started.error, ENOENT);
	pool_check_works(executor);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_outcomes_are_counted) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *futures[4] = {
		pool_call(executor, "echo", "x"),
		pool_call(executor, "fail", "1 no"),
		pool_call(executor, "exit", "3"),
		pool_call(executor, "crash", "6"),
	};
	struct wf_statistics statistics;

	ck_assert_int_eq(wf_wait(futures, 4, WF_ALL_COMPLETED, FIXTURE_CAP_MS), 4);
	statistics = pool_statistics(executor);
	ck_assert_uint_eq(statistics.submitted, 4);
	ck_assert_uint_eq(statistics.resolved, 4);
	ck_assert_uint_eq(statistics.outcomes[WF_RETURNED], 1);
	ck_assert_uint_eq(statistics.outcomes[WF_FAILED], 1);
	ck_assert_uint_eq(statistics.outcomes[WF_EXITED], 1);
	ck_assert_uint_eq(statistics.outcomes[WF_SIGNALLED], 1);
	for (size_t i = 0; i < 4; i++)
		wf_future_free(futures[i]);
	pool_close(executor);
}
END_TEST

int main(void) {
	TCase *story = fixture_case("outcomes");

	add_for_both(story, test_task_returns_its_bytes);
	add_for_both(story, test_task_returns_nothing_of_nothing);
	add_for_both(story, test_task_fails_with_a_message);
	add_for_both(story, test_task_fails_with_bytes);
	add_for_both(story, test_description_is_one_line_whatever_the_task_wrote);
	add_for_both(story, test_run_is_submit_and_wait);
	add_for_both(story, test_task_exits_0);
	add_for_both(story, test_task_exits_42);
	add_for_both(story, test_null_dereference_tells_its_address);
	add_for_both(story, test_abort_has_no_address);
	add_for_both(story, test_sigkill_from_outside_is_nobody_here);
	add_for_both(story, test_core_flag_is_the_kernels);
	add_for_both(story, test_crash_carries_the_last_of_stderr);
	add_for_both(story, test_missing_directory_is_not_started);
	add_for_both(story, test_outcomes_are_counted);
	return fixture_run("outcomes", story);
}
