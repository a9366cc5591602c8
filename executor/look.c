/* SPDX-License-Identifier: MIT
 *
 * The public functions that look inside: statistics, image facts, processes. Each copies what is
 * known now, as far as the caller's header knows it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <warmfork/executor.h>
#include <warmfork/inspect.h>

#include "base/report.h"
#include "executor/claim.h"
#include "executor/entry.h"
#include "executor/executor.h"
#include "executor/known.h"

/* --- statistics ---------------------------------------------------------------------------- */

static void count_worker(const struct worker *worker, struct wf_statistics *statistics) {
	unsigned outstanding = claim_outstanding(worker);

	if (worker->state >= WORKER_ENDED)
		return;
	statistics->stopped += worker->stopped;
	statistics->starting += worker->state <= WORKER_STARTED;
	statistics->idle += worker->state == WORKER_READY && outstanding == 0 && !worker->stopped;
	claim_foreach (future, worker) {
		if (claim_has_started(future))
			statistics->running++;
		else
			statistics->handed++;
	}
}

static void count_workers(const struct wf_executor *executor, struct wf_statistics *statistics) {
	generations_foreach (generation, &executor->generations)
		workers_foreach (worker, generation)
			count_worker(worker, statistics);
	if (executor->engine.options.public.max_tasks_per_worker == 1)
		statistics->spares = statistics->idle;
}

static void copy_counters(const struct statistics *from, struct wf_statistics *to) {
	to->submitted = from->submitted;
	to->resolved = from->resolved;
	to->retried = from->retried;
	to->quarantined = from->quarantined;
	memcpy(to->outcomes, from->outcomes, sizeof to->outcomes);
	to->forks = from->forks;
	to->fork_failures = from->fork_failures;
	to->worker_deaths_idle = from->deaths_idle;
	to->worker_deaths_exit = from->deaths_exit;
	to->worker_deaths_signal = from->deaths_signal;
	to->worker_recycled = from->recycled;
	to->worker_idle_timeouts = from->idle_timeouts;
	to->swept = from->swept;
	to->keeper_starts = from->keeper_starts;
	to->zygote_starts = from->zygote_starts;
	to->zygote_losses = from->zygote_losses;
	to->queued_time = histogram_quantiles(&from->queued);
	to->handed_time = histogram_quantiles(&from->handed);
	to->run_time = histogram_quantiles(&from->run);
	to->resolve_time = histogram_quantiles(&from->resolve);
}

static void copy_gauges(const struct wf_executor *executor, struct wf_statistics *to) {
	const struct generation *newest = executor->generations.newest;

	to->workers = executor->pool.n_workers;
	to->queued = (unsigned)executor->engine.queue.size;
	to->keeper_pid = executor->keeper.pid;
	if (!newest)
		return;
	to->generation = newest->number;
	to->zygote_pid = newest->pid;
	to->freezes = newest->image.freeze.freezes;
	to->frozen_dirtied = newest->image.freeze.dirtied;
}

int wf_executor_statistics(struct wf_executor *executor, struct wf_statistics *statistics) {
	struct wf_statistics now = { .size = sizeof now };
	int r = entry_executor(executor, "wf_executor_statistics");

	if (r >= 0 && !statistics)
		r = report_error(-EINVAL, "wf_executor_statistics: statistics is NULL");
	if (r >= 0)
		r = known_check_size(statistics, KNOWN_FIRST_ANY, "statistics");
	if (r < 0)
		return r;
	executor_lock(executor);
	copy_gauges(executor, &now);
	count_workers(executor, &now);
	copy_counters(&executor->engine.statistics, &now);
	executor_unlock(executor);
	known_give(statistics, &now, sizeof now);
	return 0;
}

/* --- image facts --------------------------------------------------------------------------- */

static void copy_freeze_facts(const struct image_freeze *freeze, struct wf_image_facts *facts) {
	facts->frozen = freeze->frozen;
	facts->freeze_note = strdup(freeze->note);
	facts->frozen_bytes = freeze->bytes;
	facts->freeze_ns = freeze->took_ns;
	facts->unfrozen_bytes = freeze->unfrozen_bytes;
	facts->frozen_mappings = freeze->mappings;
	facts->frozen_holes = freeze->holes;
	facts->fork_unfrozen_ns = freeze->fork_unfrozen_ns;
	facts->fork_ns = freeze->fork_ns;
	facts->heap_bytes = freeze->heap_bytes;
	facts->stack_bytes = freeze->stack_bytes;
	facts->page_table_bytes = freeze->page_table_bytes;
}

/* One name per line; NULL: out of memory. */
static char *join_functions(const struct image_report *image) {
	size_t size = 1, used = 0;
	char *names;

	for (size_t i = 0; i < image->n_functions; i++)
		size += strlen(image->functions[i]) + 1;
	names = calloc(1, size);
	for (size_t i = 0; names && i < image->n_functions; i++) {
		size_t length = strlen(image->functions[i]);

		memcpy(names + used, image->functions[i], length);
		used += length;
		if (i + 1 < image->n_functions)
			names[used++] = '\n';
	}
	return names;
}

static int copy_facts(const struct generation *generation, struct wf_image_facts *facts) {
	const struct image_report *image = &generation->image;
	const struct capture *output = &generation->output;

	facts->generation = generation->number;
	facts->preload_ns = image->preload_ns;
	facts->anonymous_bytes = image->anonymous_bytes;
	facts->file_bytes = image->file_bytes;
	facts->mappings = image->mappings;
	facts->descriptors = image->descriptors;
	facts->threads = image->threads;
	facts->n_functions = (unsigned)image->n_functions;
	facts->has_initializer = image->has_initializer;
	facts->preload_output = strndup(output->data ? output->data : "", output->size);
	facts->audit = strdup(image->audit ? image->audit : "");
	facts->functions = join_functions(image);
	copy_freeze_facts(&image->freeze, facts);
	return facts->functions && facts->preload_output && facts->audit && facts->freeze_note
		   ? 0
		   : -ENOMEM;
}

static int facts_now(struct wf_executor *executor, struct wf_image_facts *facts) {
	struct generation *newest = executor->generations.newest;

	if (!newest)
		return report_error(-EAGAIN, "wf_executor_image: no image is ready now");
	(void)capture_result(&newest->output); /* straightens it */
	return copy_facts(newest, facts) < 0 ? report_internal(-ENOMEM, "wf_executor_image") : 0;
}

int wf_executor_image(struct wf_executor *executor, struct wf_image_facts *facts) {
	struct wf_image_facts now = { .size = sizeof now };
	int r = entry_executor(executor, "wf_executor_image");

	if (r >= 0 && !facts)
		r = report_error(-EINVAL, "wf_executor_image: facts is NULL");
	if (r >= 0)
		r = known_check_size(facts, KNOWN_FIRST_IMAGE_FACTS, "facts");
	if (r < 0)
		return r;
	executor_lock(executor);
	r = facts_now(executor, &now);
	executor_unlock(executor);
	if (r < 0) {
		wf_image_facts_clear(&now);
		return r;
	}
	wf_image_facts_clear(facts);
	known_give(facts, &now, sizeof now);
	return 0;
}

/* All of these are in 0.1, so every caller has them. A member added later must be freed in
 * wf_executor_image() if the caller's struct does not include it. */
void wf_image_facts_clear(struct wf_image_facts *facts) {
	if (!facts)
		return;
	free(facts->preload_output);
	free(facts->audit);
	free(facts->freeze_note);
	free(facts->functions);
	facts->preload_output = facts->audit = facts->freeze_note = facts->functions = NULL;
}

/* --- processes ----------------------------------------------------------------------------- */

int wf_future_process(struct wf_future *future, struct wf_process *process) {
	struct wf_process now = { .size = sizeof now };
	int r = entry_future(future, "wf_future_process");

	if (r >= 0 && !process)
		r = report_error(-EINVAL, "wf_future_process: process is NULL");
	if (r >= 0)
		r = known_check_size(process, KNOWN_FIRST_ANY, "process");
	if (r < 0)
		return r;
	engine_lock(future->engine);
	r = entry_running(future);
	if (r == 0) {
		now.pid = future->worker->pid;
		now.stopped = future->worker->stopped;
		known_give(process, &now, sizeof now);
	}
	engine_unlock(future->engine);
	return r;
}
