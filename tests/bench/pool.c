/* SPDX-License-Identifier: MIT
 *
 * What rows do with a pool while nobody looks at the clock, and the two loops that are timed.
 */
#include "pool.h"

#include <string.h>

#include "measure.h"
#include "proc.h"

#define WAIT_MS   60000
#define DEPTH_MAX 64
#define PIDS_MAX  256

struct wf_executor *pool_open(struct wf_executor_options options) {
	struct wf_executor *executor;

	options.module = measure_beside("image.so");
	if (wf_executor_open(&options, &executor) < 0)
		measure_die("%s", wf_last_error());
	return executor;
}

struct wf_executor *pool_open_image(struct wf_executor_options options,
				    const struct image_request *request) {
	options.preload_argument = request;
	options.preload_argument_size = sizeof *request;
	return pool_open(options);
}

void pool_close(struct wf_executor *executor) {
	(void)wf_executor_close(executor, WF_CLOSE_KILL);
	wf_executor_free(executor);
}

struct wf_statistics pool_statistics(struct wf_executor *executor) {
	struct wf_statistics statistics = { .size = sizeof statistics };

	if (wf_executor_statistics(executor, &statistics) < 0)
		measure_die("%s", wf_last_error());
	return statistics;
}

void pool_await_idle(struct wf_executor *executor, unsigned n) {
	bool driven = wf_executor_fd(executor) >= 0;
	uint64_t start = measure_now();

	for (;;) {
		struct wf_statistics now = pool_statistics(executor);

		if (now.idle >= n && now.starting == 0)
			return;
		if (measure_since(start) > WAIT_MS * 1e3)
			measure_die("only %u of %u workers are ready: %s", now.idle, n,
				    wf_last_error());
		if (driven)
			(void)wf_executor_dispatch(executor, WAIT_MS);
		else
			measure_pause(1);
	}
}

void pool_await_quiet(struct wf_executor *executor, unsigned n) {
	uint64_t start = measure_now();
	pid_t pids[PIDS_MAX];

	pool_await_idle(executor, n);
	while (proc_children(pool_statistics(executor).zygote_pid, pids, PIDS_MAX) > n) {
		if (measure_since(start) > WAIT_MS * 1e3)
			measure_die("the zygote still has more children than its %u workers", n);
		measure_pause(10);
	}
}

struct wf_future *pool_submit(struct wf_executor *executor, const struct wf_task *task) {
	struct wf_future *future;

	if (wf_submit(executor, task, &future) < 0)
		measure_die("%s", wf_last_error());
	return future;
}

void pool_finish(struct wf_future *future, enum wf_outcome_kind kind) {
	const struct wf_outcome *outcome = wf_future_wait(future, WAIT_MS);
	char text[200] = "no outcome";

	if (outcome && outcome->kind == kind) {
		wf_future_free(future);
		return;
	}
	if (outcome)
		(void)wf_outcome_describe(outcome, text, sizeof text);
	measure_die("a task that should have been `%s`: %s", wf_outcome_kind_name(kind), text);
}

static struct wf_future *submit_echo(struct wf_executor *executor) {
	const struct wf_task task = WF_TASK(.function = "echo", .input = "x", .input_size = 1);

	return pool_submit(executor, &task);
}

void pool_trip(struct wf_executor *executor) {
	pool_finish(submit_echo(executor), WF_RETURNED);
}

double pool_run_until(struct wf_executor *executor, unsigned depth, uint64_t until) {
	struct wf_future *futures[DEPTH_MAX] = { NULL };
	double n = 0;

	if (depth < 1 || depth > DEPTH_MAX)
		measure_die("1 to %d in flight", DEPTH_MAX);
	for (unsigned i = 0; i < depth; i++)
		futures[i] = submit_echo(executor);
	for (unsigned i = 0; measure_now() < until; i = (i + 1) % depth, n++) {
		pool_finish(futures[i], WF_RETURNED);
		futures[i] = submit_echo(executor);
	}
	for (unsigned i = 0; i < depth; i++)
		pool_finish(futures[i], WF_RETURNED);
	return n;
}
