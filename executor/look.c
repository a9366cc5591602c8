/* SPDX-License-Identifier: MIT
 *
 * The public functions that look inside: statistics, image facts, processes. Each is a copy of what
 * is known now, as much of it as the caller's header knows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <warmfork/executor.h>
#include <warmfork/inspect.h>

#include "executor/channel.h"
#include "executor/entry.h"
#include "executor/executor.h"
#include "executor/known.h"
#include "executor/report.h"

/* --- statistics ------------------------------------------------------------------------------ */

static void count_worker(const struct worker *worker, struct wf_statistics *statistics) {
	unsigned outstanding = channel_outstanding(worker);

	if (worker->state == WORKER_ENDED)
		return;
	statistics->stopped += worker->stopped;
	statistics->starting += worker->state == WORKER_ASKED || worker->state == WORKER_STARTED;
	statistics->idle += worker->state == WORKER_READY && outstanding == 0 && !worker->stopped;
	for (uint64_t s = worker->first_sequence; s < worker->next_sequence; s++) {
		const struct wf_future *future = worker->assigned[s % CELL_CLAIMS];

		if (future && future_has_started(future))
			statistics->running++;
		else if (future)
			statistics->handed++;
	}
}

static void count_workers(const struct wf_executor *executor, struct wf_statistics *statistics) {
	for (struct link *z = executor->zygotes.next; z != &executor->zygotes; z = z->next) {
		struct zygote *zygote = container_of(z, struct zygote, link);

		for (struct link *w = zygote->workers.next; w != &zygote->workers; w = w->next)
			count_worker(container_of(w, struct worker, zygote_link), statistics);
	}
	if (executor->options.public.max_tasks_per_worker == 1)
		statistics->spares = statistics->idle;
}

static void copy_counters(const struct statistics *from, struct wf_statistics *to) {
	to->submitted = from->submitted;
	to->resolved = from->resolved;
	to->retried = from->retried;
	to->quarantined = from->quarantined;
	memcpy(to->outcomes, from->outcomes, sizeof(to->outcomes));
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
	const struct zygote *newest = executor->newest;

	to->workers = executor->n_workers;
	to->queued = (unsigned)executor->queue.size;
	to->keeper_pid = executor->keeper.pid;
	if (!newest)
		return;
	to->generation = newest->generation;
	to->zygote_pid = newest->pid;
	to->freezes = newest->freeze.freezes;
	to->frozen_dirtied = newest->freeze.dirtied;
}

int wf_executor_statistics(struct wf_executor *executor, struct wf_statistics *statistics) {
	struct wf_statistics now = { .size = sizeof(now) };
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
	copy_counters(&executor->statistics, &now);
	executor_unlock(executor);
	known_give(statistics, &now, sizeof(now));
	return 0;
}

/* --- image facts ------------------------------------------------------------------------------ */

static void copy_freeze_facts(const struct zygote_freeze *freeze, struct wf_image_facts *facts) {
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

/* A line each; NULL without memory. */
static char *join_functions(const struct zygote *zygote) {
	size_t size = 1, used = 0;
	char *names;

	for (size_t i = 0; i < zygote->n_functions; i++)
		size += strlen(zygote->functions[i]) + 1;
	names = calloc(1, size);
	for (size_t i = 0; names && i < zygote->n_functions; i++) {
		size_t length = strlen(zygote->functions[i]);

		memcpy(names + used, zygote->functions[i], length);
		used += length;
		if (i + 1 < zygote->n_functions)
			names[used++] = '\n';
	}
	return names;
}

static int copy_facts(const struct zygote *zygote, struct wf_image_facts *facts) {
	const struct capture *output = &zygote->output;

	facts->generation = zygote->generation;
	facts->preload_ns = zygote->preload_ns;
	facts->anonymous_bytes = zygote->anonymous_bytes;
	facts->file_bytes = zygote->file_bytes;
	facts->mappings = zygote->mappings;
	facts->descriptors = zygote->descriptors;
	facts->threads = zygote->threads;
	facts->n_functions = (unsigned)zygote->n_functions;
	facts->has_initializer = zygote->has_initializer;
	facts->preload_output = strndup(output->data ? output->data : "", output->size);
	facts->audit = strdup(zygote->audit ? zygote->audit : "");
	facts->functions = join_functions(zygote);
	copy_freeze_facts(&zygote->freeze, facts);
	return facts->functions && facts->preload_output && facts->audit && facts->freeze_note
		   ? 0
		   : -ENOMEM;
}

static int facts_now(struct wf_executor *executor, struct wf_image_facts *facts) {
	struct zygote *zygote = executor->newest;

	if (!zygote)
		return report_error(-EAGAIN, "wf_executor_image: no image is ready now");
	capture_drain(&zygote->output);
	(void)capture_result(&zygote->output); /* straightens it */
	return copy_facts(zygote, facts) < 0 ? report_internal(-ENOMEM, "wf_executor_image") : 0;
}

int wf_executor_image(struct wf_executor *executor, struct wf_image_facts *facts) {
	struct wf_image_facts now = { .size = sizeof(now) };
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
	known_give(facts, &now, sizeof(now));
	return 0;
}

/* All of these are of 0.1, so every caller has them. One that comes later is freed in
 * wf_executor_image() instead where the caller's struct does not reach so far. */
void wf_image_facts_clear(struct wf_image_facts *facts) {
	if (!facts)
		return;
	free(facts->preload_output);
	free(facts->audit);
	free(facts->freeze_note);
	free(facts->functions);
	facts->preload_output = facts->audit = facts->freeze_note = facts->functions = NULL;
}

/* --- processes -------------------------------------------------------------------------------- */

int wf_future_process(struct wf_future *future, struct wf_process *process) {
	struct wf_process now = { .size = sizeof(now) };
	int r = entry_future(future, "wf_future_process");

	if (r >= 0 && !process)
		r = report_error(-EINVAL, "wf_future_process: process is NULL");
	if (r >= 0)
		r = known_check_size(process, KNOWN_FIRST_ANY, "process");
	if (r < 0)
		return r;
	executor_lock(future->executor);
	r = entry_running(future);
	if (r == 0) {
		now.pid = future->worker->pid;
		now.stopped = future->worker->stopped;
		known_give(process, &now, sizeof(now));
	}
	executor_unlock(future->executor);
	return r;
}
