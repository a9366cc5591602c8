/* SPDX-License-Identifier: MIT
 *
 * The executor that a process shares.
 *
 * loky's factory closes the old executor while others still hold it, and callers must retry. Here a
 * handle is a reference: a replaced pool goes on serving its holders, and closes (finishing its
 * work) with the last of them. The process itself holds one reference to the newest.
 */
#include "executor/shared.h"

#include <errno.h>
#include <pthread.h>

#include "base/report.h"
#include "executor/lifetime.h"

static struct {
	pthread_mutex_t lock;
	struct wf_executor *executor;
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool is_open(struct wf_executor *executor) {
	bool open;

	executor_lock(executor);
	open = executor->state == EXECUTOR_OPEN;
	executor_unlock(executor);
	return open;
}

/* Returns 1 if this is the right executor, adjusted; 0 if another must be opened. */
static int adopt(struct wf_executor *executor, const struct options *wanted) {
	bool changed;
	int r = 0;

	if (!executor || !executor_is_ours(executor) || !is_open(executor) ||
	    !options_equal(&executor->engine.options, wanted))
		return 0;
	executor_lock(executor);
	if (executor->pool.n_workers != (unsigned)wanted->public.workers)
		r = pool_resize(&executor->pool, (unsigned)wanted->public.workers);
	executor_pump(executor);
	engine_ring(&executor->engine);
	changed = !file_identity_equal(&executor->engine.options.file, &wanted->file);
	executor_unlock(executor);
	if (r < 0)
		return report_internal(r, "resizing the shared executor");
	if (changed)
		r = lifetime_reload(executor);
	return r < 0 ? r : 1;
}

static void drop(struct wf_executor *executor) {
	if (executor && executor_is_ours(executor))
		lifetime_release(executor);
}

static struct wf_executor *lend(struct wf_executor *executor) {
	executor_lock(executor);
	executor->handles++;
	executor_unlock(executor);
	(void)engine_ref(&executor->engine);
	return executor;
}

static int get(const struct wf_executor_options *options, const struct options *wanted,
	       struct wf_executor **ret_old, struct wf_executor **ret, bool *ret_reused) {
	struct wf_executor *fresh;
	int r = adopt(shared.executor, wanted);

	*ret_reused = r == 1;
	if (r < 0)
		return r;
	if (r == 0) {
		r = lifetime_open(options, &fresh);
		if (r < 0)
			return r;
		*ret_old = shared.executor;
		shared.executor = fresh;
	}
	*ret = lend(shared.executor);
	return 0;
}

/* In a callback: the holder of the lock may be waiting for this very thread. */
static int lock(void) {
	if (executor_in_callback())
		return pthread_mutex_trylock(&shared.lock) == 0 ? 0 : -EDEADLK;
	return -pthread_mutex_lock(&shared.lock);
}

/* In a forked child: another thread may have held the lock, and the executor is the parent's. */
static void forget(void) {
	(void)pthread_mutex_init(&shared.lock, NULL);
	shared.executor = NULL;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void watch_forks(void) {
	(void)pthread_atfork(NULL, NULL, forget);
}

int shared_get(const struct wf_executor_options *options, struct wf_executor **ret,
	       bool *ret_reused) {
	struct wf_executor *old = NULL;
	struct options wanted;
	bool reused = false;
	int r = options_init(&wanted, options);

	(void)pthread_once(&once, watch_forks);
	if (r < 0)
		return r;
	if (lock() < 0) {
		options_deinit(&wanted);
		return report_error(-EDEADLK,
				    "another thread is opening or reloading the shared executor, "
				    "and a callback must not wait for it");
	}
	r = get(options, &wanted, &old, ret, &reused);
	(void)pthread_mutex_unlock(&shared.lock);
	options_deinit(&wanted);
	/* without the lock: closing may take as long as its tasks do */
	drop(old);
	if (r >= 0 && ret_reused)
		*ret_reused = reused;
	return r;
}
