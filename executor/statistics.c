/* SPDX-License-Identifier: MIT
 *
 * A histogram costs one increment per sample, and its memory does not grow.
 */
#include "executor/statistics.h"

#define STEPS 8u /* buckets for each power of two */

static unsigned bucket_of(uint64_t ns) {
	unsigned power, bucket;

	if (ns < STEPS)
		return (unsigned)ns;
	power = 63u - (unsigned)__builtin_clzll(ns);
	bucket = (power - 2) * STEPS + (unsigned)(ns >> (power - 3)) % STEPS;
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket. */
static uint64_t value_of(unsigned bucket) {
	unsigned power;
	uint64_t low;

	if (bucket < STEPS)
		return bucket;
	power = bucket / STEPS + 2;
	low = (uint64_t)(STEPS + bucket % STEPS) << (power - 3);
	return low + ((uint64_t)1 << (power - 3)) / 2;
}

static void histogram_add(struct histogram *histogram, uint64_t ns) {
	histogram->count++;
	if (ns > histogram->max)
		histogram->max = ns;
	histogram->buckets[bucket_of(ns)]++;
}

static uint64_t quantile(const struct histogram *histogram, uint64_t percent) {
	uint64_t rank = (histogram->count * percent + 99) / 100, seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen >= rank && seen) {
			uint64_t value = value_of(i);

			return value < histogram->max ? value : histogram->max;
		}
	}
	return histogram->max;
}

struct wf_quantiles histogram_quantiles(const struct histogram *histogram) {
	return (struct wf_quantiles){
		.count = histogram->count,
		.p50_ns = quantile(histogram, 50),
		.p90_ns = quantile(histogram, 90),
		.p99_ns = quantile(histogram, 99),
		.max_ns = histogram->max,
	};
}

void statistics_run(struct statistics *statistics, uint64_t run_ns) {
	if (statistics->n_runs++ == 0)
		statistics->mean_run = run_ns;
	else
		statistics->mean_run = (statistics->mean_run * 7 + run_ns) / 8;
}

void statistics_outcome(struct statistics *statistics, const struct wf_outcome *outcome,
			uint64_t resolve_ns) {
	statistics->resolved++;
	statistics->outcomes[(unsigned)outcome->kind % STATISTICS_KINDS]++;
	if (outcome->quarantined)
		statistics->quarantined++;
	if (outcome->queued_ns)
		histogram_add(&statistics->queued, outcome->queued_ns);
	if (outcome->handed_ns)
		histogram_add(&statistics->handed, outcome->handed_ns);
	if (outcome->run_ns)
		histogram_add(&statistics->run, outcome->run_ns);
	if (resolve_ns)
		histogram_add(&statistics->resolve, resolve_ns);
}
