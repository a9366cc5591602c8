/* SPDX-License-Identifier: MIT
 *
 * Counters and latency histograms.
 */
#pragma once

#include <stdint.h>

#include <warmfork/executor.h>
#include <warmfork/inspect.h>

/* Log-linear buckets: 8 for each power of two, so that quantiles are accurate within 7 %. */
#define HISTOGRAM_BUCKETS 512

/* As in struct wf_statistics. */
#define STATISTICS_KINDS 32

struct histogram {
	uint64_t count, max;
	uint32_t buckets[HISTOGRAM_BUCKETS];
};

struct statistics {
	uint64_t submitted, resolved, retried, quarantined;
	uint64_t outcomes[STATISTICS_KINDS];
	uint64_t forks, fork_failures;
	uint64_t deaths_idle, deaths_exit, deaths_signal;
	uint64_t recycled, idle_timeouts, swept;
	uint64_t keeper_starts, zygote_starts, zygote_losses;
	struct histogram queued, handed, run, resolve;
	/* results, and the exponentially weighted mean of their time in ns */
	uint64_t n_runs, mean_run;
};

struct wf_quantiles histogram_quantiles(const struct histogram *histogram);

/* A result has come from a task that ran for `run_ns`. */
void statistics_run(struct statistics *statistics, uint64_t run_ns);
void statistics_outcome(struct statistics *statistics, const struct wf_outcome *outcome,
			uint64_t resolve_ns);
