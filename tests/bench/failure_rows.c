/* SPDX-License-Identifier: MIT
 *
 * How soon one is told that a worker has crashed, and how punctual deadlines are.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "pool.h"
#include "rows.h"

#define CRASHES     100
#define DEADLINES   20
#define DEADLINE_MS 10

/* --- crash_latency ------------------------------------------------------------------------- */

struct crashing {
	struct wf_executor *executor;
	int memory;
	struct timespec *stamp;
};

static void *crash_latency_open(bool quick) {
	struct crashing *crashing = measure_allocate(sizeof *crashing);

	(void)quick;
	crashing->memory = memfd_create("stamp", MFD_CLOEXEC);
	if (crashing->memory < 0 || ftruncate(crashing->memory, sizeof *crashing->stamp) < 0)
		measure_die("no shared memory");
	crashing->stamp = mmap(NULL, sizeof *crashing->stamp, PROT_READ | PROT_WRITE, MAP_SHARED,
			       crashing->memory, 0);
	if (crashing->stamp == MAP_FAILED)
		measure_die("no shared memory");
	crashing->executor = pool_open(WF_EXECUTOR_OPTIONS(.workers = 2, .min_workers = 2));
	return crashing;
}

/* Timed: from the moment before the task faults, which it writes into shared memory, until
 * wf_future_wait() returns in the host. Not timed: the new worker. */
static void crash_latency_round(void *state) {
	struct crashing *crashing = state;
	const struct wf_context context =
	    WF_CONTEXT(.descriptors = &crashing->memory, .n_descriptors = 1);
	const struct wf_task task = WF_TASK(.function = "crash", .context = &context);

	for (int i = 0; i < CRASHES; i++) {
		struct wf_future *future;
		uint64_t end;

		pool_await_idle(crashing->executor, 2);
		future = pool_submit(crashing->executor, &task);
		(void)wf_future_wait(future, WF_FOREVER);
		end = measure_now();
		pool_finish(future, WF_SIGNALLED);
		measure_emit("ours", (double)(end - (uint64_t)crashing->stamp->tv_sec * 1000000000 -
					      (uint64_t)crashing->stamp->tv_nsec) /
					 1e3);
	}
}

static void crash_latency_close(void *state) {
	struct crashing *crashing = state;

	pool_close(crashing->executor);
	(void)munmap(crashing->stamp, sizeof *crashing->stamp);
	(void)close(crashing->memory);
	free(crashing);
}

const struct row crash_latency = {
	"crash_latency",
	crash_latency_open,
	crash_latency_round,
	crash_latency_close,
};

/* --- deadline_lateness --------------------------------------------------------------------- */

static void *deadline_lateness_open(bool quick) {
	(void)quick;
	return pool_open(WF_EXECUTOR_OPTIONS(.workers = 1, .min_workers = 1));
}

/* Timed: from wf_submit() until wf_future_wait() returns, less the deadline. The task never looks
 * up from its work. */
static void deadline_lateness_round(void *state) {
	const struct wf_task task = WF_TASK(.function = "spin", .deadline_ms = DEADLINE_MS);
	struct wf_executor *executor = state;

	for (int i = 0; i < DEADLINES; i++) {
		struct wf_future *future;
		uint64_t start;
		double took;

		pool_await_idle(executor, 1);
		start = measure_now();
		future = pool_submit(executor, &task);
		(void)wf_future_wait(future, WF_FOREVER);
		took = measure_since(start);
		pool_finish(future, WF_TIMED_OUT);
		measure_emit("ours", took / 1e3 - DEADLINE_MS);
	}
}

static void deadline_lateness_close(void *state) {
	pool_close(state);
}

const struct row deadline_lateness = {
	"deadline_lateness",
	deadline_lateness_open,
	deadline_lateness_round,
	deadline_lateness_close,
};
