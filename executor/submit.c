/* SPDX-License-Identifier: MIT
 *
 * Submitting: check, copy, wait for room if the queue is bounded, queue. The submitting thread
 * hands the task to an idle worker itself (executor_pump), so that no other thread has to wake
 * up.
 */
#include "executor/submit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/report.h"
#include "executor/deadline.h"
#include "executor/known.h"
#include "executor/lifetime.h"
#include "executor/wreck.h"

/* The only function of an image of kind command. */
#define COMMAND_FUNCTION "command"

static int check_task(const struct wf_task *task) {
	if (!task->function && !task->argv)
		return report_error(-EINVAL, "task.function is NULL");
	if (task->argv && (task->function || task->input_size || task->buffer))
		return report_error(-EINVAL, "task.argv is set together with a function or an "
					     "input; a program has only its argv");
	if (task->argv && !task->argv[0])
		return report_error(-EINVAL, "task.argv is empty; it must begin with the program");
	if (task->priority < WF_PRIORITY_MIN || task->priority > WF_PRIORITY_MAX)
		return report_error(-EINVAL, "task.priority is %d; it must be from %d to %d",
				    task->priority, WF_PRIORITY_MIN, WF_PRIORITY_MAX);
	if (known_timeout("task.timeout_ms", task->timeout_ms) < 0 ||
	    known_timeout("task.deadline_ms", task->deadline_ms) < 0)
		return -EINVAL;
	if (task->flags & ~(unsigned)(WF_TASK_IDEMPOTENT | WF_TASK_WAIT_EXIT))
		return report_error(-EINVAL,
				    "task.flags is 0x%x, which has bits that are not in enum "
				    "wf_task_flags",
				    task->flags);
	return 0;
}

static int check_kind(const struct wf_executor *executor, const struct wf_task *task) {
	bool command = executor->engine.options.public.image == WF_IMAGE_COMMAND;

	if (command && !task->argv)
		return report_error(-EINVAL, "task.argv is NULL, but the image is "
					     "WF_IMAGE_COMMAND; name the program in it");
	if (!command && task->argv)
		return report_error(-EINVAL, "task.argv is set, but the image is not "
					     "WF_IMAGE_COMMAND; name a function instead");
	return 0;
}

/* Concatenates the strings, with their NULs. NULL: out of memory. */
static char *pack_arguments(const char *const *argv, size_t *ret_size) {
	size_t size = 0;
	char *packed, *to;

	for (size_t i = 0; argv[i]; i++)
		size += strlen(argv[i]) + 1;
	packed = to = malloc(size + 1);
	for (size_t i = 0; packed && argv[i]; i++) {
		size_t length = strlen(argv[i]) + 1;

		memcpy(to, argv[i], length);
		to += length;
	}
	*ret_size = size;
	return packed;
}

static bool has_room(struct wf_executor *executor, const void *context) {
	(void)context;
	return executor->state != EXECUTOR_OPEN ||
	       executor->engine.queue.size + executor->engine.n_tickets <
		   executor->engine.options.public.queue_limit;
}

static int await_room(struct wf_executor *executor) {
	const struct wf_executor_options *options = &executor->engine.options.public;
	nsec_t until = NSEC_NEVER;
	int r;

	if (!options->queue_limit || has_room(executor, NULL))
		return 0;
	if (options->queue_full == WF_QUEUE_FAIL)
		return report_error(-EAGAIN,
				    "the queue is full: %zu tasks wait (options.queue_limit)",
				    executor->engine.queue.size);
	if (options->queue_full == WF_QUEUE_WAIT)
		until = clock_in_ms(options->queue_wait_ms);
	r = executor_await(executor, has_room, NULL, until);
	if (r == -EDEADLK)
		return report_error(r, "the queue is full, and a callback must not wait for room");
	if (r == -ETIMEDOUT)
		return report_error(r, "the queue has been full for %d ms (options.queue_wait_ms)",
				    options->queue_wait_ms);
	return r < 0 ? report_internal(r, "waiting for room in the queue") : 0;
}

static void fill(struct wf_future *future, const struct wf_task *task) {
	const struct options *options = &future->engine->options;
	int timeout_ms = task->timeout_ms ? task->timeout_ms : options->public.timeout_ms;
	int wall_ms = options_wall_ms(options);

	future->priority = task->priority;
	future->flags = task->flags;
	future->timeout_ms = timeout_ms == WF_FOREVER ? 0 : timeout_ms;
	/* a task may ask for less than its policy allows, but not for more */
	if (wall_ms && (future->timeout_ms == 0 || future->timeout_ms > wall_ms))
		future->timeout_ms = wall_ms;
	future->submitted = clock_now();
	if (task->deadline_ms > 0)
		future->deadline = clock_after_ms(future->submitted, task->deadline_ms);
}

/* Everything except queueing. Runs without the lock, because it copies and may be slow. */
static int prepare(struct wf_executor *executor, const struct wf_task *task,
		   struct task_context *context, struct wf_future **ret) {
	const struct task_context *in_force;
	const void *input = task->input;
	size_t input_size = task->input_size;
	char *arguments = NULL;
	struct wf_future *future;
	int r = future_new(&executor->engine, &future);

	if (r < 0)
		return report_internal(r, "submitting a task");
	future->context = task_context_ref(context);
	r = context ? 0 : task_context_new(task->context, &future->context);
	in_force = future->context ? future->context : executor->engine.options.context;
	if (r >= 0 && task->argv) {
		input = arguments = pack_arguments(task->argv, &input_size);
		if (!arguments)
			r = report_internal(-ENOMEM, "submitting a task");
	}
	if (r >= 0)
		r = payload_init(&future->payload, input, input_size,
				 in_force && !in_force->plain ? LIMIT_INLINE_BESIDE_CONTEXT
							      : LIMIT_INLINE_PAYLOAD,
				 task->buffer, executor->engine.number);
	free(arguments);
	if (r < 0) {
		(void)future_unref(future);
		(void)future_unref(future);
		return r;
	}
	fill(future, task);
	*ret = future;
	return 0;
}

#define NAMES_TOLD 32

int submit_unknown(const struct wf_executor *executor, const char *function) {
	const struct names *known = &executor->engine.functions;
	char names[NAMES_TOLD * (LIMIT_NAME + 2)] = "";
	size_t used = 0;

	for (size_t i = 0; i < known->n && i < NAMES_TOLD; i++)
		used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
					 known->names[i]);
	return report_error(-ENOENT, "the image %s has no function \"%.*s\"; it has: %s",
			    executor->engine.options.name, LIMIT_NAME, function,
			    used ? names : "none");
}

static int admit(struct wf_executor *executor, const struct wf_task *task,
		 const char **ret_function) {
	int r = 0;

	executor_rouse(executor);
	if (executor->state == EXECUTOR_OPEN)
		r = await_room(executor);
	if (r >= 0 && executor->state != EXECUTOR_OPEN)
		r = report_error(-ESHUTDOWN, "the executor is closed");
	if (r < 0)
		return r;
	*ret_function =
	    names_find(&executor->engine.functions, task->argv ? COMMAND_FUNCTION : task->function);
	if (!*ret_function)
		return submit_unknown(executor, task->argv ? COMMAND_FUNCTION : task->function);
	if (loop_reserve(executor->engine.loop, 1) < 0) /* for its deadlines */
		return report_internal(-ENOMEM, "submitting a task");
	/* a ticket: the place in the queue is taken, and close waits for what becomes of it */
	executor->engine.n_tickets++;
	executor->engine.n_pending++;
	return 0;
}

int submit_check(const struct wf_task *given, struct wf_task *ret) {
	int r;

	if (!given)
		return report_error(-EINVAL, "wf_submit: task is NULL");
	r = known_take(ret, sizeof *ret, given, KNOWN_FIRST_TASK, "task");
	return r < 0 ? r : check_task(ret);
}

uint64_t submit_batch(struct wf_executor *executor) {
	uint64_t batch;

	executor_lock(executor);
	batch = ++executor->next_batch;
	executor_unlock(executor);
	return batch;
}

static void pump_and_ring(struct wf_executor *executor) {
	executor_pump(executor);
	if (!list_is_empty(&executor->engine.due))
		engine_ring(&executor->engine);
}

/* Under the lock. The ticket is used up, but no future could be made. */
static void give_back(struct wf_executor *executor) {
	executor->engine.n_pending--;
	loop_release(executor->engine.loop, 1);
	executor_pump(executor);
}

/* Under the lock. While there are tickets, nothing but a wreck closes the executor. */
static void take_in(struct wf_executor *executor, struct wf_future *future, bool alone) {
	if (!future->context)
		future->context = task_context_ref(executor->engine.options.context);
	future->id = ++executor->next_task;
	executor->engine.statistics.submitted++;
	if (executor->state == EXECUTOR_CLOSED) {
		wreck_resolve(future);
		return;
	}
	executor->pool.parking = true;
	future_queue(future);
	deadline_watch(future);
	if (alone)
		pump_and_ring(executor);
}

/* Uses up the ticket: with a future, or because none could be made. The thread of an executor that
 * has closed meanwhile may have ended, so what it would do is done here. */
static void enqueue(struct wf_executor *executor, struct wf_future *future, bool alone) {
	bool due = false;

	executor_lock(executor);
	executor->engine.n_tickets--;
	if (future)
		take_in(executor, future, alone);
	else
		give_back(executor);
	if (executor->state == EXECUTOR_CLOSED) {
		due = future && executor_take_due(future);
		executor_announce(executor); /* release() waits for the tickets */
	}
	executor_unlock(executor);
	if (due)
		executor_run_taken(future);
}

int submit_task(struct wf_executor *executor, const struct wf_task *task, bool alone,
		uint64_t batch, struct task_context *context, struct wf_future **ret) {
	struct wf_future *future = NULL;
	const char *function = NULL;
	int r;

	/* refuse before anything is copied and before a buffer is consumed */
	executor_lock(executor);
	r = check_kind(executor, task);
	if (r >= 0)
		r = admit(executor, task, &function);
	executor_unlock(executor);
	if (r < 0)
		return r;
	r = prepare(executor, task, context, &future);
	if (r >= 0 && future) {
		future->function = function;
		future->batch = batch;
		*ret = future;
	}
	enqueue(executor, future, alone);
	return r;
}

void submit_done(struct wf_executor *executor) {
	executor_lock(executor);
	pump_and_ring(executor);
	executor_unlock(executor);
}
