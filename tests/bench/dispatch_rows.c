/* SPDX-License-Identifier: MIT
 *
 * A task there and back, beside one byte each way on a SEQPACKET pair. What such a trip takes is
 * above all whether somebody has to be woken on another CPU, so each row says who runs where.
 */
#include <stdlib.h>

#include "pool.h"
#include "raw.h"
#include "rows.h"

#define SPARES      4
#define BURSTS      40
#define BLOCKS      40
#define BLOCK_TRIPS 50
#define MAP_TASKS   20000

struct dispatch {
	struct wf_executor *executor;
	struct raw_echo echo;
	struct wf_bytes *inputs; /* reused_map */
	size_t n_inputs;
};

/* --- fresh_dispatch ------------------------------------------------------------------------ */

/* The caller on one CPU, the whole pool on `cpu`. */
static void fresh_open(struct dispatch *dispatch, int cpu) {
	measure_pin(cpu);
	dispatch->executor = pool_open(
	    WF_EXECUTOR_OPTIONS(.workers = SPARES, .min_workers = SPARES, .spares = SPARES,
				.max_tasks_per_worker = 1, .caller_driven = true));
	raw_echo_start(&dispatch->echo, cpu);
	measure_pin(measure_cpu_main());
}

static void *fresh_dispatch_open(bool quick) {
	struct dispatch *two = measure_allocate(2 * sizeof *two);

	(void)quick;
	fresh_open(&two[0], measure_cpu_main());
	fresh_open(&two[1], measure_cpu_other());
	return two;
}

/* Timed: from before wf_submit() until wf_future_wait() has returned, for each task of a burst that
 * finds all its workers parked. Not timed: the refill, and the end of those that were used. */
static void fresh_burst(struct dispatch *dispatch, const char *name) {
	double took[SPARES];

	pool_await_idle(dispatch->executor, SPARES);
	measure_pause(1); /* the workers are ready; now they fall asleep */
	for (int i = 0; i < SPARES; i++) {
		uint64_t start = measure_now();

		pool_trip(dispatch->executor);
		took[i] = measure_since(start);
	}
	for (int i = 0; i < SPARES; i++)
		measure_emit(name, took[i]);
}

/* Timed: one byte to the other process and one back, after a pause, as in fresh_burst(). */
static void raw_burst(struct dispatch *dispatch, const char *name) {
	measure_pause(1);
	for (int i = 0; i < SPARES; i++) {
		uint64_t start = measure_now();

		raw_echo_trip(&dispatch->echo);
		measure_emit(name, measure_since(start));
	}
}

static void fresh_dispatch_round(void *state) {
	struct dispatch *two = state;

	for (int i = 0; i < BURSTS; i++) {
		fresh_burst(&two[0], "same.ours");
		raw_burst(&two[0], "same.reference");
		fresh_burst(&two[1], "other.ours");
		raw_burst(&two[1], "other.reference");
	}
}

static void dispatch_close(struct dispatch *dispatch) {
	raw_echo_stop(&dispatch->echo);
	pool_close(dispatch->executor);
}

static void fresh_dispatch_close(void *state) {
	struct dispatch *two = state;

	dispatch_close(&two[0]);
	dispatch_close(&two[1]);
	free(two);
}

const struct row fresh_dispatch = {
	"fresh_dispatch",
	fresh_dispatch_open,
	fresh_dispatch_round,
	fresh_dispatch_close,
};

/* --- reused_roundtrip ---------------------------------------------------------------------- */

static void *reused_open(bool driven) {
	struct dispatch *dispatch = measure_allocate(sizeof *dispatch);

	measure_pin(measure_cpu_main());
	dispatch->executor =
	    pool_open(WF_EXECUTOR_OPTIONS(.workers = 1, .min_workers = 1, .caller_driven = driven));
	raw_echo_start(&dispatch->echo, measure_cpu_main());
	pool_await_idle(dispatch->executor, 1);
	return dispatch;
}

static void *reused_roundtrip_open(bool quick) {
	(void)quick;
	return reused_open(true);
}

static void *reused_roundtrip_thread_open(bool quick) {
	(void)quick;
	return reused_open(false);
}

/* Timed: wf_submit() to wf_future_free(), one task after the other; everything on one CPU. The two
 * sides take turns of a few hundred microseconds. */
static void reused_roundtrip_round(void *state) {
	struct dispatch *dispatch = state;

	for (int block = 0; block < BLOCKS; block++) {
		uint64_t start = measure_now();

		for (int i = 0; i < BLOCK_TRIPS; i++)
			pool_trip(dispatch->executor);
		measure_emit("ours", measure_since(start) / BLOCK_TRIPS);
		start = measure_now();
		for (int i = 0; i < BLOCK_TRIPS; i++)
			raw_echo_trip(&dispatch->echo);
		measure_emit("reference", measure_since(start) / BLOCK_TRIPS);
	}
}

static void reused_roundtrip_close(void *state) {
	dispatch_close(state);
	free(state);
}

const struct row reused_roundtrip = {
	"reused_roundtrip",
	reused_roundtrip_open,
	reused_roundtrip_round,
	reused_roundtrip_close,
};

const struct row reused_roundtrip_thread = {
	"reused_roundtrip_thread",
	reused_roundtrip_thread_open,
	reused_roundtrip_round,
	reused_roundtrip_close,
};

/* --- reused_map ---------------------------------------------------------------------------- */

static void *reused_map_open(bool quick) {
	struct dispatch *dispatch = measure_allocate(sizeof *dispatch);

	dispatch->n_inputs = quick ? MAP_TASKS / 4 : MAP_TASKS;
	dispatch->inputs = measure_allocate(dispatch->n_inputs * sizeof *dispatch->inputs);
	for (size_t i = 0; i < dispatch->n_inputs; i++)
		dispatch->inputs[i] = (struct wf_bytes){ "x", 1 };
	dispatch->executor = pool_open(WF_EXECUTOR_OPTIONS(.workers = (int)measure_cpus(),
							   .min_workers = (int)measure_cpus()));
	pool_await_idle(dispatch->executor, measure_cpus());
	return dispatch;
}

/* Timed: wf_map() until the last result has been fetched, in the order of the inputs. Each task is
 * a future of its own, with its own outcome. */
static void reused_map_round(void *state) {
	const struct wf_task task = WF_TASK(.function = "echo");
	struct dispatch *dispatch = state;
	const struct wf_outcome *outcome;
	uint64_t start = measure_now();
	struct wf_map *map;
	size_t n = 0;

	if (wf_map(dispatch->executor, &task, dispatch->inputs, dispatch->n_inputs, NULL, &map) < 0)
		measure_die("%s", wf_last_error());
	while (wf_map_next(map, WF_FOREVER, NULL, &outcome) == 0)
		n += outcome->kind == WF_RETURNED;
	wf_map_free(map);
	if (n != dispatch->n_inputs)
		measure_die("%zu of %zu tasks returned", n, dispatch->n_inputs);
	measure_emit("ours", (double)n / measure_since(start) * 1e6);
}

static void reused_map_close(void *state) {
	struct dispatch *dispatch = state;

	pool_close(dispatch->executor);
	free(dispatch->inputs);
	free(dispatch);
}

const struct row reused_map = {
	"reused_map",
	reused_map_open,
	reused_map_round,
	reused_map_close,
};
