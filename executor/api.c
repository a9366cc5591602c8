/* SPDX-License-Identifier: MIT
 *
 * The public functions of <warmfork/executor.h>. They check arguments and the process, take the
 * lock, and leave the rest to others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <warmfork/executor.h>

#include "base/fd.h"
#include "base/report.h"
#include "executor/claim.h"
#include "executor/conclude.h"
#include "executor/entry.h"
#include "executor/executor.h"
#include "executor/known.h"
#include "executor/learn.h"
#include "executor/lifetime.h"
#include "executor/shared.h"
#include "executor/stop.h"
#include "executor/submit.h"
#include "executor/wait.h"

const char *wf_last_error(void) {
	return report_text();
}

/* --- executor ------------------------------------------------------------------------------ */

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
	int r = entry_executor(executor, "wf_executor_close");

	if (r < 0)
		return r;
	if (how > WF_CLOSE_KILL)
		return report_error(-EINVAL,
				    "wf_executor_close: how is %d; it must be WF_CLOSE_FINISH, "
				    "WF_CLOSE_CANCEL or WF_CLOSE_KILL",
				    (int)how);
	return lifetime_close(executor, how);
}

struct wf_executor *wf_executor_free(struct wf_executor *executor) {
	if (executor && executor_is_ours(executor))
		lifetime_release(executor);
	return NULL;
}

int wf_executor_resize(struct wf_executor *executor, int workers) {
	int r = entry_executor(executor, "wf_executor_resize");

	if (r < 0)
		return r;
	if (workers < 1 || workers > WF_MAX_WORKERS)
		return report_error(-EINVAL,
				    "wf_executor_resize: workers is %d; it must be from 1 to %d",
				    workers, WF_MAX_WORKERS);
	executor_lock(executor);
	if (executor->state != EXECUTOR_OPEN)
		r = report_error(-ESHUTDOWN, "the executor is closed");
	else if (pool_resize(&executor->pool, (unsigned)workers) < 0)
		r = report_internal(-ENOMEM, "resizing");
	executor_pump(executor);
	engine_ring(&executor->engine);
	executor_unlock(executor);
	return r;
}

int wf_executor_reload(struct wf_executor *executor) {
	int r = entry_executor(executor, "wf_executor_reload");

	return r < 0 ? r : lifetime_reload(executor);
}

int wf_executor_fd(struct wf_executor *executor) {
	int r = entry_executor(executor, "wf_executor_fd");

	if (r < 0)
		return r;
	if (!executor->engine.options.public.caller_driven)
		return report_error(-EINVAL, "wf_executor_fd: the executor has a thread of its "
					     "own; open it with options.caller_driven to drive "
					     "it yourself");
	executor_lock(executor);
	r = executor->engine.loop && !executor->engine.wrecked ? loop_fd(executor->engine.loop)
							       : -ESHUTDOWN;
	executor_unlock(executor);
	return r < 0 ? report_error(r, "the executor is closed") : r;
}

int wf_executor_dispatch(struct wf_executor *executor, int timeout_ms) {
	int r = entry_executor(executor, "wf_executor_dispatch");

	if (r < 0)
		return r;
	if (!executor->engine.options.public.caller_driven)
		return report_error(-EINVAL,
				    "wf_executor_dispatch: the executor has a thread of its "
				    "own; open it with options.caller_driven to drive it "
				    "yourself");
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
	return 0;
}

/* --- tasks --------------------------------------------------------------------------------- */

int wf_submit(struct wf_executor *executor, const struct wf_task *task, struct wf_future **ret) {
	struct wf_future *future;
	struct wf_task known;
	int r = entry_executor(executor, "wf_submit");

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

int wf_run(struct wf_executor *executor, const struct wf_task *task,
	   const struct wf_outcome **ret) {
	struct wf_future *future = NULL;
	int r = 0;

	if (!ret)
		r = report_error(-EINVAL, "wf_run: ret is NULL");
	else if (executor_in_callback())
		r = report_error(-EDEADLK, "wf_run: a callback must not wait; use wf_submit() "
					   "and wf_future_on_done() there");
	r = r < 0 ? r : wf_submit(executor, task, &future);
	if (r < 0)
		return r;
	r = wait_for_one(future, WF_FOREVER);
	if (r < 0) {
		(void)future_unref(future);
		return report_internal(r, "wf_run");
	}
	learn_finish(future);
	*ret = &future->outcome; /* carries the caller's reference to the future that contains it */
	return 0;
}

const struct wf_outcome *wf_outcome_free(const struct wf_outcome *outcome) {
	/* the outcome is const to callers only */
	struct wf_outcome *ours = (struct wf_outcome *)(uintptr_t)outcome;

	if (ours)
		(void)wf_future_free(container_of(ours, struct wf_future, outcome));
	return NULL;
}

/* --- futures ------------------------------------------------------------------------------- */

static const struct wf_outcome *shown(struct wf_future *future) {
	learn_finish(future);
	return &future->outcome;
}

const struct wf_outcome *wf_future_wait(struct wf_future *future, int timeout_ms) {
	int r = entry_future(future, "wf_future_wait");

	if (r < 0 || known_timeout("wf_future_wait: timeout_ms", timeout_ms) < 0)
		return NULL;
	r = wait_for_one(future, timeout_ms);
	if (r == 0)
		return shown(future);
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
	if (entry_future(future, "wf_future_outcome") < 0)
		return NULL;
	return wait_is_resolved(future) ? shown(future) : NULL;
}

enum wf_future_state wf_future_state(struct wf_future *future) {
	enum wf_future_state state = WF_PENDING;

	if (entry_future(future, "wf_future_state") < 0)
		return (enum wf_future_state)0;
	engine_lock(future->engine);
	if (future->state == FUTURE_RESOLVED)
		state = WF_DONE;
	else if (claim_has_started(future) || future->result_here)
		state = WF_RUNNING;
	engine_unlock(future->engine);
	return state;
}

/* Takes it back if no worker has begun it. Returns true if it has been resolved as cancelled. */
static bool cancel(struct wf_future *future, const char *why) {
	if (!claim_withdraw(future))
		return false;
	conclude_cancelled(future, why);
	future_end(future);
	return true;
}

static bool has_ended(const struct wf_future *future) {
	return future->state == FUTURE_RESOLVED || future->result_here;
}

/* A callback may give the caller's handle back, and with it the executor's last one: this reference
 * holds both. */
static void before(struct wf_future *future) {
	atomic_fetch_add(&future->references, 1);
	engine_lock(future->engine);
}

/* Runs the future's own callbacks here. Other callbacks that have become due are left to the
 * dispatching thread: our caller may hold locks that they take. */
static void after(struct wf_future *future) {
	bool due;

	executor_pump(executor_of(future->engine));
	due = executor_take_due(future);
	engine_unlock(future->engine);
	if (due)
		executor_run_taken(future);
	(void)future_unref(future);
}

int wf_future_cancel(struct wf_future *future) {
	int r = entry_future(future, "wf_future_cancel");

	if (r < 0)
		return r;
	before(future);
	if (has_ended(future))
		r = report_error(-EALREADY, "the task has ended");
	else if (!cancel(future, "wf_future_cancel() was called before it started"))
		r = report_error(-EBUSY, "the task has started; wf_future_kill() ends it");
	after(future);
	return r;
}

/* Stored like the executor's own option, where 0 means the default. */
static int take_grace(int grace_ms, int *ret) {
	if (grace_ms < 0 && grace_ms != WF_NO_GRACE && grace_ms != WF_DEFAULT_GRACE)
		return report_error(-EINVAL,
				    "wf_future_kill: grace_ms is %d; it must be 0 or more, "
				    "WF_NO_GRACE or WF_DEFAULT_GRACE%s",
				    grace_ms,
				    grace_ms == WF_FOREVER ? "; wf_future_signal() sends SIGTERM "
							     "and nothing after it"
							   : "");
	*ret = grace_ms == 0 ? WF_NO_GRACE : grace_ms == WF_DEFAULT_GRACE ? 0 : grace_ms;
	return 0;
}

int wf_future_kill(struct wf_future *future, int grace_ms) {
	int r = entry_future(future, "wf_future_kill");

	r = r < 0 ? r : take_grace(grace_ms, &grace_ms);
	if (r < 0)
		return r;
	before(future);
	if (has_ended(future))
		r = report_error(-EALREADY, "the task has ended");
	else if (!cancel(future, "wf_future_kill() was called before it started") &&
		 !stop_task(future, WF_BY_CALLER, grace_ms))
		r = report_error(-EALREADY, "the task has ended; its result is on the way");
	after(future);
	return r;
}

int wf_future_signal(struct wf_future *future, int signal) {
	int r = entry_future(future, "wf_future_signal");

	if (r < 0)
		return r;
	if (signal < 1 || signal > SIGRTMAX)
		return report_error(-EINVAL, "wf_future_signal: there is no signal %d", signal);
	engine_lock(future->engine);
	r = entry_running(future);
	if (r == 0 && !stop_signal(future, signal))
		r = report_error(-EALREADY, "the task has ended; its result is on the way");
	engine_unlock(future->engine);
	return r;
}

int wf_future_on_done(struct wf_future *future, wf_callback function, void *context) {
	struct future_callback *callback;
	bool now;
	int r = entry_future(future, "wf_future_on_done");

	if (r < 0)
		return r;
	if (!function)
		return report_error(-EINVAL, "wf_future_on_done: callback is NULL");
	callback = malloc(sizeof *callback);
	if (!callback)
		return report_internal(-ENOMEM, "wf_future_on_done");
	*callback = (struct future_callback){ .function = function, .context = context };
	engine_lock(future->engine);
	/* queue it behind callbacks that are about to be called, if there are any */
	now = future->called_back || (future->state == FUTURE_RESOLVED && !future->callbacks);
	if (!now) {
		*future->callbacks_end = callback;
		future->callbacks_end = &callback->next;
	}
	engine_unlock(future->engine);
	if (now) {
		free(callback);
		executor_call(function, future, context);
	}
	return 0;
}

struct wf_future *wf_future_free(struct wf_future *future) {
	if (future && registry_is_this_process(future->engine->process))
		(void)future_unref(future);
	return NULL;
}

struct wf_future *wf_future_ref(struct wf_future *future) {
	if (entry_future(future, "wf_future_ref") < 0)
		return NULL;
	atomic_fetch_add(&future->references, 1);
	return future;
}
