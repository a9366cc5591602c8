/* SPDX-License-Identifier: MIT
 *
 * A pool of the toy module, in the words of the integration stories.
 */
#include "tests/support/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/look.h"
#include "tests/support/number.h"

enum wf_freeze pool_freeze(void) {
	const char *wish = getenv("WF_TEST_FREEZE");

	if (POOL_SANITIZED || (wish != NULL && strcmp(wish, "never") == 0))
		return WF_FREEZE_NEVER;
	return WF_FREEZE_ALWAYS;
}

struct wf_executor_options pool_options(int regime) {
	return WF_EXECUTOR_OPTIONS(.module = getenv("TOY"), .helper = getenv("WARMFORK_HELPER"),
				   .workers = 2, .max_tasks_per_worker = regime == FRESH ? 1 : 0,
				   .freeze = pool_freeze(), .tuning.hand_ahead = 1);
}

struct wf_executor *pool_open(const struct wf_executor_options *options) {
	struct wf_executor *executor = NULL;
	int result = wf_executor_open(options, &executor);

	ck_assert_msg(result == 0, "wf_executor_open: %d: %s", result, wf_last_error());
	ck_assert_ptr_nonnull(executor);
	return executor;
}

struct wf_executor *pool_open_regime(int regime) {
	const struct wf_executor_options options = pool_options(regime);

	return pool_open(&options);
}

struct wf_executor *pool_open_workers(int regime, int workers) {
	struct wf_executor_options options = pool_options(regime);

	options.workers = workers;
	return pool_open(&options);
}

void pool_close(struct wf_executor *executor) {
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_FINISH), 0);
	ck_assert_ptr_null(wf_executor_free(executor));
}

struct wf_future *pool_submit(struct wf_executor *executor, const struct wf_task *task) {
	struct wf_future *future = NULL;
	int result = wf_submit(executor, task, &future);

	ck_assert_msg(result == 0, "wf_submit(%s): %d: %s", task->function, result,
		      wf_last_error());
	ck_assert_ptr_nonnull(future);
	return future;
}

struct wf_future *pool_call_in(struct wf_executor *executor, const char *function,
			       const char *input, const struct wf_context *context) {
	const struct wf_task task = WF_TASK(.function = function, .input = input,
					    .input_size = strlen(input), .context = context);

	return pool_submit(executor, &task);
}

struct wf_future *pool_call(struct wf_executor *executor, const char *function, const char *input) {
	return pool_call_in(executor, function, input, NULL);
}

struct wf_context pool_capturing(void) {
	return WF_CONTEXT(.standard_output = { .mode = WF_STDIO_CAPTURE },
			  .standard_error = { .mode = WF_STDIO_CAPTURE });
}

const struct wf_outcome *pool_wait(struct wf_future *future) {
	const struct wf_outcome *outcome = wf_future_wait(future, FIXTURE_CAP_MS);

	ck_assert_msg(outcome != NULL, "not resolved in %d ms (state %d)", FIXTURE_CAP_MS,
		      (int)wf_future_state(future));
	ck_assert_ptr_nonnull(outcome->evidence);
	return outcome;
}

void pool_check_works(struct wf_executor *executor) {
	struct wf_future *future = pool_call(executor, "echo", "still here");

	expect_text(pool_wait(future), "still here");
	wf_future_free(future);
}

void pool_ask(struct wf_executor *executor, const char *function, const char *input, char *answer,
	      size_t size) {
	struct wf_future *future = pool_call(executor, function, input);
	const struct wf_outcome *outcome = pool_wait(future);

	expect_kind(outcome, WF_RETURNED);
	ck_assert_uint_lt(outcome->returned.size, size);
	memcpy(answer, outcome->returned.data, outcome->returned.size);
	answer[outcome->returned.size] = '\0';
	wf_future_free(future);
}

pid_t pool_ask_pid(struct wf_executor *executor) {
	char answer[32];

	pool_ask(executor, "pid", "", answer, sizeof answer);
	return (pid_t)number_at(answer, NULL);
}

struct wf_statistics pool_statistics(struct wf_executor *executor) {
	struct wf_statistics statistics = { .size = sizeof statistics };

	ck_assert_int_eq(wf_executor_statistics(executor, &statistics), 0);
	return statistics;
}

bool pool_reaches(struct wf_executor *executor, pool_wanted wanted) {
	struct look look = look_begin(FIXTURE_CAP_MS);

	do {
		const struct wf_statistics statistics = pool_statistics(executor);

		if (wanted(&statistics))
			return true;
	} while (look_again(&look));
	return false;
}

void pool_watch(struct wf_executor *executor, struct watch *watch) {
	const struct wf_statistics statistics = pool_statistics(executor);

	ck_assert_int_gt(statistics.keeper_pid, 0);
	watch_pool(watch, statistics.keeper_pid);
}

void pool_watch_workers(struct wf_executor *executor, struct watch *watch) {
	const pid_t zygote = pool_statistics(executor).zygote_pid;
	static struct watch all;

	ck_assert_int_gt(zygote, 0);
	watch_tree(&all, zygote);
	for (size_t i = 0; i < all.n; i++) {
		if (process_parent(all.items[i].pid) == zygote)
			watch_add(watch, all.items[i].pid);
	}
	watch_clear(&all);
}

void pool_stop_process(pid_t pid) {
	struct look look = look_begin(FIXTURE_CAP_MS);

	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	while (process_state(pid) != 'T' && look_again(&look))
		;
	ck_assert_int_eq(process_state(pid), 'T');
}

void pool_end_process(pid_t pid) {
	static struct watch watch;

	ck_assert_int_gt(pid, 0);
	watch_add(&watch, pid);
	ck_assert_uint_eq(watch_alive(&watch), 1);
	watch_kill(&watch);
	expect_ended(&watch);
	watch_clear(&watch);
}

bool pool_has_second_zygote(const struct wf_statistics *statistics) {
	return statistics->zygote_starts == 2 && statistics->zygote_pid > 0;
}

const char *pool_describe(const struct wf_outcome *outcome) {
	static char text[4096];
	size_t n;

	if (outcome == NULL)
		return "no outcome";
	n = wf_outcome_describe(outcome, text, sizeof text);
	if (n < sizeof text)
		snprintf(text + n, sizeof text - n, "; evidence: %s; stderr: %s", outcome->evidence,
			 outcome->standard_error.data);
	return text;
}

/* --- cords --- */

void cord_open(struct cord *cord) {
	int report[2], release[2];

	ck_assert_int_eq(pipe2(report, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(release, O_CLOEXEC), 0);
	*cord = (struct cord){ .report = report[0],
			       .release = release[1],
			       .task = { report[1], release[0] },
			       .context = WF_CONTEXT(.n_descriptors = 2) };
}

struct wf_future *cord_submit(struct cord *cord, struct wf_executor *executor,
			      struct wf_task *task) {
	struct wf_future *future;

	cord->context.descriptors = cord->task;
	task->context = &cord->context;
	future = pool_submit(executor, task);
	close(cord->task[0]);
	close(cord->task[1]);
	return future;
}

struct wf_future *cord_call(struct cord *cord, struct wf_executor *executor, const char *function,
			    const char *input) {
	struct wf_task task =
	    WF_TASK(.function = function, .input = input, .input_size = strlen(input));

	return cord_submit(cord, executor, &task);
}

/* One byte of the task, or 0 at the end of what it can say. */
static char next_byte(const struct cord *cord) {
	struct pollfd event = { .fd = cord->report, .events = POLLIN };
	char byte;

	ck_assert_msg(poll(&event, 1, FIXTURE_CAP_MS) == 1, "no word from the task");
	return read(cord->report, &byte, 1) == 1 ? byte : '\0';
}

const char *cord_expect(struct cord *cord, const char *word) {
	size_t n = 0;
	char byte;

	while ((byte = next_byte(cord)) != '\n' && byte != '\0' && n < sizeof cord->line - 1)
		cord->line[n++] = byte;
	cord->line[n] = '\0';
	ck_assert_msg(strncmp(cord->line, word, strlen(word)) == 0,
		      "expected \"%s\" from the task, got \"%s\"", word, cord->line);
	return cord->line + strlen(word);
}

pid_t cord_expect_pid(struct cord *cord, const char *word) {
	pid_t pid = (pid_t)number_at(cord_expect(cord, word), NULL);

	ck_assert_int_gt(pid, 0);
	return pid;
}

void cord_release(struct cord *cord) {
	ck_assert_int_eq(write(cord->release, "g", 1), 1);
}

void cord_close(struct cord *cord) {
	close(cord->report);
	close(cord->release);
}
