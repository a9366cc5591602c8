/* SPDX-License-Identifier: MIT
 *
 * How many processes a second, and whether that stays so: with a large image, with a second pool,
 * with thousands of workers alive.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool.h"
#include "raw.h"
#include "rows.h"

#define IN_FLIGHT  16
#define TURN_NS    ((uint64_t)250000000)
#define CROWD      2000
#define FREE_SLOTS 64 /* so that none has to become free */
#define TRIPS      200

/* Rates are of the time that was planned plus what the last IN_FLIGHT took. */
static double pool_rate(struct wf_executor *executor, uint64_t start) {
	double n = pool_run_until(executor, IN_FLIGHT, start + TURN_NS);

	return n / measure_since(start) * 1e6;
}

static struct wf_executor *open_fresh(const struct image_request *request, enum wf_freeze freeze) {
	return pool_open_image(WF_EXECUTOR_OPTIONS(.workers = IN_FLIGHT, .min_workers = IN_FLIGHT,
						   .max_tasks_per_worker = 1, .freeze = freeze),
			       request);
}

/* --- fresh_throughput ---------------------------------------------------------------------- */

struct throughput {
	struct wf_executor *executor, *empty;
	struct raw_forker forker;
};

static void *fresh_throughput_open(bool quick) {
	struct throughput *throughput = measure_allocate(sizeof *throughput);
	const struct image_request none = { 0 };

	(void)quick;
	throughput->executor = open_fresh(&none, WF_FREEZE_AUTO);
	raw_forker_start(&throughput->forker, -1, NULL, NULL);
	return throughput;
}

/* Timed: wf_submit() of the first task until the outcome of the last, IN_FLIGHT at a time, each in
 * a process of its own; and fork, _exit, waitid with as many children at a time. Both may use all
 * CPUs. */
static void fresh_throughput_round(void *state) {
	struct throughput *throughput = state;
	uint64_t start = measure_now();
	double n;

	measure_emit("ours", pool_rate(throughput->executor, start));
	pool_await_idle(throughput->executor, IN_FLIGHT);
	start = measure_now();
	raw_forker_ask(&throughput->forker, IN_FLIGHT, start + TURN_NS);
	n = raw_forker_answer(&throughput->forker);
	measure_emit("reference", n / measure_since(start) * 1e6);
}

static void fresh_throughput_close(void *state) {
	struct throughput *throughput = state;

	raw_forker_stop(&throughput->forker);
	pool_close(throughput->executor);
	free(throughput);
}

const struct row fresh_throughput = {
	"fresh_throughput",
	fresh_throughput_open,
	fresh_throughput_round,
	fresh_throughput_close,
};

static void *fresh_throughput_1g_open(bool quick) {
	struct throughput *throughput = measure_allocate(sizeof *throughput);
	const struct image_request none = { 0 }, large = { .bytes = MEASURE_GIB };

	(void)quick;
	throughput->empty = open_fresh(&none, WF_FREEZE_AUTO);
	throughput->executor = open_fresh(&large, WF_FREEZE_ALWAYS);
	pool_await_quiet(throughput->executor, IN_FLIGHT);
	return throughput;
}

/* Timed as above, for two pools in turn. */
static void fresh_throughput_1g_round(void *state) {
	struct throughput *throughput = state;

	pool_await_idle(throughput->executor, IN_FLIGHT);
	measure_emit("ours", pool_rate(throughput->executor, measure_now()));
	pool_await_idle(throughput->executor, IN_FLIGHT);
	pool_await_idle(throughput->empty, IN_FLIGHT);
	measure_emit("reference", pool_rate(throughput->empty, measure_now()));
}

static void fresh_throughput_1g_close(void *state) {
	struct throughput *throughput = state;

	pool_close(throughput->executor);
	pool_close(throughput->empty);
	free(throughput);
}

const struct row fresh_throughput_1g = {
	"fresh_throughput_1g",
	fresh_throughput_1g_open,
	fresh_throughput_1g_round,
	fresh_throughput_1g_close,
};

/* --- two_zygotes --------------------------------------------------------------------------- */

struct side {
	int cpu;
	struct wf_executor *executor;
	struct raw_forker forker;
	uint64_t start;
	double rate;
	pthread_t thread;
};

static void side_open(struct side *side, int cpu) {
	side->cpu = cpu;
	measure_pin(cpu); /* what opens the executor decides where its processes run */
	side->executor =
	    pool_open(WF_EXECUTOR_OPTIONS(.workers = IN_FLIGHT, .min_workers = IN_FLIGHT,
					  .max_tasks_per_worker = 1, .caller_driven = true));
	raw_forker_start(&side->forker, cpu, NULL, NULL);
	measure_unpin();
}

static void *two_zygotes_open(bool quick) {
	struct side *sides = measure_allocate(2 * sizeof *sides);

	(void)quick;
	if (measure_cpus() < 2)
		measure_die("this row needs two CPUs");
	side_open(&sides[0], measure_cpu_main());
	side_open(&sides[1], measure_cpu_other());
	return sides;
}

static void *side_run(void *argument) {
	struct side *side = argument;

	measure_pin(side->cpu);
	side->rate = pool_rate(side->executor, side->start);
	return NULL;
}

static double run_sides(struct side *sides, int n) {
	uint64_t start = measure_now();
	double sum = 0;

	for (int i = 0; i < n; i++) {
		sides[i].start = start;
		if (pthread_create(&sides[i].thread, NULL, side_run, &sides[i]) != 0)
			measure_die("no thread");
	}
	for (int i = 0; i < n; i++) {
		(void)pthread_join(sides[i].thread, NULL);
		sum += sides[i].rate;
	}
	return sum;
}

static double run_forkers(struct side *sides, int n) {
	uint64_t start = measure_now();
	double sum = 0;

	for (int i = 0; i < n; i++)
		raw_forker_ask(&sides[i].forker, IN_FLIGHT, start + TURN_NS);
	for (int i = 0; i < n; i++)
		sum += raw_forker_answer(&sides[i].forker);
	return sum;
}

static void settle(struct side *sides) {
	pool_await_idle(sides[0].executor, IN_FLIGHT);
	pool_await_idle(sides[1].executor, IN_FLIGHT);
}

/* Timed: as in fresh_throughput, each executor driven by a thread on the CPU of its pool. What
 * comes out is how much more two are than one, of executors and of raw loops. */
static void two_zygotes_round(void *state) {
	struct side *sides = state;
	double one, two;

	settle(sides);
	one = run_sides(sides, 1);
	settle(sides);
	two = run_sides(sides, 2);
	settle(sides);
	measure_emit("ours", two / one);
	one = run_forkers(sides, 1);
	two = run_forkers(sides, 2);
	measure_emit("reference", two / one);
}

static void two_zygotes_close(void *state) {
	struct side *sides = state;

	for (int i = 0; i < 2; i++) {
		raw_forker_stop(&sides[i].forker);
		pool_close(sides[i].executor);
	}
	free(sides);
}

const struct row two_zygotes = {
	"two_zygotes",
	two_zygotes_open,
	two_zygotes_round,
	two_zygotes_close,
};

/* --- live_2000 ----------------------------------------------------------------------------- */

struct crowd {
	struct wf_executor *crowded, *empty;
	struct wf_future *futures[CROWD];
	int gate[2]; /* the crowd waits for its end */
};

static struct wf_executor *open_on_demand(void) {
	return pool_open(WF_EXECUTOR_OPTIONS(.workers = CROWD + FREE_SLOTS,
					     .max_tasks_per_worker = 1, .spares = WF_NO_SPARES,
					     .idle_timeout_ms = WF_FOREVER));
}

static void gather(struct crowd *crowd) {
	const struct wf_context context =
	    WF_CONTEXT(.descriptors = &crowd->gate[0], .n_descriptors = 1);
	const struct wf_task task = WF_TASK(.function = "hold", .context = &context);

	for (int i = 0; i < CROWD; i++)
		crowd->futures[i] = pool_submit(crowd->crowded, &task);
	while (pool_statistics(crowd->crowded).running < CROWD)
		measure_pause(1);
}

static void *live_2000_open(bool quick) {
	struct crowd *crowd = measure_allocate(sizeof *crowd);

	(void)quick;
	if (pipe2(crowd->gate, O_CLOEXEC) < 0)
		measure_die("no pipe");
	measure_pin(measure_cpu_main());
	crowd->empty = open_on_demand();
	crowd->crowded = open_on_demand();
	gather(crowd);
	return crowd;
}

/* Timed: wf_submit() until the result of the worker that is forked for this task. Not timed: its
 * end, which is over when the next round comes. In one pool there are CROWD others, which wait in
 * their tasks. */
static double fork_on_demand(struct wf_executor *executor) {
	const struct wf_task task = WF_TASK(.function = "echo");
	double took[TRIPS];

	for (int i = 0; i < TRIPS; i++) {
		uint64_t start = measure_now();

		pool_finish(pool_submit(executor, &task), WF_RETURNED);
		took[i] = measure_since(start);
	}
	return measure_median(took, TRIPS);
}

static void live_2000_round(void *state) {
	struct crowd *crowd = state;

	measure_emit("ours", fork_on_demand(crowd->crowded));
	measure_emit("reference", fork_on_demand(crowd->empty));
}

static void live_2000_close(void *state) {
	struct crowd *crowd = state;

	(void)close(crowd->gate[1]);
	for (int i = 0; i < CROWD; i++)
		pool_finish(crowd->futures[i], WF_RETURNED);
	pool_close(crowd->crowded);
	pool_close(crowd->empty);
	(void)close(crowd->gate[0]);
	free(crowd);
}

const struct row live_2000 = {
	"live_2000",
	live_2000_open,
	live_2000_round,
	live_2000_close,
};
