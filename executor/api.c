/* SPDX-License-Identifier: MIT
 *
 * The public functions of <warmfork/executor.h>: arguments, process, lock; nothing else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <warmfork/executor.h>

#include "base/fd.h"
#include "executor/channel.h"
#include "executor/executor.h"
#include "executor/image_report.h"
#include "executor/known.h"
#include "executor/lifetime.h"
#include "executor/outcome.h"
#include "executor/report.h"
#include "executor/shared.h"
#include "executor/slot.h"
#include "executor/submit.h"
#include "executor/supervise.h"
#include "executor/wait.h"

const char *wf_version(void) {
	return "0.1.0";
}

const char *wf_last_error(void) {
	return report_text();
}

static int check_executor(const struct wf_executor *executor, const char *function) {
	if (!executor)
		return report_error(-EINVAL, "%s: executor is NULL", function);
	if (!lifetime_same_process(executor))
		return report_error(-ECHILD,
				    "%s: the executor belongs to another process: this one is "
				    "a fork of its owner",
				    function);
	return 0;
}

static int check_future(const struct wf_future *future, const char *function) {
	if (!future)
		return report_error(-EINVAL, "%s: future is NULL", function);
	return check_executor(future->executor, function);
}

/* --- executor
 * ------------------------------------------------------------------------------------------ */

int wf_executor_open(const struct wf_executor_options *options, struct wf_executor **ret) {
	if (!ret)
		return report_error(-EINVAL, "wf_executor_open: ret is NULL");
	return lifetime_open(options, ret);
}

int wf_executor_shared(const struct wf_executor_options *options, struct wf_executor **ret,
		       bool *ret_reused) {
	if (!ret)
		return report_error(-EINVAL, "wf_executor_shared: ret is NULL");
	return shared_get(options, ret, ret_reused);
}

int wf_executor_close(struct wf_executor *executor, enum wf_close how) {
	int r = check_executor(executor, "wf_executor_close");

	if (r < 0)
		return r;
	if (how > WF_CLOSE_KILL)
		return report_error(-EINVAL, "wf_executor_close: how is %d, which is no way",
				    (int)how);
	return lifetime_close(executor, how);
}

struct wf_executor *wf_executor_free(struct wf_executor *executor) {
	if (executor && lifetime_same_process(executor))
		lifetime_release(executor);
	return NULL;
}

int wf_executor_resize(struct wf_executor *executor, int workers) {
	int r = check_executor(executor, "wf_executor_resize");

	if (r < 0)
		return r;
	if (workers < 1 || workers > WF_MAX_WORKERS)
		return report_error(-EINVAL, "wf_executor_resize: %d workers; from 1 to %d",
				    workers, WF_MAX_WORKERS);
	executor_lock(executor);
	if (executor->state != EXECUTOR_OPEN)
		r = report_error(-ESHUTDOWN, "the executor is closed");
	else if (slot_resize(executor, (unsigned)workers) < 0)
		r = report_internal(-ENOMEM, "resizing");
	executor_pump(executor);
	executor_ring(executor);
	executor_unlock(executor);
	return r;
}

int wf_executor_reload(struct wf_executor *executor) {
	int r = check_executor(executor, "wf_executor_reload");

	return r < 0 ? r : lifetime_reload(executor);
}

int wf_executor_fd(struct wf_executor *executor) {
	int r = check_executor(executor, "wf_executor_fd");

	if (r < 0)
		return r;
	if (!executor->options.public.caller_driven)
		return report_error(-EINVAL, "wf_executor_fd: the executor has a thread of its own "
					     "(options.caller_driven)");
	executor_lock(executor);
	r = executor->loop ? loop_fd(executor->loop) : -ESHUTDOWN;
	executor_unlock(executor);
	return r < 0 ? report_error(r, "the executor is closed") : r;
}

int wf_executor_dispatch(struct wf_executor *executor, int timeout_ms) {
	int r = check_executor(executor, "wf_executor_dispatch");

	if (r < 0)
		return r;
	if (!executor->options.public.caller_driven)
		return report_error(-EINVAL,
				    "wf_executor_dispatch: the executor has a thread of its own "
				    "(options.caller_driven)");
	r = known_timeout("wf_executor_dispatch: timeout_ms", timeout_ms);
	if (r < 0)
		return r;
	r = executor_dispatch(executor, timeout_ms);
	if (r == -EDEADLK)
		return report_error(
		    r, "wf_executor_dispatch: called from a callback, or while another "
		       "thread dispatches");
	if (r == -ESHUTDOWN)
		return report_error(r, "the executor is closed");
	return r < 0 ? report_internal(r, "dispatching") : 0;
}

/* --- tasks
 * ------------------------------------------------------------------------------------------------
 */

int wf_submit(struct wf_executor *executor, const struct wf_task *task, struct wf_future **ret) {
	struct wf_future *future;
	struct wf_task known;
	int r = check_executor(executor, "wf_submit");

	if (r >= 0)
		r = submit_check(task, &known);
	if (r >= 0)
		r = submit_task(executor, &known, true, 0, NULL, &future);
	if (r < 0)
		return r;
	if (ret)
		*ret = future;
	else
		(void)future_unref(future);
	return 0;
}

/* --- futures
 * ------------------------------------------------------------------------------------------------
 */

const struct wf_outcome *wf_future_wait(struct wf_future *future, int timeout_ms) {
	int r = check_future(future, "wf_future_wait");

	if (r < 0 || known_timeout("wf_future_wait: timeout_ms", timeout_ms) < 0)
		return NULL;
	r = wait_for_one(future, timeout_ms);
	if (r == 0)
		return &future->outcome;
	if (r == -EDEADLK)
		(void)report_error(
		    r, "wf_future_wait: a callback must not wait for a future that has not "
		       "resolved");
	else if (r == -ETIMEDOUT)
		(void)report_error(r, "wf_future_wait: it has not resolved after %d ms",
				   timeout_ms);
	else
		(void)report_internal(r, "wf_future_wait");
	return NULL;
}

const struct wf_outcome *wf_future_outcome(struct wf_future *future) {
	if (check_future(future, "wf_future_outcome") < 0)
		return NULL;
	return wait_is_resolved(future) ? &future->outcome : NULL;
}

enum wf_future_state wf_future_state(struct wf_future *future) {
	enum wf_future_state state = WF_PENDING;

	if (check_future(future, "wf_future_state") < 0)
		return (enum wf_future_state)0;
	executor_lock(future->executor);
	if (future->state == FUTURE_RESOLVED)
		state = WF_DONE;
	else if (future_has_started(future) || future->result_here)
		state = WF_RUNNING;
	executor_unlock(future->executor);
	return state;
}

/* Takes it back if no worker has begun it. True: it is resolved as cancelled. */
static bool cancel(struct wf_future *future, const char *why) {
	struct wf_executor *executor = future->executor;
	struct worker *worker = future->worker;

	if (future->state == FUTURE_QUEUED) {
		queue_remove(&executor->queue, &future->link, future->priority);
	} else if (future->state == FUTURE_HANDED && !future->result_here &&
		   claim_swap(cell_claim(worker->cell, future->sequence), future->sequence,
			      CLAIM_CANCELLED)) {
		worker->assigned[future->sequence % CELL_CLAIMS] = NULL;
		future->worker = NULL;
	} else {
		return false;
	}
	outcome_cancelled(future, why);
	future_resolve(future);
	executor_pump(executor);
	return true;
}

int wf_future_cancel(struct wf_future *future) {
	struct wf_executor *executor;
	int r = check_future(future, "wf_future_cancel");

	if (r < 0)
		return r;
	executor = future->executor;
	(void)executor_ref(executor); /* a callback may give the future back */
	executor_lock(executor);
	if (future->state == FUTURE_RESOLVED)
		r = report_error(-EALREADY, "the task has ended");
	else if (!cancel(future, "wf_future_cancel() was called before it started"))
		r = report_error(-EBUSY, "the task has started; wf_future_kill() ends it");
	executor_unlock(executor);
	if (r >= 0)
		executor_run_due(executor);
	(void)executor_unref(executor);
	return r;
}

/* As the executor's own option is kept: 0 is the default. */
static int take_grace(int grace_ms, int *ret) {
	if (grace_ms < 0 && grace_ms != WF_NO_GRACE && grace_ms != WF_DEFAULT_GRACE)
		return report_error(-EINVAL,
				    "wf_future_kill: grace_ms is %d; it must be from 0 on, "
				    "WF_NO_GRACE or WF_DEFAULT_GRACE%s",
				    grace_ms,
				    grace_ms == WF_FOREVER ? "; wf_future_signal() sends SIGTERM "
							     "and nothing after it"
							   : "");
	*ret = grace_ms == 0 ? WF_NO_GRACE : grace_ms == WF_DEFAULT_GRACE ? 0 : grace_ms;
	return 0;
}

int wf_future_kill(struct wf_future *future, int grace_ms) {
	struct wf_executor *executor;
	int r = check_future(future, "wf_future_kill");

	r = r < 0 ? r : take_grace(grace_ms, &grace_ms);
	if (r < 0)
		return r;
	executor = future->executor;
	(void)executor_ref(executor);
	executor_lock(executor);
	if (future->state == FUTURE_RESOLVED || future->result_here)
		r = report_error(-EALREADY, "the task has ended");
	else if (!cancel(future, "wf_future_kill() was called before it started") &&
		 !supervise_kill(future, WF_BY_CALLER, grace_ms))
		r = report_error(-EALREADY, "the task has ended; its result is on the way");
	executor_pump(executor);
	executor_unlock(executor);
	if (r >= 0)
		executor_run_due(executor);
	(void)executor_unref(executor);
	return r;
}

static int check_running(struct wf_future *future) {
	if (future->state == FUTURE_RESOLVED || future->result_here)
		return report_error(-EALREADY, "the task has ended");
	if (!future_has_started(future))
		return report_error(-EBUSY, "the task has not started");
	return 0;
}

int wf_future_signal(struct wf_future *future, int signal) {
	int r = check_future(future, "wf_future_signal");

	if (r < 0)
		return r;
	if (signal < 1 || signal > SIGRTMAX)
		return report_error(-EINVAL, "wf_future_signal: there is no signal %d", signal);
	executor_lock(future->executor);
	r = check_running(future);
	if (r == 0 && !supervise_signal(future, signal))
		r = report_error(-EALREADY, "the task has ended; its result is on the way");
	executor_unlock(future->executor);
	return r;
}

int wf_future_process(struct wf_future *future, struct wf_process *process) {
	int r = check_future(future, "wf_future_process");

	if (r < 0)
		return r;
	if (!process || process->size != sizeof(*process))
		return report_error(-EINVAL, "wf_future_process: process->size is not set");
	executor_lock(future->executor);
	r = check_running(future);
	if (r == 0) {
		process->pid = future->worker->pid;
		process->stopped = future->worker->stopped;
	}
	executor_unlock(future->executor);
	return r;
}

int wf_future_on_done(struct wf_future *future, wf_callback function, void *context) {
	struct future_callback *callback;
	bool now;
	int r = check_future(future, "wf_future_on_done");

	if (r < 0)
		return r;
	if (!function)
		return report_error(-EINVAL, "wf_future_on_done: callback is NULL");
	callback = malloc(sizeof(*callback));
	if (!callback)
		return report_internal(-ENOMEM, "wf_future_on_done");
	*callback = (struct future_callback){ .function = function, .context = context };
	executor_lock(future->executor);
	/* behind those that are about to be called, if there are any */
	now = future->called_back || (future->state == FUTURE_RESOLVED && !future->callbacks);
	if (!now) {
		*future->callbacks_end = callback;
		future->callbacks_end = &callback->next;
	}
	executor_unlock(future->executor);
	if (now) {
		free(callback);
		executor_call(function, future, context);
	}
	return 0;
}

struct wf_future *wf_future_free(struct wf_future *future) {
	if (future && lifetime_same_process(future->executor))
		(void)future_unref(future);
	return NULL;
}

struct wf_future *wf_future_ref(struct wf_future *future) {
	if (check_future(future, "wf_future_ref") < 0)
		return NULL;
	atomic_fetch_add(&future->references, 1);
	return future;
}

/* --- to look inside
 * -------------------------------------------------------------------------------------------- */

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

int wf_executor_statistics(struct wf_executor *executor, struct wf_statistics *statistics) {
	struct wf_statistics now = { .size = sizeof(now) };
	size_t size;
	int r = check_executor(executor, "wf_executor_statistics");

	if (r < 0)
		return r;
	if (!statistics || statistics->size < sizeof(size_t))
		return report_error(-EINVAL,
				    "wf_executor_statistics: statistics is NULL, or its size 0");
	size = statistics->size < sizeof(now) ? statistics->size : sizeof(now);
	executor_lock(executor);
	now.workers = executor->n_workers;
	now.queued = (unsigned)executor->queue.size;
	now.generation = executor->newest ? executor->newest->generation : 0;
	now.keeper_pid = executor->keeper.pid;
	now.zygote_pid = executor->newest ? executor->newest->pid : 0;
	now.freezes = executor->newest ? executor->newest->freeze.freezes : 0;
	now.frozen_dirtied = executor->newest ? executor->newest->freeze.dirtied : 0;
	count_workers(executor, &now);
	copy_counters(&executor->statistics, &now);
	executor_unlock(executor);
	now.size = statistics->size;
	memcpy(statistics, &now, size);
	return 0;
}

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

int wf_executor_image(struct wf_executor *executor, struct wf_image_facts *facts) {
	struct wf_image_facts now = { .size = sizeof(now) };
	int r = check_executor(executor, "wf_executor_image");

	if (r < 0)
		return r;
	if (!facts || facts->size < sizeof(now))
		return report_error(-EINVAL,
				    "wf_executor_image: facts is NULL, or its size is not set");
	executor_lock(executor);
	if (executor->newest) {
		struct zygote *zygote = executor->newest;

		capture_drain(&zygote->output);
		(void)capture_result(&zygote->output); /* straightens it */
		r = copy_facts(zygote, &now);
	} else {
		r = -EAGAIN;
	}
	executor_unlock(executor);
	if (r == -EAGAIN)
		return report_error(r, "wf_executor_image: no image is ready now");
	if (r < 0) {
		wf_image_facts_clear(&now);
		return report_internal(r, "wf_executor_image");
	}
	now.size = facts->size;
	*facts = now;
	return 0;
}

void wf_image_facts_clear(struct wf_image_facts *facts) {
	if (!facts)
		return;
	free(facts->preload_output);
	free(facts->audit);
	free(facts->freeze_note);
	free(facts->functions);
	facts->preload_output = facts->audit = facts->freeze_note = facts->functions = NULL;
}
