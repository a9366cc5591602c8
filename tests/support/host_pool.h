/* SPDX-License-Identifier: MIT
 *
 * What the host programs of host_more.c do with a pool.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <warmfork/executor.h>

#include "tests/support/complain.h"

static inline struct wf_executor_options options_for(int max_tasks) {
	return WF_EXECUTOR_OPTIONS(.module = getenv("TOY_MORE"),
				   .helper = getenv("WARMFORK_HELPER"), .workers = 2,
				   .max_tasks_per_worker = max_tasks, .tuning.start_attempts = 2,
				   .tuning.backoff_ms = 1);
}

static inline struct wf_executor *open_pool(int max_tasks) {
	const struct wf_executor_options options = options_for(max_tasks);
	struct wf_executor *executor = NULL;

	expect(wf_executor_open(&options, &executor) == 0);
	return executor;
}

static inline void close_pool(struct wf_executor *executor) {
	expect(wf_executor_close(executor, WF_CLOSE_FINISH) == 0);
	wf_executor_free(executor);
}

static inline struct wf_future *call(struct wf_executor *executor, const char *function,
				     const void *input, size_t size) {
	struct wf_future *future = NULL;

	expect(wf_submit(executor,
			 &WF_TASK(.function = function, .input = input, .input_size = size),
			 &future) == 0);
	return future;
}

static inline enum wf_outcome_kind finish(struct wf_future *future) {
	const struct wf_outcome *outcome = wf_future_wait(future, CAP_MS);

	expect(outcome);
	const enum wf_outcome_kind kind = outcome->kind;
	wf_future_free(future);
	return kind;
}

/* A result, an exact signal, an exact status. */
static inline void expect_exact_outcomes(struct wf_executor *executor) {
	static const int killing = SIGKILL, status = 42;
	struct wf_future *killed = call(executor, "die", &killing, sizeof killing);
	struct wf_future *left = call(executor, "leave", &status, sizeof status);
	struct wf_future *returned = call(executor, "echo", "x", 1);
	const struct wf_outcome *outcome = wf_future_wait(killed, CAP_MS);

	expect(outcome && outcome->kind == WF_SIGNALLED && outcome->signalled.signal == SIGKILL);
	outcome = wf_future_wait(left, CAP_MS);
	expect(outcome && outcome->kind == WF_EXITED && outcome->exited.code == 42);
	wf_future_free(killed);
	wf_future_free(left);
	expect(finish(returned) == WF_RETURNED);
}

/* Uses pools of both regimes several times, after the host has done its worst. */
static inline void use_pools(void) {
	for (int max_tasks = 0; max_tasks < 2; max_tasks++) {
		struct wf_executor *executor = open_pool(max_tasks);

		for (int i = 0; i < 3; i++)
			expect_exact_outcomes(executor);
		close_pool(executor);
	}
}

/* A task that blocks on a pipe; the caller writes to the other end. */
static inline struct wf_future *call_gate_with(struct wf_executor *executor, const void *input,
					       size_t size, int *ret_release) {
	int report[2], release[2];

	expect(pipe2(report, O_CLOEXEC) == 0);
	expect(pipe2(release, O_CLOEXEC) == 0);
	const int ends[] = { report[1], release[0] };
	const struct wf_context context = WF_CONTEXT(.descriptors = ends, .n_descriptors = 2);
	struct wf_future *future = NULL;
	char byte;

	expect(wf_submit(executor,
			 &WF_TASK(.function = "gate", .input = input, .input_size = size,
				  .context = &context),
			 &future) == 0);
	expect(read(report[0], &byte, 1) == 1);
	close(report[0]);
	close(report[1]);
	close(release[0]);
	*ret_release = release[1];
	return future;
}

static inline struct wf_future *call_gate(struct wf_executor *executor, int *ret_release) {
	return call_gate_with(executor, NULL, 0, ret_release);
}

struct caller {
	pthread_t thread;
	struct wf_executor *executor;
	struct wf_future *future;
};

static inline void *close_to_end(void *argument) {
	struct caller *caller = argument;

	expect(wf_executor_close(caller->executor, WF_CLOSE_CANCEL) == 0);
	return NULL;
}

static inline void start(struct caller *caller, void *(*run)(void *)) {
	expect(pthread_create(&caller->thread, NULL, run, caller) == 0);
}
