/* SPDX-License-Identifier: MIT
 *
 * From nothing to workers that are ready. The preload is measured in CPU time (image.c), here, in
 * the zygote and in Python (heavy.py) alike.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <warmfork/task.h>

#include "pool.h"
#include "raw.h"
#include "rows.h"

#define WORKERS 4

static const struct image_request heavy = { .bytes = 64 * MEASURE_MIB, .cpu_ms = 250 };

/* Timed: wf_executor_open() until all workers are ready. Not timed: the end of the pool. Driven by
 * the caller, so that nobody has to look again and again whether they are. */
static double start_pool(const struct image_request *request, enum wf_freeze freeze) {
	uint64_t start = measure_now();
	struct wf_executor *executor =
	    pool_open_image(WF_EXECUTOR_OPTIONS(.workers = WORKERS, .min_workers = WORKERS,
						.freeze = freeze, .caller_driven = true),
			    request);
	double took;

	pool_await_idle(executor, WORKERS);
	took = measure_since(start);
	pool_close(executor);
	return took;
}

static void *nothing_open(bool quick) {
	(void)quick;
	return NULL;
}

static void nothing_close(void *state) {
	(void)state;
}

/* --- start_ready --------------------------------------------------------------------------- */

/* In a process of its own. Timed: the preload hook, nothing else. */
static double preload_alone(void) {
	const struct wf_preload_info info = {
		.size = sizeof info,
		.argument = &heavy,
		.argument_size = sizeof heavy,
		.generation = 1,
	};
	double *took = mmap(NULL, sizeof *took, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0),
	       answer;
	const char *path = measure_beside("image.so");
	pid_t pid = took == MAP_FAILED ? -1 : fork();

	if (pid < 0)
		measure_die("no process for the preload alone");
	if (pid == 0) {
		void *object = dlopen(path, RTLD_NOW);
		const struct wf_module *module = object ? dlsym(object, "wf_module") : NULL;
		uint64_t start = measure_now();

		if (!module || module->preload(&info) != 0)
			measure_die("%s cannot be loaded", path);
		*took = measure_since(start);
		_exit(0);
	}
	raw_reap(pid);
	answer = *took;
	(void)munmap(took, sizeof *took);
	return answer;
}

static void start_ready_round(void *state) {
	(void)state;
	measure_emit("ours", start_pool(&heavy, WF_FREEZE_AUTO) / 1e3);
	measure_emit("reference", preload_alone() / 1e3);
}

const struct row start_ready = {
	"start_ready",
	nothing_open,
	start_ready_round,
	nothing_close,
};

/* --- start_freeze -------------------------------------------------------------------------- */

/* Timed: wf_executor_open(), less what the preload hook took in there, in seconds. */
static double open_beside_preload(enum wf_freeze freeze) {
	const struct image_request large = { .bytes = MEASURE_GIB };
	struct wf_image_facts facts = { .size = sizeof facts };
	uint64_t start = measure_now();
	struct wf_executor *executor =
	    pool_open_image(WF_EXECUTOR_OPTIONS(.workers = WORKERS, .freeze = freeze), &large);
	double took = measure_since(start) / 1e6;

	if (wf_executor_image(executor, &facts) < 0)
		measure_die("%s", wf_last_error());
	took -= (double)facts.preload_ns / 1e9;
	wf_image_facts_clear(&facts);
	pool_close(executor);
	return took;
}

/* What the freeze adds to the start: with it, less without it. */
static void start_freeze_round(void *state) {
	double with = open_beside_preload(WF_FREEZE_ALWAYS);

	(void)state;
	measure_emit("freeze", with - open_beside_preload(WF_FREEZE_NEVER));
}

const struct row start_freeze = {
	"start_freeze",
	nothing_open,
	start_freeze_round,
	nothing_close,
};

/* --- start_vs_pools ------------------------------------------------------------------------ */

/* Our side; peers.py has the others. */
static void start_vs_pools_round(void *state) {
	(void)state;
	measure_emit("ours", start_pool(&heavy, WF_FREEZE_AUTO) / 1e3);
}

const struct row start_vs_pools = {
	"start_vs_pools",
	nothing_open,
	start_vs_pools_round,
	nothing_close,
};
