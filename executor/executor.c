/* SPDX-License-Identifier: MIT
 *
 * The executor: one lock, one loop, and the pump.
 *
 * Every event ends in executor_pump(), which looks at the whole and does what can be done: hand
 * out, fork, start, end. So no handler needs to know what else its event makes possible.
 */
#include "executor/executor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/uninitialized.h"
#include "executor/channel.h"
#include "executor/keeper_link.h"
#include "executor/lifetime.h"
#include "executor/link.h"
#include "executor/outcome.h"
#include "executor/slot.h"
#include "executor/supervise.h"

#define SETTLE_MS     100 /* without any event: then nothing is left that could tick */
#define LOG_LINES_MAX 256 /* of one hold of the lock */

struct log_line {
	struct link link;
	enum log_level level;
	char text[];
};

/* How deep this thread is in callbacks; one that waits there would wait for itself. */
static _Thread_local unsigned callback_depth;

void executor_lock(struct wf_executor *executor) {
	must(pthread_mutex_lock(&executor->lock) == 0);
	executor->now = 0;
}

nsec_t executor_now(struct wf_executor *executor) {
	if (executor->now == 0)
		executor->now = clock_now();
	return executor->now;
}

/* Log lines are born under the lock; a handler may take locks of its own, under which another thread may
 * be waiting for ours. So they are handed on after it is free. */
void executor_unlock(struct wf_executor *executor) {
	struct link lines;

	list_init(&lines);
	list_take(&lines, &executor->lines);
	executor->n_lines = 0;
	must(pthread_mutex_unlock(&executor->lock) == 0);
	list_foreach_safe (link, next, &lines) {
		struct log_line *line = container_of(link, struct log_line, link);

		executor->options.public.log(executor->options.public.log_context,
					     (enum wf_log_level)line->level, line->text);
		free(line);
	}
}

void executor_keep_line(void *context, enum log_level level, const char *text) {
	struct wf_executor *executor = context;
	struct log_line *line;
	size_t size = strlen(text) + 1;

	line = executor->n_lines < LOG_LINES_MAX ? malloc(sizeof(*line) + size) : NULL;
	if (!line)
		return;
	*line = (struct log_line){ .level = level };
	memcpy(line->text, text, size);
	executor->n_lines++;
	list_append(&executor->lines, &line->link);
}

struct wf_executor *executor_ref(struct wf_executor *executor) {
	atomic_fetch_add(&executor->references, 1);
	return executor;
}

struct wf_executor *executor_unref(struct wf_executor *executor) {
	if (executor && atomic_fetch_sub(&executor->references, 1) == 1)
		lifetime_destroy(executor);
	return NULL;
}

void executor_call(wf_callback function, struct wf_future *future, void *context) {
	callback_depth++;
	function(future, &future->outcome, context);
	callback_depth--;
}

bool executor_in_callback(void) {
	return callback_depth > 0;
}

void executor_ring(struct wf_executor *executor) {
	if (executor->doorbell >= 0)
		(void)eventfd_write(executor->doorbell, 1);
}

/* --- the pump
 * --------------------------------------------------------------------------------------- */

static void cancel_queue(struct wf_executor *executor) {
	struct link *link;

	while ((link = queue_peek(&executor->queue)) != NULL) {
		struct wf_future *future = container_of(link, struct wf_future, link);

		queue_remove(&executor->queue, link, future->priority);
		outcome_cancelled(future, "the executor was closed before it started");
		future_resolve(future);
	}
}

static void for_each_worker(struct wf_executor *executor, void (*act)(struct worker *)) {
	list_foreach_safe (z, next_zygote, &executor->zygotes) {
		struct zygote *zygote = container_of(z, struct zygote, link);

		list_foreach_safe (w, next_worker, &zygote->workers)
			act(container_of(w, struct worker, zygote_link));
	}
}

static void take_back(struct worker *worker) {
	(void)channel_take_back(worker, UINT32_MAX);
}

/* What is still on a channel after this has been claimed. */
static void take_all_back(struct wf_executor *executor) {
	for_each_worker(executor, take_back);
}

static void kill_tasks(struct worker *worker) {
	for (uint64_t s = worker->first_sequence; s < worker->next_sequence; s++) {
		struct wf_future *future = worker->assigned[s % CELL_CLAIMS];

		if (future)
			(void)supervise_kill(future, WF_BY_CLOSE, WF_NO_GRACE);
	}
	/* its result is here, but it hesitates to leave */
	if (worker->awaiting_exit)
		supervise_now_kill(worker);
}

static void kill_running(struct wf_executor *executor) {
	for_each_worker(executor, kill_tasks);
}

static void retire_all(struct wf_executor *executor) {
	for (unsigned i = 0; i < executor->n_slots; i++) {
		struct slot *slot = &executor->slots[i];

		if (slot->next)
			slot_retire(slot->next);
		if (slot->current && !channel_has_tasks(slot->current))
			slot_retire(slot->current);
	}
}

static bool has_workers(const struct wf_executor *executor) {
	for (struct link *link = executor->zygotes.next; link != &executor->zygotes;
	     link = link->next) {
		const struct zygote *zygote = container_of(link, struct zygote, link);

		for (struct link *w = zygote->workers.next; w != &zygote->workers; w = w->next)
			if (!container_of(w, struct worker, zygote_link)->detained)
				return true;
	}
	return false;
}

/* Once nothing is pending: workers leave, then the keeper ends whatever is left, then itself. */
static void close_step(struct wf_executor *executor) {
	if (executor->close_how != WF_CLOSE_FINISH) {
		take_all_back(executor);
		cancel_queue(executor);
	}
	if (executor->close_how == WF_CLOSE_KILL)
		kill_running(executor);
	if (executor->n_pending)
		return;
	retire_all(executor);
	if (executor->keeper.running && !executor->ending &&
	    (executor->close_how == WF_CLOSE_KILL || !has_workers(executor))) {
		executor->ending = true;
		keeper_link_quit(executor);
	}
	if (executor->keeper.running)
		return;
	executor->ending = true;
	while (!list_is_empty(&executor->zygotes))
		link_free(container_of(executor->zygotes.next, struct zygote, link));
	executor->state = EXECUTOR_CLOSED;
	must(pthread_cond_broadcast(&executor->changed) == 0);
}

static void free_ended_zygotes(struct wf_executor *executor) {
	list_foreach_safe (link, next, &executor->zygotes) {
		struct zygote *zygote = container_of(link, struct zygote, link);

		if (zygote->state == ZYGOTE_LOST && zygote->n_workers == 0)
			link_free(zygote);
	}
}

void executor_pump(struct wf_executor *executor) {
	if (executor->state == EXECUTOR_CLOSED)
		return;
	slot_hand_out(executor);
	keeper_link_plan(executor);
	slot_plan(executor);
	free_ended_zygotes(executor);
	if (executor->state == EXECUTOR_CLOSING)
		close_step(executor);
	if (executor->n_sleepers)
		must(pthread_cond_broadcast(&executor->changed) == 0);
}

/* --- dispatch
 * ---------------------------------------------------------------------------------------- */

/* Those that nobody wants to be called back for only have to be given back. */
static void take_due(struct wf_executor *executor, struct link *ret_quiet, struct link *ret_loud) {
	executor_lock(executor);
	list_foreach_safe (link, next, &executor->due) {
		struct wf_future *future = container_of(link, struct wf_future, link);

		list_remove(link);
		future->called_back = !future->callbacks;
		list_append(future->called_back ? ret_quiet : ret_loud, link);
	}
	executor_unlock(executor);
}

void executor_run_due(struct wf_executor *executor) {
	struct link quiet, loud;

	list_init(&quiet);
	list_init(&loud);
	(void)executor_ref(executor); /* a callback may give the last handle back */
	callback_depth++;
	do {
		take_due(executor, &quiet, &loud);
		list_foreach_safe (link, next, &quiet) {
			list_remove(link);
			(void)future_unref(container_of(link, struct wf_future, link));
		}
		if (list_is_empty(&loud))
			break;
		list_foreach_safe (link, next, &loud) {
			list_remove(link);
			future_run_callbacks(container_of(link, struct wf_future, link));
		}
	} while (true);
	callback_depth--;
	(void)executor_unref(executor);
}

/* With options.spin_us, while tasks are out: a result that comes soon finds us awake. */
static int wait_spinning(struct wf_executor *executor, int timeout_ms, struct loop_batch *batch) {
	nsec_t until = clock_now() + (nsec_t)executor->options.public.tuning.spin_us * 1000;
	int r;

	do {
		r = loop_wait(executor->loop, 0, batch);
		if (r < 0 || batch->n > 0)
			return error_trace(r);
	} while (clock_now() < until);
	return error_trace(loop_wait(executor->loop, timeout_ms, batch));
}

/* A zygote that owes nothing need not be asked whether it lives. Its timer is taken away when nothing has
 * happened for a moment, not with each task: that would be a system call. */
static void settle_down(struct wf_executor *executor) {
	list_foreach_safe (link, next, &executor->zygotes)
		link_settle(container_of(link, struct zygote, link));
}

static bool may_settle(struct wf_executor *executor) {
	for (struct link *link = executor->zygotes.next; link != &executor->zygotes;
	     link = link->next)
		if (container_of(link, struct zygote, link)->ping_timer.loop)
			return executor->n_pending == 0;
	return false;
}

/* Under the lock when it begins, without it when it returns. */
static int step(struct wf_executor *executor, int timeout_ms) {
	struct loop_batch batch uninitialized;
	bool spin, settle;
	int r;

	if (!list_is_empty(&executor->due))
		timeout_ms = 0;
	spin = timeout_ms != 0 && executor->options.public.tuning.spin_us > 0 &&
	       executor->n_pending > executor->queue.size + executor->n_tickets;
	settle = timeout_ms < 0 && may_settle(executor);
	executor_unlock(executor);
	r = spin ? wait_spinning(executor, timeout_ms, &batch)
		 : loop_wait(executor->loop, settle ? SETTLE_MS : timeout_ms, &batch);
	if (r < 0)
		return error_trace(r);
	executor_lock(executor);
	if (settle && batch.n == 0) {
		settle_down(executor);
		executor_unlock(executor);
		r = loop_wait(executor->loop, timeout_ms, &batch);
		if (r < 0)
			return error_trace(r);
		executor_lock(executor);
	}
	loop_dispatch(executor->loop, &batch);
	executor_pump(executor);
	executor_unlock(executor);
	executor_run_due(executor);
	return 0;
}

int executor_step(struct wf_executor *executor, int timeout_ms) {
	executor_lock(executor);
	return step(executor, timeout_ms);
}

static int sleep_on_changed(struct wf_executor *executor, nsec_t until) {
	struct timespec at = { .tv_sec = (time_t)(until / NSEC_PER_SEC),
			       .tv_nsec = (long)(until % NSEC_PER_SEC) };
	int r = 0;

	executor->n_sleepers++;
	if (until == NSEC_NEVER)
		(void)pthread_cond_wait(&executor->changed, &executor->lock);
	else
		r = pthread_cond_timedwait(&executor->changed, &executor->lock, &at);
	executor->n_sleepers--;
	executor->now = 0; /* the lock was free meanwhile */
	return r == ETIMEDOUT ? -ETIMEDOUT : 0;
}

/* One step by a caller, who is the one that dispatches; under the lock before and after. */
static int step_as_dispatcher(struct wf_executor *executor, int timeout_ms) {
	int r;

	executor->dispatching = true;
	r = step(executor, timeout_ms);
	executor_lock(executor);
	executor->dispatching = false;
	if (executor->n_sleepers || executor->releasing)
		must(pthread_cond_broadcast(&executor->changed) == 0);
	return r;
}

/* The caller is the one who dispatches, unless another of his threads does so now. */
static int drive(struct wf_executor *executor, nsec_t until) {
	if (executor->releasing || !executor->loop)
		return -ESHUTDOWN;
	if (executor->dispatching)
		return sleep_on_changed(executor, until);
	if (until == NSEC_NEVER)
		return step_as_dispatcher(executor, -1);
	if (clock_now() >= until)
		return -ETIMEDOUT;
	return step_as_dispatcher(executor, clock_until_ms(clock_now(), until));
}

int executor_await(struct wf_executor *executor, bool (*done)(struct wf_executor *, const void *),
		   const void *context, nsec_t until) {
	while (!done(executor, context)) {
		int r;

		if (executor_in_callback())
			return -EDEADLK;
		if (executor->options.public.caller_driven)
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
	(void)executor_ref(executor); /* a callback may give the last handle back */
	executor_lock(executor);
	if (executor->releasing || !executor->loop)
		r = -ESHUTDOWN;
	else if (executor->dispatching)
		r = -EDEADLK;
	else
		r = step_as_dispatcher(executor, timeout_ms);
	executor_unlock(executor);
	(void)executor_unref(executor);
	return r;
}
