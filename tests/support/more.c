/* SPDX-License-Identifier: MIT
 *
 * A pool of the second toy module.
 */
#include "tests/support/more.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/look.h"

struct wf_executor_options more_options(int regime) {
	struct wf_executor_options options = pool_options(regime);

	options.module = getenv("TOY_MORE");
	return options;
}

struct wf_executor *more_open(int regime) {
	const struct wf_executor_options options = more_options(regime);

	return pool_open(&options);
}

struct wf_executor *more_open_workers(int regime, int workers) {
	struct wf_executor_options options = more_options(regime);

	options.workers = workers;
	return pool_open(&options);
}

struct wf_future *more_call(struct wf_executor *executor, const char *function, const void *input,
			    size_t size) {
	const struct wf_task task =
	    WF_TASK(.function = function, .input = input, .input_size = size);

	return pool_submit(executor, &task);
}

void more_ask(struct wf_executor *executor, const char *function, const void *input, size_t size,
	      void *answer, size_t answer_size) {
	struct wf_future *future = more_call(executor, function, input, size);
	const struct wf_outcome *outcome = pool_wait(future);

	expect_kind(outcome, WF_RETURNED);
	ck_assert_uint_eq(outcome->returned.size, answer_size);
	memcpy(answer, outcome->returned.data, answer_size);
	wf_future_free(future);
}

struct toy_where more_where(struct wf_executor *executor) {
	struct toy_where place;

	more_ask(executor, "where", NULL, 0, &place, sizeof place);
	return place;
}

struct toy_where more_gate_started(struct cord *cord) {
	const char *text = cord_expect(cord, "at ");
	struct toy_where place = { 0 };
	unsigned long long worker_id;
	int pid;

	ck_assert_int_eq(sscanf(text, "%d %d %llu", &pid, &place.slot, &worker_id), 3);
	place.pid = pid;
	place.worker_id = worker_id;
	return place;
}

struct toy_where more_place(const struct wf_outcome *outcome) {
	struct toy_where place;

	expect_kind(outcome, WF_RETURNED);
	ck_assert_uint_eq(outcome->returned.size, sizeof place);
	memcpy(&place, outcome->returned.data, sizeof place);
	return place;
}

void more_finish(struct wf_future *future) {
	const struct wf_outcome *outcome = pool_wait(future);

	expect_kind(outcome, WF_RETURNED);
	wf_future_free(future);
}

struct wf_future *more_gate(struct cord *cord, struct wf_executor *executor) {
	cord_open(cord);
	return cord_call(cord, executor, "gate", "");
}

void more_await(sem_t *event) {
	struct timespec end;

	ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &end), 0);
	end.tv_sec += FIXTURE_CAP_MS / 1000;
	while (sem_timedwait(event, &end) != 0)
		ck_assert_msg(errno == EINTR, "the event never came");
}

/* A sanitizer has threads of its own: those of an executor are known by their names. */
int more_count_threads(void) {
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *task;
	int n = 0;

	ck_assert_ptr_nonnull(tasks);
	while ((task = readdir(tasks))) {
		char path[300], name[32] = "";
		FILE *file;

		(void)snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
		file = fopen(path, "re");
		if (file && fgets(name, sizeof name, file))
			n += strncmp(name, "warmfork", 8) == 0;
		if (file)
			(void)fclose(file);
	}
	(void)closedir(tasks);
	return n;
}

void more_await_threads(void) {
	struct look look = look_begin(FIXTURE_CAP_MS);

	while (more_count_threads() > 0 && look_again(&look))
		;
	ck_assert_int_eq(more_count_threads(), 0);
}
