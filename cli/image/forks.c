/* SPDX-License-Identifier: MIT
 *
 * This program drives the executor: each turn of its loop ends when something has happened, so
 * waiting for workers needs no clock except for giving up.
 */
#include "cli/image/forks.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EMPTY_FORKS   31
#define TURN_MS       100
#define PATIENCE_NS   ((uint64_t)1000000000)  /* nothing starts, and there are too few workers */
#define INITIALIZE_NS ((uint64_t)60000000000) /* something starts */

static uint64_t now_ns(void) {
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- an empty process ---------------------------------------------------------------------- */

static bool fork_once(uint64_t *ret_ns) {
	uint64_t before = now_ns();
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		return false;
	*ret_ns = now_ns() - before;
	return true;
}

static int compare(const void *a, const void *b) {
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct forks_empty forks_empty(void) {
	uint64_t took[EMPTY_FORKS];
	size_t n = 0;

	for (int i = 0; i < EMPTY_FORKS; i++)
		n += fork_once(&took[n]);
	if (n == 0)
		return (struct forks_empty){ 0, 0 };
	qsort(took, n, sizeof took[0], compare);
	return (struct forks_empty){ .fastest_ns = took[0], .noise_ns = took[n / 2] - took[0] };
}

/* --- workers that do nothing --------------------------------------------------------------- */

void forks_options(struct wf_executor_options *options) {
	options->workers = options->min_workers = FORKS_TOGETHER;
	options->spares = WF_NO_SPARES;
	options->idle_timeout_ms = WF_FOREVER;
	options->tuning.start_attempts = 1; /* one that cannot start is reported, not retried */
	options->caller_driven = true;
}

/* Waits until there are exactly `n` workers. Gives up when there are too few and none starts. */
static bool settle(struct wf_executor *executor, unsigned n, struct wf_statistics *now) {
	struct wf_statistics before = { .idle = UINT32_MAX };
	uint64_t since = 0;

	for (;;) {
		if (wf_executor_statistics(executor, now) < 0)
			return false;
		if (now->idle == n && now->starting == 0)
			return true;
		if (now->idle != before.idle || now->starting != before.starting ||
		    now->forks != before.forks)
			since = now_ns();
		before = *now;
		if (now_ns() - since > (now->starting > 0 ? INITIALIZE_NS : PATIENCE_NS) ||
		    wf_executor_dispatch(executor, TURN_MS) < 0)
			return false;
	}
}

/* Has all workers but one leave, so that as many can be forked again. */
static bool renew(struct wf_executor *executor, struct wf_statistics *now) {
	return wf_executor_resize(executor, 1) == 0 && settle(executor, 1, now) &&
	       wf_executor_resize(executor, FORKS_TOGETHER) == 0 &&
	       settle(executor, FORKS_TOGETHER, now);
}

unsigned forks_make(struct wf_executor *executor, unsigned n, struct wf_statistics *ret) {
	uint64_t counted;
	bool settled;

	*ret = (struct wf_statistics){ .size = sizeof *ret };
	if (n == 0) {
		(void)wf_executor_statistics(executor, ret);
		return 0;
	}
	settled = settle(executor, FORKS_TOGETHER, ret);
	while (settled && ret->forks < n)
		settled = renew(executor, ret);
	if (!settled)
		return FORKS_TOGETHER - ret->idle;
	/* The zygote looks at its image after it has answered, so its next answer proves that
	 * it has. */
	counted = ret->forks;
	(void)renew(executor, ret);
	ret->forks = counted;
	return 0;
}
