/* SPDX-License-Identifier: MIT
 *
 * The pump, and who drives it: the executor's thread, or its owner's.
 */
#include "executor/executor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/uninitialized.h"
#include "executor/channel.h"
#include "executor/claim.h"
#include "executor/conclude.h"
#include "executor/hand_out.h"
#include "executor/learn.h"
#include "executor/link.h"
#include "executor/plan.h"
#include "executor/postmortem.h"
#include "executor/stop.h"
#include "executor/wreck.h"

#define SETTLE_MS 100  /* without any event: nothing is left then that needs a tick */
#define CHECK_MS  1000 /* without any event, while there is something to wait for */
#define REST_MS   500  /* without any event, before a thread sleeps that waits for nothing */

/* How deeply this thread is nested in callbacks; if it waited there, it would wait for itself. */
static _Thread_local unsigned callback_depth;

void executor_call(wf_callback function, struct wf_future *future, void *context) {
	learn_finish(future);
	callback_depth++;
	function(future, &future->outcome, context);
	callback_depth--;
}

bool executor_in_callback(void) {
	return callback_depth > 0;
}

void executor_announce(struct wf_executor *executor) {
	must(pthread_cond_broadcast(&executor->changed) == 0);
}

/* --- closing ------------------------------------------------------------------------------- */

static void cancel_queue(struct engine *engine) {
	struct list_node *link;

	while ((link = queue_peek(&engine->queue)) != NULL) {
		struct wf_future *future = container_of(link, struct wf_future, link);

		future_unqueue(future);
		conclude_cancelled(future, "the executor was closed before it started");
		future_end(future);
	}
}

static void for_each_worker(struct wf_executor *executor, void (*act)(struct worker *)) {
	generations_foreach (generation, &executor->generations)
		workers_foreach (worker, generation)
			act(worker);
}

static void take_back(struct worker *worker) {
	(void)claim_take_back(worker, UINT32_MAX);
}

static void kill_tasks(struct worker *worker) {
	claim_foreach (future, worker)
		(void)stop_task(future, WF_BY_CLOSE, WF_NO_GRACE);
	/* its result is here, but the worker is slow to leave */
	if (worker->awaiting_exit)
		stop_kill(worker);
}

/* A worker that closing waits for: not one that was left stopped for a debugger, nor a fork that
 * is no longer wanted, which may take long or never come. */
static bool has_workers(const struct wf_executor *executor) {
	generations_foreach (generation, &executor->generations)
		workers_foreach (worker, generation)
			if (worker->state != WORKER_DETAINED && worker->state != WORKER_UNWANTED)
				return true;
	return false;
}

/* Once nothing is pending, the workers leave; then the keeper ends whatever is left, and itself. */
static void close_step(struct wf_executor *executor) {
	struct engine *engine = &executor->engine;

	if (executor->close_how != WF_CLOSE_FINISH) {
		for_each_worker(executor, take_back);
		cancel_queue(engine);
	}
	if (executor->close_how == WF_CLOSE_KILL) {
		for_each_worker(executor, kill_tasks);
		future_hurry_ending(engine);
	}
	pool_settle(&executor->pool);
	conclude_read(engine);
	if (engine->n_pending)
		return;
	pool_dismiss_idle(&executor->pool);
	do {
		pool_settle(&executor->pool);
	} while (succession_settle(&executor->succession));
	if (executor->keeper.running && !executor->keeper.quitting &&
	    (executor->close_how == WF_CLOSE_KILL || !has_workers(executor)))
		keeper_quit(&executor->keeper);
	if (!keeper_is_gone(&executor->keeper) || !list_is_empty(&executor->generations.list))
		return;
	executor->state = EXECUTOR_CLOSED;
	executor_announce(executor);
}

/* A result that has come counts, though nobody has received it yet. Whatever else has started is
 * killed now; that its process has ended is not known. */
static void resolve_tasks(struct worker *worker) {
	struct wf_future *future;

	(void)channel_drain(worker);
	claim_foreach (started, worker) {
		if (started->verdict != VERDICT_NONE || !claim_had_started(started))
			continue;
		started->verdict = VERDICT_KILLED;
		started->verdict_killer = WF_BY_CLOSE;
	}
	worker->end_was_expected = true; /* it is no death */
	(void)postmortem(worker);
	future = worker->awaiting_exit;
	worker->awaiting_exit = NULL;
	if (future)
		future_end(future);
}

void executor_resolve_all(struct wf_executor *executor) {
	struct engine *engine = &executor->engine;

	for_each_worker(executor, resolve_tasks);
	cancel_queue(engine);
	list_take(&engine->read, &engine->ending);
	conclude_read(engine);
}

void executor_pump(struct wf_executor *executor) {
	if (executor->state == EXECUTOR_CLOSED)
		return;
	/* changes of a generation affect its workers, and the last of these affect the
	 * generation */
	do {
		pool_settle(&executor->pool);
	} while (succession_settle(&executor->succession));
	conclude_read(&executor->engine);
	hand_out(&executor->pool);
	succession_plan(&executor->succession);
	plan(&executor->pool);
	if (executor->state == EXECUTOR_CLOSING)
		close_step(executor);
	if (executor->n_sleepers)
		executor_announce(executor);
}

static void give_up(struct wf_executor *executor) {
	if (executor->state == EXECUTOR_CLOSED)
		return;
	wreck(&executor->engine, &executor->keeper, &executor->generations, &executor->pool);
	executor->succession.program = -1;
	executor->state = EXECUTOR_CLOSED;
	executor_announce(executor);
}

static bool is_wrecked(const struct wf_executor *executor) {
	return wreck_is_seen(&executor->engine, &executor->keeper, &executor->generations);
}

bool executor_check(struct wf_executor *executor) {
	if (!is_wrecked(executor))
		return false;
	give_up(executor);
	return true;
}

/* --- callbacks ----------------------------------------------------------------------------- */

/* Futures without callbacks only have to be released. */
static void take_due(struct engine *engine, struct list_node *ret_quiet,
		     struct list_node *ret_loud) {
	engine_lock(engine);
	list_foreach_safe (link, next, &engine->due) {
		struct wf_future *future = container_of(link, struct wf_future, link);

		list_remove(link);
		future->is_due = false;
		future->called_back = !future->callbacks;
		list_append(future->called_back ? ret_quiet : ret_loud, link);
	}
	engine_unlock(engine);
}

static void call_back(struct wf_future *future) {
	learn_finish(future);
	future_run_callbacks(future);
}

void executor_run_due(struct wf_executor *executor) {
	struct list_node quiet, loud;

	list_init(&quiet);
	list_init(&loud);
	(void)engine_ref(&executor->engine); /* a callback may release the last handle */
	callback_depth++;
	do {
		take_due(&executor->engine, &quiet, &loud);
		list_foreach_safe (link, next, &quiet) {
			list_remove(link);
			(void)future_unref(container_of(link, struct wf_future, link));
		}
		if (list_is_empty(&loud))
			break;
		while (!list_is_empty(&loud)) {
			struct list_node *link = loud.next;

			list_remove(link);
			call_back(container_of(link, struct wf_future, link));
		}
	} while (true);
	callback_depth--;
	(void)engine_unref(&executor->engine);
}

bool executor_take_due(struct wf_future *future) {
	struct engine *engine = future->engine;

	if (!future->is_due)
		return false;
	list_remove(&future->link);
	future->is_due = false;
	if (!list_is_empty(&engine->due))
		engine_ring(engine); /* the other futures are left to the dispatching thread */
	return true;
}

void executor_run_taken(struct wf_future *future) {
	callback_depth++;
	call_back(future);
	callback_depth--;
}

/* --- dispatch ------------------------------------------------------------------------------ */

/* With options.spin_us, while tasks are out: a result that comes soon finds us awake. */
static int wait_spinning(const struct engine *engine, int fd, int timeout_ms,
			 struct loop_batch *batch) {
	nsec_t until = clock_now() + (nsec_t)engine->options.public.tuning.spin_us * 1000;
	int r;

	do {
		r = loop_wait(fd, 0, batch);
		if (r < 0 || batch->n > 0)
			return error_trace(r);
	} while (clock_now() < until);
	return error_trace(loop_wait(fd, timeout_ms, batch));
}

/* A zygote that owes us nothing is not pinged. Its timer is removed after a moment without events,
 * not with each task, because that would be a system call. */
static void settle_down(struct wf_executor *executor) {
	generations_foreach (generation, &executor->generations)
		link_settle(generation);
}

static bool may_settle(const struct wf_executor *executor) {
	generations_foreach (generation, &executor->generations)
		if (generation->ping_timer.loop)
			return executor->engine.n_pending == 0;
	return false;
}

static bool is_waiting(const struct wf_executor *executor) {
	return executor->engine.n_pending > 0 || executor->state == EXECUTOR_CLOSING ||
	       executor->engine.options.public.caller_driven;
}

/* What is waited for may never be seen, because the host has closed its descriptor: when is it
 * to be looked at? A thread of ours that has had nothing to wait for during one such time sleeps
 * until the next task rings (executor_rouse()), so tasks that follow each other ring nothing.
 * -1: never. */
static int check_in(const struct wf_executor *executor) {
	if (is_waiting(executor))
		return CHECK_MS;
	return executor->rested ? -1 : REST_MS;
}

void executor_rouse(struct wf_executor *executor) {
	if (!executor->unchecked)
		return;
	executor->unchecked = false;
	if (!executor_check(executor))
		engine_ring(&executor->engine);
}

/* Called with the lock, returns without it. */
static void after_failed_wait(struct wf_executor *executor) {
	give_up(executor);
	executor_unlock(executor);
	executor_run_due(executor);
}

/* Called with the lock, returns without it. */
static void step(struct wf_executor *executor, int timeout_ms) {
	struct engine *engine = &executor->engine;
	struct loop_batch batch uninitialized;
	int fd = loop_fd(engine->loop), in_ms = check_in(executor), r;
	bool spin, settle, check;

	if (!list_is_empty(&engine->due))
		timeout_ms = 0;
	spin =
	    timeout_ms != 0 && engine->options.public.tuning.spin_us > 0 && engine_is_busy(engine);
	settle = timeout_ms < 0 && may_settle(executor);
	check = !settle && in_ms >= 0 && (timeout_ms < 0 || timeout_ms > in_ms);
	if (settle || check)
		timeout_ms = settle ? SETTLE_MS : in_ms;
	executor->unchecked = timeout_ms < 0;
	engine_unlock(engine);
	r = spin ? wait_spinning(engine, fd, timeout_ms, &batch)
		 : loop_wait(fd, timeout_ms, &batch);
	engine_lock(engine);
	executor->unchecked = false;
	executor->rested = check && r == 0 && batch.n == 0;
	if (r < 0 || (executor->rested && is_wrecked(executor))) {
		after_failed_wait(executor);
		return;
	}
	if (settle && batch.n == 0)
		settle_down(executor);
	loop_dispatch(engine->loop, &batch);
	executor_pump(executor);
	engine_unlock(engine);
	executor_run_due(executor);
}

void executor_step(struct wf_executor *executor, int timeout_ms) {
	executor_lock(executor);
	step(executor, timeout_ms);
}

/* The thread that should wake us may sleep forever, so we look now and then. Returns 0 if there may
 * be a change, or -ETIMEDOUT. */
static int sleep_on_changed(struct wf_executor *executor, nsec_t until) {
	nsec_t check = clock_in_ms(CHECK_MS);
	int r;

	if (executor_check(executor)) {
		executor_unlock(executor);
		executor_run_due(executor);
		executor_lock(executor);
		return 0;
	}
	executor->n_sleepers++;
	r = engine_wait(&executor->engine, &executor->changed, check < until ? check : until);
	executor->n_sleepers--;
	return check < until ? 0 : r;
}

/* A caller takes one step as the dispatcher; under the lock before and after. */
static void step_as_dispatcher(struct wf_executor *executor, int timeout_ms) {
	executor->dispatching = true;
	step(executor, timeout_ms);
	executor_lock(executor);
	executor->dispatching = false;
	if (executor->n_sleepers || executor->releasing)
		executor_announce(executor);
}

/* The caller dispatches, unless another of its threads is doing so now. */
static int drive(struct wf_executor *executor, nsec_t until) {
	int timeout_ms;

	if (executor->releasing || !executor->engine.loop || executor->engine.wrecked)
		return -ESHUTDOWN;
	if (executor->dispatching)
		return sleep_on_changed(executor, until);
	timeout_ms = clock_left_ms(until);
	if (timeout_ms == 0)
		return -ETIMEDOUT;
	step_as_dispatcher(executor, timeout_ms);
	return 0;
}

int executor_await(struct wf_executor *executor, bool (*done)(struct wf_executor *, const void *),
		   const void *context, nsec_t until) {
	while (!done(executor, context)) {
		int r;

		if (executor_in_callback())
			return -EDEADLK;
		if (executor->engine.options.public.caller_driven)
			r = drive(executor, until);
		else
			r = sleep_on_changed(executor, until);
		if (r == -ETIMEDOUT)
			return done(executor, context) ? 0 : -ETIMEDOUT;
		if (r < 0)
			return error_trace(r);
	}
	return 0;
}

int executor_dispatch(struct wf_executor *executor, int timeout_ms) {
	int r = 0;

	if (executor_in_callback())
		return -EDEADLK;
	(void)engine_ref(&executor->engine); /* a callback may release the last handle */
	executor_lock(executor);
	if (executor->releasing || !executor->engine.loop || executor->engine.wrecked)
		r = -ESHUTDOWN;
	else if (executor->dispatching)
		r = -EDEADLK;
	else
		step_as_dispatcher(executor, timeout_ms);
	executor_unlock(executor);
	(void)engine_unref(&executor->engine);
	return r;
}
